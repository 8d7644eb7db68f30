// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"reflect"

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
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var (
	_ resource.ResourceWithConfigure      = (*tokenResource)(nil)
	_ resource.ResourceWithIdentity       = (*tokenResource)(nil)
	_ resource.ResourceWithImportState    = (*tokenResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*tokenResource)(nil)
	_ resource.ResourceWithValidateConfig = (*tokenResource)(nil)
)

func newTokenResource() resource.Resource {
	return &tokenResource{resourceBase{base{name: "service_token"}}}
}

type tokenResource struct{ resourceBase }

// Metadata says that a rotation in place changes the identity.
func (r *tokenResource) Metadata(
	ctx context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse,
) {
	r.resourceBase.Metadata(ctx, req, resp)
	resp.ResourceBehavior = resource.ResourceBehavior{MutableIdentity: true} // a rotation in place changes the ID
}

func (r *tokenResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identitySchema("service token")
}

// Schema has no RequiresReplace: planToken decides what forces a new token.
func (r *tokenResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	keepState := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A service token: the bearer token with which a service account calls the Qualytics API.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:      true,
				PlanModifiers: keepState,
				MarkdownDescription: "Numeric ID of the service token. It increases with every rotation, so " +
					"`tonumber(qualytics_service_token.example.id)` can be the version of another resource's " +
					"write-only argument.",
			},
			"service_account_id": schema.StringAttribute{
				Required: true, Validators: []validator.String{referenceValidator{}},
				MarkdownDescription: "`id` of the service account that owns the token." + forcesNewToken,
			},
			"name": schema.StringAttribute{
				Optional:      true,
				Computed:      true,
				PlanModifiers: keepState,
				Validators: []validator.String{
					stringvalidator.UTF8LengthBetween(1, qualytics.MaxName), notBlank(), trimmed(),
					stringvalidator.ExactlyOneOf(path.MatchRoot("name"), path.MatchRoot("name_prefix")),
				},
				MarkdownDescription: fmt.Sprintf("Name of the service token, unique for its account. 1 to %d "+
					"characters, without leading or trailing spaces. Exactly one of `name` and `name_prefix` is "+
					"required.", qualytics.MaxName) + forcesNewToken,
			},
			"name_prefix": schema.StringAttribute{
				Optional:   true,
				Validators: []validator.String{stringvalidator.UTF8LengthBetween(1, maxPrefix), notBlank()},
				MarkdownDescription: fmt.Sprintf("Prefix of a generated name, 1 to %d characters. The suffix is "+
					"unique and sorts by time, so the old and the new token of a rotation can exist at the same "+
					"time.", maxPrefix) + forcesNewToken,
			},
			"expires_in_days": schema.Int64Attribute{
				Optional: true,
				Validators: []validator.Int64{
					int64validator.Between(qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays),
				},
				MarkdownDescription: fmt.Sprintf(
					"Lifetime of the service token in days, %d to %d. If omitted, the token never expires.",
					qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays) + forcesNewToken,
			},
			"scim_endpoints_only": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
				MarkdownDescription: "Whether the service token is limited to the SCIM endpoints (`/scim/v2/*`). " +
					"Defaults to `false`." + forcesNewToken,
			},
			"rotate_before_days": schema.Int64Attribute{
				Optional: true,
				Validators: []validator.Int64{
					int64validator.Between(1, qualytics.MaxExpiresInDays-1),
					int64validator.AlsoRequires(path.MatchRoot("expires_in_days")),
				},
				MarkdownDescription: "Number of days before the expiry at which the service token becomes due for " +
					"rotation. The next plan replaces it. 1 to `expires_in_days` − 1; requires " +
					"`expires_in_days`. If omitted, the token is replaced after it has expired.",
			},
			"rotate_when_changed": schema.MapAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "Arbitrary values. Changing a value forces a new service token to be created, " +
					"in place with `overlap_days`; adding or removing the map does not.",
			},
			"overlap_days":              overlapDaysAttribute(),
			"retire_unused_after_hours": retireUnusedAttribute(),
			"retiring_tokens":           retiringTokensAttribute(),
			"revoked": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
				MarkdownDescription: "Whether the service token is revoked. `true` revokes it in place. Changing it " +
					"back to `false` restores a token that this configuration revoked; a token that someone else " +
					"revoked is replaced, because it may have leaked. Defaults to `false`.",
			},
			"deletion_policy": schema.StringAttribute{
				Optional:   true,
				Computed:   true,
				Default:    stringdefault.StaticString(policyDelete),
				Validators: []validator.String{oneOf(deletionPolicies...)},
				MarkdownDescription: "What happens to the service token when it is destroyed or replaced: `delete` " +
					"revokes and deletes it, `revoke` revokes it and keeps its out, `abandon` leaves it valid " +
					"until it expires and requires `expires_in_days`. `revoke` and `abandon` require " +
					"`name_prefix`, because the record keeps the name. A change must be applied before the token " +
					"is destroyed. Defaults to `delete`.",
			},
			"encryption": encryptionAttribute(),
			"encrypted_token": keptString("The bearer token, encrypted to `encryption.public_key`. Null without " +
				"`encryption`. Not sensitive, so it can be used in outputs."),
			"token": schema.StringAttribute{
				Computed:      true,
				Sensitive:     true,
				PlanModifiers: keepState,
				MarkdownDescription: "The bearer token. The server returns it only when the token is created, so the " +
					"state contains the only copy. Null after an import.",
			},
			"status": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Status at the last refresh: `active`, `rotation_due`, `expired`, or `revoked`.",
			},
			"created_at": keptTime("Time of creation in UTC (RFC 3339). Null if the deployment does not report it."),
			"expires_at": keptTime("Time of expiry in UTC (RFC 3339). Null if the service token never expires."),
		},
	}
}

// ValidateConfig checks combinations of attributes.
func (r *tokenResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest,
	resp *resource.ValidateConfigResponse,
) {
	var config tokenModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	days, window := config.ExpiresInDays, config.RotateBeforeDays
	if !window.IsNull() && !window.IsUnknown() && !days.IsNull() && !days.IsUnknown() &&
		window.ValueInt64() >= days.ValueInt64() {
		resp.Diagnostics.AddAttributeError(path.Root("rotate_before_days"), "Rotation window covers the whole lifetime",
			fmt.Sprintf("rotate_before_days is %d and expires_in_days is %d, so every new token would be due for "+
				"rotation immediately. rotate_before_days must be at most %d.", window.ValueInt64(), days.ValueInt64(),
				days.ValueInt64()-1))
	}
	policy := config.DeletionPolicy.ValueString()
	encrypterOf(ctx, config.Encryption, &resp.Diagnostics)
	if policy == policyAbandon && days.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("deletion_policy"), "Abandoned service token must expire",
			"With deletion_policy = \"abandon\" and without expires_in_days, the token would stay valid "+
				"indefinitely. Set expires_in_days, or use \"delete\" or \"revoke\".")
	}
	if (policy == policyAbandon || policy == policyRevoke) && config.hasFixedName() {
		resp.Diagnostics.AddAttributeError(path.Root("deletion_policy"), "Deletion policy requires name_prefix",
			fmt.Sprintf("With deletion_policy = %q, the record of the token stays and keeps its name, so the "+
				"token could never be replaced by one with the same name. Use name_prefix instead of name, or "+
				"deletion_policy = \"delete\".", policy))
	}
	config.validateOverlap(&resp.Diagnostics)
}

// Create creates the token.
func (r *tokenResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan tokenModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	client := r.client(&resp.Diagnostics)
	accountID := r.call(&resp.Diagnostics).id(plan.ServiceAccountID, "service_account_id")
	if resp.Diagnostics.HasError() {
		return
	}
	plan.RetiringTokens = retiringList(nil)
	r.issue(ctx, client, plan, accountID, tokenOutput{&resp.State, resp.Identity, resp.Private}, &resp.Diagnostics)
}

// storeHistory stores the private data if it has changed.
func (r *tokenResource) storeHistory(ctx context.Context, private privateData, m tokenModel,
	history tokenHistory, diags *diag.Diagnostics,
) {
	history.DaysLeft = m.daysLeft(r.data.now())
	var stored tokenHistory
	if (call{diags: diags, private: private}).load(ctx, historyKey, &stored); !stored.equal(history) {
		call{diags: diags, private: private}.store(ctx, historyKey, history)
	}
}

// Read decides the status, from which alone the plan decides.
func (r *tokenResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state tokenModel
	var history tokenHistory
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	call{diags: &resp.Diagnostics, private: req.Private}.load(ctx, historyKey, &history)
	client := r.client(&resp.Diagnostics)
	id := r.call(&resp.Diagnostics).id(state.ID, "id")
	if resp.Diagnostics.HasError() {
		return
	}
	// Set even if the token is then removed: an older Terraform stores no identity.
	call{providerData: &providerData{client: client}, diags: &resp.Diagnostics, identity: resp.Identity}.identify(ctx, state.ID)
	now, before := r.data.now(), state
	r.data.managedTokens.Store(state.ID.ValueString(), true)
	token, found, err := client.CachedServiceToken(ctx, id)
	switch {
	case err != nil:
		r.call(&resp.Diagnostics).fail("Unable to read service token", state.label(), err)
		return
	case !found:
		r.readMissing(ctx, client, state, req, resp)
		return
	}
	if difference := state.differenceFrom(token); difference != "" {
		r.call(&resp.Diagnostics).refuseOtherDeployment(state.label(), difference)
		return
	}
	state.refresh(token, now)
	refreshRetiring(ctx, client, &state, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if token.Active || token.Expired(now) { // nothing to restore
		history.RevokedByConfig = false
	}
	call{providerData: &providerData{client: client}, diags: &resp.Diagnostics, private: resp.Private}.rememberHost(ctx)
	r.storeHistory(ctx, resp.Private, state, history, &resp.Diagnostics)
	if !reflect.DeepEqual(before, state) {
		resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
	}
}

// readMissing removes a token that was deleted outside of Terraform from the state. With
// retiring tokens, the resource stays, because no other state would know them.
func (r *tokenResource) readMissing(ctx context.Context, client *qualytics.Client, state tokenModel,
	req resource.ReadRequest, resp *resource.ReadResponse,
) {
	if !r.call(&resp.Diagnostics).on(req.Private, nil, nil).onSameHost(ctx, state.label()) {
		return
	}
	refreshRetiring(ctx, client, &state, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	deleted := sentence(state.label()+" was deleted outside of Terraform") +
		" The next apply creates a new token. Deployment: " + client.URL() + "."
	if len(state.RetiringTokens.Elements()) == 0 {
		resp.Diagnostics.AddWarning("Service token not found", deleted+" It is removed from the state.")
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.AddWarning("Current service token not found",
		deleted+" The resource stays in the state because of its retiring tokens.")
	state.Revoked, state.Status = types.BoolValue(true), types.StringValue(statusRevoked)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
	r.storeHistory(ctx, resp.Private, state, tokenHistory{}, &resp.Diagnostics)
}

// Update rotates, revokes, or restores the token, and then removes the retiring tokens
// that the plan does not keep. All other changes are stored without a request.
func (r *tokenResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state tokenModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	client := r.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() || !r.call(&resp.Diagnostics).on(req.Private, nil, nil).mayWrite(ctx, state.label()) {
		return
	}
	out := tokenOutput{&resp.State, resp.Identity, resp.Private}
	if plan.ID.IsUnknown() {
		r.rotateInPlace(ctx, client, plan, state, out, &resp.Diagnostics)
		return
	}
	stay := plan.retiring(ctx, &resp.Diagnostics)
	remove := withoutTokens(state.retiringWithHashes(ctx, req.Private, &resp.Diagnostics), stay)
	if len(state.refusedRemovals(ctx, client, plan.removalPolicy(), remove, &resp.Diagnostics)) > 0 {
		return
	}
	if r.changeInPlace(ctx, client, &plan, state, out, &resp.Diagnostics) {
		removeRetiringExcept(ctx, client, &plan, stay, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	}
}

// changeInPlace revokes or restores the token, and stores the plan. It reports false after
// an error.
func (r *tokenResource) changeInPlace(ctx context.Context, client *qualytics.Client,
	plan *tokenModel, state tokenModel, out tokenOutput, diags *diag.Diagnostics,
) bool {
	var history tokenHistory
	call{diags: diags, private: out.private}.load(ctx, historyKey, &history)
	history.Imported = false
	id := call{diags: diags}.id(state.ID, "id")
	if diags.HasError() || !r.encryptImported(ctx, plan, state, diags) {
		return false
	}
	switch revoke := plan.Revoked.ValueBool(); {
	case revoke == state.Revoked.ValueBool():
	case revoke:
		byConfig, ok := revokeInPlace(ctx, client, id, state, diags)
		if !ok {
			return false
		}
		history.RevokedByConfig = byConfig
	default:
		final, ok := restore(ctx, client, id, state, diags)
		if final {
			r.storeHistory(ctx, out.private, state, tokenHistory{}, diags)
		}
		if !ok {
			return false
		}
		history.RevokedByConfig = false
	}
	if plan.Status.IsUnknown() {
		plan.decideStatus(r.data.now())
	}
	// What is not removed later must not be lost.
	stay := plan.retiring(ctx, diags)
	plan.RetiringTokens = retiringList(append(stay, withoutTokens(state.retiring(ctx, diags), stay)...))
	diags.Append(out.state.Set(ctx, plan)...)
	call{providerData: &providerData{client: client}, diags: diags, identity: out.identity}.identify(ctx, plan.ID)
	r.storeHistory(ctx, out.private, *plan, history, diags)
	return true
}

// encryptImported encrypts the secret of an imported token, for which encryption is
// configured for the first time.
func (r *tokenResource) encryptImported(ctx context.Context, plan *tokenModel,
	state tokenModel, diags *diag.Diagnostics,
) bool {
	encrypt := encrypterOf(ctx, plan.Encryption, diags)
	switch {
	case diags.HasError():
		return false
	case encrypt == nil || !state.Encryption.IsNull():
		return true
	case state.Token.IsNull():
		plan.Token, plan.EncryptedToken = types.StringNull(), types.StringNull()
		return true
	}
	if err := plan.setSecret(state.Token.ValueString(), encrypt, r.data.random); err != nil {
		diags.AddError("Unable to encrypt secret of service token",
			sentence("the state of the "+state.label()+" is unchanged"))
		return false
	}
	return true
}

// revokeInPlace revokes the token. byConfig is false if someone else has revoked
// it since the plan, because such a token must never be restored.
func revokeInPlace(ctx context.Context, client *qualytics.Client, id int64, state tokenModel,
	diags *diag.Diagnostics,
) (byConfig, ok bool) {
	if !(call{providerData: &providerData{client: client}, diags: diags}).applyGuard().allowsRevocationOf(ctx, state) {
		return false, false
	}
	token, found, err := client.FindServiceToken(ctx, id)
	if err == nil && found && !token.Active {
		return false, true
	}
	if err == nil {
		err = client.RevokeToken(ctx, id)
	}
	if err != nil {
		call{diags: diags}.fail("Unable to revoke service token", state.label(), err)
		return false, false
	}
	return true, true
}

// restore undoes a revocation. If the server refuses, that is final, and the next
// plan replaces the token.
func restore(ctx context.Context, client *qualytics.Client, id int64, state tokenModel,
	diags *diag.Diagnostics,
) (final, ok bool) {
	token, err := client.SetTokenRevoked(ctx, id, false)
	switch {
	case err != nil:
		addRestoreError(state, err, diags)
		return qualytics.IsRefused(err), false
	case !token.Active:
		diags.AddAttributeError(path.Root("revoked"), "Service token not restored", fmt.Sprintf("The server accepted "+
			"the request to restore %s, but reported that the token is still revoked.", state.label()))
		return false, false
	}
	return false, true
}

// Delete follows the deletion_policy in the state.
func (r *tokenResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state tokenModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	client := r.client(&resp.Diagnostics)
	id := r.call(&resp.Diagnostics).id(state.ID, "id")
	if resp.Diagnostics.HasError() {
		return
	}
	if !r.call(&resp.Diagnostics).on(req.Private, nil, nil).mayWrite(ctx, state.label()) {
		return
	}
	policy := state.DeletionPolicy.ValueString()
	if policy == policyAbandon && state.ExpiresAt.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("deletion_policy"), "Abandoned service token must expire",
			sentence(state.label()+" never expires on the server, whatever was requested, so it is not abandoned: it "+
				"would stay valid indefinitely")+" Apply deletion_policy = \"delete\" or \"revoke\" first, or "+
				"revoke and delete the token in Qualytics (Settings, Tokens).")
		return
	}
	retiring := state.retiringWithHashes(ctx, req.Private, &resp.Diagnostics)
	if policy != policyAbandon && !(call{providerData: &providerData{client: client}, diags: &resp.Diagnostics}).applyGuard().allowsRevocationOf(ctx, state) ||
		len(state.refusedRemovals(ctx, client, policy, retiring, &resp.Diagnostics)) > 0 {
		return
	}
	removeRetiringExcept(ctx, client, &state, nil, &resp.Diagnostics)
	if !resp.Diagnostics.HasError() && policy != policyAbandon {
		if err := removeToken(ctx, client, policy, id); err != nil {
			r.call(&resp.Diagnostics).fail("Unable to delete service token", state.label(), err)
		}
	}
	if resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
	}
}

// ImportState imports by ID, by account and name, or by identity.
func (r *tokenResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse,
) {
	client := r.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	wanted := r.call(&resp.Diagnostics).importID(ctx, req)
	if resp.Diagnostics.HasError() {
		return
	}
	token := tokenForImport(ctx, client, wanted, &resp.Diagnostics)
	if token == nil {
		return
	}
	model := newTokenModel(token, r.data.now())
	model.Token = r.importSecret(ctx, client, token, model, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, newIdentity(client, model.ID))...)
	call{providerData: &providerData{client: client}, diags: &resp.Diagnostics, private: resp.Private}.rememberHost(ctx)
	r.storeHistory(ctx, resp.Private, model, tokenHistory{Imported: true}, &resp.Diagnostics)
}
