// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// explainTokenCreateError reports why a token was not created.
func explainTokenCreateError(ctx context.Context, client *qualytics.Client, accountID int64, name string, err error,
	diags *diag.Diagnostics,
) {
	const summary = "Unable to create service token"
	object := fmt.Sprintf("service token %q of the service account ID %d", name, accountID)
	switch {
	case qualytics.IsConflict(err):
		diags.AddAttributeError(path.Root("name"), "Service token name already in use",
			detailOf(object, err)+"\n\n"+nameInUseText(ctx, client, accountID, name))
	case qualytics.IsUnknownPath(err):
		addError(diags, summary, object, err)
	case qualytics.IsNotFound(err), qualytics.IsBadRequest(err):
		diags.AddAttributeError(path.Root("service_account_id"), summary, detailOf(object, err)+
			fmt.Sprintf("\n\nThe account with ID %d may not exist, may be deactivated, or may not be a service "+
				"account.", accountID))
	default:
		addError(diags, summary, object, err)
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

// explainRestoreError reports why a token was not restored.
func explainRestoreError(state serviceTokenModel, err error, diags *diag.Diagnostics) {
	const summary = "Unable to restore service token"
	if !qualytics.IsRefused(err) {
		addError(diags, summary, state.label(), err)
		return
	}
	diags.AddAttributeError(path.Root("revoked"), summary, detailOf(state.label(), err)+
		"\n\nThe token may have expired or been deleted. The next plan replaces it with a new token.")
}

// expiryTolerance is how far a lifetime may differ from the requested one: a
// server may count calendar days.
const expiryTolerance = day

// warnOfCreated warns about a new token that is not as requested. An error would
// mark the token as tainted, and its replacement would be the same.
func warnOfCreated(plan, created serviceTokenModel, t *qualytics.NewToken, diags *diag.Diagnostics) {
	requested := plan.ExpiresInDays
	start, known := timeOf(created.CreatedAt)
	expires, limited := timeOf(created.ExpiresAt)
	differs := known && limited &&
		(expires.Sub(start)-time.Duration(requested.ValueInt64())*day).Abs() > expiryTolerance
	switch {
	case t.Partial:
		diags.AddWarning("Answer only partly readable",
			"The ID and the secret of the new service token are in the state; the next refresh reads the rest. "+
				"The deployment may run a build that this version of the provider does not support.")
	case requested.IsNull() == limited, differs:
		diags.AddAttributeWarning(path.Root("expires_in_days"), "Lifetime not applied", fmt.Sprintf("The request for "+
			"%s was for %s, and the token expires %s.", created.label(), lifetimeText(requested),
			expiryText(expires, limited)))
	}
	if !plan.RotateBeforeDays.IsNull() && created.windowCoversLifetime() {
		diags.AddAttributeWarning(path.Root("rotate_before_days"), "Rotation window covers the whole lifetime",
			fmt.Sprintf("The server limited the lifetime of %s, so that rotate_before_days = %d covers all of "+
				"it. To avoid a rotation in every run, the token is replaced only after it has expired. Reduce "+
				"rotate_before_days.", created.label(), plan.RotateBeforeDays.ValueInt64()))
	}
	if !t.Active && !t.Partial {
		diags.AddWarning("New service token is revoked",
			sentence("the server answered that the new "+created.label()+" is revoked")+" The next plan replaces it.")
	}
}

func lifetimeText(days types.Int64) string {
	if days.IsNull() {
		return "a token that never expires"
	}
	return fmt.Sprintf("a lifetime of %d days", days.ValueInt64())
}

func expiryText(expires time.Time, limited bool) string {
	if !limited {
		return "never"
	}
	return "at " + formatTime(expires)
}

// unknownSecretText explains what an unknown secret means.
func unknownSecretText(model serviceTokenModel) string {
	return fmt.Sprintf("The server does not return the secret of the existing %s, so its attribute token is null, and "+
		"configurations that use it may fail. A rotation creates a known secret.", model.label())
}
