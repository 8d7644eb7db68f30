// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var (
	_ resource.ResourceWithConfigure   = (*exclusiveResource)(nil)
	_ resource.ResourceWithIdentity    = (*exclusiveResource)(nil)
	_ resource.ResourceWithImportState = (*exclusiveResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*exclusiveResource)(nil)
)

func newExclusiveResource() resource.Resource {
	return &exclusiveResource{resourceBase{base{name: "service_tokens_exclusive"}, "service account"}}
}

// exclusiveResource revokes the tokens of an account that token_ids does not contain.
// It revokes only what a refresh has put into the state: a list at apply time would also
// contain the old token of a rotation, and tokens that other resources have just created.
type exclusiveResource struct{ resourceBase }

func (r *exclusiveResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Makes the given service tokens the only active ones of a service account. All others " +
			"are reported as `foreign_tokens`, and the next apply revokes them.",
		Attributes: map[string]schema.Attribute{
			"id": keptString("Numeric ID of the service account."),
			"service_account_id": schema.StringAttribute{
				Required:   true,
				Validators: []validator.String{reference},
				MarkdownDescription: "`id` of the service account that owns the tokens. Changing this forces a new " +
					"resource to be created.",
			},
			"token_ids": schema.SetAttribute{
				ElementType: types.StringType,
				Required:    true,
				Validators: []validator.Set{
					setvalidator.NoNullValues(),
					setvalidator.ValueStringsAre(reference),
				},
				MarkdownDescription: "IDs of the service tokens that may be active. Include those of the " +
					"`retiring_tokens`, or a rotation ends without an overlap.",
			},
			"foreign_tokens": schema.ListNestedAttribute{
				Computed: true,
				MarkdownDescription: "The other active service tokens of the account at the last refresh, sorted by " +
					"ID. The next apply revokes them, except the one that the provider uses.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id": schema.StringAttribute{
						Computed:            true,
						MarkdownDescription: "Numeric ID of the service token.",
					},
					"name": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the service token."},
					"created_at": schema.StringAttribute{
						CustomType: timetypes.RFC3339Type{}, Computed: true,
						MarkdownDescription: "Time of creation in UTC (RFC 3339). Null if the deployment does not " +
							"report it.",
					},
				}},
			},
		},
	}
}

// Create revokes nothing: the next plan shows what is foreign.
func (r *exclusiveResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan exclusiveModel
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	c.diags.Append(req.Plan.Get(ctx, &plan)...)
	id := c.id(plan.ServiceAccountID, "service_account_id")
	if plan.checkTokenIDs(c); !c.ready() {
		return
	}
	user := c.activeAccount(ctx, id, "service_account_id", c.client.CachedServiceAccount)
	if user == nil {
		return
	}
	plan.ID = idValue(id)
	plan.history.UserID = user.UserID
	if plan.refresh(ctx, c) {
		c.saveExclusive(ctx, plan)
		c.readTokens.Store(exclusiveKey(plan.ID), true)
	}
}

// Read finds the foreign tokens.
func (r *exclusiveResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	state := c.exclusive(ctx, req.State)
	id := c.id(state.ID, "id")
	if !c.ready() {
		return
	}
	c.identify(ctx, state.ID)
	c.readTokens.Store(exclusiveKey(state.ID), true)
	if host := c.otherHost(ctx); host != "" && !c.hasMoved(ctx, state) {
		c.refuse("Exclusive tokens of another deployment", "%s were last read from %s, and the provider is configured "+
			"for %s. The state is unchanged. Check url in the provider configuration. If the deployment moved, remove "+
			"this resource from the state with \"%s state rm ADDRESS\", and import it again.",
			sentenceStart(state.label()), host, c.deployment(), c.cli)
		return
	}
	user, err := c.client.CachedServiceAccount(ctx, id)
	switch {
	case err != nil:
		c.fail(unableToReadAccount, state.label(), err)
	case user != nil && state.history.UserID != "" && user.UserID != state.history.UserID:
		c.refuseOtherDeployment(state.label(), fmt.Sprintf("The user_id of the account was %q and is %q on the "+
			"server. A user_id never changes.", state.history.UserID, user.UserID))
	case user == nil || user.Deactivated():
		c.warn("Service account of exclusive tokens not found", "%s Deployment: %s.",
			sentence(state.label()+" are removed from the state, because the account was deactivated or removed"),
			c.client.URL())
		resp.State.RemoveResource(ctx)
	case state.refresh(ctx, c):
		c.saveExclusive(ctx, state)
	}
}

// hasMoved reports whether another host is certainly the same deployment: it has the account,
// and the account has all tokens of token_ids. Then a wrong url is not the reason.
func (c call) hasMoved(ctx context.Context, state exclusiveModel) bool {
	id, _ := parseID(state.ID.ValueString())
	user, err := c.client.CachedServiceAccount(ctx, id)
	if err != nil || user == nil || state.history.UserID == "" || user.UserID != state.history.UserID {
		return false
	}
	tokens, err := c.client.CachedServiceTokens(ctx)
	if err != nil {
		return false
	}
	missing := slices.DeleteFunc(stringsOf(state.TokenIDs), func(id string) bool {
		return slices.ContainsFunc(tokens,
			func(t qualytics.Token) bool { return formatID(t.ID) == id && t.User.ID == user.ID })
	})
	return len(missing) == 0 && len(state.TokenIDs.Elements()) > 0
}

// Update revokes the foreign tokens that are in the state and not in the plan.
func (r *exclusiveResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan exclusiveModel
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	c.diags.Append(req.Plan.Get(ctx, &plan)...)
	state := c.exclusive(ctx, req.State)
	if plan.checkTokenIDs(c); !c.ready() || !c.mayWrite(ctx, state.label()) {
		return
	}
	kept := plan.foreign(ctx, c)
	if plan.ForeignTokens.IsUnknown() {
		kept = state.foreign(ctx, c)
	}
	for _, t := range state.foreign(ctx, c) {
		if !containsToken(kept, t.ID) && !containsString(plan.TokenIDs, t.ID) && !c.revokeForeign(ctx, t) {
			kept = append(kept, t)
		}
	}
	plan.ForeignTokens = foreignList(kept)
	plan.history = state.history
	plan.history.recordChange(state.TokenIDs, plan.TokenIDs)
	c.saveExclusive(ctx, plan)
}

// revokeForeign revokes a foreign token unless it may be the provider's own.
func (c call) revokeForeign(ctx context.Context, t foreignToken) bool {
	id := c.id(t.ID, "foreign_tokens")
	listed, found, err := c.client.CachedServiceToken(ctx, id)
	switch {
	case err == nil && !found:
		return true
	case err == nil && !c.applyGuard().allowsRevocation(ctx, listed, "", t.label()):
		return false
	case err == nil:
		err = c.client.RevokeToken(ctx, id)
	}
	if err != nil {
		c.fail("Unable to revoke foreign service token", t.label(), err)
	}
	return err == nil
}

// Delete does nothing: the tokens stay as they are.
func (r *exclusiveResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {
}

// ImportState imports by the account's ID or user_id, or by identity. All tokens that are
// active then are imported as token_ids, so that an import never leads to a revocation
// that the configuration does not ask for.
func (r *exclusiveResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse,
) {
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	if !c.ready() {
		return
	}
	wanted := c.importID(ctx, req)
	if c.failed() {
		return
	}
	user := c.accountForImport(ctx, wanted)
	if user == nil {
		return
	}
	model := exclusiveModel{
		ID: idValue(user.ID), ServiceAccountID: idValue(user.ID), TokenIDs: setOf(nil), ForeignTokens: foreignList(nil),
		history: exclusiveHistory{Imported: true, UserID: user.UserID},
	}
	if !model.refresh(ctx, c) {
		return
	}
	var ids []string
	for _, t := range model.foreign(ctx, c) {
		ids = append(ids, t.ID.ValueString())
	}
	model.TokenIDs, model.ForeignTokens = setOf(ids), foreignList(nil)
	c.saveExclusive(ctx, model)
}
