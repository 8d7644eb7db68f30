// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Create and a rotation in place create tokens in the same way.

// tokenRecord is where Create and Update store a token.
type tokenRecord struct {
	state    *tfsdk.State
	identity *tfsdk.ResourceIdentity
	private  privateData
}

// issue creates the planned token. It stores the secret in the state before anything
// else can fail. It returns the stored token, or false after an error.
func (r *serviceTokenResource) issue(ctx context.Context, client *qualytics.Client, plan serviceTokenModel,
	accountID int64, record tokenRecord, diags *diag.Diagnostics,
) (serviceTokenModel, bool) {
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
	created.Revoked = types.BoolValue(false)
	if err := created.setSecret(string(token.Bearer), encrypt, r.data.random); err != nil {
		removeUnencrypted(ctx, client, token.ID, created, diags)
		return created, false
	}
	r.data.managed.Store(created.ID.ValueString(), true)
	diags.Append(record.state.Set(ctx, created)...)
	diags.Append(record.identity.Set(ctx, newIdentity(client, created.ID))...)
	rememberHost(ctx, client, record.private, diags)
	r.storeHistory(ctx, record.private, created, tokenHistory{}, diags)

	if token.Created == nil || token.Partial { // else the next plan would show the missing values as changed
		if listed, found, err := client.FindServiceToken(ctx, token.ID); err == nil && found {
			created.applyCreated(listed, r.data.now())
			diags.Append(record.state.Set(ctx, created)...)
		}
	}
	warnOfCreated(plan, created, token, diags)
	verifySCIM(ctx, client, plan, token, diags)

	if plan.Revoked.ValueBool() {
		if err := client.RevokeToken(ctx, token.ID); err != nil {
			addError(diags, "Unable to revoke new service token", created.label(), err)
			return created, false
		}
		created.Revoked = types.BoolValue(true)
		created.decideStatus(r.data.now())
		diags.Append(record.state.Set(ctx, created)...)
	}
	r.storeHistory(ctx, record.private, created, tokenHistory{RevokedByConfig: plan.Revoked.ValueBool()}, diags)
	return created, !diags.HasError()
}

// removeUnencrypted revokes and deletes a new token whose secret could not be
// encrypted.
func removeUnencrypted(ctx context.Context, client *qualytics.Client, id int64, created serviceTokenModel,
	diags *diag.Diagnostics,
) {
	const summary = "Unable to encrypt secret of service token"
	if err := client.RevokeAndDeleteToken(ctx, id); err != nil {
		addError(diags, summary, created.label()+" was created, its secret is lost, and it could not be removed: "+
			"revoke and delete it in Qualytics (Settings, Tokens)", err)
		return
	}
	diags.AddError(summary, sentence("the new "+created.label()+" was revoked and deleted, and nothing is left"))
}

// createToken creates the planned token, and sets its name in the plan. It returns
// nil after an error.
func (r *serviceTokenResource) createToken(ctx context.Context, client *qualytics.Client, plan *serviceTokenModel,
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
		explainTokenCreateError(ctx, client, accountID, plan.Name.ValueString(), err, diags)
		return nil
	}
	return token
}

// applyCreated copies the server's description of a new token. Name and owner stay
// as requested. Whether it is revoked is not read: a new token is not.
func (m *serviceTokenModel) applyCreated(t *qualytics.Token, now time.Time) {
	name, owner, revoked := m.Name, m.ServiceAccountID, m.Revoked
	active := *t
	active.Active = true
	m.Revoked = types.BoolValue(false)
	m.refresh(&active, now)
	m.Name, m.ServiceAccountID, m.Revoked = name, owner, revoked
}

// rotateInPlace creates a new token, and stores it together with the old one. Then it
// removes the retiring tokens that do not stay. Failures of that are warnings, because
// after an error, Terraform would not update what depends on the new token.
func (r *serviceTokenResource) rotateInPlace(ctx context.Context, client *qualytics.Client,
	plan, state serviceTokenModel, record tokenRecord, diags *diag.Diagnostics,
) {
	accountID := parseID(plan.ServiceAccountID, "service_account_id", diags)
	retiring := state.retiringWithHashes(ctx, record.private, diags)
	policy := plan.removalPolicy()
	keeps := keepsRotated(state, plan)
	if diags.HasError() || !keeps && policy != policyAbandon &&
		!duringApply(client, diags).allowsRevocationOf(ctx, state) {
		return
	}
	stay := staying(state, plan, retiring)
	due := withoutTokens(retiring, stay)
	for i := range due {
		due[i].Due = types.BoolValue(true)
	}
	var failures diag.Diagnostics
	stay = append(stay, state.mayBeOwn(ctx, client, policy, due, &failures)...)
	_, _ = client.Me(ctx) // an answer tells the server's clock
	old := state.retired(client.ServerTime(), plan.overlap(), !keeps)
	if keeps {
		stay = append(stay, old)
	} else {
		due = append(due, old)
	}
	all := append(stay, withoutTokens(due, stay)...)
	plan.RetiringTokens = retiringList(all)
	storeHashes(ctx, record.private, all, diags)
	created, ok := r.issue(ctx, client, plan, accountID, record, diags)
	if ok {
		retire(ctx, client, &created, stay, &failures)
		diags.Append(record.state.Set(ctx, created)...)
	}
	diags.Append(asWarnings(failures)...)
}
