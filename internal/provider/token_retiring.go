// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// A rotation leaves the old token valid as one of the retiring tokens. A refresh decides
// which of them have ended, a plan which of them stay, and apply removes the others.

// retiringToken is an element of retiring_tokens: a replaced token that is still valid.
type retiringToken struct {
	ID       types.String      `tfsdk:"id"`
	Name     types.String      `tfsdk:"name"`
	RetireAt timetypes.RFC3339 `tfsdk:"retire_at"`

	memory retiringMemory
	own    bool // it is, or may be, the token that the provider uses
}

// retiringMemory is the private data of a retiring token.
type retiringMemory struct {
	// Hash is that of the secret, "" if the secret is not known. It tells the token apart
	// from the provider's own.
	Hash string `json:"hash,omitempty"`
	// ReplacedAt is when the token that replaced it was created.
	ReplacedAt time.Time      `json:"replaced_at"`
	ExpiresAt  *time.Time     `json:"expires_at,omitempty"`
	Status     retiringStatus `json:"status,omitempty"`
	// LastUsed is set if the last refresh found that it is in use after its overlap.
	LastUsed *time.Time `json:"last_used,omitempty"`
}

// retiringStatus is what the last refresh found out about a retiring token.
type retiringStatus string

const (
	retiringOverlaps retiringStatus = ""        // its overlap has not ended
	retiringEnded    retiringStatus = "ended"   // its overlap has ended, and it is not in use, or it has expired
	retiringInUse    retiringStatus = "in_use"  // its overlap has ended, and it was used within as many days
	retiringRevoked  retiringStatus = "revoked" // someone else revoked it
)

// endOfOverlap returns the earliest end of an overlap.
func (m retiringMemory) endOfOverlap(overlap time.Duration) time.Time {
	end := m.ReplacedAt.Add(overlap)
	if m.ExpiresAt != nil && m.ExpiresAt.Before(end) {
		return *m.ExpiresAt
	}
	return end
}

// statusAt returns the status of a retiring token that is not revoked and was last used at
// lastUsed; nil counts as unused.
func (t retiringToken) statusAt(now time.Time, overlap time.Duration, lastUsed *time.Time) retiringStatus {
	retireAt, known := timeOf(t.RetireAt)
	switch {
	case t.memory.ExpiresAt != nil && !now.Before(*t.memory.ExpiresAt):
		return retiringEnded
	case known && now.Before(retireAt):
		return retiringOverlaps
	case lastUsed != nil && now.Sub(*lastUsed) < overlap:
		return retiringInUse
	}
	return retiringEnded
}

var retiringTokenType = types.ObjectType{AttrTypes: map[string]attr.Type{
	"id": types.StringType, "name": types.StringType, "retire_at": timetypes.RFC3339Type{},
}}

func retiringTokensAttribute() schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Computed: true,
		MarkdownDescription: "Replaced service tokens that are still valid, oldest first. The configuration of " +
			"`qualytics_service_tokens_exclusive` needs their IDs.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"id":   schema.StringAttribute{Computed: true, MarkdownDescription: "Numeric ID of the service token."},
			"name": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the service token."},
			"retire_at": schema.StringAttribute{
				CustomType: timetypes.RFC3339Type{},
				Computed:   true,
				MarkdownDescription: "Earliest end of the overlap in UTC (RFC 3339): `overlap_days` after the " +
					"rotation, or the expiry of the token.",
			},
		}},
	}
}

// retiringList returns the value of retiring_tokens.
func retiringList(tokens []retiringToken) types.List {
	values := make([]attr.Value, len(tokens))
	for i, t := range tokens {
		values[i] = types.ObjectValueMust(retiringTokenType.AttrTypes, map[string]attr.Value{
			"id": t.ID, "name": t.Name, "retire_at": t.RetireAt,
		})
	}
	return types.ListValueMust(retiringTokenType, values)
}

// retiring returns the elements of retiring_tokens, none if it is null or unknown.
func (c call) retiring(ctx context.Context, m tokenModel) []retiringToken {
	var tokens []retiringToken
	if len(m.RetiringTokens.Elements()) > 0 {
		c.diags.Append(m.RetiringTokens.ElementsAs(ctx, &tokens, false)...)
	}
	for i := range tokens {
		tokens[i].memory = m.memory.Retiring[tokens[i].ID.ValueString()]
	}
	return tokens
}

// setRetiring stores retiring tokens in the model and the private data, oldest first.
func (m *tokenModel) setRetiring(tokens []retiringToken) {
	m.memory.Retiring = map[string]retiringMemory{}
	slices.SortStableFunc(tokens, func(a, b retiringToken) int { return cmp.Compare(a.number(), b.number()) })
	for _, t := range tokens {
		m.memory.Retiring[t.ID.ValueString()] = t.memory
	}
	if list := retiringList(tokens); !list.Equal(m.RetiringTokens) {
		m.RetiringTokens = list
	}
}

// retire returns the token as a retiring token after a rotation at now.
func (m tokenModel) retire(now time.Time, overlap time.Duration) retiringToken {
	t := retiringToken{ID: m.ID, Name: m.Name}
	t.memory = retiringMemory{ReplacedAt: now.UTC(), ExpiresAt: m.apiToken().Expiration}
	if secret := qualytics.Secret(m.Token.ValueString()); secret != "" {
		t.memory.Hash = secret.Hash()
	}
	t.RetireAt = timetypes.NewRFC3339TimeValue(t.memory.endOfOverlap(overlap).UTC())
	return t
}

// number returns the ID as a number.
func (t retiringToken) number() int64 {
	id, _ := parseID(t.ID.ValueString())
	return id
}

// title names the token in summaries.
func (t retiringToken) title() string {
	return fmt.Sprintf("%q (ID %s)", t.Name.ValueString(), t.ID.ValueString())
}

// label names the token in messages.
func (t retiringToken) label() string {
	return fmt.Sprintf("retiring service token %q (ID %s)", t.Name.ValueString(), t.ID.ValueString())
}

// refreshRetiring decides about the retiring tokens by the server's clock, which also
// determined their last use. Those that do not exist any more leave the list, and so do
// those that someone revoked, unless their record is to be deleted.
func (c call) refreshRetiring(ctx context.Context, m *tokenModel) {
	kept := []retiringToken{}
	for _, t := range c.retiring(ctx, *m) {
		listed, found, err := c.client.CachedServiceToken(ctx, t.number())
		if err != nil {
			c.fail("Unable to read service token", t.label(), err)
			return
		}
		if !found || listed.Name != t.Name.ValueString() {
			if !c.onSameHost(ctx, t.label()) {
				return
			}
			continue
		}
		now := c.now()
		t.memory.LastUsed = nil
		switch {
		case !listed.Active && !listed.Expired(now):
			t.memory.Status = retiringRevoked
			if m.DeletionPolicy.ValueString() == policyRevoke {
				continue
			}
		default:
			t.memory.ExpiresAt = listed.Expiration
			if t.memory.Status = t.statusAt(
				now,
				days(m.OverlapDays),
				listed.LastUsed,
			); t.memory.Status == retiringInUse {
				t.memory.LastUsed = listed.LastUsed
			}
		}
		kept = append(kept, t)
	}
	m.setRetiring(kept)
}

// markOwn finds out which of the retiring tokens the provider uses. An error is ignored:
// it is found again before anything is removed.
func (c call) markOwn(ctx context.Context, m tokenModel, tokens []retiringToken) {
	for i := range tokens {
		tokens[i].own, _ = c.isOwn(ctx, m, tokens[i])
	}
}

// isOwn reports whether a retiring token of m is, or may be, the one that the provider uses.
func (c call) isOwn(ctx context.Context, m tokenModel, t retiringToken) (bool, error) {
	switch {
	case c.client == nil, c.client.IsOwnSecret(qualytics.Secret(m.Token.ValueString())):
		return false, nil
	case t.memory.Hash != "":
		return c.client.IsOwnSecretHash(t.memory.Hash), nil
	}
	listed, found, err := c.client.CachedServiceToken(ctx, t.number())
	if err != nil || !found || !listed.Usable(c.now()) {
		return false, err
	}
	own, err := c.client.TokenOwnership(ctx, listed, "")
	return own != qualytics.NotOwn, err
}

// removeRetiring removes retiring tokens, and returns those that stay: those that are used
// again, those that the provider uses, and those that could not be removed. forced means
// that their use makes no difference.
func (c call) removeRetiring(ctx context.Context, m tokenModel, tokens []retiringToken, forced bool) []retiringToken {
	var left []retiringToken
	for _, t := range tokens {
		if t, removed := c.removeOne(ctx, m, t, forced); !removed {
			left = append(left, t)
		}
	}
	return left
}

func (c call) removeOne(ctx context.Context, m tokenModel, t retiringToken, forced bool) (retiringToken, bool) {
	const summary = "Unable to remove retiring service token"
	const listed = " is still listed in retiring_tokens, and the next apply tries again"
	token, found, err := c.client.CachedServiceToken(ctx, t.number())
	if err == nil && !found {
		return t, true
	}
	now := c.now()
	if err == nil && token.Usable(now) {
		var own bool
		own, err = c.isOwn(ctx, m, t)
		status := t.statusAt(now, days(m.OverlapDays), token.LastUsed)
		switch {
		case err == nil && own:
			c.warnOfOwnRetiring(m, t)
			return t, false
		case err == nil && !forced && status != retiringEnded:
			if t.memory.Status, t.memory.LastUsed = status, token.LastUsed; status == retiringInUse {
				c.warnOfUse(m, t)
			}
			return t, false
		}
	}
	if err == nil {
		err = c.removeToken(ctx, m.DeletionPolicy.ValueString(), t.number())
	}
	switch {
	case found && qualytics.IsRefused(err) && token.Expired(now):
		c.warn("Record of expired service token stays", "%s", detailOf(t.label(), err, "It cannot be used. To delete "+
			"the record, revoke and delete the token in Qualytics (Settings, Tokens)."))
		return t, true
	case err != nil:
		t.memory.Status = retiringEnded
		c.fail(summary, t.label()+listed, err)
	}
	return t, err == nil
}

// removeToken revokes a token, and deletes it unless the policy keeps its record.
func (c call) removeToken(ctx context.Context, policy string, id int64) error {
	if policy == policyRevoke {
		return c.client.RevokeToken(ctx, id)
	}
	return c.client.RevokeAndDeleteToken(ctx, id)
}

// warnOfUse warns about a retiring token that is used after its overlap.
func (c call) warnOfUse(m tokenModel, t retiringToken) {
	summary := fmt.Sprintf("Replaced service token %s is still in use", t.title())
	c.warn(summary, "The %s was replaced at %s by the %s, and was last used %s. It stays valid until it has not been "+
		"used for %d days%s.\n\nAn update of the resource that stores the token may have failed, although its state "+
		"says otherwise, or a client has not read the new token yet. Update the resource with \"%s apply "+
		"-replace=ADDRESS\", in which ADDRESS is that of the resource, or restart the client. To end the old token "+
		"although it is in use, set overlap_days = 0.", t.label(), formatTime(t.memory.ReplacedAt), m.label(),
		c.agoText(*t.memory.LastUsed), m.OverlapDays.ValueInt64(), hardEndText(t.memory.ExpiresAt), c.cli)
}

// warnOfOwnRetiring warns that the provider uses a retiring token.
func (c call) warnOfOwnRetiring(m tokenModel, t retiringToken) {
	successor := "the attribute token of this resource"
	if m.Revoked.ValueBool() {
		successor = "the token of another Admin"
	}
	c.warn(fmt.Sprintf("Replaced service token %s is in use by the provider", t.title()), "The provider is configured "+
		"with the %s, or cannot tell it apart from its own token. It was replaced at %s by the %s. It stays valid "+
		"while the provider uses it%s. Set %s, or token in the provider configuration, to %s.", t.label(),
		formatTime(t.memory.ReplacedAt), m.label(), hardEndText(t.memory.ExpiresAt), envToken, successor)
}

// refuseOwnRetiring says that the provider uses a retiring token of a resource that would
// be removed.
func (c call) refuseOwnRetiring(m tokenModel, t retiringToken) {
	c.refuse(lockoutSummary, "Removing the %s is refused, because the provider may be configured with its %s. Set %s, "+
		"or token in the provider configuration, to the attribute token of this resource or to the token of another "+
		"Admin.", m.label(), t.label(), envToken)
}
