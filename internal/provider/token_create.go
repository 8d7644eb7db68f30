// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Create and a rotation in place create tokens in the same way.

// tokenOutput is where Create and Update store a token.
type tokenOutput struct {
	state    *tfsdk.State
	identity *tfsdk.ResourceIdentity
	private  privateData
}

// issue creates the planned token. It stores the secret in the state before anything
// else can fail. It returns the stored token, or false after an error.
func (r *tokenResource) issue(ctx context.Context, client *qualytics.Client, plan tokenModel,
	accountID int64, out tokenOutput, diags *diag.Diagnostics,
) (tokenModel, bool) {
	encrypt := encrypterOf(ctx, plan.Encryption, diags) // before any request
	if diags.HasError() {
		return plan, false
	}
	token := r.createToken(ctx, client, &plan, accountID, diags)
	if token == nil {
		return plan, false
	}
	created := plan
	created.applyCreated(&token.Token, r.data.now())
	if err := created.setSecret(string(token.Bearer), encrypt, r.data.random); err != nil {
		removeUnencrypted(ctx, client, token.ID, created, diags)
		return created, false
	}
	r.data.managedTokens.Store(created.ID.ValueString(), true)
	diags.Append(out.state.Set(ctx, created)...)
	diags.Append(out.identity.Set(ctx, newIdentity(client, created.ID))...)
	call{providerData: &providerData{client: client}, diags: diags, private: out.private}.rememberHost(ctx)
	r.storeHistory(ctx, out.private, created, tokenHistory{}, diags)

	if token.Created == nil || token.Partial { // else the next plan would show the missing values as changed
		if listed, found, err := client.FindServiceToken(ctx, token.ID); err == nil && found {
			created.applyCreated(listed, r.data.now())
			diags.Append(out.state.Set(ctx, created)...)
		}
	}
	warnIfNotAsRequested(plan, created, token, diags)
	verifySCIM(ctx, client, plan, token, diags)

	if plan.Revoked.ValueBool() {
		if err := client.RevokeToken(ctx, token.ID); err != nil {
			call{diags: diags}.fail("Unable to revoke new service token", created.label(), err)
			return created, false
		}
		created.Revoked = types.BoolValue(true)
		created.decideStatus(r.data.now())
		diags.Append(out.state.Set(ctx, created)...)
	}
	r.storeHistory(ctx, out.private, created, tokenHistory{RevokedByConfig: plan.Revoked.ValueBool()}, diags)
	return created, !diags.HasError()
}

// removeUnencrypted revokes and deletes a new token whose secret could not be
// encrypted.
func removeUnencrypted(ctx context.Context, client *qualytics.Client, id int64, created tokenModel,
	diags *diag.Diagnostics,
) {
	const summary = "Unable to encrypt secret of service token"
	if err := client.RevokeAndDeleteToken(ctx, id); err != nil {
		call{diags: diags}.fail(summary, created.label()+" was created, its secret is lost, and it could not be removed: "+
			"revoke and delete it in Qualytics (Settings, Tokens)", err)
		return
	}
	diags.AddError(summary, sentence("the new "+created.label()+" was revoked and deleted, and nothing is left"))
}

// createToken creates the planned token, and sets its name in the plan. It returns
// nil after an error.
func (r *tokenResource) createToken(ctx context.Context, client *qualytics.Client, plan *tokenModel,
	accountID int64, diags *diag.Diagnostics,
) *qualytics.NewToken {
	generated := !plan.NamePrefix.IsNull()
	if generated {
		name, err := uniqueName(plan.NamePrefix.ValueString(), r.data.now(), r.data.random)
		if err != nil {
			diags.AddError("Unable to generate service token name", sentence(err.Error()))
			return nil
		}
		plan.Name = types.StringValue(name)
	}
	token, err := client.CreateServiceToken(ctx, plan.createRequest(accountID, plan.Name.ValueString()), generated)
	if err != nil {
		addTokenCreateError(ctx, client, accountID, plan.Name.ValueString(), err, diags)
		return nil
	}
	return token
}

// applyCreated copies the server's description of a new token. Name and owner stay
// as requested. Whether it is revoked is not read: a new token is not.
func (m *tokenModel) applyCreated(t *qualytics.Token, now time.Time) {
	m.ID, m.Revoked = idValue(t.ID), types.BoolValue(false)
	m.CreatedAt = timetypes.NewRFC3339TimePointerValue(t.Created)
	m.ExpiresAt = timetypes.NewRFC3339TimePointerValue(t.Expiration)
	m.decideStatus(now)
}

// rotateInPlace creates a new token, and stores it together with the old one. Then it
// removes the retiring tokens that do not stay. Failures of that are warnings, because
// after an error, Terraform would not update what depends on the new token.
func (r *tokenResource) rotateInPlace(ctx context.Context, client *qualytics.Client,
	plan, state tokenModel, out tokenOutput, diags *diag.Diagnostics,
) {
	accountID := call{diags: diags}.id(plan.ServiceAccountID, "service_account_id")
	retiring := state.retiringWithHashes(ctx, out.private, diags)
	policy := plan.removalPolicy()
	keeps := keepsRotated(state, plan)
	if diags.HasError() || !keeps && policy != policyAbandon &&
		!(call{providerData: &providerData{client: client}, diags: diags}).applyGuard().allowsRevocationOf(ctx, state) {
		return
	}
	keep := keptRetiring(state, plan, retiring)
	remove := withoutTokens(retiring, keep)
	for i := range remove {
		remove[i].Due = types.BoolValue(true)
	}
	var failures diag.Diagnostics
	refused := state.refusedRemovals(ctx, client, policy, remove, &failures)
	client.SyncClock(ctx)
	old := state.retiringEntry(client.ServerTime(), plan.overlap(), !keeps)
	if keeps {
		keep = append(keep, old)
	} else {
		remove = append(remove, old)
	}
	all := slices.Concat(keep, remove)
	plan.RetiringTokens = retiringList(all)
	storeHashes(ctx, out.private, all, diags)
	created, ok := r.issue(ctx, client, plan, accountID, out, diags)
	if ok {
		removeRetiringExcept(ctx, client, &created, slices.Concat(keep, refused), &failures)
		diags.Append(out.state.Set(ctx, created)...)
	}
	diags.Append(asWarnings(failures)...)
}

// expiryTolerance is how far a lifetime may differ from the requested one: a
// server may count calendar days.
const expiryTolerance = day

// warnIfNotAsRequested warns about a new token that is not as requested. An error would
// mark the token as tainted, and its replacement would be the same.
func warnIfNotAsRequested(plan, created tokenModel, t *qualytics.NewToken, diags *diag.Diagnostics) {
	requested := plan.ExpiresInDays
	start, known := timeOf(created.CreatedAt)
	expires, limited := timeOf(created.ExpiresAt)
	differs := known && limited &&
		(expires.Sub(start)-time.Duration(requested.ValueInt64())*day).Abs() > expiryTolerance
	switch {
	case t.Partial:
		diags.AddWarning("Response only partly readable", "The ID and the secret of the new service token are in the "+
			"state; the next refresh reads the rest. The deployment may run a version of Qualytics that this "+
			"version of the provider does not support.")
	case requested.IsNull() == limited, differs:
		diags.AddAttributeWarning(path.Root("expires_in_days"), "Lifetime not applied", fmt.Sprintf("The %s was "+
			"requested with %s, but it %s.", created.label(), lifetimeText(requested),
			expiryText(expires, limited)))
	}
	if !plan.RotateBeforeDays.IsNull() && created.windowCoversLifetime() {
		diags.AddAttributeWarning(path.Root("rotate_before_days"), "Rotation window covers the whole lifetime",
			fmt.Sprintf("The server limited the lifetime of %s, so that rotate_before_days = %d covers all of "+
				"it. To avoid a rotation in every run, the token is replaced only after it has expired. Reduce "+
				"rotate_before_days.", created.label(), plan.RotateBeforeDays.ValueInt64()))
	}
	if !t.Active && !t.Partial {
		diags.AddWarning("New service token is revoked",
			sentence("the server reported that the new "+created.label()+" is revoked")+" The next plan replaces it.")
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
