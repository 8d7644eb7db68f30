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
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// accountPlan checks a planned change of an account, and warns about what it takes
// away. What cannot be requested while planning is left to the apply.
type accountPlan struct {
	call
	state, plan, config accountModel
}

// accountAction is what a plan does to an account.
type accountAction int

const (
	accountCreate accountAction = iota
	accountUpdate
	accountReplace
	accountRefuse // it must be replaced, but Terraform may be applying a plan that does not say so
	accountDestroy
)

// accountActionOf decides what happens to an account that is not new: a name that is
// unknown never replaces it, and a process that has not read it may be applying.
func accountActionOf(state, plan accountModel, wasRead bool) accountAction {
	switch {
	case plan.Name.IsUnknown() || plan.Name.Equal(state.Name):
		return accountUpdate
	case wasRead:
		return accountReplace
	default:
		return accountRefuse
	}
}

// ModifyPlan checks the planned change.
func (r *accountResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if r.data == nil {
		return
	}
	p := accountPlan{call: r.call(&resp.Diagnostics).on(resp.Private, nil, nil)}
	if req.Plan.Raw.Equal(req.State.Raw) { // the most common plan
		p.diags.Append(req.State.GetAttribute(ctx, path.Root("id"), &p.state.ID)...)
		p.diags.Append(req.State.GetAttribute(ctx, path.Root("name"), &p.state.Name)...)
		p.checkKept()
		return
	}
	if !req.State.Raw.IsNull() {
		p.diags.Append(req.State.Get(ctx, &p.state)...)
	}
	if !req.Plan.Raw.IsNull() {
		p.diags.Append(req.Plan.Get(ctx, &p.plan)...)
		p.diags.Append(req.Config.Get(ctx, &p.config)...)
	}
	if p.failed() {
		return
	}
	p.markUnchecked(ctx, req.State.Raw.IsNull() && p.accounts.use(p.plan.Name))
	action := accountDestroy
	switch {
	case req.State.Raw.IsNull():
		action = accountCreate
	case !req.Plan.Raw.IsNull():
		action = accountActionOf(p.state, p.plan, p.checkKept().read)
	}
	if action == accountReplace {
		resp.RequiresReplace.Append(path.Root("name"))
	}
	p.check(ctx, action)
}

// check refuses what an action must not do, and warns about what it takes away.
func (p accountPlan) check(ctx context.Context, action accountAction) {
	if action != accountDestroy {
		p.checkRole(p.plan, action == accountReplace)
	}
	switch action {
	case accountCreate:
		p.checkNew(ctx)
	case accountDestroy:
		p.checkDestroy(ctx)
	case accountReplace:
		p.accounts.replaces.Store(true)
		p.checkArguments()
		p.checkReplace(ctx)
	case accountRefuse:
		p.refuseRename(ctx)
	case accountUpdate:
		p.checkUpdate(ctx)
	}
	if action != accountDestroy && action != accountRefuse && p.client != nil && !p.config.Teams.IsNull() {
		p.checkTeams(ctx, action == accountReplace)
	}
}

const (
	newNameInUse   = "New service account name is in use"
	accountTwice   = "Service account has two addresses"
	addressChanged = "Address of service account changed"
)

// checkKept records that the plan keeps the account, and refuses it if another address of
// the plan destroys it.
func (p accountPlan) checkKept() runAccount {
	known := p.accounts.keep(p.state.accountFields)
	if known.destroyed {
		p.refuseTwice()
	}
	return known
}

func (p accountPlan) refuseTwice() {
	p.refuse(accountTwice, "Two addresses of the configuration or the state refer to the %s, and this plan destroys "+
		"one of them: the apply would deactivate the account that the other one still needs. Remove the address that "+
		"is not needed from the state: run \"%s state rm ADDRESS\", or use a removed block with lifecycle { destroy = "+
		"false }.", p.state.label(), p.cli)
}

// refuseRename says that an account must be replaced, which Terraform does not accept in
// this apply.
func (p accountPlan) refuseRename(ctx context.Context) {
	if p.client != nil && !p.planGuard().allowsRemoval(ctx, p.state, "Replacing") {
		return
	}
	p.failAt("name", "Service account must be planned again", "The %s would get the name %q, so it would be "+
		"deactivated and replaced. The name was unknown while planning, or the plan did not refresh the account. "+
		"Nothing was changed. Plan again, with a refresh (without -refresh=false and -minimal-refresh): the plan then "+
		"shows what happens.", p.state.label(), p.plan.Name.ValueString())
}

// checkArguments refuses a replacement whose arguments may make the creation fail: by then,
// the account is deactivated.
func (p accountPlan) checkArguments() {
	switch {
	case p.plan.Role.IsUnknown() && p.guardrails.AllowedRoles.IsNull():
		p.refuseUnchecked("role", p.state.label())
	case !p.config.Teams.IsNull() && hasUnknown(p.config.Teams):
		p.refuseUnchecked("teams", p.state.label())
	case p.plan.Role.ValueString() == qualytics.RoleEditor && !p.plan.Role.Equal(p.state.Role):
		p.failAt("role", "Rename and role in one apply", "Recent deployments refuse the role \"Editor\". If this one "+
			"does, the apply would deactivate the %s, and then fail. Change the role in a separate apply first.",
			p.state.label())
	}
}

// checkNew warns if the name of a new account is used, and refuses it if an account in the
// state has it: then the plan ends that account, or two addresses need it.
func (p accountPlan) checkNew(ctx context.Context) {
	account, conflicts := p.accounts.create(p.plan.Name)
	if conflicts {
		p.refuseConflict(account, p.plan.Name)
	}
	unknown := p.plan.Name.IsUnknown()
	if conflicts && !unknown || p.client == nil || !p.firstContact(ctx) || unknown {
		return
	}
	using := p.names.using(ctx, p.plan.Name.ValueString(), reservedForReplacements)
	if holder := firstActive(using, func(*qualytics.User) bool { return true }); holder != nil {
		p.markUnchecked(ctx, true)
		p.warnAt("name", fmt.Sprintf("Service account name %q is in use", p.plan.Name.ValueString()), "The %s will "+
			"not be created, because its name is used by the %s. %s", p.plan.label(), holderLabel(holder),
			p.manageText(holder))
	}
}

// refuseConflict refuses a new account whose name an account in the state uses, or may use
// because the name is unknown.
func (p accountPlan) refuseConflict(account runAccount, name types.String) {
	const effect = "The apply would deactivate the account, which ends its tokens, and then fail to create the new " +
		"one, because a deactivated account keeps its name."
	switch {
	case name.IsUnknown():
		p.failAt("name", "Name of new service account is unknown", "The name is only known after apply, and this plan "+
			"destroys the %s: if both have the same name, the apply would deactivate that account, and then fail to "+
			"create this one. If the address of the resource changed, add a moved block. Otherwise, apply what the "+
			"name depends on first, with \"%s apply -target=ADDRESS\".", account.label(), p.cli)
	case account.destroyed:
		p.failAt("name", addressChanged, "This plan destroys the %s and creates an account with the name %q. %s If "+
			"only the address of the resource changed, for example its name or its key in for_each, add a moved "+
			"block:\n\n    moved {\n      from = qualytics_service_account.OLD\n      to   = "+
			"qualytics_service_account.NEW\n    }\n\nIf you want another account, choose another name.",
			account.label(), name.ValueString(), effect)
	default:
		p.failAt("name", newNameInUse, "The name %q is used by the %s, which is in the state.\n\n  - If Terraform "+
			"marked it as tainted, run \"%s untaint ADDRESS\".\n  - If the address of the resource changed, add a "+
			"moved block.\n  - If this is a forced replacement, with -replace or replace_triggered_by, it cannot "+
			"work. To end the account, destroy it in a separate apply, and choose another name.\n\n%s",
			name.ValueString(), account.label(), p.cli, effect)
	}
}

func (p accountPlan) checkDestroy(ctx context.Context) {
	known, created := p.accounts.destroy(p.state.accountFields)
	switch {
	case known.kept:
		p.refuseTwice()
		return
	case !created.IsNull():
		p.refuseConflict(known, created)
		return
	case p.client == nil || !p.planGuard().allowsRemoval(ctx, p.state, "Destroying"):
		return
	}
	p.warnOfAccount(ctx, p.state, fmt.Sprintf("Service account %q to be destroyed is in use",
		p.state.Name.ValueString()), "All tokens of the account will stop working."+p.otherTokensText())
}

// otherTokensText says what happens to tokens of an account that the plan does not remove.
func (p accountPlan) otherTokensText() string {
	if p.state.RevokeTokensOnDestroy.ValueBool() {
		return ""
	}
	return " If it has tokens that this plan does not destroy, the server refuses to deactivate it (400), after the " +
		"tokens of this plan are gone. Before the apply, revoke the others in Qualytics (Settings, Tokens), or apply " +
		"revoke_tokens_on_destroy = true first."
}

// checkReplace refuses a replacement whose new name is in use: it would destroy the
// account and then fail. No API call brings the account back.
func (p accountPlan) checkReplace(ctx context.Context) {
	if p.client == nil || !p.planGuard().allowsRemoval(ctx, p.state, "Replacing") {
		return
	}
	name := p.plan.Name.ValueString()
	using := p.names.using(ctx, name, 0)
	if len(using) > 0 || usesName(p.state.Name.ValueString(), p.state.UserID.ValueString(), name) {
		p.refuseReplacement(using)
		return
	}
	use := p.useText(ctx, p.state)
	if use != "" {
		use = "\n\nThe account is in use: it " + use
	}
	p.warnAt("name", fmt.Sprintf("Service account %q will be replaced", p.state.Name.ValueString()), "Changing the "+
		"name of the %s deactivates it, which only an Admin can undo in Qualytics, and creates another account. Its "+
		"tokens stop working and are replaced, and the old name may stay in use. If only the key of a resource "+
		"instance changed, use a moved block instead.%s%s", p.state.label(), use, p.activeTokensText(ctx))
}

// activeTokensText names the active tokens of an account that will be deactivated, and says
// what happens to those that the plan does not remove.
func (p accountPlan) activeTokensText(ctx context.Context) string {
	const most = 10
	var names []string
	for _, t := range p.usedTokens(ctx) {
		if formatID(t.User.ID) == p.state.ID.ValueString() && t.Usable(p.now()) {
			names = append(names, fmt.Sprintf("%q (ID %d)", t.Name, t.ID))
		}
	}
	if len(names) == 0 || p.state.RevokeTokensOnDestroy.ValueBool() {
		return ""
	}
	more := ""
	if len(names) > most {
		names, more = names[:most], " and others"
	}
	return fmt.Sprintf("\n\nIts active tokens are %s%s.%s", strings.Join(names, ", "), more, p.otherTokensText())
}

func (p accountPlan) refuseReplacement(using []qualytics.User) {
	holder := "the account that would be replaced"
	isOther := func(u *qualytics.User) bool { return formatID(u.ID) != p.state.ID.ValueString() }
	if other := firstActive(using, isOther); other != nil {
		holder = "the " + holderLabel(other)
	}
	p.failAt("name", newNameInUse, "The name %q is used by %s: the server derives the user_id from the letters and "+
		"digits of a name, and an account keeps it when it is renamed in Qualytics or deactivated. This apply would "+
		"have deactivated the %s and revoked its tokens, and then failed to create the new account.\n\nChoose another "+
		"name. If a resource instance only moved, for example because an element of a list was removed, use for_each "+
		"with stable keys and moved blocks. If you want to deactivate the account, destroy it in a separate apply "+
		"first.", p.plan.Name.ValueString(), holder, p.state.label())
}

// checkUpdate warns about a role or team that is taken away.
func (p accountPlan) checkUpdate(ctx context.Context) {
	if p.client == nil || p.plan.Role.Equal(p.state.Role) && p.plan.Teams.Equal(p.state.Teams) ||
		!p.planGuard().allowsRole(ctx, p.state, p.plan.Role) {
		return
	}
	var effects []string
	removed := missingFrom(stringsOf(p.state.Teams), stringsOf(p.plan.Teams))
	if len(removed) > 0 && !hasUnknown(p.plan.Teams) {
		effects = append(effects, "The account loses access through "+quoteList(removed)+" immediately.")
	}
	summary := fmt.Sprintf("Service account %q to be removed from teams is in use", p.state.Name.ValueString())
	if p.demotes() {
		summary = fmt.Sprintf("Service account %q to be demoted is in use", p.state.Name.ValueString())
		effects = append(effects, fmt.Sprintf("The account loses the role %q immediately and continues with %q.",
			p.state.Role.ValueString(), p.plan.Role.ValueString()))
	}
	if len(effects) > 0 {
		p.warnOfAccount(ctx, p.state, summary, strings.Join(effects, " "))
	}
}

// demotes reports whether the plan gives the account a role with fewer permissions.
func (p accountPlan) demotes() bool {
	before, after := slices.Index(roles, p.state.Role.ValueString()), slices.Index(roles, p.plan.Role.ValueString())
	return before >= 0 && after > before
}

// checkTeams warns about teams that do not exist: this apply may create them. It refuses
// them for a replacement, which would deactivate the account before it fails.
func (p accountPlan) checkTeams(ctx context.Context, replaces bool) {
	added := missingFrom(stringsOf(p.plan.Teams), stringsOf(p.state.Teams))
	if replaces {
		added = stringsOf(p.plan.Teams)
	}
	if len(added) == 0 {
		return
	}
	existing, missing, err := p.findTeams(ctx, added)
	if err != nil {
		return
	}
	for _, name := range missing {
		if replaces {
			p.failAt("teams", "Team not found", "%s The apply would deactivate the %s, and then fail.",
				unknownTeamText(name, existing), p.state.label())
			continue
		}
		p.warnAt("teams", fmt.Sprintf("Team %q does not exist yet", name), "%s If nothing in this apply creates the "+
			"team first, the apply fails before it changes the service account.", unknownTeamText(name, existing))
	}
}
