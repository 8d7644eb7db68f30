// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
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
	_ resource.ResourceWithConfigure   = (*accountResource)(nil)
	_ resource.ResourceWithIdentity    = (*accountResource)(nil)
	_ resource.ResourceWithImportState = (*accountResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*accountResource)(nil)
)

func newAccountResource() resource.Resource { return &accountResource{} }

type accountResource struct{ resourceBase }

func (r *accountResource) Metadata(_ context.Context, req resource.MetadataRequest,
	resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_service_account"
}

func (r *accountResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identitySchema("service account")
}

func (r *accountResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A service account: the identity with which a machine uses Qualytics. It authenticates " +
			"with service tokens.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required: true,
				Validators: []validator.String{
					stringvalidator.UTF8LengthBetween(1, qualytics.MaxName),
					notBlank(),
					trimmed(),
				},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: fmt.Sprintf("%s 1 to %d characters, without leading or trailing spaces. The "+
					"server derives `user_id` from it. Changing this forces a new service account to be created.",
					accountDescriptions["name"], qualytics.MaxName),
			},
			"role": schema.StringAttribute{
				Required:   true,
				Validators: []validator.String{oneOf(roles...)},
				MarkdownDescription: accountDescriptions["role"] + " `Admin`, `Manager`, `Editor`, or `Member`. A " +
					"change takes effect immediately for all of its tokens. Recent deployments refuse `Editor`.",
			},
			"teams": schema.SetAttribute{
				ElementType: types.StringType,
				Optional:    true,
				Computed:    true,
				Validators: []validator.Set{
					setvalidator.NoNullValues(),
					setvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1), notBlank()),
				},
				PlanModifiers: []planmodifier.Set{sameTeamsModifier{}, setplanmodifier.UseStateForUnknown()},
				MarkdownDescription: "Names of the service account's teams, case-insensitive. `Public` contains " +
					"every user and makes no difference. `[]` removes the account from all other teams. If " +
					"omitted, Terraform does not manage the membership.",
			},
			"revoke_tokens_on_destroy": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
				MarkdownDescription: "Whether destroying the service account first revokes all of its active tokens, " +
					"including those that Terraform does not manage. If false, the server refuses to deactivate " +
					"an account with active tokens. A change must be applied before the account is destroyed. " +
					"Defaults to `false`.",
			},
			"id":         keptString(accountDescriptions["id"]),
			"email":      keptString(accountDescriptions["email"]),
			"user_id":    keptString(accountDescriptions["user_id"]),
			"user_name":  keptString(accountDescriptions["user_name"]),
			"created_at": keptTime(accountDescriptions["created_at"]),
		},
	}
}

// Create looks up the teams first, so that an unknown one creates nothing.
func (r *accountResource) Create(ctx context.Context, req resource.CreateRequest,
	resp *resource.CreateResponse,
) {
	var plan accountModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	client := r.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	r.data.names.stop()
	managed := !plan.Teams.IsNull() && !plan.Teams.IsUnknown()
	var teams []string
	if managed {
		if teams = lookUpTeams(ctx, client, stringsOf(plan.Teams), &resp.Diagnostics); resp.Diagnostics.HasError() {
			return
		}
	}
	user, err := client.CreateServiceAccount(ctx, plan.createRequest(teams))
	if err != nil {
		addCreateError(ctx, client, plan, err, &resp.Diagnostics)
		return
	}
	created := plan
	created.refresh(user)
	created.Name = plan.Name
	resp.Diagnostics.Append(resp.State.Set(ctx, created)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, newIdentity(client, created.ID))...)
	rememberHost(ctx, client, resp.Private, &resp.Diagnostics)
	checkApplied(plan.updateRequest(teams), managed, user, &resp.Diagnostics)
}

// Read removes the account from the state only if the API of the same deployment
// says that the account does not exist or is deactivated.
func (r *accountResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state accountModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	client := r.client(&resp.Diagnostics)
	id := idAttribute(state.ID, "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	// Set even if the account is then removed: an older Terraform stores no identity.
	setMissingIdentity(ctx, req.Identity, resp.Identity, newIdentity(client, state.ID), &resp.Diagnostics)
	user, err := client.CachedServiceAccount(ctx, id)
	switch {
	case err != nil:
		addError(&resp.Diagnostics, "Unable to read service account", state.label(), err)
		return
	case user != nil && !state.UserID.IsNull() && user.UserID != state.UserID.ValueString():
		addOtherDeployment(&resp.Diagnostics, client, state.label(), fmt.Sprintf("Its user_id is %q in the state and "+
			"%q on the server. A user_id never changes.", state.UserID.ValueString(), user.UserID))
		return
	case user == nil || user.Deactivated():
		if !onSameHost(ctx, client, req.Private, state.label(), &resp.Diagnostics) {
			return
		}
		resp.Diagnostics.AddWarning("Service account not found",
			sentence(state.label()+" was deactivated or removed outside of Terraform, so it is removed from the state")+
				" The next apply creates a new account, unless the name is still in use: then reactivate the account "+
				"in Qualytics and import it. Deployment: "+client.URL()+".")
		resp.State.RemoveResource(ctx)
		return
	}
	rememberHost(ctx, client, resp.Private, &resp.Diagnostics)
	before := state
	if state.refresh(user); !reflect.DeepEqual(before, state) {
		resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
	}
}

// Update sends role and teams together, because the API may replace both.
func (r *accountResource) Update(ctx context.Context, req resource.UpdateRequest,
	resp *resource.UpdateResponse,
) {
	var plan, state, config accountModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := r.client(&resp.Diagnostics)
	id := idAttribute(state.ID, "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if !mayWrite(ctx, client, req.Private, state.label(), &resp.Diagnostics) {
		return
	}
	managed := !config.Teams.IsNull()
	if plan.Teams.IsUnknown() && !managed {
		plan.Teams = state.Teams
	}
	if !plan.Role.Equal(state.Role) || !plan.Teams.Equal(state.Teams) {
		if plan.Role.IsNull() || !applyGuard(client, &resp.Diagnostics).allowsRole(ctx, state, plan.Role) {
			return
		}
		teams := teamsForUpdate(ctx, client, id, plan, managed, &resp.Diagnostics)
		if resp.Diagnostics.HasError() {
			return
		}
		request := plan.updateRequest(teams)
		user, err := client.UpdateServiceAccount(ctx, id, request)
		if err != nil {
			addRoleError(plan, "Unable to update service account", err, &resp.Diagnostics)
			return
		}
		checkApplied(request, managed, user, &resp.Diagnostics)
		if resp.Diagnostics.HasError() {
			plan.refresh(user) // what the server has
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	setMissingIdentity(ctx, req.Identity, resp.Identity, newIdentity(client, plan.ID), &resp.Diagnostics)
}

// teamsForUpdate returns the teams to send: the configured ones, or the current
// ones if they are not managed.
func teamsForUpdate(ctx context.Context, client *qualytics.Client, id int64, plan accountModel, managed bool,
	diags *diag.Diagnostics,
) []string {
	if managed {
		return lookUpTeams(ctx, client, stringsOf(plan.Teams), diags)
	}
	current, err := client.User(ctx, id)
	switch {
	case err != nil:
		addError(diags, "Unable to update service account", plan.label(), err)
	case len(current.Teams) == 0: // every user is in Public
		diags.AddError("Unable to determine current teams", sentence(plan.label()+" is unchanged: an update must "+
			"contain all teams, and the server does not report the current ones")+" Set teams in the "+
			"configuration.")
	}
	if diags.HasError() {
		return nil
	}
	return withoutPublic(current.Teams)
}

// Delete deactivates the account: the API does not erase accounts.
func (r *accountResource) Delete(ctx context.Context, req resource.DeleteRequest,
	resp *resource.DeleteResponse,
) {
	var state accountModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	client := r.client(&resp.Diagnostics)
	id := idAttribute(state.ID, "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() ||
		!applyGuard(client, &resp.Diagnostics).allowsRemoval(ctx, state, "Destroying") {
		return
	}
	if !mayWrite(ctx, client, req.Private, state.label(), &resp.Diagnostics) {
		return
	}
	if state.RevokeTokensOnDestroy.ValueBool() && !revokeTokensOf(ctx, client, state, id, &resp.Diagnostics) {
		return
	}
	switch err := client.DeactivateServiceAccount(ctx, id); {
	case qualytics.IsBadRequest(err):
		addActiveTokensError(ctx, client, state, id, err, &resp.Diagnostics)
	case err != nil:
		addError(&resp.Diagnostics, "Unable to deactivate service account", state.label(), err)
	}
}

// revokeTokensOf revokes every active token of an account. It reports whether
// all of them are revoked.
func revokeTokensOf(ctx context.Context, client *qualytics.Client, state accountModel, id int64,
	diags *diag.Diagnostics,
) bool {
	tokens, err := activeTokens(ctx, client, id)
	if err != nil {
		addError(diags, "Unable to list service tokens", state.label(), err)
		return false
	}
	done := true
	for i := range tokens {
		if err := client.RevokeToken(ctx, tokens[i].ID); err != nil {
			addError(diags, "Unable to revoke service token", tokenLabel(&tokens[i])+" of "+state.label(), err)
			done = false
		}
	}
	return done
}

// ImportState imports by ID, user_id, or identity.
func (r *accountResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse,
) {
	client := r.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	wanted := importID(ctx, client, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	user := accountForImport(ctx, client, wanted, &resp.Diagnostics)
	if user == nil {
		return
	}
	model := newAccountModel(user)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, newIdentity(client, model.ID))...)
	rememberHost(ctx, client, resp.Private, &resp.Diagnostics)
}
