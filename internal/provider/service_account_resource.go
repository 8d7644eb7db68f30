// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var (
	_ resource.ResourceWithConfigure   = (*serviceAccountResource)(nil)
	_ resource.ResourceWithIdentity    = (*serviceAccountResource)(nil)
	_ resource.ResourceWithImportState = (*serviceAccountResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*serviceAccountResource)(nil)
)

func newServiceAccountResource() resource.Resource { return &serviceAccountResource{} }

type serviceAccountResource struct{ resourceBase }

// roles that can be configured, in descending order of power.
var roles = []string{qualytics.RoleAdmin, qualytics.RoleManager, qualytics.RoleEditor, qualytics.RoleMember}

func (r *serviceAccountResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_account"
}

func (r *serviceAccountResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = idIdentity("Number that Qualytics gave the account.")
}

func idIdentity(description string) identityschema.Schema {
	return identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"id": identityschema.StringAttribute{RequiredForImport: true, Description: description},
	}}
}

func (r *serviceAccountResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	keep := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A service account: the identity with which a machine uses Qualytics. It acts through service tokens.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed: true, PlanModifiers: keep,
				MarkdownDescription: "Number that Qualytics gave the account.",
			},
			"name": schema.StringAttribute{
				Required:      true,
				Validators:    []validator.String{stringvalidator.UTF8LengthBetween(1, qualytics.MaxName), notBlank()},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: fmt.Sprintf("Name of the account, 1 to %d characters. The server makes `user_id` of it and cannot change it: "+
					"another name forces a new account.", qualytics.MaxName),
			},
			"role": schema.StringAttribute{
				Required:   true,
				Validators: []validator.String{stringvalidator.OneOf(roles...)},
				MarkdownDescription: "Role of the account: `Admin`, `Manager`, `Editor` or `Member`. Its tokens act with it, at once after a change. " +
					"Recent deployments refuse `Editor`.",
			},
			"teams": schema.SetAttribute{
				ElementType: types.StringType, Optional: true, Computed: true,
				Validators:    []validator.Set{setvalidator.NoNullValues(), setvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1), notBlank())},
				PlanModifiers: []planmodifier.Set{sameTeamsModifier{}, setplanmodifier.UseStateForUnknown()},
				MarkdownDescription: "Names of the account's teams. Left out, membership is left to its other writers, such as the Teams page, SCIM or OIDC. " +
					"`[]` is no team but `Public`, which everybody is in: naming it or not makes no difference, nor does the case of a name.",
			},
			"revoke_tokens_on_destroy": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Whether destroying the account first revokes all of its active tokens, also those that Terraform does not manage. " +
					"Otherwise the server refuses while any is active. What counts is the value in state: apply it before destroying. Defaults to false.",
			},
			"created_at": schema.StringAttribute{
				CustomType: timetypes.RFC3339Type{}, Computed: true, PlanModifiers: keep,
				MarkdownDescription: "When the account was made, in UTC (RFC 3339). Null where the deployment does not say.",
			},
			"email": schema.StringAttribute{
				Computed: true, PlanModifiers: keep,
				MarkdownDescription: "Email address of the account, as the server made it. May be null.",
			},
			"user_id": schema.StringAttribute{
				Computed: true, PlanModifiers: keep,
				MarkdownDescription: "Identifier that the server made of the name, such as `api_access@service`.",
			},
			"user_name": schema.StringAttribute{
				Computed: true, PlanModifiers: keep,
				MarkdownDescription: "Login name of the account, as the server made it.",
			},
		},
	}
}

// ModifyPlan refuses what would lock the provider out, and names unknown teams.
func (r *serviceAccountResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.data == nil || r.data.client == nil || req.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	if !req.Plan.Raw.IsNull() {
		r.checkTeams(ctx, req, resp)
	}
	if req.State.Raw.IsNull() {
		return
	}
	var state serviceAccountModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if req.Plan.Raw.IsNull() {
		r.refuseLockout(ctx, state, "Destroying", &resp.Diagnostics)
		return
	}
	var plan serviceAccountModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	switch {
	case !plan.Name.Equal(state.Name):
		r.refuseLockout(ctx, state, "Replacing", &resp.Diagnostics)
	case demotes(state, plan):
		r.refuseLockout(ctx, state, "Demoting", &resp.Diagnostics)
	}
}

// checkTeams looks up teams that are new in the plan. What cannot be looked up
// now is left to the apply.
func (r *serviceAccountResource) checkTeams(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var config, plan, state types.Set
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("teams"), &config)...)
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("teams"), &plan)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("teams"), &state)...)
	}
	added := missingFrom(namesOf(plan), namesOf(state))
	if config.IsNull() || len(added) == 0 {
		return
	}
	if teams, err := r.data.client.TeamNames(ctx); err == nil {
		resolveTeams(added, teams, &resp.Diagnostics)
	}
}

// demotes reports whether a plan takes the role Admin away.
func demotes(state, plan serviceAccountModel) bool {
	return state.Role.ValueString() == qualytics.RoleAdmin && !plan.Role.IsUnknown() && plan.Role.ValueString() != qualytics.RoleAdmin
}

// Create looks the teams up first, so that an unknown one leaves nothing behind.
func (r *serviceAccountResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan serviceAccountModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	client := r.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	managed := !plan.Teams.IsNull() && !plan.Teams.IsUnknown()
	var teams []string
	if managed {
		if teams = lookUpTeams(ctx, client, namesOf(plan.Teams), &resp.Diagnostics); resp.Diagnostics.HasError() {
			return
		}
	}
	user, err := client.CreateServiceAccount(ctx, plan.createRequest(teams))
	if err != nil {
		explainCreate(ctx, client, plan, err, &resp.Diagnostics)
		return
	}
	made := plan
	made.refresh(user)
	made.Name = plan.Name
	resp.Diagnostics.Append(resp.State.Set(ctx, made)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, identityModel{ID: made.ID})...)
	checkTaken(plan.updateRequest(teams), managed, user, &resp.Diagnostics)
}

// Read removes the account from state only when the API itself says that it is
// gone or deactivated.
func (r *serviceAccountResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state serviceAccountModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	client := r.client(&resp.Diagnostics)
	id := state.int64ID(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	// Also of an account that goes out of state: an older Terraform keeps no identity.
	keepIdentity(ctx, req.Identity, resp.Identity, state.ID, &resp.Diagnostics)
	user, err := client.ReadServiceAccount(ctx, id)
	switch {
	case err != nil:
		addError(&resp.Diagnostics, fmt.Sprintf("The service account %q could not be read", state.Name.ValueString()), err)
		return
	case user == nil:
		resp.Diagnostics.AddWarning(fmt.Sprintf("The service account %q is gone", state.Name.ValueString()),
			fmt.Sprintf("The account with the id %d was deactivated or removed outside of Terraform, so it is taken out of the state. "+
				"The next apply makes a new one, unless its name is still taken: then reactivate it in Qualytics and import it.", id))
		resp.State.RemoveResource(ctx)
		return
	case !state.UserID.IsNull() && user.UserID != state.UserID.ValueString():
		addOtherDeployment(&resp.Diagnostics, client, fmt.Sprintf("The service account %q is another one here", state.Name.ValueString()),
			fmt.Sprintf("The account with the id %d is %q in the state and %q on the server. A user_id never changes.", id, state.UserID.ValueString(), user.UserID))
		return
	}
	before := state
	if state.refresh(user); !reflect.DeepEqual(before, state) {
		resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
	}
}

// Update sends role and teams together, because the API may replace both: the
// current teams where their membership is left to others.
func (r *serviceAccountResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state, config serviceAccountModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := r.client(&resp.Diagnostics)
	id := state.int64ID(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	managed := !config.Teams.IsNull()
	if plan.Teams.IsUnknown() && !managed {
		plan.Teams = state.Teams
	}
	if plan.Role.Equal(state.Role) && plan.Teams.Equal(state.Teams) {
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
		resp.Diagnostics.Append(resp.Identity.Set(ctx, identityModel{ID: plan.ID})...)
		return
	}
	if demotes(state, plan) && !mayTakeAway(ctx, client, state, "Demoting", &resp.Diagnostics) {
		return
	}
	failed := fmt.Sprintf("The service account %q could not be changed", plan.Name.ValueString())
	var teams []string
	if managed {
		teams = lookUpTeams(ctx, client, namesOf(plan.Teams), &resp.Diagnostics)
	} else {
		current, err := client.User(ctx, id)
		if err != nil {
			addError(&resp.Diagnostics, failed, err)
			return
		}
		teams = spelledLike(nil, current.Teams)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	asked := plan.updateRequest(teams)
	user, err := client.UpdateServiceAccount(ctx, id, asked)
	if err != nil {
		explainRole(plan, failed, err, &resp.Diagnostics)
		return
	}
	checkTaken(asked, managed, user, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		plan.refresh(user) // what exists
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, identityModel{ID: plan.ID})...)
}

// Delete deactivates: the API erases no account.
func (r *serviceAccountResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state serviceAccountModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	client := r.client(&resp.Diagnostics)
	id := state.int64ID(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if !mayTakeAway(ctx, client, state, "Destroying", &resp.Diagnostics) {
		return
	}
	if state.RevokeTokensOnDestroy.ValueBool() && !revokeTokens(ctx, client, state, &resp.Diagnostics) {
		return
	}
	err := client.DeactivateServiceAccount(ctx, id)
	switch {
	case err == nil:
	case qualytics.IsBadRequest(err):
		explainActiveTokens(ctx, client, state, err, &resp.Diagnostics)
	default:
		addError(&resp.Diagnostics, fmt.Sprintf("The service account %q could not be deactivated", state.Name.ValueString()), err)
	}
}

// ImportState takes an id or a user_id.
func (r *serviceAccountResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	client := r.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	wanted := importID(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	user := accountForImport(ctx, client, wanted, &resp.Diagnostics)
	if user == nil {
		return
	}
	model := serviceAccountModel{Teams: types.SetNull(types.StringType)}
	model.refresh(user)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, identityModel{ID: model.ID})...)
}
