// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// explainCreate says why an account could not be made.
func explainCreate(ctx context.Context, client *qualytics.Client, plan serviceAccountModel, err error, diags *diag.Diagnostics) {
	failed := fmt.Sprintf("The service account %q could not be created", plan.Name.ValueString())
	if !qualytics.IsConflict(err) {
		explainRole(plan, failed, err, diags)
		return
	}
	detail := explain(err) + "\n\n"
	accounts, listErr := client.ServiceAccounts(ctx, qualytics.UserFilter{IncludeDeleted: true})
	if listErr != nil {
		diags.AddAttributeError(path.Root("name"), failed, detail+"An account with this name exists. It could not be looked up: "+explain(listErr))
		return
	}
	exact, alike := holdersOf(plan.Name.ValueString(), accounts)
	switch {
	case len(exact) > 0 && exact[0].Deactivated():
		detail += fmt.Sprintf("The name is held by the deactivated account %s. Reactivate it in Qualytics (Settings, Security), then import it:%s",
			nameUser(exact[0]), importCommand("qualytics_service_account", exact[0].ID))
	case len(exact) > 0:
		detail += fmt.Sprintf("The name is held by the account %s. Nothing was changed. To manage it with Terraform, import it:%s",
			nameUser(exact[0]), importCommand("qualytics_service_account", exact[0].ID))
	case len(alike) > 0:
		detail += fmt.Sprintf("The server makes the user_id of the name, and drops what is special in it. The account %s has a similar name and may be the one that holds it. "+
			"Choose another name, or, if Terraform is to manage that account and does not yet, import it:%s", nameUser(alike[0]), importCommand("qualytics_service_account", alike[0].ID))
	default:
		detail += "An account whose user_id is made of the same letters exists, but the list of service accounts does not show it: " +
			"it may be deactivated. Look for it in Qualytics (Settings, Security), or choose another name."
	}
	diags.AddAttributeError(path.Root("name"), failed, detail)
}

func nameUser(u qualytics.User) string { return fmt.Sprintf("%q (%s, id %d)", u.Name, u.UserID, u.ID) }

// importCommand is the command that takes an object over.
func importCommand(resourceType string, id int64) string {
	return fmt.Sprintf("\n\n    terraform import %s.NAME %d", resourceType, id)
}

// holdersOf are the accounts of exactly a name, and those of a similar one, the
// active ones first. The server makes the user_id of the name by rules that
// only it knows, so similar is what has the same letters and digits.
func holdersOf(name string, accounts []qualytics.User) (exact, alike []qualytics.User) {
	for _, u := range accounts {
		switch {
		case u.Name == name:
			exact = append(exact, u)
		case lettersOf(u.Name) == lettersOf(name):
			alike = append(alike, u)
		}
	}
	slices.SortStableFunc(exact, activeFirst)
	slices.SortStableFunc(alike, activeFirst)
	return exact, alike
}

func activeFirst(a, b qualytics.User) int {
	switch {
	case a.Deactivated() == b.Deactivated():
		return 0
	case b.Deactivated():
		return -1
	default:
		return 1
	}
}

func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// explainRole says why a role was refused, where that was the reason.
func explainRole(plan serviceAccountModel, failed string, err error, diags *diag.Diagnostics) {
	if qualytics.IsInvalid(err) && plan.Role.ValueString() == qualytics.RoleEditor {
		diags.AddAttributeError(path.Root("role"), failed, explain(err)+
			"\n\nRecent deployments have no role \"Editor\" any more. Use \"Member\" with teams that may edit, or \"Manager\".")
		return
	}
	addError(diags, failed, err)
}

// activeTokens are the account's tokens that are not revoked.
func activeTokens(ctx context.Context, client *qualytics.Client, accountID int64) ([]qualytics.Token, error) {
	tokens, err := client.ServiceTokens(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tokens, func(t qualytics.Token) bool { return t.User.ID != accountID || !t.Active }), nil
}

// explainActiveTokens says which tokens keep an account from being deactivated.
func explainActiveTokens(ctx context.Context, client *qualytics.Client, state serviceAccountModel, err error, diags *diag.Diagnostics) {
	failed := fmt.Sprintf("The service account %q could not be deactivated", state.Name.ValueString())
	tokens, listErr := activeTokens(ctx, client, parseID(state.ID, "id", diags))
	if listErr != nil || len(tokens) == 0 {
		addError(diags, failed, err)
		return
	}
	lines := make([]string, len(tokens))
	for i, t := range tokens {
		lines[i] = fmt.Sprintf("  - %q, id %d, last used %s", t.Name, t.ID, lastUsed(t.LastUsed))
	}
	diags.AddError(failed, explain(err)+"\n\nThese tokens of the account are active:\n\n"+strings.Join(lines, "\n")+
		"\n\nRevoke them, or set revoke_tokens_on_destroy = true, apply, and destroy again.")
}

func lastUsed(t *time.Time) string {
	if t == nil {
		return "never, as far as the server says"
	}
	return t.Format(time.RFC3339)
}

// revokeTokens revokes every active token of an account, and reports whether
// all of them are.
func revokeTokens(ctx context.Context, client *qualytics.Client, state serviceAccountModel, diags *diag.Diagnostics) bool {
	failed := fmt.Sprintf("The tokens of the service account %q could not be revoked", state.Name.ValueString())
	tokens, err := activeTokens(ctx, client, parseID(state.ID, "id", diags))
	if err != nil {
		addError(diags, failed, err)
		return false
	}
	done := true
	for _, t := range tokens {
		if err := client.RevokeToken(ctx, t.ID); err != nil {
			addError(diags, fmt.Sprintf("The token %q (id %d) could not be revoked", t.Name, t.ID), err)
			done = false
		}
	}
	return done
}

// refuseLockout refuses at plan time to take away the account with which the
// provider works. When it cannot be known whose token that is, nothing is said.
func (r *serviceAccountResource) refuseLockout(ctx context.Context, state serviceAccountModel, doing string, diags *diag.Diagnostics) {
	if me, err := r.data.client.Me(ctx); err == nil && state.ID.ValueString() == fmt.Sprint(me.ID) {
		addLockout(state, doing, me, diags)
	}
}

// mayTakeAway refuses at apply time also where it cannot be known.
func mayTakeAway(ctx context.Context, client *qualytics.Client, state serviceAccountModel, doing string, diags *diag.Diagnostics) bool {
	me, err := client.Me(ctx)
	switch {
	case err != nil:
		addError(diags, fmt.Sprintf("%s the service account %q is refused: it may be the provider's own", doing, state.Name.ValueString()), err)
	case state.ID.ValueString() == fmt.Sprint(me.ID):
		addLockout(state, doing, me, diags)
	default:
		return true
	}
	return false
}

func addLockout(state serviceAccountModel, doing string, me *qualytics.User, diags *diag.Diagnostics) {
	diags.AddError("The provider would lock itself out",
		fmt.Sprintf("%s the service account %q (%s) is refused: the provider is logged in as this very account. "+
			"Run Terraform with the token of another Admin, or take the account out of Terraform's hands with \"terraform state rm\".",
			doing, state.Name.ValueString(), me.UserID))
}
