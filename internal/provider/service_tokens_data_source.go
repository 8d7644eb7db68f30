// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ datasource.DataSourceWithConfigure = (*serviceTokensDataSource)(nil)

func newServiceTokensDataSource() datasource.DataSource { return &serviceTokensDataSource{} }

type serviceTokensDataSource struct{ dataSourceBase }

type serviceTokensModel struct {
	ServiceAccountID types.String `tfsdk:"service_account_id"`
	Status           types.String `tfsdk:"status"`
	ServiceTokens    []tokenItem  `tfsdk:"service_tokens"`
}

// tokenItem is a service token without its secret.
type tokenItem struct {
	ID               types.String      `tfsdk:"id"`
	Name             types.String      `tfsdk:"name"`
	ServiceAccountID types.String      `tfsdk:"service_account_id"`
	Status           types.String      `tfsdk:"status"`
	CreatedAt        timetypes.RFC3339 `tfsdk:"created_at"`
	ExpiresAt        timetypes.RFC3339 `tfsdk:"expires_at"`
	LastUsedAt       timetypes.RFC3339 `tfsdk:"last_used_at"`
}

func (d *serviceTokensDataSource) Metadata(_ context.Context, req datasource.MetadataRequest,
	resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_service_tokens"
}

func (d *serviceTokensDataSource) Schema(_ context.Context, _ datasource.SchemaRequest,
	resp *datasource.SchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The service tokens of the deployment, sorted by ID, without their secrets. The list is " +
			"empty if none matches.",
		Attributes: map[string]schema.Attribute{
			"service_account_id": schema.StringAttribute{
				Optional:            true,
				Validators:          []validator.String{idValidator{}},
				MarkdownDescription: "`id` of the service account that owns the tokens.",
			},
			"status": schema.StringAttribute{
				Optional: true, Validators: []validator.String{oneOf(listStatuses...)},
				MarkdownDescription: "Status of the service tokens: `active`, `expired`, or `revoked`.",
			},
			"service_tokens": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The service tokens, sorted by ID.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id":                 computedString("Numeric ID of the service token."),
					"name":               computedString("Name of the service token."),
					"service_account_id": computedString("`id` of the service account that owns the token."),
					"status":             computedString("Status: `active`, `expired`, or `revoked`."),
					"created_at": computedTime(
						"Time of creation in UTC (RFC 3339). Null if the deployment does not report it."),
					"expires_at": computedTime(
						"Time of expiry in UTC (RFC 3339). Null if the service token never expires."),
					"last_used_at": computedTime("Time of the last use in UTC (RFC 3339). Null if never, or if the " +
						"deployment does not report it."),
				}},
			},
		},
	}
}

func (d *serviceTokensDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model serviceTokensModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	tokens, err := listTokens(ctx, client, model.ServiceAccountID.ValueString(), model.Status.ValueString(),
		d.data.now())
	if err != nil {
		addError(&resp.Diagnostics, "Unable to list service tokens", "", err)
		return
	}
	model.ServiceTokens = []tokenItem{}
	for i := range tokens {
		model.ServiceTokens = append(model.ServiceTokens, newServiceTokenItem(&tokens[i], d.data.now()))
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func newServiceTokenItem(t *qualytics.Token, now time.Time) tokenItem {
	m := tokenModel{Revoked: types.BoolValue(false)}
	m.refresh(t, now)
	return tokenItem{
		ID: m.ID, Name: m.Name, ServiceAccountID: m.ServiceAccountID, Status: m.Status,
		CreatedAt: m.CreatedAt, ExpiresAt: m.ExpiresAt, LastUsedAt: timetypes.NewRFC3339TimePointerValue(t.LastUsed),
	}
}
