// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var (
	_ resource.ResourceWithConfigure      = (*serviceTokenResource)(nil)
	_ resource.ResourceWithIdentity       = (*serviceTokenResource)(nil)
	_ resource.ResourceWithImportState    = (*serviceTokenResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*serviceTokenResource)(nil)
	_ resource.ResourceWithValidateConfig = (*serviceTokenResource)(nil)
)

func newServiceTokenResource() resource.Resource { return &serviceTokenResource{} }

type serviceTokenResource struct{ resourceBase }

func (r *serviceTokenResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_token"
}

func (r *serviceTokenResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = idIdentity("Number that Qualytics gave the token.")
}

// Schema leaves the decision what forces a new token to planToken, except for
// edits that nothing can soften.
func (r *serviceTokenResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	keep := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A service token: the bearer token with which a service account calls the Qualytics API.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed: true, PlanModifiers: keep,
				MarkdownDescription: "Number that Qualytics gave the token. It rises with every rotation, so `tonumber(…id)` can serve as the version of another resource's write-only argument.",
			},
			"service_account_id": schema.StringAttribute{
				Required: true, Validators: []validator.String{idValidator{}},
				MarkdownDescription: "`id` of the service account that owns the token. Another account forces a new token.",
			},
			"name": schema.StringAttribute{
				Optional: true, Computed: true, PlanModifiers: keep,
				Validators: []validator.String{
					stringvalidator.UTF8LengthBetween(1, qualytics.MaxName), notBlank(),
					stringvalidator.ExactlyOneOf(path.MatchRoot("name"), path.MatchRoot("name_prefix")),
				},
				MarkdownDescription: fmt.Sprintf("Name of the token, unique for its account, 1 to %d characters. Exactly one of `name` and `name_prefix` is needed. "+
					"Another name forces a new token.", qualytics.MaxName),
			},
			"name_prefix": schema.StringAttribute{
				Optional:   true,
				Validators: []validator.String{stringvalidator.UTF8LengthBetween(1, maxPrefix), notBlank()},
				MarkdownDescription: fmt.Sprintf("Start of the token's name, 1 to %d characters; a unique suffix that sorts by time follows, so that an old and a new token can exist side by side. "+
					"Another prefix forces a new token.", maxPrefix),
			},
			"expires_in_days": schema.Int64Attribute{
				Optional:   true,
				Validators: []validator.Int64{int64validator.Between(qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays)},
				MarkdownDescription: fmt.Sprintf("Lifetime of the token in days, %d to %d. Left out, it never expires: a leaked one works until somebody notices. "+
					"Another lifetime forces a new token.", qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays),
			},
			"scim_endpoints_only": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Whether the token works on the SCIM endpoints (`/scim/v2/*`) and nowhere else. Another value forces a new token. Defaults to false.",
			},
			"rotate_before_days": schema.Int64Attribute{
				Optional: true,
				Validators: []validator.Int64{
					int64validator.Between(1, qualytics.MaxExpiresInDays-1), int64validator.AlsoRequires(path.MatchRoot("expires_in_days")),
				},
				MarkdownDescription: "Number of days before its expiry from which a plan replaces the token; 1 to `expires_in_days` − 1, and needs that argument. " +
					"Left out, an expired token is still replaced.",
			},
			"rotate_when_changed": schema.MapAttribute{
				ElementType: types.StringType, Optional: true,
				MarkdownDescription: "Arbitrary values; a change of any of them forces a new token. Adding the map, or removing it, does not.",
			},
			"revoked": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Whether the token is revoked. True revokes it in place, at once. Back to false restores it if this configuration revoked it; " +
					"a token that somebody else revoked is replaced instead, as it may have leaked. Defaults to false.",
			},
			"deletion_policy": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(policyDelete),
				Validators: []validator.String{stringvalidator.OneOf(deletionPolicies...)},
				MarkdownDescription: "What becomes of the token when it is destroyed or replaced: `delete` revokes it and erases its record, `revoke` keeps the record, " +
					"`abandon` leaves it valid until it expires, and needs `expires_in_days`. What counts is the value in state: apply it before destroying. Defaults to `delete`.",
			},
			"token": schema.StringAttribute{
				Computed: true, Sensitive: true, PlanModifiers: keep,
				MarkdownDescription: "The bearer token. The server shows it once, at creation, so the state holds the only copy. Null after an import.",
			},
			"status": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "`active`, `rotation_due`, `expired` or `revoked`, as of the last refresh.",
			},
			"created_at": schema.StringAttribute{
				CustomType: timetypes.RFC3339Type{}, Computed: true, PlanModifiers: keep,
				MarkdownDescription: "When the token was made, in UTC (RFC 3339). Null where the deployment does not say.",
			},
			"expires_at": schema.StringAttribute{
				CustomType: timetypes.RFC3339Type{}, Computed: true, PlanModifiers: keep,
				MarkdownDescription: "When the token expires, in UTC (RFC 3339). Null if never.",
			},
		},
	}
}

// ValidateConfig checks what no single attribute can.
func (r *serviceTokenResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config serviceTokenModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	days, window := config.ExpiresInDays, config.RotateBeforeDays
	if !window.IsNull() && !window.IsUnknown() && !days.IsNull() && !days.IsUnknown() && window.ValueInt64() >= days.ValueInt64() {
		resp.Diagnostics.AddAttributeError(path.Root("rotate_before_days"), "The rotation would never end",
			fmt.Sprintf("rotate_before_days is %d and expires_in_days is %d: every new token would be due for rotation at once. It must be at most %d.",
				window.ValueInt64(), days.ValueInt64(), days.ValueInt64()-1))
	}
	if config.DeletionPolicy.ValueString() == policyAbandon && days.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("deletion_policy"), "An abandoned token must expire",
			"With deletion_policy = \"abandon\" and without expires_in_days, the token would stay valid for ever with nobody looking after it. Set expires_in_days, or use \"delete\" or \"revoke\".")
	}
}

// ModifyPlan turns the decisions of planToken into Terraform's.
func (r *serviceTokenResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.State.Raw.IsNull() || r.data == nil {
		return
	}
	origin := readOrigin(ctx, req.Private, &resp.Diagnostics)
	if req.Plan.Raw.Equal(req.State.Raw) && !origin.Imported && isActive(ctx, req.State, &resp.Diagnostics) {
		return // by far the most common plan
	}
	var state serviceTokenModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if req.Plan.Raw.IsNull() {
		r.refuseLockout(ctx, state, state.DeletionPolicy.ValueString() != policyAbandon, &resp.Diagnostics)
		return
	}
	var plan serviceTokenModel
	var configName types.String
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &configName)...)
	if resp.Diagnostics.HasError() {
		return
	}
	p := planToken(state, plan, configName, origin, r.data.now())
	if p.problem != "" {
		resp.Diagnostics.AddAttributeError(path.Root("name"), "The new token could not have the old one's name", p.problem)
		return
	}
	for _, w := range p.warnings {
		resp.Diagnostics.AddWarning(w[0], w[1])
	}
	for _, attribute := range p.replace {
		resp.RequiresReplace.Append(path.Root(attribute))
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, p.plan)...)
	revokes := len(p.replace) > 0 && state.DeletionPolicy.ValueString() != policyAbandon || !state.Revoked.ValueBool() && plan.Revoked.ValueBool()
	r.refuseLockout(ctx, state, revokes, &resp.Diagnostics)
}

// isActive reports whether a state says that the token works and is not due.
func isActive(ctx context.Context, state tfsdk.State, diags *diag.Diagnostics) bool {
	var status types.String
	diags.Append(state.GetAttribute(ctx, path.Root("status"), &status)...)
	return status.ValueString() == statusActive
}

// Create puts the secret into state before anything else may fail.
func (r *serviceTokenResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan serviceTokenModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	client := r.client(&resp.Diagnostics)
	accountID := parseID(plan.ServiceAccountID, "service_account_id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	name := plan.Name.ValueString()
	if !plan.NamePrefix.IsNull() {
		var err error
		if name, err = uniqueName(plan.NamePrefix.ValueString(), r.data.now(), r.data.random); err != nil {
			resp.Diagnostics.AddError("No name for the service token", sentence(err.Error()))
			return
		}
	}
	token, err := client.CreateServiceToken(ctx, plan.createRequest(accountID, name), !plan.NamePrefix.IsNull())
	if err != nil {
		explainTokenCreate(ctx, client, accountID, name, err, &resp.Diagnostics)
		return
	}
	wantRevoked := plan.Revoked.ValueBool()
	plan.Name = types.StringValue(name)
	made := plan
	made.refresh(&token.Token, r.data.now())
	made.Name, made.ServiceAccountID = plan.Name, plan.ServiceAccountID
	made.Token = types.StringValue(string(token.Bearer))
	resp.Diagnostics.Append(resp.State.Set(ctx, made)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, identityModel{ID: made.ID})...)
	checkExpiry(plan, token, &resp.Diagnostics)
	checkSCIM(ctx, client, plan, token, &resp.Diagnostics)
	if token.Created == nil || token.Partial { // an older build; without it the next plan would show it as changed
		if listed, found, err := client.FindServiceToken(ctx, token.ID); err == nil && found {
			made.refresh(listed, r.data.now())
			made.Name, made.ServiceAccountID = plan.Name, plan.ServiceAccountID
			resp.Diagnostics.Append(resp.State.Set(ctx, made)...)
		}
	}
	if wantRevoked {
		if err := client.RevokeToken(ctx, token.ID); err != nil {
			addError(&resp.Diagnostics, sentenceStart(describe(made))+" was made, but could not be revoked", err)
			return
		}
		made.Revoked = types.BoolValue(true)
		made.decideStatus(r.data.now())
		resp.Diagnostics.Append(resp.State.Set(ctx, made)...)
	}
	writeOrigin(ctx, resp.Private, tokenOrigin{RevokedHere: wantRevoked}, &resp.Diagnostics)
}

// Read decides the status; the plan only looks at what is stored here.
func (r *serviceTokenResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state serviceTokenModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	origin := readOrigin(ctx, req.Private, &resp.Diagnostics)
	client := r.client(&resp.Diagnostics)
	id := parseID(state.ID, "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	// Also of a token that goes out of state: an older Terraform keeps no identity.
	keepIdentity(ctx, req.Identity, resp.Identity, state.ID, &resp.Diagnostics)
	token, found, err := client.ReadServiceToken(ctx, id)
	switch {
	case err != nil:
		addError(&resp.Diagnostics, sentenceStart(describe(state))+" could not be read", err)
		return
	case !found:
		resp.Diagnostics.AddWarning("A service token is gone",
			fmt.Sprintf("%s is no longer in the deployment's list: it was deleted outside of Terraform, so it is taken out of the state. The next apply makes a new one.",
				sentenceStart(describe(state))))
		resp.State.RemoveResource(ctx)
		return
	}
	if difference := state.differsFrom(token); difference != "" {
		addOtherDeployment(&resp.Diagnostics, client, sentenceStart(describe(state))+" is another one here", difference)
		return
	}
	now := r.data.now()
	before := state
	state.refresh(token, now)
	if origin.RevokedHere && (token.Active || token.Expired(now)) { // nothing that could be restored
		origin.RevokedHere = false
		writeOrigin(ctx, resp.Private, origin, &resp.Diagnostics)
	}
	if !reflect.DeepEqual(before, state) {
		resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
	}
}

// Update revokes or restores; everything else in place is the provider's own
// bookkeeping and asks nothing of the server.
func (r *serviceTokenResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state serviceTokenModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	origin := readOrigin(ctx, req.Private, &resp.Diagnostics)
	client := r.client(&resp.Diagnostics)
	id := parseID(state.ID, "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	origin.Imported = false
	switch wanted := plan.Revoked.ValueBool(); {
	case wanted == state.Revoked.ValueBool():
	case wanted:
		here, done := r.revoke(ctx, client, state, &resp.Diagnostics)
		if !done {
			return
		}
		origin.RevokedHere = here
	default:
		if !restore(ctx, client, id, state, resp) {
			return
		}
		origin.RevokedHere = false
	}
	if plan.Status.IsUnknown() { // otherwise a saved plan promised what it was
		plan.decideStatus(r.data.now())
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, identityModel{ID: plan.ID})...)
	writeOrigin(ctx, resp.Private, origin, &resp.Diagnostics)
}

// revoke revokes in place. What somebody else revoked since the plan stays
// theirs: it must never be restored. It reports whether it was revoked here,
// and whether it is.
func (r *serviceTokenResource) revoke(ctx context.Context, client *qualytics.Client, state serviceTokenModel, diags *diag.Diagnostics) (here, done bool) {
	if !r.mayRevoke(ctx, client, state, diags) {
		return false, false
	}
	id := parseID(state.ID, "id", diags)
	token, found, err := client.FindServiceToken(ctx, id)
	if err == nil && found && !token.Active {
		return false, true
	}
	if err == nil {
		err = client.RevokeToken(ctx, id)
	}
	if err != nil {
		addError(diags, sentenceStart(describe(state))+" could not be revoked", err)
		return false, false
	}
	return true, true
}

// restore takes back a revocation. One that the server refuses is final: the
// next plan replaces the token.
func restore(ctx context.Context, client *qualytics.Client, id int64, state serviceTokenModel, resp *resource.UpdateResponse) bool {
	token, err := client.SetTokenRevoked(ctx, id, false)
	switch {
	case err != nil:
		explainRestore(state, err, &resp.Diagnostics)
		if qualytics.IsRefused(err) {
			writeOrigin(ctx, resp.Private, tokenOrigin{}, &resp.Diagnostics)
		}
	case !token.Active:
		resp.Diagnostics.AddAttributeError(path.Root("revoked"), "The server did not take the restoration",
			fmt.Sprintf("It was asked to restore %s, and answered that the token is still revoked.", describe(state)))
	default:
		return true
	}
	return false
}

// Delete does what deletion_policy in state says.
func (r *serviceTokenResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state serviceTokenModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	client := r.client(&resp.Diagnostics)
	id := parseID(state.ID, "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if state.DeletionPolicy.ValueString() == policyAbandon {
		if state.ExpiresAt.IsNull() {
			resp.Diagnostics.AddAttributeError(path.Root("deletion_policy"), "An abandoned token must expire",
				sentenceStart(describe(state))+" never expires on the server, whatever was asked, so it is not abandoned: it would stay valid for ever. "+
					"Apply deletion_policy = \"delete\" or \"revoke\" first.")
		}
		return
	}
	if !r.mayRevoke(ctx, client, state, &resp.Diagnostics) {
		return
	}
	var err error
	if state.DeletionPolicy.ValueString() == policyRevoke {
		err = client.RevokeToken(ctx, id)
	} else {
		err = client.RevokeAndDeleteToken(ctx, id)
	}
	if err != nil {
		addError(&resp.Diagnostics, sentenceStart(describe(state))+" could not be removed", err)
	}
}

// ImportState takes an id, or an account and a token's name.
func (r *serviceTokenResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	client := r.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	wanted := importID(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	token := tokenForImport(ctx, client, wanted, &resp.Diagnostics)
	if token == nil {
		return
	}
	var model serviceTokenModel
	model.adopt(token, r.data.now())
	model.Token = r.importSecret(ctx, client, token, model, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, identityModel{ID: model.ID})...)
	writeOrigin(ctx, resp.Private, tokenOrigin{Imported: true}, &resp.Diagnostics)
}

// privateData is where the framework keeps what is the provider's own.
type privateData interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

func readOrigin(ctx context.Context, private privateData, diags *diag.Diagnostics) tokenOrigin {
	var origin tokenOrigin
	text, d := private.GetKey(ctx, originKey)
	diags.Append(d...)
	if len(text) > 0 {
		if err := json.Unmarshal(text, &origin); err != nil {
			diags.AddError("Provider bug", "The private data of a service token cannot be read. Please report this.")
		}
	}
	return origin
}

// writeOrigin writes what has changed: what most tokens have is nothing, and so
// is what is kept of them.
func writeOrigin(ctx context.Context, private privateData, origin tokenOrigin, diags *diag.Diagnostics) {
	if readOrigin(ctx, private, diags) == origin {
		return
	}
	text, err := json.Marshal(origin)
	if err != nil {
		diags.AddError("Provider bug", "The private data of a service token cannot be written. Please report this.")
		return
	}
	diags.Append(private.SetKey(ctx, originKey, text)...)
}
