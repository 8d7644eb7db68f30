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
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// With overlap_days, a rotation is an update: the new token takes the place of the
// old one, which stays valid as one of the retiring tokens. A refresh decides which
// of them are due, a plan which of them stay, and apply removes the others.

// retiringHashesKey is the key of the hashes of retiring tokens by ID in the private data.
const retiringHashesKey = "retired"

// maxUnusedHours is the maximum of retire_unused_after_hours: a year.
const maxUnusedHours = 365 * 24

func overlapDaysAttribute() schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional:   true,
		Validators: []validator.Int64{int64validator.Between(1, qualytics.MaxExpiresInDays-1)},
		MarkdownDescription: fmt.Sprintf("Number of days for which a replaced token stays valid after a rotation, 1 "+
			"to %d; requires `name_prefix`. If set, a rotation updates the resource in place instead of "+
			"replacing it. A change also applies to the existing `retiring_tokens`. Removing this argument "+
			"removes those tokens.", qualytics.MaxExpiresInDays-1),
	}
}

func retireUnusedAttribute() schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional: true,
		Validators: []validator.Int64{
			int64validator.Between(1, maxUnusedHours),
			int64validator.AlsoRequires(path.MatchRoot("overlap_days")),
		},
		MarkdownDescription: fmt.Sprintf("Number of hours without use after which the overlap of a replaced token "+
			"ends early, 1 to %d; requires `overlap_days`. It has no effect if the deployment does not report "+
			"the last use.", maxUnusedHours),
	}
}

func retiringTokensAttribute() schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Computed: true,
		MarkdownDescription: "Replaced service tokens that are still valid, oldest first. Empty without " +
			"`overlap_days`.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"id":   schema.StringAttribute{Computed: true, MarkdownDescription: "Numeric ID of the service token."},
			"name": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the service token."},
			"retire_at": schema.StringAttribute{
				CustomType: timetypes.RFC3339Type{},
				Computed:   true,
				MarkdownDescription: "End of the overlap in UTC (RFC 3339). The first refresh after it marks the " +
					"token as due.",
			},
			"due": schema.BoolAttribute{
				Computed: true,
				MarkdownDescription: "Whether the next apply removes the token, as of the last refresh: its overlap " +
					"has ended, or it has been unused for `retire_unused_after_hours`.",
			},
		}},
	}
}

// retiringWithHashes returns the elements of retiring_tokens with the hashes of their
// secrets.
func (m tokenModel) retiringWithHashes(ctx context.Context, private privateData,
	diags *diag.Diagnostics,
) []retiringToken {
	tokens := m.retiring(ctx, diags)
	if len(tokens) == 0 {
		return nil
	}
	hashes := map[string]string{}
	call{diags: diags, private: private}.load(ctx, retiringHashesKey, &hashes)
	for i := range tokens {
		tokens[i].hash = hashes[tokens[i].ID.ValueString()]
	}
	return tokens
}

// storeHashes stores the hashes of retiring tokens.
func storeHashes(ctx context.Context, private privateData, tokens []retiringToken, diags *diag.Diagnostics) {
	hashes := map[string]string{}
	for _, t := range tokens {
		if t.hash != "" {
			hashes[t.ID.ValueString()] = t.hash
		}
	}
	call{diags: diags, private: private}.store(ctx, retiringHashesKey, hashes)
}

// label names the token in messages.
func (t retiringToken) label() string {
	return fmt.Sprintf("retiring service token %q (ID %s)", t.Name.ValueString(), t.ID.ValueString())
}

func withoutTokens(tokens, others []retiringToken) []retiringToken {
	return slices.DeleteFunc(slices.Clone(tokens), func(t retiringToken) bool {
		return slices.ContainsFunc(others, func(o retiringToken) bool { return o.ID.Equal(t.ID) })
	})
}

// overlap returns the length of the overlap.
func (m tokenModel) overlap() time.Duration {
	return time.Duration(m.OverlapDays.ValueInt64()) * day
}

// retiringEntry returns the entry of the token after a rotation at now.
func (m tokenModel) retiringEntry(now time.Time, overlap time.Duration, due bool) retiringToken {
	if !due {
		now = now.Add(overlap)
	}
	t := retiringToken{
		ID: m.ID, Name: m.Name, RetireAt: timetypes.NewRFC3339TimeValue(now.UTC()), Due: types.BoolValue(due),
	}
	if secret := qualytics.Secret(m.Token.ValueString()); secret != "" {
		t.hash = secret.Hash()
	}
	return t
}

// refreshRetiring decides which retiring tokens are due, by the server's clock, which
// also determined their last use. Those that someone revoked or deleted leave the list.
func refreshRetiring(ctx context.Context, client *qualytics.Client, m *tokenModel, diags *diag.Diagnostics) {
	kept := []retiringToken{}
	for _, t := range m.retiring(ctx, diags) {
		id, _ := parseID(t.ID.ValueString())
		listed, found, err := client.CachedServiceToken(ctx, id)
		if err != nil {
			call{diags: diags}.fail("Unable to read service token", t.label(), err)
			return
		}
		now := client.ServerTime()
		// A revoked token that was due may be half removed by an earlier apply.
		revoked := found && !listed.Active && !listed.Expired(now) && !t.Due.ValueBool()
		if !found || listed.Name != t.Name.ValueString() || revoked {
			continue
		}
		t.Due = types.BoolValue(m.isRemovalDue(t, listed, now))
		kept = append(kept, t)
	}
	if list := retiringList(kept); !list.Equal(m.RetiringTokens) {
		m.RetiringTokens = list
	}
}

// isRemovalDue reports whether a retiring token is to be removed.
func (m tokenModel) isRemovalDue(t retiringToken, listed *qualytics.Token, now time.Time) bool {
	retireAt, known := timeOf(t.RetireAt)
	if !listed.Usable(now) || known && !now.Before(retireAt) || m.OverlapDays.IsNull() {
		return true
	}
	if !known || m.RetireUnusedAfterHours.IsNull() || listed.LastUsed == nil {
		return false
	}
	unused := time.Duration(m.RetireUnusedAfterHours.ValueInt64()) * time.Hour
	rotated := retireAt.Add(-m.overlap())
	return now.Sub(*listed.LastUsed) >= unused && now.Sub(rotated) >= unused
}

// works reports whether the token worked at the last refresh.
func (m tokenModel) works() bool {
	status := m.Status.ValueString()
	return status == statusActive || status == statusRotationDue
}

// keepsRotated reports whether a rotation in place keeps the old token: there is an
// overlap, and the token still works and is not to be revoked.
func keepsRotated(state, plan tokenModel) bool {
	return !plan.OverlapDays.IsNull() && !plan.Revoked.ValueBool() && state.works()
}

// keptRetiring returns the retiring tokens that an update keeps: those that are not due, and
// none without an overlap or if the token is revoked.
func keptRetiring(state, plan tokenModel, retiring []retiringToken) []retiringToken {
	var stay []retiringToken
	for _, t := range retiring {
		if plan.OverlapDays.IsNull() || plan.Revoked.ValueBool() || t.Due.ValueBool() {
			continue
		}
		retireAt, known := timeOf(t.RetireAt)
		if known && !state.OverlapDays.IsNull() { // overlap_days may have changed
			t.RetireAt = timetypes.NewRFC3339TimeValue(retireAt.Add(plan.overlap() - state.overlap()).UTC())
		}
		stay = append(stay, t)
	}
	return stay
}

// checkRemoved warns which retiring tokens a plan removes, and refuses a plan that removes
// the provider's own token. A rotation is not refused: it keeps such a token.
func (r *tokenResource) checkRemoved(ctx context.Context, p *tokenPlan, diags *diag.Diagnostics) {
	policy := p.plannedRemovalPolicy()
	if len(p.removed) == 0 || policy == policyAbandon || r.data.client == nil {
		return
	}
	lines := make([]string, len(p.removed))
	use := r.call(diags)
	for i, t := range p.removed {
		if !p.inPlace && !p.state.allowsRetirement(ctx, r.call(diags).planGuard(), t) {
			return
		}
		lines[i] = fmt.Sprintf("  - %q, ID %s, %s", t.Name.ValueString(), t.ID.ValueString(),
			use.lastUseText(ctx, t.ID.ValueString()))
	}
	action := "revoked and deleted"
	if policy == policyRevoke {
		action = "revoked"
	}
	diags.AddWarning("Retiring service tokens will be removed", fmt.Sprintf("Tokens that were replaced by %s are %s, "+
		"and stop working:\n\n%s", p.state.label(), action, strings.Join(lines, "\n")))
}

// allowsRetirement reports whether a retiring token of m may be removed. It is looked
// up, because its times tell it apart from the provider's own token.
func (m tokenModel) allowsRetirement(ctx context.Context, guard lockout, t retiringToken) bool {
	switch {
	case guard.client.IsOwnSecret(qualytics.Secret(m.Token.ValueString())): // the provider uses the current token
		return true
	case t.hash != "" && guard.client.IsOwnSecretHash(t.hash):
		guard.refuseToken("Operation would lock out the provider", t.label(), "this is the token that the provider "+
			"uses")
		return false
	case t.hash != "":
		return true
	}
	id, _ := parseID(t.ID.ValueString())
	listed, found, err := guard.client.CachedServiceToken(ctx, id)
	switch {
	case err != nil && !guard.planning:
		guard.fail("Unable to delete service token", t.label(), err)
		return false
	case err != nil, !found:
		return true
	}
	return guard.allowsRevocation(ctx, listed, "", t.label())
}

// removalPolicy returns how retiring tokens are removed. A revoked token leaves none valid.
func (m tokenModel) removalPolicy() string {
	if policy := m.DeletionPolicy.ValueString(); policy != policyAbandon || !m.Revoked.ValueBool() {
		return policy
	}
	return policyRevoke
}

// refusedRemovals returns those of the retiring tokens that may be the provider's own, with an
// error for each. It is called before anything is changed.
func (m tokenModel) refusedRemovals(ctx context.Context, client *qualytics.Client, policy string,
	tokens []retiringToken, diags *diag.Diagnostics,
) []retiringToken {
	if policy == policyAbandon {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(tokens),
		func(t retiringToken) bool {
			return m.allowsRetirement(ctx, call{providerData: &providerData{client: client}, diags: diags}.applyGuard(), t)
		})
}

// removeRetiringExcept removes the retiring tokens of m that do not stay. Those that could not be
// removed remain in m and are due.
func removeRetiringExcept(ctx context.Context, client *qualytics.Client, m *tokenModel, stay []retiringToken,
	diags *diag.Diagnostics,
) {
	all := m.retiring(ctx, diags)
	remove := withoutTokens(all, stay)
	left := withoutTokens(all, remove)
	for _, t := range remove {
		if !removeRetiring(ctx, client, m.removalPolicy(), t, diags) {
			t.Due = types.BoolValue(true)
			left = append(left, t)
		}
	}
	m.RetiringTokens = retiringList(left)
}

// removeRetiring removes a retiring token as the policy says.
func removeRetiring(ctx context.Context, client *qualytics.Client, policy string, t retiringToken,
	diags *diag.Diagnostics,
) bool {
	const summary = "Unable to remove retiring service token"
	id, _ := parseID(t.ID.ValueString())
	listed, found, err := client.CachedServiceToken(ctx, id)
	switch {
	case err == nil && !found:
		return true
	case err == nil && policy == policyAbandon && listed.Active && listed.Expiration == nil:
		diags.AddError(summary, sentence(t.label()+" never expires on the server, so it is not abandoned: it would "+
			"stay valid indefinitely")+" Apply deletion_policy = \"delete\" or \"revoke\".")
		return false
	case err == nil && policy == policyAbandon:
		return true
	case err == nil:
		err = removeToken(ctx, client, policy, id)
	}
	if qualytics.IsRefused(err) && found && listed.Expired(client.ServerTime()) {
		diags.AddWarning("Record of expired service token stays", detailOf(t.label(), err))
		return true
	}
	if err != nil {
		call{diags: diags}.fail(summary, t.label()+" is still listed in retiring_tokens, and the next apply tries again", err)
	}
	return err == nil
}

// removeToken revokes a token, and deletes it unless the policy keeps its record.
func removeToken(ctx context.Context, client *qualytics.Client, policy string, id int64) error {
	if policy == policyRevoke {
		return client.RevokeToken(ctx, id)
	}
	return client.RevokeAndDeleteToken(ctx, id)
}

// asWarnings returns errors as warnings, so that what depends on a resource is updated.
func asWarnings(diags diag.Diagnostics) diag.Diagnostics {
	var out diag.Diagnostics
	for _, d := range diags {
		out.AddWarning(d.Summary(), d.Detail())
	}
	return out
}

// validateOverlap checks the arguments of the overlap.
func (m tokenModel) validateOverlap(diags *diag.Diagnostics) {
	overlap, window := m.OverlapDays, m.RotateBeforeDays
	if !overlap.IsNull() && !overlap.IsUnknown() && m.hasFixedName() {
		diags.AddAttributeError(path.Root("overlap_days"), "Overlap requires name_prefix",
			"During the overlap, two tokens of the account exist, and the names of an account's tokens are unique. "+
				"Use name_prefix instead of name.")
	}
	if diags.HasError() {
		return
	}
	if !overlap.IsUnknown() && !window.IsNull() && !window.IsUnknown() && overlap.ValueInt64() > window.ValueInt64() {
		diags.AddAttributeWarning(path.Root("overlap_days"), "Overlap is longer than the rotation window", fmt.Sprintf(
			"overlap_days is %d and rotate_before_days is %d: a token that is rotated in its window expires "+
				"before the overlap ends. Set rotate_before_days to at least %d.", overlap.ValueInt64(),
			window.ValueInt64(), overlap.ValueInt64()))
	}
}
