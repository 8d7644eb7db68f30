// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
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

func newExclusiveResource() resource.Resource { return &exclusiveResource{} }

// exclusiveResource revokes the tokens of an account that token_ids does not contain.
// It revokes only what a refresh has put into the state: a list at apply time would also
// contain the old token of a rotation, and tokens that other resources have just created.
type exclusiveResource struct{ resourceBase }

func (r *exclusiveResource) Metadata(_ context.Context, req resource.MetadataRequest,
	resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_service_tokens_exclusive"
}

func (r *exclusiveResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identitySchema("service account")
}

func (r *exclusiveResource) Schema(_ context.Context, _ resource.SchemaRequest,
	resp *resource.SchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The only service tokens of a service account that may be active. All others are " +
			"reported as `foreign_tokens`, and the next apply revokes them.",
		Attributes: map[string]schema.Attribute{
			"id": keptString("Numeric ID of the service account."),
			"service_account_id": schema.StringAttribute{
				Required:      true,
				Validators:    []validator.String{referenceValidator{}},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "`id` of the service account that owns the tokens. Changing this forces a new " +
					"resource to be created.",
			},
			"token_ids": schema.SetAttribute{
				ElementType: types.StringType,
				Required:    true,
				Validators: []validator.Set{
					setvalidator.NoNullValues(),
					setvalidator.ValueStringsAre(referenceValidator{}),
				},
				MarkdownDescription: "IDs of the service tokens that may be active. For tokens with `overlap_days`, " +
					"include those of their `retiring_tokens`.",
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
func (r *exclusiveResource) Create(ctx context.Context, req resource.CreateRequest,
	resp *resource.CreateResponse,
) {
	var plan exclusiveModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	client := r.client(&resp.Diagnostics)
	id := idAttribute(plan.ServiceAccountID, "service_account_id", &resp.Diagnostics)
	plan.checkTokenIDs(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	user, err := client.CachedServiceAccount(ctx, id)
	if user = activeAccount(client, id, user, err, "service_account_id", &resp.Diagnostics); user == nil {
		return
	}
	plan.ID = idValue(id)
	history := exclusiveHistory{UserID: user.UserID}
	if !r.refresh(ctx, client, &plan, &history, &resp.Diagnostics) {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, newIdentity(client, plan.ID))...)
	rememberHost(ctx, client, resp.Private, &resp.Diagnostics)
	history.store(ctx, resp.Private, &resp.Diagnostics)
}

// Read finds the foreign tokens.
func (r *exclusiveResource) Read(ctx context.Context, req resource.ReadRequest,
	resp *resource.ReadResponse,
) {
	var state exclusiveModel
	var history exclusiveHistory
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	readPrivate(ctx, req.Private, historyKey, &history, &resp.Diagnostics)
	client := r.client(&resp.Diagnostics)
	id := idAttribute(state.ID, "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	setMissingIdentity(ctx, req.Identity, resp.Identity, newIdentity(client, state.ID), &resp.Diagnostics)
	host := otherHost(ctx, client, req.Private, &resp.Diagnostics)
	if host != "" && !r.hasMoved(ctx, client, state, history) {
		resp.Diagnostics.AddError("Exclusive tokens of another deployment", fmt.Sprintf(
			"%s were last read from %s, and the provider is configured for %s. The state is unchanged. Check url in "+
				"the provider configuration. If the deployment moved, remove this resource from the state with "+
				"\"terraform state rm\", and import it again.", sentenceStart(state.label()), host, client.Host()))
		return
	}
	user, err := client.CachedServiceAccount(ctx, id)
	switch {
	case err != nil:
		addError(&resp.Diagnostics, "Unable to read service account", state.label(), err)
		return
	case user != nil && history.UserID != "" && user.UserID != history.UserID:
		addOtherDeployment(&resp.Diagnostics, client, state.label(), fmt.Sprintf("The user_id of the account was %q "+
			"and is %q on the server. A user_id never changes.", history.UserID, user.UserID))
		return
	case user == nil || user.Deactivated():
		resp.Diagnostics.AddWarning("Service account of exclusive tokens not found",
			sentence(state.label()+" are removed from the state, because the account was deactivated or removed")+
				" Deployment: "+client.URL()+".")
		resp.State.RemoveResource(ctx)
		return
	}
	if !r.refresh(ctx, client, &state, &history, &resp.Diagnostics) {
		return
	}
	rememberHost(ctx, client, resp.Private, &resp.Diagnostics)
	history.store(ctx, resp.Private, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

// hasMoved reports whether another host is certainly the same deployment: it has the account,
// and the account has all tokens of token_ids. Then a wrong url is not the reason.
func (r *exclusiveResource) hasMoved(ctx context.Context, client *qualytics.Client,
	state exclusiveModel, history exclusiveHistory,
) bool {
	id, _ := parseID(state.ID.ValueString())
	user, err := client.CachedServiceAccount(ctx, id)
	if err != nil || user == nil || history.UserID == "" || user.UserID != history.UserID {
		return false
	}
	tokens, err := client.CachedServiceTokens(ctx)
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
func (r *exclusiveResource) Update(ctx context.Context, req resource.UpdateRequest,
	resp *resource.UpdateResponse,
) {
	var plan, state exclusiveModel
	var history exclusiveHistory
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	readPrivate(ctx, req.Private, historyKey, &history, &resp.Diagnostics)
	client := r.client(&resp.Diagnostics)
	plan.checkTokenIDs(&resp.Diagnostics)
	if resp.Diagnostics.HasError() || !mayWrite(ctx, client, req.Private, state.label(), &resp.Diagnostics) {
		return
	}
	kept := plan.foreign(ctx, &resp.Diagnostics)
	if plan.ForeignTokens.IsUnknown() {
		kept = state.foreign(ctx, &resp.Diagnostics)
	}
	for _, t := range state.foreign(ctx, &resp.Diagnostics) {
		if !containsToken(kept, t.ID) && !containsString(plan.TokenIDs, t.ID) &&
			!r.revokeForeign(ctx, client, t, &resp.Diagnostics) {
			kept = append(kept, t)
		}
	}
	plan.ForeignTokens = foreignList(kept)
	history.recordChange(state.TokenIDs, plan.TokenIDs)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	setMissingIdentity(ctx, req.Identity, resp.Identity, newIdentity(client, plan.ID), &resp.Diagnostics)
	history.store(ctx, resp.Private, &resp.Diagnostics)
}

// revokeForeign revokes a foreign token unless it may be the provider's own.
func (r *exclusiveResource) revokeForeign(ctx context.Context, client *qualytics.Client, t foreignToken,
	diags *diag.Diagnostics,
) bool {
	id := idAttribute(t.ID, "foreign_tokens", diags)
	listed, found, err := client.CachedServiceToken(ctx, id)
	switch {
	case err == nil && !found:
		return true
	case err == nil && !applyGuard(client, diags).allowsRevocation(ctx, listed, "", t.label()):
		return false
	case err == nil:
		err = client.RevokeToken(ctx, id)
	}
	if err != nil {
		addError(diags, "Unable to revoke foreign service token", t.label(), err)
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
	model := exclusiveModel{
		ID: idValue(user.ID), ServiceAccountID: idValue(user.ID), TokenIDs: setOf(nil), ForeignTokens: foreignList(nil),
	}
	history := exclusiveHistory{Imported: true, UserID: user.UserID}
	if !r.refresh(ctx, client, &model, &history, &resp.Diagnostics) {
		return
	}
	var ids []string
	for _, t := range model.foreign(ctx, &resp.Diagnostics) {
		ids = append(ids, t.ID.ValueString())
	}
	model.TokenIDs, model.ForeignTokens = setOf(ids), foreignList(nil)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, newIdentity(client, model.ID))...)
	rememberHost(ctx, client, resp.Private, &resp.Diagnostics)
	history.store(ctx, resp.Private, &resp.Diagnostics)
}
