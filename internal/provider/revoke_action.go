// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ action.ActionWithConfigure = (*revokeAction)(nil)

func newRevokeAction() action.Action {
	return &revokeAction{base{name: "revoke_service_tokens"}}
}

// revokeAction revokes tokens in an emergency.
type revokeAction struct{ base }

type revokeModel struct {
	ServiceAccountID types.String `tfsdk:"service_account_id"`
	TokenIDs         types.Set    `tfsdk:"token_ids"`
}

func (a *revokeAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + a.name
}

func (a *revokeAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.configure(req.ProviderData, &resp.Diagnostics)
}

func (a *revokeAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Revokes active service tokens immediately: all of a service account, or those given by " +
			"ID. It does not revoke the token that the provider uses. It can be repeated.",
		Attributes: map[string]schema.Attribute{
			"service_account_id": schema.StringAttribute{
				Optional: true,
				Validators: []validator.String{
					objectID,
					stringvalidator.ExactlyOneOf(path.MatchRoot("service_account_id"), path.MatchRoot("token_ids")),
				},
				MarkdownDescription: "`id` of the service account whose tokens are revoked. Exactly one of " +
					"`service_account_id` and `token_ids` is required.",
			},
			"token_ids": schema.SetAttribute{
				ElementType: types.StringType, Optional: true,
				Validators: []validator.Set{
					setvalidator.SizeAtLeast(1),
					setvalidator.NoNullValues(),
					setvalidator.ValueStringsAre(objectID),
				},
				MarkdownDescription: "IDs of the service tokens that are revoked.",
			},
		},
	}
}

// revocationRun counts the results of an invocation.
type revocationRun struct {
	call
	progress         func(format string, args ...any)
	revoked, skipped int
	failures         []string
}

// Invoke continues after a failure, and ends with a summary.
func (a *revokeAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config revokeModel
	c := a.call(&resp.Diagnostics)
	if c.diags.Append(req.Config.Get(ctx, &config)...); !c.ready() {
		return
	}
	tokens, err := c.client.ServiceTokens(ctx)
	if err != nil {
		c.fail(unableToListTokens, "nothing was revoked", err)
		return
	}
	selected, missing := selectTokens(config, tokens)
	if len(selected) == 0 && !config.ServiceAccountID.IsNull() && !c.accountExists(ctx, config.ServiceAccountID) {
		return
	}
	r := &revocationRun{call: c, progress: func(format string, args ...any) {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf(format, args...)})
	}}
	for _, id := range missing {
		r.failures = append(r.failures, fmt.Sprintf("token ID %s: no such service token", id))
	}
	for i := range selected {
		r.revoke(ctx, &selected[i])
	}
	r.progress("Revoked %d, skipped %d, failed %d.", r.revoked, r.skipped, len(r.failures))
	switch {
	case len(r.failures) > 0:
		c.refuse("Unable to revoke all service tokens", "%d tokens were revoked and %d skipped. %d failed:\n\n  - "+
			"%s\n\nRun the action again. Revoked tokens stay revoked.", r.revoked, r.skipped, len(r.failures),
			strings.Join(r.failures, "\n  - "))
	case len(selected) == 0 && config.ServiceAccountID.IsNull():
		c.warn("No service tokens to revoke", "token_ids is empty, so nothing was revoked.")
	case len(selected) == 0:
		c.warn("No active service tokens", "The service account ID %s has no active tokens, so nothing was revoked.",
			config.ServiceAccountID.ValueString())
	}
}

// revoke revokes a token unless it is, or may be, the provider's own.
func (r *revocationRun) revoke(ctx context.Context, t *qualytics.Token) {
	label := sentenceStart(tokenLabel(t))
	if !t.Active {
		r.progress("%s was already revoked.", label)
		return
	}
	own, err := r.client.TokenOwnership(ctx, t, "")
	switch {
	case err != nil:
		r.failures = append(r.failures, fmt.Sprintf("%s: it may be the token that the provider uses, and that could "+
			"not be determined. %s", tokenLabel(t), responseText(asError(err))))
		r.progress("%s was not revoked: it may be the token that the provider uses.", label)
		return
	case own == qualytics.Own:
		r.skipped++
		r.progress("%s was skipped: it is the token that the provider uses.", label)
		return
	case own == qualytics.MaybeOwn:
		r.skipped++
		r.progress("%s was skipped: it may be the token that the provider uses. To revoke it, use the token of "+
			"another account.", label)
		return
	}
	if err := r.client.RevokeToken(ctx, t.ID); err != nil {
		r.failures = append(r.failures, fmt.Sprintf("%s: %s", tokenLabel(t), responseText(asError(err))))
		r.progress("%s could not be revoked.", label)
		return
	}
	r.revoked++
	r.progress("%s was revoked.", label)
}

// selectTokens returns the tokens that the configuration selects, and the IDs in it
// that are not those of a token. Of an account, it selects the active tokens.
func selectTokens(config revokeModel,
	tokens []qualytics.Token,
) (selected []qualytics.Token, missing []string) {
	missing = stringsOf(config.TokenIDs)
	for _, t := range tokens {
		byID := slices.Contains(missing, formatID(t.ID))
		if byID || t.Active && config.ServiceAccountID.ValueString() == formatID(t.User.ID) {
			selected = append(selected, t)
			missing = slices.DeleteFunc(missing, func(id string) bool { return id == formatID(t.ID) })
		}
	}
	slices.Sort(missing)
	return selected, missing
}

// accountExists reports whether there is an account with an ID, active or not, and adds
// an error if there is none.
func (c call) accountExists(ctx context.Context, value types.String) bool {
	id := c.id(value, "service_account_id")
	if c.failed() {
		return false
	}
	user, err := c.client.FindUser(ctx, id)
	switch {
	case err != nil:
		c.fail(unableToReadAccount, fmt.Sprintf("service account ID %d", id), err)
	case user == nil:
		c.failAt("service_account_id", objectNotFound, "No service account has the ID %d. Deployment: %s.", id,
			c.client.URL())
	}
	return err == nil && user != nil
}
