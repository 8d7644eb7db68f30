// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// explainTokenCreate says why a token could not be made.
func explainTokenCreate(ctx context.Context, client *qualytics.Client, accountID int64, name string, err error, diags *diag.Diagnostics) {
	failed := fmt.Sprintf("The service token %q could not be created", name)
	switch {
	case qualytics.IsConflict(err):
		diags.AddAttributeError(path.Root("name"), failed, explain(err)+"\n\n"+holderText(ctx, client, accountID, name))
	case isUnknownPath(err):
		addError(diags, failed, err)
	case qualytics.IsNotFound(err), qualytics.IsBadRequest(err):
		diags.AddAttributeError(path.Root("service_account_id"), failed, explain(err)+
			fmt.Sprintf("\n\nThe account with the id %d may not exist, may be deactivated, or may not be a service account.", accountID))
	default:
		addError(diags, failed, err)
	}
}

// expiryTolerance is how far a token's lifetime may be from what was asked: a
// server may count calendar days, or to the end of one.
const expiryTolerance = day

// checkExpiry warns when a new token does not live as long as was asked. It is
// no error: that would mark the token as tainted, and the next one would be no
// better.
func checkExpiry(plan serviceTokenModel, t *qualytics.NewToken, diags *diag.Diagnostics) {
	asked := plan.ExpiresInDays
	tooFar := func() bool {
		return t.Expiration != nil && t.Created != nil && (t.Expiration.Sub(*t.Created)-time.Duration(asked.ValueInt64())*day).Abs() > expiryTolerance
	}
	switch {
	case t.Partial:
		diags.AddWarning("The server's answer was only partly readable",
			"The new token's id and secret are in the state; the rest is read by the next refresh. The deployment may run a build that this version of the provider does not know.")
	case asked.IsNull() != (t.Expiration == nil), tooFar():
		diags.AddAttributeWarning(path.Root("expires_in_days"), "The server did not take the lifetime",
			fmt.Sprintf("It was asked for %s, and the new token expires %s.", lifetimeText(asked), expiryText(t)))
	}
}

// checkSCIM tries a new token that is to be limited to SCIM where it must not
// work, because the server never says whether it is.
func checkSCIM(ctx context.Context, client *qualytics.Client, plan serviceTokenModel, t *qualytics.NewToken, diags *diag.Diagnostics) {
	if !plan.SCIMEndpointsOnly.ValueBool() {
		return
	}
	as, err := client.As(t.Bearer)
	if err == nil {
		_, err = as.CurrentUser(ctx)
	}
	switch e := asError(err); {
	case err == nil:
		diags.AddAttributeWarning(path.Root("scim_endpoints_only"), "The server did not limit the token to SCIM",
			fmt.Sprintf("The new token %q works outside of the SCIM endpoints too, with everything that its account may do. It is in the state; destroy it if that is too much.", t.Name))
	case e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden:
		diags.AddAttributeWarning(path.Root("scim_endpoints_only"), "It is not known whether the token is limited to SCIM",
			"The API never says so, and trying it failed. "+said(e))
	}
}

func lifetimeText(days types.Int64) string {
	if days.IsNull() {
		return "a token that never expires"
	}
	return fmt.Sprintf("%d days", days.ValueInt64())
}

func expiryText(t *qualytics.NewToken) string {
	if t.Expiration == nil {
		return "never"
	}
	return "at " + stamp(*t.Expiration)
}

// holderText says which token holds a name, and what to do about it.
func holderText(ctx context.Context, client *qualytics.Client, accountID int64, name string) string {
	advice := "An account's token names are unique, and a revoked token still holds its name. In a rotation with create_before_destroy " +
		"the old token, which still works, holds the name until the new one exists: use name_prefix instead of name there."
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
		return fmt.Sprintf("The name is held by the token with the id %d, which is %s. %s\n\nIf Terraform does not know that token and is to manage it, import it; "+
			"its secret stays unknown:%s\n\nIf nobody needs it, revoke and delete it in Qualytics (Settings, Tokens).",
			t.ID, state, advice, importCommand("qualytics_service_token", t.ID))
	}
	return advice
}

// explainRestore says why a token could not be restored.
func explainRestore(state serviceTokenModel, err error, diags *diag.Diagnostics) {
	failed := sentenceStart(describe(state)) + " could not be restored"
	if !qualytics.IsRefused(err) {
		addError(diags, failed, err)
		return
	}
	diags.AddAttributeError(path.Root("revoked"), failed, explain(err)+
		"\n\nIt may have expired or been deleted meanwhile. The next plan replaces it with a new token.")
}

// refuseLockout refuses at plan time to revoke the token with which the
// provider works. When that cannot be known, nothing is said.
func (r *serviceTokenResource) refuseLockout(ctx context.Context, state serviceTokenModel, revokes bool, diags *diag.Diagnostics) {
	if !revokes || r.data.client == nil {
		return
	}
	if own, _ := own(ctx, r.data.client, state); own == qualytics.OwnYes {
		diags.AddError("The provider would lock itself out", lockoutText(state, "This is the very token that the provider uses."))
	}
}

// mayRevoke refuses at apply time also what only may be the provider's own
// token.
func (r *serviceTokenResource) mayRevoke(ctx context.Context, client *qualytics.Client, state serviceTokenModel, diags *diag.Diagnostics) bool {
	switch own, err := own(ctx, client, state); {
	case err != nil:
		addError(diags, sentenceStart(describe(state))+" is not revoked: it may be the provider's own", err)
	case own == qualytics.OwnYes:
		diags.AddError("The provider would lock itself out", lockoutText(state, "This is the very token that the provider uses."))
	case own == qualytics.OwnMaybe:
		diags.AddError("The provider might lock itself out",
			lockoutText(state, "It belongs to the account that the provider is logged in as, and cannot be told apart from the token that the provider uses."))
	default:
		return true
	}
	return false
}

func lockoutText(state serviceTokenModel, why string) string {
	return fmt.Sprintf("Revoking or deleting %s is refused. %s Run Terraform with another Admin's token, "+
		"or take it out of Terraform's hands with \"terraform state rm\".", describe(state), why)
}

// own says whether a token is the one that the provider uses.
func own(ctx context.Context, client *qualytics.Client, state serviceTokenModel) (qualytics.Own, error) {
	me, err := client.Me(ctx)
	if err != nil {
		return qualytics.OwnMaybe, err
	}
	if state.ServiceAccountID.ValueString() != fmt.Sprint(me.ID) {
		return qualytics.OwnNo, nil
	}
	return client.IsOwnToken(ctx, state.asToken())
}
