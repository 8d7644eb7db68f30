// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// addCreateError reports why an account was not created.
func addCreateError(ctx context.Context, client *qualytics.Client, plan accountModel, err error,
	diags *diag.Diagnostics,
) {
	if !qualytics.IsConflict(err) {
		addRoleError(plan, "Unable to create service account", err, diags)
		return
	}
	const summary = "Service account name already in use"
	detail := detailOf(plan.label(), err) + "\n\n"
	accounts, listErr := client.ServiceAccounts(ctx, qualytics.UserFilter{IncludeDeleted: true})
	if listErr != nil {
		diags.AddAttributeError(path.Root("name"), summary,
			detail+"The account that uses the name could not be looked up. "+explainError(listErr))
		return
	}
	exact, similar := accountsUsing(plan.Name.ValueString(), accounts)
	switch {
	case len(exact) > 0 && exact[0].Deactivated():
		detail += fmt.Sprintf(
			"The deactivated account %s uses the name. Reactivate it in Qualytics (Settings, Security), then import "+
				"it:%s", userLabel(&exact[0]), importCommand("qualytics_service_account", exact[0].ID))
	case len(exact) > 0:
		detail += fmt.Sprintf("The account %s uses the name. To manage it with Terraform, import it:%s",
			userLabel(&exact[0]), importCommand("qualytics_service_account", exact[0].ID))
	case len(similar) > 0:
		detail += fmt.Sprintf("The server derives the user_id from the letters and digits of the name. The account "+
			"%s has a similar name and may be the one. Choose another name, or, to manage that account with "+
			"Terraform, import it:%s", userLabel(&similar[0]),
			importCommand("qualytics_service_account", similar[0].ID))
	default:
		detail += "An account with the same user_id exists, but the list of service accounts does not contain it: it " +
			"may be deactivated. Look for it in Qualytics (Settings, Security), or choose another name."
	}
	diags.AddAttributeError(path.Root("name"), summary, detail)
}

// addRoleError reports a failed create or update, and says if the role was
// the reason.
func addRoleError(plan accountModel, summary string, err error, diags *diag.Diagnostics) {
	if qualytics.IsInvalid(err) && plan.Role.ValueString() == qualytics.RoleEditor {
		diags.AddAttributeError(path.Root("role"), summary, detailOf(plan.label(), err)+
			"\n\nRecent deployments do not have the role \"Editor\". Use \"Member\" with teams that have the "+
			"permission Editor, or \"Manager\".")
		return
	}
	addError(diags, summary, plan.label(), err)
}

// addActiveTokensError reports which tokens prevent the deactivation of an account.
func addActiveTokensError(ctx context.Context, client *qualytics.Client, state accountModel, id int64, err error,
	diags *diag.Diagnostics,
) {
	const summary = "Unable to deactivate service account"
	tokens, listErr := activeTokens(ctx, client, id)
	if listErr != nil || len(tokens) == 0 {
		addError(diags, summary, state.label(), err)
		return
	}
	lines := make([]string, len(tokens))
	for i := range tokens {
		lines[i] = fmt.Sprintf("  - %s, last used %s", tokenLabel(&tokens[i]), lastUsedText(tokens[i].LastUsed))
	}
	diags.AddError(summary, detailOf(state.label(), err)+"\n\nThese tokens of the account are active:\n\n"+
		strings.Join(lines, "\n")+"\n\nRevoke them in Qualytics (Settings, Tokens), and apply again. Or, if "+
		"the account is still in the configuration, set revoke_tokens_on_destroy = true, apply, and destroy it "+
		"again. For an account that is being replaced or was removed from the configuration, the value in the "+
		"state applies.")
}

func lastUsedText(t *time.Time) string {
	if t == nil {
		return "never, or not reported by the server"
	}
	return formatTime(*t)
}
