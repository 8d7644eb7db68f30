// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// exclusiveModel is the resource in configuration, plan, and state.
type exclusiveModel struct {
	ID               types.String `tfsdk:"id"`
	ServiceAccountID types.String `tfsdk:"service_account_id"`
	TokenIDs         types.Set    `tfsdk:"token_ids"`
	ForeignTokens    types.List   `tfsdk:"foreign_tokens"`

	history exclusiveHistory
}

// foreignToken is an active token of the account that token_ids does not contain.
type foreignToken struct {
	ID        types.String      `tfsdk:"id"`
	Name      types.String      `tfsdk:"name"`
	CreatedAt timetypes.RFC3339 `tfsdk:"created_at"`
}

var foreignTokenType = types.ObjectType{AttrTypes: map[string]attr.Type{
	"id": types.StringType, "name": types.StringType, "created_at": timetypes.RFC3339Type{},
}}

// exclusiveHistory is the private data of the resource.
type exclusiveHistory struct {
	// Listed contains the IDs of active tokens that token_ids contained before: their
	// own resources remove them, for example after a rotation whose dependents failed.
	Listed []string `json:"listed,omitempty"`
	// Imported means that token_ids is what an import found, and not what a configuration
	// contained.
	Imported bool `json:"imported,omitempty"`
	// UserID is the user_id of the account, which tells whether it is the same account
	// after the deployment moved to another host.
	UserID string `json:"user_id,omitempty"`
}

// exclusiveKey names the resource among the tokens that this process has read.
func exclusiveKey(id types.String) string { return "exclusive " + id.ValueString() }

// historyKey is the key of exclusiveHistory in the private data.
const historyKey = "history"

// recordChange records a change of token_ids. What an import found does not count as listed.
func (h *exclusiveHistory) recordChange(before, after types.Set) {
	if !h.Imported {
		h.Listed = append(h.Listed, stringsOf(before)...) // the next refresh removes what is not needed
	}
	h.Imported = h.Imported && before.Equal(after)
}

// addsTokens reports whether a planned token_ids contains, or may contain, new tokens.
func addsTokens(before, after types.Set) bool {
	return hasUnknown(after) || slices.ContainsFunc(stringsOf(after),
		func(id string) bool { return !containsString(before, types.StringValue(id)) })
}

// refresh finds the foreign tokens, and forgets the listed tokens that are no longer active.
// What token_ids omits is foreign, whoever manages it, except what it contained before, such
// as the replaced token of a rotation whose dependents failed, and ephemeral tokens of this
// run. It reports false after an error.
func (m *exclusiveModel) refresh(ctx context.Context, c call) bool {
	tokens, err := c.client.CachedServiceTokens(ctx)
	if err != nil {
		c.fail(unableToListTokens, m.label(), err)
		return false
	}
	var foreign []foreignToken
	var listed []string
	for i := range tokens {
		t, id := &tokens[i], idValue(tokens[i].ID)
		switch {
		case formatID(t.User.ID) != m.ID.ValueString() || !t.Usable(c.now()):
		case containsString(m.TokenIDs, id):
		case slices.Contains(m.history.Listed, id.ValueString()):
			listed = append(listed, id.ValueString())
		case !c.open.openedHere(t.Name):
			foreign = append(foreign,
				foreignToken{id, types.StringValue(t.Name), timetypes.NewRFC3339TimePointerValue(t.Created)})
		}
	}
	m.history.Listed, m.ForeignTokens = listed, foreignList(foreign)
	return true
}

// exclusive returns the resource in a state, with its private data.
func (c call) exclusive(ctx context.Context, state tfsdk.State) (m exclusiveModel) {
	c.diags.Append(state.Get(ctx, &m)...)
	c.load(ctx, historyKey, &m.history)
	return m
}

// saveExclusive stores the resource and its private data.
func (c call) saveExclusive(ctx context.Context, m exclusiveModel) {
	c.save(ctx, m.ID, m)
	c.store(ctx, historyKey, m.history)
}

// foreignList returns the value of foreign_tokens.
func foreignList(tokens []foreignToken) types.List {
	values := make([]attr.Value, len(tokens))
	for i, t := range tokens {
		values[i] = types.ObjectValueMust(foreignTokenType.AttrTypes,
			map[string]attr.Value{"id": t.ID, "name": t.Name, "created_at": t.CreatedAt})
	}
	return types.ListValueMust(foreignTokenType, values)
}

// foreign returns the elements of foreign_tokens, none if it is null or unknown.
func (m exclusiveModel) foreign(ctx context.Context, c call) []foreignToken {
	var tokens []foreignToken
	if len(m.ForeignTokens.Elements()) > 0 {
		c.diags.Append(m.ForeignTokens.ElementsAs(ctx, &tokens, false)...)
	}
	return tokens
}

// checkTokenIDs reports an element of token_ids that is not an ID.
func (m exclusiveModel) checkTokenIDs(c call) {
	if slices.ContainsFunc(stringsOf(m.TokenIDs), func(id string) bool { _, ok := parseID(id); return !ok }) {
		addInvalidID(path.Root("token_ids"), c.diags)
	}
}

// label names the resource in messages.
func (m exclusiveModel) label() string {
	return fmt.Sprintf("exclusive service tokens of the service account ID %s", m.ServiceAccountID.ValueString())
}

// label names the token in messages.
func (t foreignToken) label() string {
	return fmt.Sprintf("foreign service token %q (ID %s)", t.Name.ValueString(), t.ID.ValueString())
}

func containsToken(tokens []foreignToken, id types.String) bool {
	return slices.ContainsFunc(tokens, func(t foreignToken) bool { return t.ID.Equal(id) })
}
