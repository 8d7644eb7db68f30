// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// accountPlan checks a planned change of an account, and warns about what it takes
// away. What cannot be requested while planning is left to the apply.
type accountPlan struct {
	call
	state, plan, config accountModel
}

// ModifyPlan checks the planned change. It changes nothing.
func (r *accountResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if r.data == nil {
		return
	}
	if req.Plan.Raw.Equal(req.State.Raw) {
		r.keepName(ctx, req, resp)
		return
	}
	p := accountPlan{call: r.call(&resp.Diagnostics)}
	creates, destroys := req.State.Raw.IsNull(), req.Plan.Raw.IsNull()
	if !creates {
		p.diags.Append(req.State.Get(ctx, &p.state)...)
	}
	if !destroys {
		p.diags.Append(req.Plan.Get(ctx, &p.plan)...)
		p.diags.Append(req.Config.Get(ctx, &p.config)...)
	}
	if p.failed() {
		return
	}
	replaces := !creates && !destroys && !p.plan.Name.Equal(p.state.Name)
	changes := !p.plan.Role.Equal(p.state.Role) || !p.plan.Teams.Equal(p.state.Teams)
	if !destroys {
		p.checkRole(p.plan)
	}
	if !creates && !destroys && !replaces {
		p.names.keep(p.state.Name.ValueString(), p.state.label())
	}
	if p.client == nil {
		return
	}
	switch {
	case creates:
		p.checkNewName(ctx)
	case destroys:
		p.checkDestroy(ctx)
	case replaces:
		p.checkReplace(ctx)
	case changes:
		p.checkUpdate(ctx)
	}
	if !destroys && !p.config.Teams.IsNull() {
		p.warnOfMissingTeams(ctx)
	}
}

// keepName records the name of an account that does not change.
func (r *accountResource) keepName(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	var state accountFields
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("id"), &state.ID)...)
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("name"), &state.Name)...)
	r.data.names.keep(state.Name.ValueString(), state.label())
}

const newNameInUse = "New service account name is in use"

// checkNewName warns if the name of a new account is used, and refuses it if an account that
// the plan keeps has exactly this name: then it is a forced replacement.
func (p accountPlan) checkNewName(ctx context.Context) {
	if kept := p.names.keptAs(p.plan.Name.ValueString()); kept != "" {
		p.failAt("name", newNameInUse, "The name %q is used by the %s in the state. If this is a forced replacement of "+
			"it, with -replace or replace_triggered_by, the apply would deactivate the account and then fail, because "+
			"a deactivated account keeps its name. If you want to deactivate the account, destroy it in a separate "+
			"apply first, and choose another name.", p.plan.Name.ValueString(), kept)
		return
	}
	using := p.names.using(ctx, p.client, p.plan.Name.ValueString(), reservedForReplacements)
	if len(using) == 0 {
		return
	}
	p.warnAt("name", "Service account name is in use", "The %s cannot be created if the server still finds its name in "+
		"use during apply. %s", p.plan.label(), userOfNameText(&using[0], "The name is used by the %s."))
}

// userOfNameText returns which account uses a name, and how to manage it.
func userOfNameText(u *qualytics.User, format string) string {
	if u.Deactivated() {
		return fmt.Sprintf(format, "deactivated account "+userLabel(u)) + " Reactivate it in Qualytics (Settings, " +
			"Security), then import it:" + importCommand("qualytics_service_account", u.ID)
	}
	return fmt.Sprintf(format, "account "+userLabel(u)) + " To manage it with Terraform, import it:" +
		importCommand("qualytics_service_account", u.ID)
}

func (p accountPlan) checkDestroy(ctx context.Context) {
	if !p.planGuard().allowsRemoval(ctx, p.state, "Destroying") {
		return
	}
	p.warnOfAccount(ctx, p.state, "Service account to be destroyed is in use", "Destroying the account "+
		"invalidates its tokens. Without revoke_tokens_on_destroy, it fails while they are active.")
}

// checkReplace refuses a replacement whose new name is in use: it would destroy the
// account and then fail. No API call brings the account back.
func (p accountPlan) checkReplace(ctx context.Context) {
	if !p.planGuard().allowsRemoval(ctx, p.state, "Replacing") {
		return
	}
	if !p.plan.Name.IsUnknown() {
		using := p.names.using(ctx, p.client, p.plan.Name.ValueString(), 0)
		letters := lettersAndDigits(p.plan.Name.ValueString())
		sameName := letters != "" && letters == lettersAndDigits(p.state.Name.ValueString())
		if len(using) > 0 || sameName {
			p.refuseReplacement(using)
			return
		}
	}
	p.warnAt("name", "Service account will be replaced", "Changing the name of the %s deactivates it, which only "+
		"Qualytics can undo, and creates another account. Its tokens are replaced, and the old name may stay in "+
		"use. If only the key of a resource instance changed, use a moved block instead.", p.state.label())
	p.warnOfAccount(ctx, p.state, "Service account to be replaced is in use",
		"Replacing the account invalidates its tokens.")
}

func (p accountPlan) refuseReplacement(using []qualytics.User) {
	holder := "the account that would be replaced"
	for i := range using {
		if formatID(using[i].ID) != p.state.ID.ValueString() {
			holder = "the account " + userLabel(&using[i])
			if using[i].Deactivated() {
				holder = "the deactivated account " + userLabel(&using[i])
			}
			break
		}
	}
	p.failAt("name", newNameInUse, "The name %q is used by %s: the server derives the user_id from the letters and "+
		"digits of a name, and a deactivated account keeps it. This apply would have deactivated the %s and revoked "+
		"its tokens, and then failed to create the new account.\n\nChoose another name. If a resource instance only "+
		"moved, for example because an element of a list was removed, use for_each with stable keys and moved blocks. "+
		"If you want to deactivate the account, destroy it in a separate apply first.", p.plan.Name.ValueString(),
		holder, p.state.label())
}

// checkUpdate warns about a role or team that is taken away.
func (p accountPlan) checkUpdate(ctx context.Context) {
	if !p.planGuard().allowsRole(ctx, p.state, p.plan.Role) {
		return
	}
	const demoted = "Service account to be demoted is in use"
	const removedFromTeams = "Service account to be removed from teams is in use"
	var effects []string
	removed := missingFrom(stringsOf(p.state.Teams), stringsOf(p.plan.Teams))
	if len(removed) > 0 && !hasUnknownElement(p.plan.Teams) {
		effects = append(effects, "The account loses access through "+quoteList(removed)+" immediately.")
	}
	if p.demotes() {
		effects = append(effects, fmt.Sprintf("The account loses the role %q immediately and continues with %q.",
			p.state.Role.ValueString(), p.plan.Role.ValueString()))
	}
	switch {
	case p.demotes():
		p.warnOfAccount(ctx, p.state, demoted, strings.Join(effects, " "))
	case len(effects) > 0:
		p.warnOfAccount(ctx, p.state, removedFromTeams, strings.Join(effects, " "))
	}
}

// demotes reports whether the plan gives the account a role with fewer permissions.
func (p accountPlan) demotes() bool {
	before, after := slices.Index(roles, p.state.Role.ValueString()), slices.Index(roles, p.plan.Role.ValueString())
	return before >= 0 && after > before
}

// warnOfMissingTeams warns about teams that do not exist: this apply may create
// them.
func (p accountPlan) warnOfMissingTeams(ctx context.Context) {
	added := missingFrom(stringsOf(p.plan.Teams), stringsOf(p.state.Teams))
	if len(added) == 0 {
		return
	}
	existing, missing, err := findTeams(ctx, p.client, added)
	if err != nil {
		return
	}
	for _, name := range missing {
		p.warnAt("teams", "Team does not exist yet", "%s If nothing in this apply creates the team first, the apply fails "+
			"before it changes the service account.", unknownTeamText(name, existing))
	}
}
