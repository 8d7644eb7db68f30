// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// addTokenCreateError reports why a token was not created.
func addTokenCreateError(ctx context.Context, client *qualytics.Client, accountID int64, name string, err error,
	diags *diag.Diagnostics,
) {
	const summary = "Unable to create service token"
	object := fmt.Sprintf("service token %q of the service account ID %d", name, accountID)
	switch {
	case qualytics.IsConflict(err):
		diags.AddAttributeError(path.Root("name"), "Service token name already in use",
			detailOf(object, err)+"\n\n"+nameInUseText(ctx, client, accountID, name))
	case qualytics.IsUnknownPath(err):
		call{diags: diags}.fail(summary, object, err)
	case qualytics.IsNotFound(err), qualytics.IsBadRequest(err):
		diags.AddAttributeError(path.Root("service_account_id"), summary, detailOf(object, err)+
			fmt.Sprintf("\n\nThe account with ID %d may not exist, may be deactivated, or may not be a service "+
				"account.", accountID))
	default:
		call{diags: diags}.fail(summary, object, err)
	}
}

// nameInUseText returns which token uses a name, and what to do about it.
func nameInUseText(ctx context.Context, client *qualytics.Client, accountID int64, name string) string {
	const rule = "The names of an account's tokens are unique, and a revoked token keeps its name. In a rotation " +
		"with create_before_destroy, the old token still uses the name: use name_prefix instead of name there."
	tokens, err := client.ServiceTokens(ctx)
	if err != nil {
		return rule + "\n\nThe token that uses the name could not be looked up. " + explainError(err)
	}
	for i := range tokens {
		t := &tokens[i]
		if t.User.ID != accountID || t.Name != name {
			continue
		}
		return fmt.Sprintf(
			"The %s token with ID %d uses the name. %s\n\nTo manage that token with Terraform, import it; "+
				"its secret remains unknown:%s\n\nIf it is not needed, revoke and delete it in Qualytics (Settings, "+
				"Tokens).", listStatus(t, client.Now()), t.ID, rule, importCommand("qualytics_service_token", t.ID))
	}
	return rule
}

// addRestoreError reports why a token was not restored.
func addRestoreError(state tokenModel, err error, diags *diag.Diagnostics) {
	const summary = "Unable to restore service token"
	if !qualytics.IsRefused(err) {
		call{diags: diags}.fail(summary, state.label(), err)
		return
	}
	diags.AddAttributeError(path.Root("revoked"), summary, detailOf(state.label(), err)+
		"\n\nThe token may have expired or been deleted. The next plan replaces it with a new token.")
}

// unknownSecretText explains what an unknown secret means.
func unknownSecretText(model tokenModel) string {
	return fmt.Sprintf("The server does not return the secret of the existing %s, so its attribute token is null, and "+
		"configurations that use it may fail. A rotation creates a known secret.", model.label())
}
