// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// ModifyPlan plans what tokenLife decides, checks the guardrails, refuses what would lock
// out the provider, and warns about what ends and about what is in use.
func (r *tokenResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if r.data == nil {
		return
	}
	c := r.call(&resp.Diagnostics).on(resp.Private, nil, nil)
	if req.State.Raw.IsNull() {
		c.planNewToken(ctx, req, resp)
		return
	}
	l := tokenLife{
		state: c.token(ctx, req.State), destroys: req.Plan.Raw.IsNull(), unchanged: req.Plan.Raw.Equal(req.State.Raw),
		newAccounts: c.accounts.replaces.Load(),
	}
	_, l.wasRead = c.readTokens.Load(l.state.ID.ValueString())
	if l.unchanged { // the most common plan
		l.plan = l.state
	} else if !l.destroys {
		c.diags.Append(req.Plan.Get(ctx, &l.plan)...)
	}
	if !l.destroys {
		c.diags.Append(req.Config.GetAttribute(ctx, path.Root("name"), &l.configName)...)
	}
	if c.failed() {
		return
	}
	l.retiring = c.retiring(ctx, l.state)
	c.markOwn(ctx, l.state, l.retiring)
	l, d := l.decideAt(c.clock()) // the same clock in plan and apply, which may have no response
	if l.byClock && !d.changesNothing() {
		l.state.setRetiring(l.retiring)
		c.store(ctx, memoryKey, l.state.memory) // for the apply
	}
	if d.action == tokenRefuse {
		c.refuseReplacement(l)
		return
	}
	if !l.destroys && (d.action == tokenRotate || d.action == tokenReplace || l.isReconfigured()) {
		c.checkLifetime(l.plan.ExpiresInDays, d.action == tokenReplace)
	}
	if d.action == tokenRotate && !l.wasRead {
		c.firstContact(ctx)
	}
	if !c.failed() {
		c.plan(ctx, l, d, resp)
	}
	if !c.failed() {
		c.explain(ctx, l, d)
	}
}

// plan stores a decision in the plan, unless Terraform proposes it.
func (c call) plan(ctx context.Context, l tokenLife, d tokenDecision, resp *resource.ModifyPlanResponse) {
	if l.destroys || l.unchanged && d.changesNothing() {
		return
	}
	if d.action == tokenReplace {
		if argument := l.unknownForCreation(); argument != "" {
			c.refuseUnchecked(argument, l.state.label())
		}
		if c.refuseReservedName(l, d); c.failed() {
			return
		}
		for _, attribute := range d.causes {
			resp.RequiresReplace.Append(path.Root(attribute))
		}
	}
	c.diags.Append(resp.Plan.Set(ctx, l.planned(d))...)
}

// planNewToken plans a new token.
func (c call) planNewToken(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	var plan tokenModel
	if c.diags.Append(req.Plan.Get(ctx, &plan)...); c.failed() {
		return
	}
	c.checkLifetime(plan.ExpiresInDays, false)
	c.firstContact(ctx)
	c.warnOfInvalidID("service_account_id", knownStrings(plan.ServiceAccountID)...)
	plan.planSecret()
	plan.RetiringTokens = retiringList(nil)
	c.diags.Append(resp.Plan.Set(ctx, plan)...)
}

// refuseReservedName reports a replacement that the server would refuse because
// the record of the old token keeps the name.
func (c call) refuseReservedName(l tokenLife, d tokenDecision) {
	policy := l.state.DeletionPolicy.ValueString()
	if !l.hasFixedName() || !l.plan.ServiceAccountID.Equal(l.state.ServiceAccountID) || policy == policyDelete {
		return
	}
	c.failAt("name", "Service token name stays in use", "%s must be replaced because of %s. Its deletion_policy in "+
		"the state is %q, so its record stays and keeps the name, and the server would refuse another token with that "+
		"name. Use name_prefix instead of name, or another name.", sentenceStart(l.state.label()),
		strings.Join(d.causes, " and "), policy)
}

// explain says what a decision means for those who use the tokens, and refuses what would
// lock out the provider.
func (c call) explain(ctx context.Context, l tokenLife, d tokenDecision) {
	refused := false
	if c.client != nil && (d.removesAll() || d.action == tokenRevoke) {
		refused = !c.planGuard().allowsRevocationOf(ctx, l.state)
	}
	switch {
	case d.action == tokenDestroy && !refused:
		c.warnOfToken(ctx, l.state, "It will be destroyed and stop working.")
	case d.action == tokenRevoke && !refused:
		c.warnOfToken(ctx, l.state, "It will be revoked and stop working.")
	case d.action == tokenReplace:
		c.warn(fmt.Sprintf("Service token %s will be replaced", l.state.title()), "The %s will be replaced, because "+
			"%s. %s%s It stops working before the new one exists.%s", l.state.label(), l.reasonText(d),
			replacementText(d), c.lastUseSentence(ctx, l), retiringEndText(d))
	case d.action == tokenRotate:
		c.explainRotation(ctx, l, d)
	}
	if l.isRepeated(d) {
		c.explainForcedEnds(ctx, l, d)
		return
	}
	c.explainAdoption(l, d)
	if c.client != nil {
		c.explainUnknown(ctx, l, d)
		c.explainRetiring(ctx, l, d)
	}
}

// explainForcedEnds warns about retiring tokens that end although they are in use. Without a
// refresh, no other plan says so.
func (c call) explainForcedEnds(ctx context.Context, l tokenLife, d tokenDecision) {
	for _, t := range d.leave {
		if l.endsOverlaps() {
			c.warnOfToken(ctx, tokenModel{ID: t.ID, Name: t.Name, ServiceAccountID: l.state.ServiceAccountID},
				"It was replaced, and will be removed and stop working, because "+l.endText(t, d, c.now())+".")
		}
	}
}

// explainUnknown names the tokens that may stop working, depending on unknown values.
func (c call) explainUnknown(ctx context.Context, l tokenLife, d tokenDecision) {
	current, retiring := l.mayEnd(d)
	var lines []string
	if current {
		lines = append(lines, fmt.Sprintf("  - %s, %s", l.state.title(), c.lastUseText(ctx, l.state.ID.ValueString())))
	}
	later := l
	if l.hasUnknown() && !l.wasRead { // if nothing changes, the apply looks at the clock
		later = l.at(c.clock())
	}
	for i, t := range l.retiring {
		if !t.own && !l.leaves(t) && (retiring || later.leaves(later.retiring[i])) {
			lines = append(lines, fmt.Sprintf("  - %s, %s", t.title(), c.lastUseText(ctx, t.ID.ValueString())))
		}
	}
	if len(lines) > 0 {
		c.warn(fmt.Sprintf("Service token %s may stop working", l.state.title()), "Values that are only known after "+
			"apply decide whether these tokens end in the same apply: with revoked = true, or in a rotation with "+
			"overlap_days = 0.\n\n%s\n\nTo be certain, use known values for revoked and overlap_days.",
			strings.Join(lines, "\n"))
	}
}

// isRepeated reports whether Terraform may be applying, so that the plan has said what this
// decision means: it has not read the token. It never plans a removal again, and then
// everything is known.
func (l tokenLife) isRepeated(d tokenDecision) bool {
	return !l.wasRead && !l.byClock && !l.hasUnknown() && !d.removesAll()
}

// explainRotation warns about a rotation: why, and until when the old token works.
func (c call) explainRotation(ctx context.Context, l tokenLife, d tokenDecision) {
	kind := "Service token %s will be rotated"
	if l.isRepeated(d) {
		if l.state.works() && !l.keepsOld() && !d.uncertain { // without a refresh, no other plan says so
			c.warnOfToken(ctx, l.state, "It will be rotated, and the old one removed in the same apply.")
		}
		return
	}
	old := fmt.Sprintf("The old one stays valid until it has not been used for %d days (overlap_days)%s.",
		l.plan.OverlapDays.ValueInt64(), hardEndText(l.state.apiToken().Expiration))
	switch {
	case l.state.Status.ValueString() == statusExpired:
		kind, old = "Expired service token %s will be rotated", "The old one will be removed."
	case l.state.Status.ValueString() == statusRevoked:
		kind, old = "Revoked service token %s will be rotated", "The old one will be removed."
	case l.plan.OverlapDays.IsUnknown():
		old = "How long the old one stays valid depends on overlap_days, which is known after apply."
	case l.plan.Revoked.ValueBool():
		old = "Both the old and the new one will be revoked (revoked = true)." + c.lastUseSentence(ctx, l)
	case !l.keepsOld() && c.client != nil && c.client.IsOwnSecret(qualytics.Secret(l.state.Token.ValueString())):
		old = "The old one is the provider's own token, so it stays valid while the provider uses it."
	case !l.keepsOld():
		old = "The old one will be removed in the same apply and stop working (overlap_days = 0)." +
			c.lastUseSentence(ctx, l)
	}
	if l.hasFixedName() {
		old = "Its name is fixed, so it has to be replaced, which requires a plan with a refresh."
	}
	c.warn(fmt.Sprintf(kind, l.state.title()), "A new token will be created for the %s, because %s. Everything that "+
		"depends on it will be updated in the same apply. %s", l.state.label(), l.reasonText(d), old)
}

// reasonText returns why a new token is required.
func (l tokenLife) reasonText(d tokenDecision) string {
	expires, _ := timeOf(l.state.ExpiresAt)
	left := l.state.memory.DaysLeft
	switch {
	case d.causes[0] == "service_account_id" && l.plan.ServiceAccountID.IsUnknown():
		return "service_account_id is only known after apply, and this plan creates or replaces a service account"
	case d.causes[0] != statusAttribute:
		return strings.TrimSuffix(strings.Join(d.causes, " and "), " and "+statusAttribute) + " changed"
	case l.state.Status.ValueString() == statusExpired:
		return fmt.Sprintf("it expired at %s and no longer works. Whatever uses it has not worked since then",
			formatTime(expires))
	case l.state.Status.ValueString() == statusRevoked && left != nil && *left <= 0:
		return fmt.Sprintf("it is revoked and expired at %s, so it cannot be restored", formatTime(expires))
	case l.state.Status.ValueString() == statusRevoked:
		return "the last refresh found it revoked, and not by this configuration. It may have leaked, so it is not " +
			"restored. Whatever uses it has not worked since then"
	default:
		return fmt.Sprintf("its rotation has been due since %s (rotate_before_days = %d), and it expires at %s",
			formatTime(expires.Add(-days(l.plan.RotateBeforeDays))), l.plan.RotateBeforeDays.ValueInt64(),
			formatTime(expires))
	}
}

// replacementText returns why a token is not rotated in place.
func replacementText(d tokenDecision) string {
	if d.causes[0] == "service_account_id" {
		return "A token belongs to one account."
	}
	return "Its name is fixed, and the server allows a name once. To rotate it without an outage, use name_prefix " +
		"instead of name."
}

// lastUseSentence returns a sentence about the last use of the current token.
func (c call) lastUseSentence(ctx context.Context, l tokenLife) string {
	if c.client == nil {
		return ""
	}
	return " " + sentence(c.lastUseText(ctx, l.state.ID.ValueString()))
}

// explainAdoption warns about a restored token, and about configured values that are stored
// although the API cannot confirm them.
func (c call) explainAdoption(l tokenLife, d tokenDecision) {
	state, plan := l.state, l.plan
	if d.action == tokenRestore {
		c.warn(fmt.Sprintf("Revoked service token %s will be restored", state.title()), "%s will work again with the "+
			"same secret after this apply. If it was revoked because it leaked, change name_prefix or name in the "+
			"same apply, so that it is rotated.", sentenceStart(state.label()))
	}
	if d.action != tokenKeep || d.uncertain || l.destroys {
		return
	}
	if !plan.ExpiresInDays.IsNull() && l.adoptsLifetime() && !l.state.memory.Imported {
		expires, _ := timeOf(state.ExpiresAt)
		c.warn(fmt.Sprintf("Lifetime of service token %s applies from the next rotation on", state.title()), "The "+
			"server limited the lifetime of %s, which expires at %s. expires_in_days = %d is stored and applies to "+
			"the next token.", state.label(), formatTime(expires), plan.ExpiresInDays.ValueInt64())
	}
	if !l.state.memory.Imported {
		return
	}
	if l.adoptsEncryption() {
		text := "The secret of the imported %s is unknown, so it cannot be encrypted. encryption applies from the " +
			"next rotation on."
		if !state.Token.IsNull() {
			text = "The secret of the imported %s will be encrypted, but earlier versions of the state contain it. " +
				"Rotate the token to have a secret that was never in the state."
		}
		c.warn(fmt.Sprintf("Encryption of imported service token %s", state.title()), text, state.label())
	}
	if !plan.SCIMEndpointsOnly.Equal(state.SCIMEndpointsOnly) {
		c.warn(fmt.Sprintf("SCIM restriction of imported service token %s is not verified", state.title()), "The API "+
			"does not report whether a token is limited to SCIM. Because %s was imported, scim_endpoints_only = %t is "+
			"stored without a change on the server. To be certain, rotate the token: change a value of "+
			"rotate_when_changed.", state.label(), plan.SCIMEndpointsOnly.ValueBool())
	}
	if prefix := plan.NamePrefix; !prefix.IsNull() && state.NamePrefix.IsNull() && !plan.hasPrefixOf(state) {
		c.warn(fmt.Sprintf("Name prefix of service token %s applies from the next rotation on", state.title()),
			"Because %s was imported, name_prefix = %q is stored, and the token keeps its name until it is rotated.",
			state.label(), prefix.ValueString())
	}
}

// explainRetiring warns which retiring tokens a plan removes, and which are in use.
func (c call) explainRetiring(ctx context.Context, l tokenLife, d tokenDecision) {
	var lines []string
	for _, t := range d.leave {
		if d.removesAll() && t.own {
			c.refuseOwnRetiring(l.state, t)
		}
		lines = append(lines, fmt.Sprintf("  - %q, ID %s, %s, %s", t.Name.ValueString(), t.ID.ValueString(),
			l.endText(t, d, c.now()), c.lastUseText(ctx, t.ID.ValueString())))
	}
	for _, t := range d.stay {
		switch {
		case t.own:
			c.warnOfOwnRetiring(l.state, t)
		case t.memory.Status == retiringInUse && t.memory.LastUsed != nil:
			c.warnOfUse(l.state, t)
		}
	}
	if len(lines) == 0 || c.failed() {
		return
	}
	keep := ""
	if !d.removesAll() && !l.endsOverlaps() {
		keep = "\n\nApply asks for their last use once more. To keep one that has not expired, increase overlap_days."
	}
	c.warn(fmt.Sprintf("Retiring service tokens of %s will be removed", l.state.title()), "Tokens that "+
		"were replaced by the %s will be %s, and stop working:\n\n%s%s",
		l.state.label(), removalText(l, d), strings.Join(lines, "\n"), keep)
}

// endText returns why a retiring token ends.
func (l tokenLife) endText(t retiringToken, d tokenDecision, now time.Time) string {
	switch {
	case t.memory.Status == retiringRevoked:
		return "revoked outside of Terraform"
	case d.removesAll():
		return "the resource is removed"
	case l.plan.Revoked.ValueBool():
		return "revoked = true"
	case l.endsOverlaps():
		return "overlap_days = 0"
	case t.memory.ExpiresAt != nil && !now.Before(*t.memory.ExpiresAt):
		return "it expired at " + formatTime(*t.memory.ExpiresAt)
	}
	end, _ := timeOf(t.RetireAt)
	return "its overlap ended at " + formatTime(end)
}

// removalText returns how retiring tokens are removed.
func removalText(l tokenLife, d tokenDecision) string {
	policy := l.plan.DeletionPolicy.ValueString()
	if d.removesAll() {
		policy = l.state.DeletionPolicy.ValueString()
	}
	if policy == policyRevoke {
		return "revoked"
	}
	return "revoked and deleted"
}

func retiringEndText(d tokenDecision) string {
	if len(d.leave) == 0 {
		return ""
	}
	return " Its retiring tokens end too."
}
