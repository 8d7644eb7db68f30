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
	accounts, listErr := c.client.ServiceAccounts(ctx, qualytics.UserFilter{IncludeDeleted: true})
	if listErr != nil {
		c.failAt("name", accountNameInUse, "%s", detailOf(plan.label(), err,
			"The account that uses the name could not be looked up. "+responseText(asError(listErr))))
		return
	}
	c.failAt("name",
		accountNameInUse, "%s", detailOf(plan.label(), err, c.conflictText(plan.Name.ValueString(), accounts)))
}

// conflictText returns which of all accounts uses a name that the server refused, and what
// to do about it.
func (c call) conflictText(name string, accounts []qualytics.User) string {
	exact := firstActive(accounts, func(u *qualytics.User) bool { return u.Name == name })
	similar := firstActive(accounts, func(u *qualytics.User) bool { return usesName(u.Name, u.UserID, name) })
	switch {
	case exact != nil:
		return fmt.Sprintf("The %s uses the name. %s", holderLabel(exact), c.manageText(exact))
	case similar != nil:
		return fmt.Sprintf("The server derives the user_id from the letters and digits of the name. The %s has a "+
			"similar name or user_id and may be the one. Choose another name. %s", holderLabel(similar),
			c.manageText(similar))
	default:
		return "An account with the same user_id exists, but the list of service accounts does not contain it: it " +
			"may be deactivated. Look for it in Qualytics (Settings, Security), or choose another name."
	}
}

// holderLabel names an account that uses a name.
func holderLabel(u *qualytics.User) string {
	if u.Deactivated() {
		return "deactivated account " + userLabel(u)
	}
	return "account " + userLabel(u)
}

// manageText returns how to manage an existing account with Terraform.
func (c call) manageText(u *qualytics.User) string {
	command := c.importCommand("qualytics_service_account", u.ID)
	if u.Deactivated() {
		return "Reactivate it in Qualytics (Settings, Security), then import it:" + command
	}
	return "To manage it with Terraform, import it, or use a moved block if it is in the state under another address:" +
		command
}

// failRole reports a failed create or update, and says if the role was the reason.
func (c call) failRole(plan accountModel, summary string, err error) {
	if qualytics.IsInvalid(err) && plan.Role.ValueString() == qualytics.RoleEditor {
		c.failAt("role", summary, "%s", detailOf(plan.label(), err, "Recent deployments do not have the role "+
			"\"Editor\". Use \"Member\" with teams that have the permission Editor, or \"Manager\"."))
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
	c.refuse(summary, "%s", detailOf(state.label(), err, "These tokens of the account are active:\n\n"+
		strings.Join(lines, "\n"), "Revoke them in Qualytics (Settings, Tokens), and apply again. Or, if the account "+
		"is still in the configuration, set revoke_tokens_on_destroy = true, apply, and destroy it again. For an "+
		"account that is being replaced or was removed from the configuration, the value in the state applies."))
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
			got.Role, c.notAppliedText())
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
		c.failAt("teams", "Teams not applied", "%s %s", strings.Join(parts, " "), c.notAppliedText())
	}
}

// notAppliedText returns what to do if the server ignored a part of a request.
func (c call) notAppliedText() string {
	return fmt.Sprintf("The account exists, and the state contains what the server reports. Change the configuration "+
		"to match it, or change the account in Qualytics. If Terraform marked a new account as tainted, run \"%s "+
		"untaint ADDRESS\", in which ADDRESS is that of this resource, before the next apply: Terraform would replace "+
		"the account, and its name would stay in use.", c.cli)
}
