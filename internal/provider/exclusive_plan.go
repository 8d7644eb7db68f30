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
	var state, plan exclusiveModel
	var history exclusiveHistory
	c := r.call(&resp.Diagnostics).on(req.Private, nil, nil)
	c.diags.Append(req.Plan.Get(ctx, &plan)...)
	c.warnOfInvalidID("service_account_id", knownStrings(plan.ServiceAccountID)...)
	c.warnOfInvalidID("token_ids", stringsOf(plan.TokenIDs)...)
	if req.State.Raw.IsNull() || c.failed() {
		return
	}
	c.diags.Append(req.State.Get(ctx, &state)...)
	c.load(ctx, historyKey, &history)
	if !plan.ServiceAccountID.Equal(state.ServiceAccountID) || c.failed() {
		return // it is replaced, which revokes nothing
	}
	var spared, revoked []foreignToken
	for _, t := range state.foreign(ctx, c) {
		switch {
		case containsString(plan.TokenIDs, t.ID):
		case c.mayBeOwn(ctx, t):
			spared = append(spared, t)
		default:
			revoked = append(revoked, t)
		}
	}
	later := ""
	planned := foreignList(spared)
	if len(revoked) > 0 && addsTokens(state.TokenIDs, plan.TokenIDs) {
		// One of them may be the old token of a rotation, which is still in use.
		later = " Because token_ids changes in this apply, they may not be revoked until the next apply."
		planned = foreignList(state.foreign(ctx, c))
	}
	if len(spared)+len(revoked) > 0 && hasUnknownElement(plan.TokenIDs) { // apply knows what they name
		planned = types.ListUnknown(foreignTokenType)
	}
	c.diags.Append(resp.Plan.SetAttribute(ctx, path.Root("foreign_tokens"), planned)...)
	if len(revoked) > 0 {
		c.warn("Foreign service tokens will be revoked", "token_ids does not contain these active tokens of the service "+
			"account ID %s:\n\n%s\n\nThe apply revokes them, and they stop working.%s To keep one, add its ID to "+
			"token_ids.", state.ID.ValueString(), c.foreignText(ctx, revoked), later)
	}
	if len(spared) > 0 {
		c.warn("Foreign service token may be in use by the provider", "token_ids of the service account ID %s does not "+
			"contain the token that the provider uses. It is not revoked:\n\n%s\n\nAdd its ID to token_ids, or run "+
			"Terraform with the token of another account.", state.ID.ValueString(), c.foreignText(ctx, spared))
	}
	c.warnOfListedBefore(plan, history)
}

// mayBeOwn reports whether a token may be the one that the provider uses.
func (c call) mayBeOwn(ctx context.Context, t foreignToken) bool {
	id, _ := parseID(t.ID.ValueString())
	if c.client == nil {
		return false // apply decides
	}
	listed, found, err := c.client.CachedServiceToken(ctx, id)
	if err != nil || !found {
		return false
	}
	own, _ := c.client.TokenOwnership(ctx, listed, "")
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
		use := "last use unknown"
		if c.client != nil {
			use = c.lastUseText(ctx, t.ID.ValueString())
		}
		lines[i] = fmt.Sprintf("  - %q, ID %s, %s, %s", t.Name.ValueString(), t.ID.ValueString(), created, use)
	}
	return strings.Join(lines, "\n")
}

// warnOfListedBefore warns about active tokens that token_ids contained before and that their own
// resources have not removed yet.
func (c call) warnOfListedBefore(plan exclusiveModel, history exclusiveHistory) {
	ids := slices.DeleteFunc(slices.Clone(history.Listed), func(id string) bool {
		return slices.Contains(stringsOf(plan.TokenIDs), id)
	})
	if len(ids) == 0 {
		return
	}
	c.warn("Service tokens of other resources are not revoked", "Other resources manage the active tokens with the IDs "+
		"%[2]s of the service account ID %[1]s, or token_ids contained them before. They are not revoked here: the "+
		"resource that created them has to remove them, for example after a rotation whose dependents failed. If no "+
		"resource manages them, revoke them in Qualytics (Settings, Tokens).", plan.ServiceAccountID.ValueString(),
		strings.Join(ids, ", "))
}
