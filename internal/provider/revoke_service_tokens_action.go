// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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

var _ action.ActionWithConfigure = (*revokeServiceTokensAction)(nil)

func newRevokeServiceTokensAction() action.Action { return &revokeServiceTokensAction{} }

// revokeServiceTokensAction is the emergency brake.
type revokeServiceTokensAction struct{ actionBase }

type revokeServiceTokensModel struct {
	ServiceAccountID types.String `tfsdk:"service_account_id"`
	TokenIDs         types.Set    `tfsdk:"token_ids"`
}

func (a *revokeServiceTokensAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_revoke_service_tokens"
}

func (a *revokeServiceTokensAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Revokes active service tokens at once: all of an account, or the ones named. The token that the provider uses is spared. Safe to repeat.",
		Attributes: map[string]schema.Attribute{
			"service_account_id": schema.StringAttribute{
				Optional: true,
				Validators: []validator.String{
					idValidator{}, stringvalidator.ExactlyOneOf(path.MatchRoot("service_account_id"), path.MatchRoot("token_ids")),
				},
				MarkdownDescription: "`id` of the account whose tokens are revoked. Exactly one of this and `token_ids` is needed.",
			},
			"token_ids": schema.SetAttribute{
				ElementType: types.StringType, Optional: true,
				Validators: []validator.Set{
					setvalidator.SizeAtLeast(1), setvalidator.NoNullValues(), setvalidator.ValueStringsAre(idValidator{}),
				},
				MarkdownDescription: "Ids of the tokens that are revoked.",
			},
		},
	}
}

// Invoke goes on after a failure, and ends with a summary of both.
func (a *revokeServiceTokensAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config revokeServiceTokensModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := a.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	tokens, err := client.ServiceTokens(ctx)
	if err != nil {
		addError(&resp.Diagnostics, "The tokens to revoke could not be listed", err)
		return
	}
	me, err := client.Me(ctx)
	if err != nil {
		addError(&resp.Diagnostics, "Nothing was revoked: it is not known which token is the provider's own", err)
		return
	}
	wanted, missing := chosen(config, tokens)
	say := func(format string, args ...any) {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf(format, args...)})
	}
	revoked, spared := 0, 0
	var failures []string
	for _, id := range missing {
		failures = append(failures, fmt.Sprintf("token %s: there is no such service token", id))
	}
	for i := range wanted {
		t := &wanted[i]
		switch own, err := a.own(ctx, client, me, t); {
		case !t.Active:
			say("Token %q (id %d) was revoked already.", t.Name, t.ID)
		case err != nil || own != qualytics.OwnNo:
			spared++
			say("Token %q (id %d) is spared: it is, or may be, the one that the provider uses.", t.Name, t.ID)
		default:
			if err := client.RevokeToken(ctx, t.ID); err != nil {
				failures = append(failures, fmt.Sprintf("token %q (id %d): %s", t.Name, t.ID, said(asError(err))))
				say("Token %q (id %d) could not be revoked.", t.Name, t.ID)
				continue
			}
			revoked++
			say("Token %q (id %d) is revoked.", t.Name, t.ID)
		}
	}
	say("Revoked %d, spared %d, failed %d.", revoked, spared, len(failures))
	if len(failures) > 0 {
		resp.Diagnostics.AddError(fmt.Sprintf("%d of %d tokens could not be revoked", len(failures), len(wanted)+len(missing)),
			fmt.Sprintf("%d are revoked, %d spared. These failed:\n\n  - %s\n\nRun it again; what is revoked stays so.", revoked, spared, strings.Join(failures, "\n  - ")))
	}
}

// chosen are the tokens that the configuration names, and the ids of it that
// are no tokens.
func chosen(config revokeServiceTokensModel, tokens []qualytics.Token) (wanted []qualytics.Token, missing []string) {
	ids := namesOf(config.TokenIDs)
	for _, t := range tokens {
		id := strconv.FormatInt(t.ID, 10)
		if slices.Contains(ids, id) || (t.Active && !config.ServiceAccountID.IsNull() && config.ServiceAccountID.ValueString() == strconv.FormatInt(t.User.ID, 10)) {
			wanted = append(wanted, t)
			ids = slices.DeleteFunc(ids, func(other string) bool { return other == id })
		}
	}
	slices.Sort(ids)
	return wanted, ids
}

func (a *revokeServiceTokensAction) own(ctx context.Context, client *qualytics.Client, me *qualytics.User, t *qualytics.Token) (qualytics.Own, error) {
	if t.User.ID != me.ID {
		return qualytics.OwnNo, nil
	}
	return client.IsOwnToken(ctx, t)
}
