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
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ action.ActionWithConfigure = (*revokeAction)(nil)

func newRevokeAction() action.Action { return &revokeAction{} }

// revokeAction revokes tokens in an emergency.
type revokeAction struct{ actionBase }

type revokeModel struct {
	ServiceAccountID types.String `tfsdk:"service_account_id"`
	TokenIDs         types.Set    `tfsdk:"token_ids"`
}

func (a *revokeAction) Metadata(_ context.Context, req action.MetadataRequest,
	resp *action.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_revoke_service_tokens"
}

func (a *revokeAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Revokes active service tokens immediately: all of a service account, or those given by " +
			"ID. It does not revoke the token that the provider uses. It can be repeated.",
		Attributes: map[string]schema.Attribute{
			"service_account_id": schema.StringAttribute{
				Optional: true,
				Validators: []validator.String{
					idValidator{},
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
					setvalidator.ValueStringsAre(idValidator{}),
				},
				MarkdownDescription: "IDs of the service tokens that are revoked.",
			},
		},
	}
}

// revocationRun counts the results of an invocation.
type revocationRun struct {
	client           *qualytics.Client
	progress         func(format string, args ...any)
	revoked, skipped int
	failures         []string
}

// Invoke continues after a failure, and ends with a summary.
func (a *revokeAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config revokeModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := a.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	tokens, err := client.ServiceTokens(ctx)
	if err != nil {
		addError(&resp.Diagnostics, "Unable to list service tokens", "nothing was revoked", err)
		return
	}
	selected, missing := selectTokens(config, tokens)
	if len(selected) == 0 && !config.ServiceAccountID.IsNull() &&
		!accountExists(ctx, client, config.ServiceAccountID, &resp.Diagnostics) {
		return
	}
	r := &revocationRun{client: client, progress: func(format string, args ...any) {
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
		resp.Diagnostics.AddError("Unable to revoke all service tokens", fmt.Sprintf("%d tokens were revoked and %d "+
			"skipped. %d failed:\n\n  - %s\n\nRun the action again. Revoked tokens stay revoked.", r.revoked,
			r.skipped, len(r.failures), strings.Join(r.failures, "\n  - ")))
	case len(selected) == 0:
		resp.Diagnostics.AddWarning("No active service tokens", fmt.Sprintf("The service account ID %s has no active "+
			"tokens, so nothing was revoked.", config.ServiceAccountID.ValueString()))
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
func accountExists(ctx context.Context, client *qualytics.Client, value types.String, diags *diag.Diagnostics) bool {
	id := idAttribute(value, "service_account_id", diags)
	if diags.HasError() {
		return false
	}
	user, err := client.FindUser(ctx, id)
	switch {
	case err != nil:
		addError(diags, "Unable to read service account", fmt.Sprintf("service account ID %d", id), err)
	case user == nil:
		diags.AddAttributeError(path.Root("service_account_id"), "Object not found",
			fmt.Sprintf("No service account has the ID %d. Deployment: %s.", id, client.URL()))
	}
	return err == nil && user != nil
}
