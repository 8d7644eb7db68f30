// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

const accountNameInUse = "Service account name already in use"

// failCreate reports why an account was not created.
func (c call) failCreate(ctx context.Context, plan accountModel, err error) {
	if !qualytics.IsConflict(err) {
		c.failRole(plan, "Unable to create service account", err)
		return
	}
	detail := detailOf(plan.label(), err) + "\n\n"
	accounts, listErr := c.client.ServiceAccounts(ctx, qualytics.UserFilter{IncludeDeleted: true})
	if listErr != nil {
		c.failAt("name", accountNameInUse, "%sThe account that uses the name could not be looked up. %s", detail,
			explainError(listErr))
		return
	}
	c.failAt("name", accountNameInUse, "%s%s", detail, conflictText(plan.Name.ValueString(), accounts))
}

// conflictText returns which of all accounts uses a name that the server refused, and what
// to do about it.
func conflictText(name string, accounts []qualytics.User) string {
	exact, similar := accountsUsing(name, accounts)
	switch {
	case len(exact) > 0 && exact[0].Deactivated():
		return fmt.Sprintf("The deactivated account %s uses the name. Reactivate it in Qualytics (Settings, Security), "+
			"then import it:%s", userLabel(&exact[0]), importCommand("qualytics_service_account", exact[0].ID))
	case len(exact) > 0:
		return fmt.Sprintf("The account %s uses the name. To manage it with Terraform, import it:%s",
			userLabel(&exact[0]), importCommand("qualytics_service_account", exact[0].ID))
	case len(similar) > 0:
		return fmt.Sprintf("The server derives the user_id from the letters and digits of the name. The account "+
			"%s has a similar name and may be the one. Choose another name, or, to manage that account with "+
			"Terraform, import it:%s", userLabel(&similar[0]),
			importCommand("qualytics_service_account", similar[0].ID))
	default:
		return "An account with the same user_id exists, but the list of service accounts does not contain it: it " +
			"may be deactivated. Look for it in Qualytics (Settings, Security), or choose another name."
	}
}

// failRole reports a failed create or update, and says if the role was the reason.
func (c call) failRole(plan accountModel, summary string, err error) {
	if qualytics.IsInvalid(err) && plan.Role.ValueString() == qualytics.RoleEditor {
		c.failAt("role", summary, "%s\n\nRecent deployments do not have the role \"Editor\". Use \"Member\" with teams "+
			"that have the permission Editor, or \"Manager\".", detailOf(plan.label(), err))
		return
	}
	c.fail(summary, plan.label(), err)
}

// failDeactivation reports which tokens prevent the deactivation of an account.
func (c call) failDeactivation(ctx context.Context, state accountModel, id int64, err error) {
	const summary = "Unable to deactivate service account"
	tokens, listErr := c.activeTokens(ctx, id)
	if !qualytics.IsBadRequest(err) || listErr != nil || len(tokens) == 0 {
		c.fail(summary, state.label(), err)
		return
	}
	lines := make([]string, len(tokens))
	for i := range tokens {
		lines[i] = fmt.Sprintf("  - %s, last used %s", tokenLabel(&tokens[i]), lastUsedText(tokens[i].LastUsed))
	}
	c.refuse(summary, "%s\n\nThese tokens of the account are active:\n\n%s\n\nRevoke them in Qualytics (Settings, "+
		"Tokens), and apply again. Or, if the account is still in the configuration, set revoke_tokens_on_destroy = "+
		"true, apply, and destroy it again. For an account that is being replaced or was removed from the "+
		"configuration, the value in the state applies.", detailOf(state.label(), err), strings.Join(lines, "\n"))
}

func lastUsedText(t *time.Time) string {
	if t == nil {
		return "never, or not reported by the server"
	}
	return formatTime(*t)
}

// checkApplied compares the server's response with the request, and reports what
// the server ignored. If the teams are not managed, only lost ones count.
func (c call) checkApplied(request qualytics.ServiceAccountUpdate, managed bool, got *qualytics.User) {
	if got.Role != "" && got.Role != request.Role {
		c.failAt("role", "Role not applied", "The request had the role %q, and the response has %q. %s", request.Role,
			got.Role, notAppliedAdvice)
	}
	if len(got.Teams) == 0 { // the response does not report teams
		return
	}
	var parts []string
	if missing := missingFrom(request.Teams, got.Teams); len(missing) > 0 {
		parts = append(parts, "The server did not add "+quoteList(missing)+".")
	}
	if kept := missingFrom(got.Teams, request.Teams); managed && len(kept) > 0 {
		parts = append(parts, "The server did not remove "+quoteList(kept)+".")
	}
	if len(parts) > 0 {
		c.failAt("teams", "Teams not applied", "%s %s", strings.Join(parts, " "), notAppliedAdvice)
	}
}

const notAppliedAdvice = "The account exists, and the state contains what the server reports. Change the " +
	"configuration to match it, or change the account in Qualytics. If Terraform marked a new account as " +
	"tainted, run \"terraform untaint\" before the next apply: replacing the account would deactivate it, and " +
	"its name might then stay in use."
