// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// ModifyPlan applies the decisions of planToken, checks the guardrails, refuses what
// would lock out the provider, and warns about tokens that are in use.
func (r *tokenResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if r.data == nil {
		return
	}
	if req.State.Raw.IsNull() {
		r.planNew(ctx, req, resp)
		return
	}
	var state, plan tokenModel
	var configName types.String
	var history tokenHistory
	call{diags: &resp.Diagnostics, private: req.Private}.load(ctx, historyKey, &history)
	if req.Plan.Raw.Equal(req.State.Raw) && !history.Imported && r.isSettled(ctx, req, resp) {
		return // the most common plan
	}
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	_, history.warned = r.data.importedTokens.Load(state.ID.ValueString())
	retiring := state.retiringWithHashes(ctx, req.Private, &resp.Diagnostics)
	if !req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
		resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &configName)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	p := &tokenPlan{state: state, destroys: true, removed: retiring}
	if !req.Plan.Raw.IsNull() {
		p = planToken(state, plan, configName, retiring, history)
		resp.Diagnostics.Append(p.diags...)
		if len(p.replace) > 0 || p.inPlace || plan.isReconfigured(state) {
			r.call(&resp.Diagnostics).checkLifetime(plan.ExpiresInDays)
		}
		if resp.Diagnostics.HasError() {
			return
		}
		for _, attribute := range p.replace {
			resp.RequiresReplace.Append(path.Root(attribute))
		}
		resp.Diagnostics.Append(resp.Plan.Set(ctx, p.plan)...)
	}
	r.checkRemoved(ctx, p, &resp.Diagnostics)
	if end := p.plannedEnd(); end.revokes && r.data.client != nil {
		guard := r.call(&resp.Diagnostics).planGuard()
		if guard.allowsRevocationOf(ctx, state) && end.effect != "" {
			r.call(&resp.Diagnostics).warnOfToken(ctx, state, end.effect)
		}
	}
}

// planNew plans a new token.
func (r *tokenResource) planNew(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	var plan tokenModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...); resp.Diagnostics.HasError() {
		return
	}
	r.call(&resp.Diagnostics).checkLifetime(plan.ExpiresInDays)
	r.call(&resp.Diagnostics).warnOfInvalidID("service_account_id", knownStrings(plan.ServiceAccountID)...)
	plan.planSecret()
	plan.RetiringTokens = retiringList(nil)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// isReconfigured reports whether the configuration changes a token that stays, other than
// by revoking it, which must always be possible.
func (m tokenModel) isReconfigured(state tokenModel) bool {
	if m.Revoked.ValueBool() && !state.Revoked.ValueBool() {
		return false
	}
	return !slices.EqualFunc(m.arguments(), state.arguments(), attr.Value.Equal)
}

// arguments returns the arguments that an update can store.
func (m tokenModel) arguments() []attr.Value {
	return []attr.Value{
		m.NamePrefix, m.ExpiresInDays, m.SCIMEndpointsOnly, m.RotateBeforeDays, m.RotateWhenChanged, m.OverlapDays,
		m.RetireUnusedAfterHours, m.Revoked, m.DeletionPolicy, m.Encryption,
	}
}

// endOfToken is how a plan ends the validity of a token.
type endOfToken struct {
	revokes bool
	effect  string // on those who use it; "" if the new token may come first
}

func (p *tokenPlan) plannedEnd() endOfToken {
	switch {
	case p.removesAll() && p.state.DeletionPolicy.ValueString() == policyAbandon:
		return endOfToken{}
	case p.destroys:
		return endOfToken{true, "It is destroyed, and stops working."}
	case len(p.replace) > 0 && p.configName.IsNull():
		return endOfToken{revokes: true}
	case len(p.replace) > 0:
		return endOfToken{
			true,
			"It is replaced, and stops working before the new token exists, because its name is fixed.",
		}
	case p.inPlace && !keepsRotated(p.state, p.plan) && p.plannedRemovalPolicy() != policyAbandon:
		return endOfToken{true, "It is rotated and removed, and stops working immediately."}
	case !p.state.Revoked.ValueBool() && p.plan.Revoked.ValueBool():
		return endOfToken{true, "It is revoked, and stops working immediately."}
	}
	return endOfToken{}
}

// isSettled reports whether the state says that the token works and that nothing is due.
// It decodes only what it needs, because it is called for every token.
func (r *tokenResource) isSettled(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) bool {
	var state tokenModel
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("status"), &state.Status)...)
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("retiring_tokens"), &state.RetiringTokens)...)
	return state.Status.ValueString() == statusActive && !slices.ContainsFunc(state.retiring(ctx, &resp.Diagnostics),
		func(t retiringToken) bool { return t.Due.ValueBool() })
}

// rotationAttribute stands for a rotation among the attributes that force a new token.
const rotationAttribute = "status"

// tokenPlan decides what happens to an existing token.
type tokenPlan struct {
	state      tokenModel
	plan       tokenModel      // as Terraform proposes it, and then as decided
	configName types.String    // null if the configuration has name_prefix
	retiring   []retiringToken // in the state
	history    tokenHistory

	destroys bool            // there is no new token
	replace  []string        // attributes that force a new token
	inPlace  bool            // the new token takes the place of the old one, which may stay valid
	removed  []retiringToken // retiring tokens that do not stay
	diags    diag.Diagnostics
}

// removesAll reports whether the whole resource instance is deleted, as its state says.
func (p *tokenPlan) removesAll() bool { return p.destroys || len(p.replace) > 0 }

// plannedRemovalPolicy returns how retiring tokens are removed.
func (p *tokenPlan) plannedRemovalPolicy() string {
	if p.removesAll() {
		return p.state.DeletionPolicy.ValueString()
	}
	return p.plan.removalPolicy()
}

// planToken decides from the state as of the last refresh, the proposed plan, and
// the private data. It uses no clock, so that a saved plan stays valid.
func planToken(state, plan tokenModel, configName types.String, retiring []retiringToken,
	history tokenHistory,
) *tokenPlan {
	p := &tokenPlan{state: state, plan: plan, configName: configName, retiring: retiring, history: history}
	p.replaceForConfig()
	if len(p.replace) == 0 {
		p.replaceForStatus()
	}
	switch {
	case len(p.replace) == 0:
		p.adoptEncryption()
		p.warnOfAdoption()
		p.warnOfRestoring()
		p.planStatus()
	case p.rotatesInPlace():
		p.inPlace, p.replace = true, nil
		p.setComputedUnknown()
	default:
		p.refuseReservedName()
		p.setComputedUnknown()
	}
	p.planRetiring()
	return p
}

// hasOverlap reports whether an overlap is configured. While that is unknown, the state
// decides, because Terraform does not accept another decision during apply.
func (p *tokenPlan) hasOverlap() bool {
	if p.plan.OverlapDays.IsUnknown() {
		return !p.state.OverlapDays.IsNull()
	}
	return !p.plan.OverlapDays.IsNull()
}

// rotatesInPlace reports whether an overlap is configured and everything that forces
// a new token is a rotation.
func (p *tokenPlan) rotatesInPlace() bool {
	return p.hasOverlap() && !slices.ContainsFunc(p.replace,
		func(attribute string) bool {
			return attribute != rotationAttribute && attribute != "rotate_when_changed"
		})
}

func (p *tokenPlan) warn(summary, format string, args ...any) {
	p.diags.AddWarning(summary, fmt.Sprintf(format, args...))
}

// replaceForConfig finds changes of the configuration that force a new token.
// What the API does not report cannot be compared after an import.
func (p *tokenPlan) replaceForConfig() {
	state, plan := p.state, p.plan
	for _, change := range []struct {
		attribute string
		forces    bool
	}{
		{"service_account_id", !plan.ServiceAccountID.Equal(state.ServiceAccountID)},
		{"name", !p.configName.IsNull() && !plan.Name.Equal(state.Name)},
		{"name_prefix", p.configName.IsNull() && !plan.NamePrefix.Equal(state.NamePrefix) && !p.adoptsPrefix()},
		{"expires_in_days", !plan.ExpiresInDays.Equal(state.ExpiresInDays) && !p.adoptsLifetime()},
		{"scim_endpoints_only", !plan.SCIMEndpointsOnly.Equal(state.SCIMEndpointsOnly) && !p.history.Imported},
		{"encryption", !plan.Encryption.Equal(state.Encryption) && !p.adoptsEncryption()},
		{
			"rotate_when_changed",
			!state.RotateWhenChanged.IsNull() && !plan.RotateWhenChanged.IsNull() &&
				!plan.RotateWhenChanged.Equal(state.RotateWhenChanged),
		},
	} {
		if change.forces {
			p.replace = append(p.replace, change.attribute)
		}
	}
}

// adoptsPrefix reports whether a configured prefix is stored without replacing
// the token: it was imported, or its name has that prefix.
func (p *tokenPlan) adoptsPrefix() bool {
	if !p.state.NamePrefix.IsNull() || p.plan.NamePrefix.IsUnknown() {
		return false
	}
	return p.history.Imported || p.hasPrefix()
}

func (p *tokenPlan) hasPrefix() bool {
	return strings.HasPrefix(p.state.Name.ValueString(), p.plan.NamePrefix.ValueString())
}

// adoptsLifetime reports whether a configured lifetime is stored without replacing
// the token: the token expires, but after how many days is not known.
func (p *tokenPlan) adoptsLifetime() bool {
	return p.state.ExpiresInDays.IsNull() && !p.state.ExpiresAt.IsNull()
}

// adoptsEncryption reports whether a configured encryption is stored without replacing
// the token: it was imported.
func (p *tokenPlan) adoptsEncryption() bool {
	return p.history.Imported && p.state.Encryption.IsNull() && !p.plan.Encryption.IsNull()
}

// replaceForStatus finds the reason for a new token in the status.
func (p *tokenPlan) replaceForStatus() {
	if p.plan.Revoked.ValueBool() { // an unknown value counts as false: the new token may still be revoked
		return
	}
	expires, _ := timeOf(p.state.ExpiresAt)
	switch {
	case p.state.Status.ValueString() == statusExpired:
		p.addRotation("Expired service token will be replaced",
			fmt.Sprintf("it expired at %s and no longer works", formatTime(expires)))
	case p.state.Status.ValueString() == statusRevoked && !p.history.RevokedByConfig:
		p.addRotation("Revoked service token will be replaced", "the last refresh found it revoked, and not by this "+
			"configuration. It may have leaked, so it is not restored")
	case p.plan.RotateBeforeDays.IsUnknown() && p.hasOverlap() && p.state.works():
		p.replace = append(p.replace, rotationAttribute) // Terraform plans again when the value is known
	case p.isDue():
		p.addRotation("Service token will be rotated", fmt.Sprintf("its rotation has been due since %s "+
			"(rotate_before_days = %d), and it expires at %s", formatTime(expires.Add(-p.plan.window())),
			p.plan.RotateBeforeDays.ValueInt64(), formatTime(expires)))
	}
}

// isDue reports whether the last refresh was in the configured rotation window.
func (p *tokenPlan) isDue() bool {
	status := p.state.Status.ValueString()
	if status != statusActive && status != statusRotationDue {
		return false
	}
	if p.history.DaysLeft == nil || p.plan.RotateBeforeDays.IsUnknown() {
		return status == statusRotationDue
	}
	return p.plan.isDue(*p.history.DaysLeft)
}

// addRotation records that the token has to be rotated, and warns why.
func (p *tokenPlan) addRotation(summary, reason string) {
	p.replace = append(p.replace, rotationAttribute)
	order := "With lifecycle { create_before_destroy = true }, the new token is created and everything that depends " +
		"on it is updated before the old one is removed. Otherwise, the old one is removed first, and its " +
		"consumers have no valid token in between."
	switch {
	case p.hasOverlap() && p.state.works():
		order = fmt.Sprintf("The new token is created, and everything that depends on it is updated in the same "+
			"apply. The old one stays valid until the overlap ends (overlap_days = %d). A forced replacement "+
			"(-replace) removes it instead.", p.plan.OverlapDays.ValueInt64())
	case p.hasOverlap():
		order = "The new token is created, everything that depends on it is updated in the same apply, and the old " +
			"one is removed."
	case p.plan.NamePrefix.IsNull():
		order = "Its name is fixed, so the old token is removed before the new one is created, and its consumers " +
			"have no valid token in between. With create_before_destroy, the server refuses the new one. To " +
			"rotate without an outage, use name_prefix instead of name, together with lifecycle { " +
			"create_before_destroy = true }."
	}
	p.warn(summary, "%s is replaced, because %s. %s", sentenceStart(p.state.label()), reason, order)
}

// refuseReservedName reports a replacement that the server would refuse because
// the record of the old token keeps the name.
func (p *tokenPlan) refuseReservedName() {
	policy := p.state.DeletionPolicy.ValueString()
	if p.configName.IsNull() || !p.plan.Name.Equal(p.state.Name) ||
		!p.plan.ServiceAccountID.Equal(p.state.ServiceAccountID) ||
		policy == policyDelete {
		return
	}
	p.diags.AddAttributeError(path.Root("name"), "Service token name stays in use", fmt.Sprintf("%s must be replaced "+
		"because of %s. Its deletion_policy in the state is %q, so its record stays and keeps the name, and the "+
		"server would refuse another token with that name. Use name_prefix instead of name, or another name.",
		sentenceStart(p.state.label()), strings.Join(p.replace, " and "), policy))
}

// warnOfAdoption warns about configured values that are stored although the API
// cannot confirm them.
func (p *tokenPlan) warnOfAdoption() {
	state, plan := p.state, p.plan
	if !plan.ExpiresInDays.IsNull() && !plan.ExpiresInDays.IsUnknown() && p.adoptsLifetime() && !p.history.Imported {
		expires, _ := timeOf(state.ExpiresAt)
		p.warn("Lifetime applies from the next rotation on",
			"The server limited the lifetime of %s, which expires at %s. expires_in_days = %d is stored and applies "+
				"to the next token.", state.label(), formatTime(expires), plan.ExpiresInDays.ValueInt64())
	}
	if !p.history.Imported {
		return
	}
	if !p.adoptsEncryption() && !p.history.warned && state.Token.IsNull() && state.EncryptedToken.IsNull() &&
		state.Status.ValueString() == statusActive {
		p.warn("Secret of imported service token is unknown", "%s For example, run \"terraform apply -replace\".",
			unknownSecretText(state))
	}
	if !plan.SCIMEndpointsOnly.Equal(state.SCIMEndpointsOnly) {
		p.warn("SCIM restriction of imported service token is not verified", "The API does not report whether a "+
			"token is limited to SCIM. Because %s was imported, scim_endpoints_only = %t is stored without a "+
			"change on the server. To be certain, create a new token with \"terraform apply -replace\".",
			state.label(), plan.SCIMEndpointsOnly.ValueBool())
	}
	if prefix := plan.NamePrefix; !prefix.IsNull() && !prefix.IsUnknown() && state.NamePrefix.IsNull() &&
		!p.hasPrefix() {
		p.warn("Name prefix applies from the next rotation on", "Because %s was imported, name_prefix = %q is "+
			"stored, and the token keeps its name until it is replaced.", state.label(), prefix.ValueString())
	}
}

// adoptEncryption plans the first encryption of an imported token, which is not replaced.
func (p *tokenPlan) adoptEncryption() {
	if !p.adoptsEncryption() {
		return
	}
	p.plan.Token, p.plan.EncryptedToken = types.StringNull(), types.StringNull()
	text := "The secret of the imported %s is unknown, so it cannot be encrypted. encryption applies from the next " +
		"rotation on."
	if !p.state.Token.IsNull() {
		p.plan.EncryptedToken = types.StringUnknown()
		text = "The secret of the imported %s is encrypted now, but earlier versions of the state contain it. " +
			"Rotate the token to have a secret that was never in the state."
	}
	p.warn("Encryption of imported service token", text, p.state.label())
}

// warnOfRestoring warns that a revoked token works again: it may have leaked.
func (p *tokenPlan) warnOfRestoring() {
	if p.state.Revoked.ValueBool() && !p.plan.Revoked.IsUnknown() && !p.plan.Revoked.ValueBool() {
		p.warn("Revoked service token will be restored",
			"%s works again with the same secret after this apply. If it was revoked because it leaked, change "+
				"name_prefix or name in the same apply, so that it is replaced.", sentenceStart(p.state.label()))
	}
}

// setComputedUnknown marks what the server decides for a new token as unknown.
func (p *tokenPlan) setComputedUnknown() {
	if p.configName.IsNull() {
		p.plan.Name = types.StringUnknown()
	}
	p.plan.planSecret()
	p.plan.ID, p.plan.Status = types.StringUnknown(), types.StringUnknown()
	p.plan.CreatedAt, p.plan.ExpiresAt = timetypes.NewRFC3339Unknown(), timetypes.NewRFC3339Unknown()
}

// planStatus plans the status of a token that is kept. It changes only with
// revoked, or if another window ends a rotation that was due.
func (p *tokenPlan) planStatus() {
	switch status := p.state.Status.ValueString(); {
	case !p.plan.Revoked.Equal(p.state.Revoked): // it stays unknown
	case status == statusRotationDue && !p.plan.Revoked.ValueBool() && !p.plan.RotateBeforeDays.IsUnknown():
		p.plan.Status = types.StringValue(statusActive)
	default:
		p.plan.Status = p.state.Status
	}
}

// planRetiring plans retiring_tokens. They are unknown if a rotation depends on unknown
// values, and if it removes tokens: one that cannot be removed stays in the list.
func (p *tokenPlan) planRetiring() {
	if len(p.replace) > 0 { // Delete removes all of them
		p.removed = p.retiring
		return
	}
	stay := keptRetiring(p.state, p.plan, p.retiring)
	p.removed = withoutTokens(p.retiring, stay)
	unknown := len(p.retiring) > 0 && (p.plan.OverlapDays.IsUnknown() || p.plan.Revoked.IsUnknown())
	if p.inPlace {
		old := p.state.retiringEntry(time.Time{}, 0, false)
		old.RetireAt = timetypes.NewRFC3339Unknown()
		stay = append(stay, old)
		unknown = unknown || len(p.removed) > 0 || !keepsRotated(p.state, p.plan) || p.isUncertain()
	}
	p.plan.RetiringTokens = retiringList(stay)
	if unknown {
		p.plan.RetiringTokens = types.ListUnknown(retiringTokenType)
	}
}

// isUncertain reports whether a rotation in place depends on a value that is only known
// during apply.
func (p *tokenPlan) isUncertain() bool {
	return p.plan.OverlapDays.IsUnknown() || p.plan.Revoked.IsUnknown() || p.plan.RotateBeforeDays.IsUnknown() ||
		hasUnknown(p.plan.RotateWhenChanged)
}
