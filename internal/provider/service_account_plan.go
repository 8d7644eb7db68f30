// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// ModifyPlan refuses what would lock out the provider, and reports teams that do
// not exist.
func (r *serviceAccountResource) ModifyPlan(
	ctx context.Context,
	req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
	if r.data == nil || r.data.client == nil || req.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	var plan, state, config serviceAccountModel
	creates, destroys := req.State.Raw.IsNull(), req.Plan.Raw.IsNull()
	if !creates {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if !destroys {
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
		resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	guard := lockout{r.data.client, true, &resp.Diagnostics}
	switch {
	case creates:
	case destroys:
		guard.allowsRemoval(ctx, state, "Destroying")
	case !plan.Name.Equal(state.Name):
		guard.allowsRemoval(ctx, state, "Replacing")
	case !plan.Role.Equal(state.Role) || !plan.Teams.Equal(state.Teams):
		guard.allowsRole(ctx, state, plan.Role)
	}
	if !destroys && !config.Teams.IsNull() {
		r.checkTeams(ctx, plan, state, resp)
	}
}

// checkTeams warns about teams in the plan that do not exist: this apply may
// create them. What cannot be looked up is left to the apply.
func (r *serviceAccountResource) checkTeams(
	ctx context.Context,
	plan, state serviceAccountModel,
	resp *resource.ModifyPlanResponse,
) {
	added := missingFrom(stringsOf(plan.Teams), stringsOf(state.Teams))
	if len(added) == 0 {
		return
	}
	existing, missing, err := findTeams(ctx, r.data.client, added)
	if err != nil {
		return
	}
	for _, name := range missing {
		resp.Diagnostics.AddAttributeWarning(
			path.Root("teams"),
			"Team does not exist yet",
			unknownTeamText(name, existing)+
				" If nothing in this apply creates the team first, the apply fails before it changes the service "+
				"account.",
		)
	}
}
