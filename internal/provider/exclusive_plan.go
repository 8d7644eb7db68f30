// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// ModifyPlan plans the revocation of the foreign tokens in the state, and names them.
func (r *exclusiveResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
	if r.data == nil || req.Plan.Raw.IsNull() {
		return
	}
	var plan exclusiveModel
	c := r.call(&resp.Diagnostics).on(req.Private, nil, nil)
	c.diags.Append(req.Plan.Get(ctx, &plan)...)
	c.warnOfInvalidID("service_account_id", knownStrings(plan.ServiceAccountID)...)
	c.warnOfInvalidID("token_ids", stringsOf(plan.TokenIDs)...)
	if req.State.Raw.IsNull() && !c.failed() {
		c.firstContact(ctx)
		return
	}
	if c.failed() {
		return
	}
	state := c.exclusive(ctx, req.State)
	_, wasRead := c.readTokens.Load(exclusiveKey(state.ID))
	switch account := plan.ServiceAccountID; {
	case c.failed():
		return
	case account.IsUnknown() && c.accounts.replaces.Load(), !account.IsUnknown() && !account.Equal(state.ID) && wasRead:
		resp.RequiresReplace.Append(path.Root("service_account_id")) // which revokes nothing
		return
	case !account.IsUnknown() && !account.Equal(state.ID):
		c.refuse("Exclusive tokens must be planned again", "%s have to be replaced: service_account_id was unknown "+
			"while planning and differs from the state, or the plan did not refresh the resource. Nothing was "+
			"changed. Plan again, with a refresh (without -refresh=false and -minimal-refresh).",
			sentenceStart(state.label()))
		return
	}
	d := foreignDecision{waits: addsTokens(state.TokenIDs, plan.TokenIDs)}
	for _, t := range state.foreign(ctx, c) {
		switch {
		case containsString(plan.TokenIDs, t.ID):
		case c.client != nil && c.mayBeOwn(ctx, t):
			d.spared = append(d.spared, t)
		default:
			d.revoked = append(d.revoked, t)
		}
	}
	planned := foreignList(d.spared)
	switch {
	case len(d.spared)+len(d.revoked) > 0 && (hasUnknown(plan.TokenIDs) || c.client == nil): // apply knows
		planned = types.ListUnknown(foreignTokenType)
	case len(d.revoked) > 0 && d.waits:
		planned = foreignList(state.foreign(ctx, c))
	}
	c.diags.Append(resp.Plan.SetAttribute(ctx, path.Root("foreign_tokens"), planned)...)
	c.explainForeign(ctx, state, d)
	plan.history = state.history
	c.warnOfListedBefore(plan)
}

// foreignDecision is what happens to the foreign tokens that token_ids still omits.
type foreignDecision struct {
	revoked []foreignToken
	spared  []foreignToken // one of them may be the provider's own
	// waits means that nothing may be revoked before the next apply: token_ids gets new
	// tokens, so one of the others may be the old one of a rotation, which is still in use.
	waits bool
}

// explainForeign warns about what happens to the foreign tokens.
func (c call) explainForeign(ctx context.Context, state exclusiveModel, d foreignDecision) {
	account := state.ID.ValueString()
	if len(d.revoked) > 0 {
		later := ""
		if d.waits {
			later = " Because token_ids changes in this apply, they may not be revoked until the next apply."
		}
		c.warn(fmt.Sprintf("Foreign service tokens of account ID %s will be revoked", account), "token_ids does not "+
			"contain these active tokens:\n\n%s\n\nThe apply revokes them, and they stop working, also if another "+
			"resource manages them.%s To keep one, add its ID to token_ids.", c.foreignText(ctx, d.revoked), later)
	}
	if len(d.spared) > 0 {
		c.warn(fmt.Sprintf("Foreign service token of account ID %s may be in use by the provider", account),
			"token_ids does not contain the token that the provider uses. It is not revoked:\n\n%s\n\nAdd its ID to "+
				"token_ids, or configure the provider with the token of another account.", c.foreignText(ctx, d.spared))
	}
}

// mayBeOwn reports whether a token may be the one that the provider uses. A failed request is
// an error: the apply would otherwise decide differently.
func (c call) mayBeOwn(ctx context.Context, t foreignToken) bool {
	id, _ := parseID(t.ID.ValueString())
	own := qualytics.NotOwn
	listed, found, err := c.client.CachedServiceToken(ctx, id)
	if err == nil && found {
		own, err = c.client.TokenOwnership(ctx, listed, "")
	}
	if err != nil {
		c.fail(unableToListTokens, t.label(), err)
	}
	return own != qualytics.NotOwn
}

// foreignText returns a line for each token.
func (c call) foreignText(ctx context.Context, tokens []foreignToken) string {
	lines := make([]string, len(tokens))
	for i, t := range tokens {
		created := "time of creation unknown"
		if at, known := timeOf(t.CreatedAt); known {
			created = "created at " + formatTime(at)
		}
		lines[i] = fmt.Sprintf("  - %q, ID %s, %s, %s", t.Name.ValueString(), t.ID.ValueString(), created,
			c.lastUseText(ctx, t.ID.ValueString()))
	}
	return strings.Join(lines, "\n")
}

// warnOfListedBefore warns about active tokens that token_ids contained before and that their own
// resources have not removed yet.
func (c call) warnOfListedBefore(plan exclusiveModel) {
	ids := slices.DeleteFunc(slices.Clone(plan.history.Listed), func(id string) bool {
		return slices.Contains(stringsOf(plan.TokenIDs), id)
	})
	if len(ids) == 0 {
		return
	}
	c.warn(fmt.Sprintf("Service tokens of account ID %s are left to their own resources",
		plan.ServiceAccountID.ValueString()), "token_ids contained the active tokens with the IDs %s before. They are "+
		"not revoked here: the resource that created them has to remove them, for example after a rotation whose "+
		"dependents failed. To keep retiring tokens for their overlap, add their IDs to token_ids. If no resource "+
		"manages them, revoke them in Qualytics (Settings, Tokens).", strings.Join(ids, ", "))
}
