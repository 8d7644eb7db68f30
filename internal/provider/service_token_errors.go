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

// explainTokenCreate says why a token could not be made.
func explainTokenCreate(ctx context.Context, client *qualytics.Client, accountID int64, name string, err error, diags *diag.Diagnostics) {
	failed := fmt.Sprintf("The service token %q could not be created", name)
	switch {
	case qualytics.IsConflict(err):
		diags.AddAttributeError(path.Root("name"), failed, explain(err)+"\n\n"+holderText(ctx, client, accountID, name))
	case qualytics.IsNotFound(err), qualytics.IsBadRequest(err):
		diags.AddAttributeError(path.Root("service_account_id"), failed, explain(err)+
			fmt.Sprintf("\n\nThe account with the id %d may not exist, may be deactivated, or may not be a service account.", accountID))
	default:
		addError(diags, failed, err)
	}
}

// holderText says which token holds a name, and what to do about it.
func holderText(ctx context.Context, client *qualytics.Client, accountID int64, name string) string {
	advice := "An account's token names are unique, and a revoked token still holds its name. In a rotation with create_before_destroy " +
		"the old token holds the name until the new one exists: use name_prefix instead of name there."
	tokens, err := client.ServiceTokens(ctx)
	if err != nil {
		return advice + "\n\nThe token that holds the name could not be looked up: " + explain(err)
	}
	for _, t := range tokens {
		if t.User.ID != accountID || t.Name != name {
			continue
		}
		state := "active"
		switch {
		case !t.Active:
			state = "revoked"
		case t.Expired(client.Now()):
			state = "expired"
		}
		return fmt.Sprintf("The name is held by the token with the id %d, which is %s. If Terraform is to manage it, import it; "+
			"its secret stays unknown:%s\n\nIf nobody needs it, revoke and delete it in Qualytics (Settings, Tokens). %s",
			t.ID, state, importCommand("qualytics_service_token", t.ID), advice)
	}
	return advice
}

// explainRevoke says why a token could not be revoked or restored.
func explainRevoke(state serviceTokenModel, revoke bool, err error, diags *diag.Diagnostics) {
	if revoke {
		addError(diags, sentenceStart(describe(state))+" could not be revoked", err)
		return
	}
	failed := sentenceStart(describe(state)) + " could not be restored"
	if !qualytics.IsRefused(err) {
		addError(diags, failed, err)
		return
	}
	diags.AddAttributeError(path.Root("revoked"), failed, explain(err)+
		"\n\nIt may have expired meanwhile. The next plan replaces it with a new token.")
}

// refuseLockout refuses at plan time to revoke the token with which the
// provider works. When that cannot be known, nothing is said.
func (r *serviceTokenResource) refuseLockout(ctx context.Context, state serviceTokenModel, revokes bool, diags *diag.Diagnostics) {
	if revokes && r.data.client != nil && r.own(ctx, r.data.client, state) == qualytics.OwnYes {
		diags.AddError("The provider would lock itself out", lockoutText(state, "This is the very token that the provider uses."))
	}
}

// mayRevoke refuses at apply time also what only may be the provider's own
// token.
func (r *serviceTokenResource) mayRevoke(ctx context.Context, client *qualytics.Client, state serviceTokenModel, diags *diag.Diagnostics) bool {
	switch r.own(ctx, client, state) {
	case qualytics.OwnYes:
		diags.AddError("The provider would lock itself out", lockoutText(state, "This is the very token that the provider uses."))
	case qualytics.OwnMaybe:
		diags.AddError("The provider might lock itself out",
			lockoutText(state, "It belongs to the account that the provider is logged in as, and cannot be told apart from the token that the provider uses."))
	default:
		return true
	}
	return false
}

func lockoutText(state serviceTokenModel, why string) string {
	return fmt.Sprintf("Revoking or deleting %s is refused. %s Run Terraform with another Admin's token, use deletion_policy = \"abandon\", "+
		"or take it out of Terraform's hands with \"terraform state rm\".", describe(state), why)
}

// own says whether a token is the one that the provider uses. What cannot be
// asked counts as no: the request itself will say so.
func (r *serviceTokenResource) own(ctx context.Context, client *qualytics.Client, state serviceTokenModel) qualytics.Own {
	me, err := client.CurrentUser(ctx)
	if err != nil || state.ServiceAccountID.ValueString() != fmt.Sprint(me.ID) {
		return qualytics.OwnNo
	}
	own, err := client.IsOwnToken(ctx, state.asToken())
	if err != nil {
		return qualytics.OwnMaybe
	}
	return own
}
