// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
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

func newAccountResource() resource.Resource {
	return &accountResource{resourceBase{base{name: "service_account"}, "service account"}}
}

type accountResource struct{ resourceBase }

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
				PlanModifiers: []planmodifier.Set{
					sameTeamsModifier{teamsAreEqual},
					setplanmodifier.UseStateForUnknown(),
				},
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
func (r *accountResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan accountModel
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	if c.diags.Append(req.Plan.Get(ctx, &plan)...); !c.ready() {
		return
	}
	c.names.stop()
	managed := !plan.Teams.IsNull() && !plan.Teams.IsUnknown()
	var teams []string
	if managed {
		if teams = c.lookUpTeams(ctx, stringsOf(plan.Teams)); c.failed() {
			return
		}
	}
	user, err := c.client.CreateServiceAccount(ctx, plan.createRequest(teams))
	if err != nil {
		c.failCreate(ctx, plan, err)
		return
	}
	created := plan
	created.refresh(user)
	created.Name = plan.Name
	c.save(ctx, created.ID, created)
	c.accounts.wasCreated(created.accountFields)
	c.checkApplied(plan.updateRequest(teams), managed, user)
}

// Read removes the account from the state only if the API of the same deployment
// says that the account does not exist or is deactivated.
func (r *accountResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state accountModel
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	c.diags.Append(req.State.Get(ctx, &state)...)
	id := c.id(state.ID, "id")
	if !c.ready() {
		return
	}
	c.identify(ctx, state.ID) // also if it is then removed: an older Terraform stores no identity
	user, err := c.client.CachedServiceAccount(ctx, id)
	switch {
	case err != nil:
		c.fail(unableToReadAccount, state.label(), err)
		return
	case user != nil && !state.UserID.IsNull() && user.UserID != state.UserID.ValueString():
		c.refuseOtherDeployment(state.label(), fmt.Sprintf("Its user_id is %q in the state and %q on the server. A "+
			"user_id never changes.", state.UserID.ValueString(), user.UserID))
		return
	case user == nil || user.Deactivated():
		if c.onSameHost(ctx, state.label()) {
			c.warn("Service account not found", "%s The next apply creates a new account, unless the name is still in "+
				"use: then reactivate the account in Qualytics and import it. Deployment: %s.", sentence(state.label()+
				" was deactivated or removed outside of Terraform, so it is removed from the state"), c.client.URL())
			resp.State.RemoveResource(ctx)
			c.accounts.isGone(state.accountFields)
		}
		return
	}
	c.accounts.wasRead(state.accountFields)
	state.refresh(user)
	c.save(ctx, state.ID, state)
}

// Update sends role and teams together, because the API may replace both.
func (r *accountResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state, config accountModel
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	c.diags.Append(req.Plan.Get(ctx, &plan)...)
	c.diags.Append(req.State.Get(ctx, &state)...)
	c.diags.Append(req.Config.Get(ctx, &config)...)
	id := c.id(state.ID, "id")
	if !c.ready() || !c.mayWrite(ctx, state.label()) {
		return
	}
	managed := !config.Teams.IsNull()
	if plan.Teams.IsUnknown() && !managed {
		plan.Teams = state.Teams
	}
	if !plan.Role.Equal(state.Role) || !plan.Teams.Equal(state.Teams) {
		if plan.Role.IsNull() || !c.applyGuard().allowsRole(ctx, state, plan.Role) {
			return
		}
		var teams []string
		if managed {
			teams = c.lookUpTeams(ctx, stringsOf(plan.Teams))
		} else {
			teams = c.currentTeams(ctx, id, plan)
		}
		if c.failed() {
			return
		}
		request := plan.updateRequest(teams)
		user, err := c.client.UpdateServiceAccount(ctx, id, request)
		if err != nil {
			c.failRole(plan, "Unable to update service account", err)
			return
		}
		if c.checkApplied(request, managed, user); c.failed() {
			plan.refresh(user) // what the server has
		}
	}
	c.save(ctx, plan.ID, plan)
}

// currentTeams returns the teams to send if they are not managed.
func (c call) currentTeams(ctx context.Context, id int64, plan accountModel) []string {
	current, err := c.client.User(ctx, id)
	switch {
	case err != nil:
		c.fail("Unable to update service account", plan.label(), err)
	case len(current.Teams) == 0: // every user is in Public
		c.refuse("Unable to determine current teams", "%s Set teams in the configuration.",
			sentence(plan.label()+" is unchanged: an update must contain all teams, and the server does not report "+
				"the current ones"))
	default:
		return withoutPublic(current.Teams)
	}
	return nil
}

// Delete deactivates the account: the API does not erase accounts.
func (r *accountResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state accountModel
	c := r.call(&resp.Diagnostics).on(req.Private, &resp.State, resp.Identity)
	c.diags.Append(req.State.Get(ctx, &state)...)
	id := c.id(state.ID, "id")
	if !c.ready() || !c.applyGuard().allowsRemoval(ctx, state, "Destroying") || !c.allowsDestroy(ctx, state) ||
		!c.mayWrite(ctx, state.label()) ||
		state.RevokeTokensOnDestroy.ValueBool() && !c.revokeTokensOf(ctx, state, id) {
		return
	}
	if err := c.client.DeactivateServiceAccount(ctx, id); err != nil {
		c.failDeactivation(ctx, state, id, err)
		return
	}
	c.accounts.isGone(state.accountFields)
}

// revokeTokensOf revokes every active token of an account. It reports whether
// all of them are revoked.
func (c call) revokeTokensOf(ctx context.Context, state accountModel, id int64) bool {
	tokens, err := c.activeTokens(ctx, id)
	if err != nil {
		c.fail(unableToListTokens, state.label(), err)
		return false
	}
	for i := range tokens {
		if err := c.client.RevokeToken(ctx, tokens[i].ID); err != nil {
			c.fail("Unable to revoke service token", tokenLabel(&tokens[i])+" of "+state.label(), err)
		}
	}
	return !c.failed()
}

// ImportState imports by ID, user_id, or identity.
func (r *accountResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	if !c.ready() {
		return
	}
	wanted := c.importID(ctx, req)
	if c.failed() {
		return
	}
	if user := c.accountForImport(ctx, wanted); user != nil {
		model := newAccountModel(user)
		c.save(ctx, model.ID, model)
		c.accounts.wasRead(model.accountFields)
	}
}
