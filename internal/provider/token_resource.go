// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
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
	return &tokenResource{resourceBase{base{name: "service_token"}, "service token"}}
}

type tokenResource struct{ resourceBase }

// Metadata says that a rotation in place changes the identity.
func (r *tokenResource) Metadata(ctx context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	r.resourceBase.Metadata(ctx, req, resp)
	resp.ResourceBehavior = resource.ResourceBehavior{MutableIdentity: true}
}

// Schema has no RequiresReplace: tokenLife decides what requires a new token.
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
				Required: true, Validators: []validator.String{reference},
				MarkdownDescription: "`id` of the service account that owns the token. Changing this forces a new " +
					"service token to be created.",
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
					"required. While it stays the same, a rotation has to remove the old token first.",
					qualytics.MaxName) + rotatesToken,
			},
			"name_prefix": schema.StringAttribute{
				Optional: true,
				Validators: []validator.String{
					stringvalidator.UTF8LengthBetween(1, maxPrefix), notBlank(), trimmed(),
				},
				MarkdownDescription: fmt.Sprintf("Prefix of a generated name, 1 to %d characters, without leading or "+
					"trailing spaces. The suffix is "+
					"unique and sorts by time, so the old and the new token of a rotation can exist at the same "+
					"time.", maxPrefix) + rotatesToken,
			},
			"expires_in_days": schema.Int64Attribute{
				Optional: true,
				Validators: []validator.Int64{
					int64validator.Between(qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays),
				},
				MarkdownDescription: fmt.Sprintf(
					"Lifetime of the service token in days, %d to %d. If omitted, the token never expires.",
					qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays) + rotatesToken,
			},
			"scim_endpoints_only": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
				MarkdownDescription: "Whether the service token is limited to the SCIM endpoints (`/scim/v2/*`). " +
					"Defaults to `false`." + rotatesToken,
			},
			"rotate_before_days": schema.Int64Attribute{
				Optional: true,
				Validators: []validator.Int64{
					int64validator.Between(1, qualytics.MaxExpiresInDays-1),
					int64validator.AlsoRequires(path.MatchRoot("expires_in_days")),
				},
				MarkdownDescription: "Number of days before the expiry at which the service token becomes due for " +
					"rotation. The next plan rotates it. 1 to `expires_in_days` − 1; requires `expires_in_days`. If " +
					"omitted, the token is rotated after it has expired.",
			},
			"rotate_when_changed": schema.MapAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "Arbitrary values. Changing a value or a key rotates the service token; adding " +
					"or removing the map does not.",
			},
			"overlap_days": schema.Int64Attribute{
				Optional:   true,
				Computed:   true,
				Default:    int64default.StaticInt64(defaultOverlapDays),
				Validators: []validator.Int64{int64validator.Between(0, qualytics.MaxExpiresInDays-1)},
				MarkdownDescription: fmt.Sprintf("Number of days for which a replaced token stays valid beside the "+
					"new one, 0 to %d. It is removed once it has also not been used for as long, at the latest when "+
					"it expires. With 0, it is removed in the same apply, used or not. A change also applies to the "+
					"existing `retiring_tokens`. Defaults to %d.", qualytics.MaxExpiresInDays-1, defaultOverlapDays),
			},
			"retiring_tokens": retiringTokensAttribute(),
			"revoked": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
				MarkdownDescription: "Whether the service token is revoked. `true` revokes it in place, and removes " +
					"its `retiring_tokens`. Changing it back to `false` restores a token that this configuration " +
					"revoked; a token that someone else revoked is rotated, because it may have leaked. Defaults to " +
					"`false`.",
			},
			"deletion_policy": schema.StringAttribute{
				Optional:   true,
				Computed:   true,
				Default:    stringdefault.StaticString(policyDelete),
				Validators: []validator.String{oneOf(policyDelete, policyRevoke)},
				MarkdownDescription: "What happens to the service token when it is destroyed, or removed after a " +
					"rotation: `delete` revokes and deletes it, `revoke` revokes it and keeps its record, and " +
					"requires `name_prefix`, because the record keeps the name. A change must be applied before the " +
					"token is destroyed. Defaults to `delete`.",
			},
			"encryption": encryptionAttribute(),
			"encrypted_token": keptString("The bearer token, encrypted to `encryption.public_key`. Null without " +
				"`encryption`. Not sensitive, so it can be used in outputs."),
			"token": schema.StringAttribute{
				Computed:      true,
				Sensitive:     true,
				PlanModifiers: keepState,
				MarkdownDescription: "The bearer token. The server returns it only when the token is created, so the " +
					"state contains the only copy. Null after an import and with `encryption`.",
			},
			"status": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Status at the last refresh: `active`, `rotation_due`, `expired`, or `revoked`.",
			},
			"created_at": keptTime(createdDescription),
			"expires_at": keptTime(expiresDescription),
		},
	}
}

// ValidateConfig checks combinations of attributes.
func (r *tokenResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest,
	resp *resource.ValidateConfigResponse,
) {
	var config tokenModel
	c := r.call(&resp.Diagnostics)
	if c.diags.Append(req.Config.Get(ctx, &config)...); c.failed() {
		return
	}
	days, window := config.ExpiresInDays, config.RotateBeforeDays
	if !window.IsNull() && !window.IsUnknown() && !days.IsNull() && !days.IsUnknown() &&
		window.ValueInt64() >= days.ValueInt64() {
		c.failAt("rotate_before_days", "Rotation window covers the whole lifetime", "rotate_before_days is %d and "+
			"expires_in_days is %d, so every new token would be due for rotation immediately. rotate_before_days must "+
			"be at most %d.", window.ValueInt64(), days.ValueInt64(), days.ValueInt64()-1)
	}
	if overlap := config.OverlapDays; !overlap.IsNull() && !overlap.IsUnknown() && !window.IsNull() &&
		!window.IsUnknown() && overlap.ValueInt64() > window.ValueInt64() {
		c.warnAt("overlap_days", "Overlap is longer than the rotation window", "overlap_days is %d and "+
			"rotate_before_days is %d: a token that is rotated in its window expires before the overlap ends. %s",
			overlap.ValueInt64(), window.ValueInt64(), longerWindowText(overlap.ValueInt64(), days))
	}
	encrypterOf(ctx, config.Encryption, c.diags)
	if config.DeletionPolicy.ValueString() == policyRevoke && config.hasFixedName() {
		c.failAt("deletion_policy", "Deletion policy requires name_prefix", "With deletion_policy = %q, the record of "+
			"the token stays and keeps its name, so the token could never be replaced by one with the same name. Use "+
			"name_prefix instead of name, or deletion_policy = \"delete\".", policyRevoke)
	}
}

// longerWindowText says how the overlap fits into the rotation window.
func longerWindowText(overlap int64, days types.Int64) string {
	if !days.IsNull() && !days.IsUnknown() && overlap >= days.ValueInt64() {
		return "Reduce overlap_days."
	}
	return fmt.Sprintf("Set rotate_before_days to at least %d, or reduce overlap_days.", overlap)
}

// Create creates the token.
func (r *tokenResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan tokenModel
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	if c.diags.Append(req.Plan.Get(ctx, &plan)...); c.ready() {
		plan.RetiringTokens = retiringList(nil)
		c.issue(ctx, plan)
	}
}

// Read decides the status, from which alone the plan decides.
func (r *tokenResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	state := c.token(ctx, req.State)
	id := c.id(state.ID, "id")
	if !c.ready() {
		return
	}
	c.identify(ctx, state.ID) // also if it is then removed: an older Terraform stores no identity
	c.readTokens.Store(state.ID.ValueString(), true)
	token, found, err := c.client.CachedServiceToken(ctx, id)
	now := c.now()
	switch {
	case err != nil:
		c.fail("Unable to read service token", state.label(), err)
		return
	case !found:
		c.readMissing(ctx, state)
		return
	}
	if difference := state.differenceFrom(token); difference != "" {
		c.refuseOtherDeployment(state.label(), difference)
		return
	}
	state.refresh(token, now)
	if c.refreshRetiring(ctx, &state); c.failed() {
		return
	}
	if token.Active || token.Expired(now) { // nothing to restore
		state.memory.RevokedByConfig = false
	}
	state.memory.DaysLeft = state.daysLeft(now)
	c.saveToken(ctx, state)
}

// readMissing removes a token that was deleted outside of Terraform from the state. With
// retiring tokens, the resource stays, because no other state would know them.
func (c call) readMissing(ctx context.Context, state tokenModel) {
	if !c.onSameHost(ctx, state.label()) {
		return
	}
	if c.refreshRetiring(ctx, &state); c.failed() {
		return
	}
	deleted := sentence(state.label()+" was deleted outside of Terraform") +
		" The next apply creates a new token. Deployment: " + c.client.URL() + "."
	if len(state.RetiringTokens.Elements()) == 0 {
		c.warn("Service token not found", "%s It is removed from the state.", deleted)
		c.state.RemoveResource(ctx)
		return
	}
	c.warn("Current service token not found", "%s The resource stays in the state because of its retiring tokens.",
		deleted)
	state.Revoked, state.Status = types.BoolValue(true), types.StringValue(statusRevoked)
	state.memory = tokenMemory{Retiring: state.memory.Retiring, DaysLeft: state.daysLeft(c.now())}
	c.saveToken(ctx, state)
}

// Update rotates, revokes, or restores the token, and removes the retiring tokens that the
// plan does not keep. All other changes are stored without a request.
func (r *tokenResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	c := r.call(&resp.Diagnostics).on(resp.Private, &resp.State, resp.Identity)
	l := tokenLife{state: c.token(ctx, req.State)}
	c.diags.Append(req.Plan.Get(ctx, &l.plan)...)
	c.diags.Append(req.Config.GetAttribute(ctx, path.Root("name"), &l.configName)...)
	if !c.ready() || !c.mayWrite(ctx, l.state.label()) {
		return
	}
	l.retiring = c.retiring(ctx, l.state)
	c.markOwn(ctx, l.state, l.retiring)
	if l.plan.ID.IsUnknown() && c.staysByServerClock(ctx, l) {
		return
	}
	switch {
	case !l.plan.ID.IsUnknown():
		c.changeInPlace(ctx, l)
	case l.hasFixedName():
		c.refuseReplacement(l)
	default:
		c.rotate(ctx, l)
	}
}

// staysByServerClock reports whether only the clock of this machine, which is ahead, asks for a
// new token. It then stores the token as it is: otherwise, every apply with a value that is
// unknown while planning might rotate it.
func (c call) staysByServerClock(ctx context.Context, l tokenLife) bool {
	_, _ = c.client.Me(ctx) // any response tells the time
	now := l.at(c.now())
	byClock := l.state.Status.ValueString() == statusActive && !l.isReconfigured() // else a refresh has decided
	if !byClock || now.decide().action != tokenKeep {
		return false
	}
	c.warn("Service token not rotated", "By the clock of the server, which is at %s, no rotation of the %s is due. "+
		"The clock of this machine is at %s. Set it.", formatTime(c.now()), l.state.label(), formatTime(c.clock()))
	now.state.setRetiring(now.retiring)
	c.saveToken(ctx, now.state)
	return true
}

// refuseReplacement says that a token must be replaced, which Terraform does not accept in
// this apply.
func (c call) refuseReplacement(l tokenLife) {
	c.refuse("Service token must be planned again", "The %s has to be replaced: a value that was unknown while "+
		"planning differs from the state, or the plan did not refresh it. Nothing was changed. Plan again, with a "+
		"refresh (without -refresh=false and -minimal-refresh).", l.state.label())
}

// changeInPlace revokes or restores the token, stores the plan, and removes the retiring
// tokens that do not stay.
func (c call) changeInPlace(ctx context.Context, l tokenLife) {
	d, plan := l.decide(), l.plan
	plan.memory = l.state.memory
	plan.memory.Imported = false
	id := c.id(l.state.ID, "id")
	if c.failed() || !c.encryptImported(ctx, &plan, l.state) {
		return
	}
	switch d.action {
	case tokenRevoke:
		byConfig, ok := c.revoke(ctx, id, l.state)
		if !ok {
			return
		}
		plan.memory.RevokedByConfig = byConfig
	case tokenRestore:
		final, ok := c.restore(ctx, id, l.state)
		if plan.memory.RevokedByConfig = false; !ok {
			if final { // the next plan rotates it
				c.store(ctx, memoryKey, plan.memory)
			}
			return
		}
	}
	if plan.Status.IsUnknown() {
		plan.Status = types.StringValue(plan.statusAt(c.now()))
	}
	plan.setRetiring(slices.Concat(d.stay, d.leave)) // what is not removed must not be lost
	c.saveToken(ctx, plan)
	if len(d.leave) > 0 {
		left := c.removeRetiring(ctx, plan, d.leave, l.endsOverlaps())
		plan.setRetiring(slices.Concat(d.stay, left))
		c.saveToken(ctx, plan)
	}
}

// encryptImported encrypts the secret of an imported token, for which encryption is
// configured for the first time.
func (c call) encryptImported(ctx context.Context, plan *tokenModel, state tokenModel) bool {
	encrypt := encrypterOf(ctx, plan.Encryption, c.diags)
	switch {
	case c.failed():
		return false
	case encrypt == nil || !state.Encryption.IsNull():
		return true
	case state.Token.IsNull():
		plan.Token, plan.EncryptedToken = types.StringNull(), types.StringNull()
		return true
	}
	if err := plan.setSecret(state.Token.ValueString(), encrypt, c.random); err != nil {
		c.refuse("Unable to encrypt secret of service token", "%s", sentence("the state of the "+state.label()+
			" is unchanged"))
		return false
	}
	return true
}

// revoke revokes the token in place. byConfig is false if someone else has revoked it since
// the plan, because such a token must never be restored.
func (c call) revoke(ctx context.Context, id int64, state tokenModel) (byConfig, ok bool) {
	if !c.applyGuard().allowsRevocationOf(ctx, state) {
		return false, false
	}
	token, found, err := c.client.FindServiceToken(ctx, id)
	if err == nil && found && !token.Active {
		return false, true
	}
	if err == nil {
		err = c.client.RevokeToken(ctx, id)
	}
	if err != nil {
		c.fail("Unable to revoke service token", state.label(), err)
	}
	return true, err == nil
}

// restore undoes a revocation. If the server refuses, that is final, and the next
// plan rotates the token.
func (c call) restore(ctx context.Context, id int64, state tokenModel) (final, ok bool) {
	token, err := c.client.SetTokenRevoked(ctx, id, false)
	switch {
	case qualytics.IsRefused(err):
		c.failAt("revoked", "Unable to restore service token", "%s", detailOf(state.label(), err, "The token may "+
			"have expired or been deleted. The next plan rotates it."))
	case err != nil:
		c.fail("Unable to restore service token", state.label(), err)
	case !token.Active:
		c.failAt("revoked", "Service token not restored", "The server accepted the request to restore %s, but "+
			"reported that the token is still revoked. Apply again. If it stays revoked, change a value of "+
			"rotate_when_changed to create a new token.", state.label())
	}
	return qualytics.IsRefused(err), !c.failed()
}

// Delete follows the deletion_policy in the state.
func (r *tokenResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	c := r.call(&resp.Diagnostics).on(req.Private, &resp.State, resp.Identity)
	state := c.token(ctx, req.State)
	id := c.id(state.ID, "id")
	if !c.ready() || !c.mayWrite(ctx, state.label()) || !c.applyGuard().allowsRevocationOf(ctx, state) {
		return
	}
	retiring := c.retiring(ctx, state)
	for _, t := range retiring {
		own, err := c.isOwn(ctx, state, t)
		if err != nil {
			c.fail("Unable to remove retiring service token", t.label(), err)
		}
		if own {
			c.refuseOwnRetiring(state, t)
		}
	}
	if c.failed() {
		return
	}
	left := c.removeRetiring(ctx, state, retiring, true)
	if !c.failed() {
		if err := c.removeToken(ctx, state.DeletionPolicy.ValueString(), id); err != nil {
			c.fail("Unable to delete service token", state.label(), err)
		}
	}
	if c.failed() {
		state.setRetiring(left)
		c.diags.Append(resp.State.Set(ctx, state)...)
	}
}

// ImportState imports by ID, by account and name, or by identity.
func (r *tokenResource) ImportState(
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
	token := c.tokenForImport(ctx, wanted)
	if token == nil {
		return
	}
	model := newTokenModel(token, c.now())
	if model.Token = c.importSecret(ctx, token, model); !c.failed() {
		model.memory = tokenMemory{Imported: true, DaysLeft: model.daysLeft(c.now())}
		c.saveToken(ctx, model)
		c.warnOfSiblings(ctx, token)
	}
}
