// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ list.ListResourceWithConfigure = (*serviceTokenList)(nil)

func newServiceTokenList() list.ListResource { return &serviceTokenList{} }

type serviceTokenList struct{ resourceBase }

type serviceTokenListModel struct {
	ServiceAccountID types.String `tfsdk:"service_account_id"`
	Status           types.String `tfsdk:"status"`
}

func (l *serviceTokenList) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_token"
}

func (l *serviceTokenList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest,
	resp *list.ListResourceSchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists service tokens, without their secrets.",
		Attributes: map[string]schema.Attribute{
			"service_account_id": schema.StringAttribute{
				Optional:            true,
				Validators:          []validator.String{idValidator{}},
				MarkdownDescription: "`id` of the service account that owns the tokens.",
			},
			"status": schema.StringAttribute{
				Optional:   true,
				Validators: []validator.String{oneOf(listStatuses...)},
				MarkdownDescription: "Status of the service tokens: `active`, `expired`, or `revoked`. Defaults to " +
					"`active`.",
			},
		},
	}
}

// List sends one request: the API has one list of all service tokens.
func (l *serviceTokenList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	var config serviceTokenListModel
	diags := req.Config.Get(ctx, &config)
	client := l.client(&diags)
	if diags.HasError() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	now := l.data.now()
	tokens, err := listTokens(ctx, client, config.ServiceAccountID.ValueString(),
		cmp.Or(config.Status.ValueString(), statusActive), now)
	if err != nil {
		addError(&diags, "Unable to list service tokens", "", err)
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	if len(tokens) == 0 {
		stream.Results = nothingListed("service tokens", client)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		for i := range tokens {
			if int64(i) == req.Limit && req.Limit > 0 || !push(l.result(ctx, client, req, &tokens[i], now)) {
				return
			}
		}
	}
}

func (l *serviceTokenList) result(ctx context.Context, client *qualytics.Client, req list.ListRequest,
	t *qualytics.Token, now time.Time,
) list.ListResult {
	result := req.NewListResult(ctx)
	model := newTokenModel(t, now)
	result.DisplayName = printable(
		fmt.Sprintf("%s of %s, %s", t.Name, cmp.Or(t.User.Name, t.User.UserID), validityText(t, now)))
	result.Diagnostics.Append(result.Identity.Set(ctx, newIdentity(client, model.ID))...)
	if req.IncludeResource {
		result.Diagnostics.Append(result.Resource.Set(ctx, model)...)
	}
	return result
}

// validityText returns how long a token is valid.
func validityText(t *qualytics.Token, now time.Time) string {
	switch {
	case !t.Active:
		return "revoked"
	case t.Expiration == nil:
		return "never expires"
	case t.Expired(now):
		return "expired " + t.Expiration.Format(time.DateOnly)
	default:
		return "expires " + t.Expiration.Format(time.DateOnly)
	}
}
