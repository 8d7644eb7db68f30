// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// issue creates the planned token, for Create and for a rotation. It stores the secret and
// the retiring tokens in the state before anything else can fail. It returns what is
// stored, and false after an error.
func (c call) issue(ctx context.Context, plan tokenModel) (tokenModel, bool) {
	accountID := c.id(plan.ServiceAccountID, "service_account_id")
	encrypt := encrypterOf(ctx, plan.Encryption, c.diags) // before any request
	generated := !plan.NamePrefix.IsNull()
	if c.failed() {
		return plan, false
	}
	if generated {
		name, ok := c.uniqueName(plan.NamePrefix.ValueString())
		if !ok {
			return plan, false
		}
		plan.Name = types.StringValue(name)
	}
	request := plan.createRequest(accountID, plan.Name.ValueString())
	token, err := c.client.CreateServiceToken(ctx, request, generated)
	if err != nil {
		c.failCreateToken(ctx, request, err)
		return plan, false
	}
	issued := c.now().UTC()
	created := plan
	created.memory = tokenMemory{IssuedAt: &issued, Retiring: plan.memory.Retiring}
	created.applyCreated(&token.Token, c.now())
	if err := created.setSecret(string(token.Bearer), encrypt, c.random); err != nil {
		c.removeUnencrypted(ctx, token.ID, created)
		return created, false
	}
	c.saveToken(ctx, created)
	if token.Created == nil || token.Partial { // else the next plan would show the missing values as changed
		if listed, found, err := c.client.FindServiceToken(ctx, token.ID); err == nil && found {
			created.applyCreated(listed, c.now())
		}
	}
	c.warnIfNotAsRequested(plan, created, token)
	c.verifySCIM(ctx, plan, token)
	if plan.Revoked.ValueBool() {
		if err := c.client.RevokeToken(ctx, token.ID); err != nil {
			c.fail("Unable to revoke new service token", created.label(), err)
			return created, false
		}
		created.Revoked, created.memory.RevokedByConfig = types.BoolValue(true), true
		created.Status = types.StringValue(statusRevoked)
	}
	c.saveToken(ctx, created)
	return created, !c.failed()
}

// token returns the token in a state, with its private data.
func (c call) token(ctx context.Context, state tfsdk.State) (m tokenModel) {
	c.diags.Append(state.Get(ctx, &m)...)
	c.load(ctx, memoryKey, &m.memory)
	return m
}

// saveToken stores a token and its private data.
func (c call) saveToken(ctx context.Context, m tokenModel) {
	c.readTokens.Store(m.ID.ValueString(), true)
	c.save(ctx, m.ID, m)
	c.store(ctx, memoryKey, m.memory)
}

// removeUnencrypted revokes and deletes a new token whose secret could not be encrypted.
func (c call) removeUnencrypted(ctx context.Context, id int64, created tokenModel) {
	const summary = "Unable to encrypt secret of service token"
	if err := c.client.RevokeAndDeleteToken(ctx, id); err != nil {
		c.fail(summary, created.label()+" was created, its secret is lost, and it could not be removed: revoke and "+
			"delete it in Qualytics (Settings, Tokens)", err)
		return
	}
	c.refuse(summary, "%s", sentence("the new "+created.label()+" was revoked and deleted, and nothing is left"))
}

// applyCreated copies the server's description of a new token. Name and owner stay
// as requested. Whether it is revoked is not read: a new token is not.
func (m *tokenModel) applyCreated(t *qualytics.Token, now time.Time) {
	m.ID, m.Revoked = idValue(t.ID), types.BoolValue(false)
	m.CreatedAt = timetypes.NewRFC3339TimePointerValue(t.Created)
	m.ExpiresAt = timetypes.NewRFC3339TimePointerValue(t.Expiration)
	m.Status, m.memory.DaysLeft = types.StringValue(m.statusAt(now)), m.daysLeft(now)
}

// rotate creates a new token beside the old one, and then removes what does not stay.
// Failures of that are warnings, because after an error, Terraform would not update what
// depends on the new token.
func (c call) rotate(ctx context.Context, l tokenLife) {
	d, plan := l.decide(), l.plan
	if plan.RetiringTokens.IsUnknown() && !l.state.Revoked.ValueBool() { // decided by the clock
		l.state.Status = types.StringValue(l.state.statusAt(c.now()))
	}
	old := l.state.retire(c.now(), days(plan.OverlapDays))
	stay, remove := d.stay, d.leave
	if l.keepsOld() {
		stay = append(stay, old)
	} else {
		remove = append(remove, old)
	}
	plan.setRetiring(slices.Concat(stay, remove))
	created, ok := c.issue(ctx, plan)
	if !ok {
		return
	}
	var failures diag.Diagnostics
	left := c.reporting(&failures).removeRetiring(ctx, created, remove, l.endsOverlaps())
	for _, f := range failures {
		c.warn(f.Summary(), "%s", f.Detail())
	}
	created.setRetiring(slices.Concat(stay, left))
	c.saveToken(ctx, created)
}

// expiryTolerance is how far a lifetime may differ from the requested one: a
// server may count calendar days.
const expiryTolerance = day

// warnIfNotAsRequested warns about a new token that is not as requested. An error would
// mark the token as tainted, and its replacement would be the same.
func (c call) warnIfNotAsRequested(plan, created tokenModel, t *qualytics.NewToken) {
	requested := plan.ExpiresInDays
	start, known := timeOf(created.CreatedAt)
	expires, limited := timeOf(created.ExpiresAt)
	differs := known && limited && (expires.Sub(start)-days(requested)).Abs() > expiryTolerance
	switch {
	case t.Partial:
		c.warn("Response only partly readable", "The ID and the secret of the new service token are in the state; the "+
			"next refresh reads the rest. The deployment may run a version of Qualytics that this version of the "+
			"provider does not support.")
	case requested.IsNull() == limited, differs:
		c.warnAt("expires_in_days", "Lifetime not applied", "The %s was requested with %s, but it %s. The deployment "+
			"decides. Set expires_in_days to the lifetime that it allows.", created.label(), lifetimeText(requested),
			expiryText(expires, limited))
	}
	if !plan.RotateBeforeDays.IsNull() && created.windowCoversLifetime(plan.RotateBeforeDays) {
		c.warnAt("rotate_before_days", "Rotation window covers the whole lifetime", "The server limited the lifetime "+
			"of %s, so that rotate_before_days = %d covers all of it. To avoid a rotation in every run, the token is "+
			"rotated only after it has expired. Reduce rotate_before_days.", created.label(),
			plan.RotateBeforeDays.ValueInt64())
	}
	if !t.Active && !t.Partial {
		c.warn("New service token is revoked", "%s The next plan rotates it.",
			sentence("the server reported that the new "+created.label()+" is revoked"))
	}
}

func lifetimeText(days types.Int64) string {
	if days.IsNull() {
		return "no expiry"
	}
	return fmt.Sprintf("a lifetime of %d days", days.ValueInt64())
}

func expiryText(expires time.Time, limited bool) string {
	if !limited {
		return "never expires"
	}
	return "expires at " + formatTime(expires)
}

// verifySCIM tries a new token that should be limited to SCIM on another
// endpoint, because the server does not report the limit.
func (c call) verifySCIM(ctx context.Context, plan tokenModel, t *qualytics.NewToken) {
	if !plan.SCIMEndpointsOnly.ValueBool() {
		return
	}
	limited, err := c.client.WithToken(t.Bearer)
	if err == nil {
		_, err = limited.CurrentUser(ctx)
	}
	switch e := asError(err); {
	case err == nil:
		c.warnAt("scim_endpoints_only", "Service token is not limited to SCIM", "%s also works outside of the SCIM "+
			"endpoints, with all permissions of its account. It is in the state. Destroy it, or accept these "+
			"permissions.", sentenceStart(tokenLabel(&t.Token)))
	case e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden:
		c.warnAt("scim_endpoints_only", "Unable to verify SCIM restriction", "The API does not report whether a token "+
			"is limited to SCIM, and the attempt to use the token elsewhere failed. %s To verify it yourself, call "+
			"/users/me with the token: the server must refuse it.", responseText(e))
	}
}

// failCreateToken reports why a token was not created.
func (c call) failCreateToken(ctx context.Context, request qualytics.TokenCreate, err error) {
	const summary = "Unable to create service token"
	object := fmt.Sprintf("service token %q of the service account ID %d", request.Name, request.UserID)
	switch {
	case qualytics.IsConflict(err):
		c.failAt("name", "Service token name already in use", "%s",
			detailOf(object, err, c.nameInUseText(ctx, request)))
	case qualytics.IsUnknownPath(err):
		c.fail(summary, object, err)
	case qualytics.IsNotFound(err), qualytics.IsBadRequest(err):
		c.failAt("service_account_id", summary, "%s", detailOf(object, err, fmt.Sprintf("The account with ID %d may "+
			"not exist, may be deactivated, or may not be a service account. Check service_account_id.",
			request.UserID)))
	default:
		c.fail(summary, object, err)
	}
}

// nameInUseText returns which token uses a name, and what to do about it.
func (c call) nameInUseText(ctx context.Context, request qualytics.TokenCreate) string {
	const rule = "The names of an account's tokens are unique, and a revoked token keeps its name. In a replacement " +
		"with create_before_destroy, the old token still uses the name: use name_prefix instead of name there."
	tokens, err := c.client.ServiceTokens(ctx)
	if err != nil {
		return rule + "\n\nThe token that uses the name could not be looked up. " + responseText(asError(err))
	}
	for i := range tokens {
		t := &tokens[i]
		if t.User.ID != request.UserID || t.Name != request.Name {
			continue
		}
		return fmt.Sprintf("The %s token with ID %d uses the name. %s\n\nTo manage that token with Terraform, import "+
			"it; its secret remains unknown:%s\n\nIf it is not needed, revoke and delete it in Qualytics (Settings, "+
			"Tokens).", listStatus(t, c.now()), t.ID, rule, c.importCommand("qualytics_service_token", t.ID))
	}
	return rule
}
