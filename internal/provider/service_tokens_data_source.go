// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
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
	ServiceAccountID types.String       `tfsdk:"service_account_id"`
	Status           types.String       `tfsdk:"status"`
	ServiceTokens    []serviceTokenItem `tfsdk:"service_tokens"`
}

// serviceTokenItem never holds a secret: the server shows it only once.
type serviceTokenItem struct {
	ID               types.String      `tfsdk:"id"`
	Name             types.String      `tfsdk:"name"`
	ServiceAccountID types.String      `tfsdk:"service_account_id"`
	Status           types.String      `tfsdk:"status"`
	CreatedAt        timetypes.RFC3339 `tfsdk:"created_at"`
	ExpiresAt        timetypes.RFC3339 `tfsdk:"expires_at"`
	LastUsedAt       timetypes.RFC3339 `tfsdk:"last_used_at"`
}

// listStatuses are the statuses that need no configuration to be told.
var listStatuses = []string{statusActive, statusExpired, statusRevoked}

func (d *serviceTokensDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_tokens"
}

func (d *serviceTokensDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The service tokens of the deployment, by id, without their secrets. None found is an empty list.",
		Attributes: map[string]schema.Attribute{
			"service_account_id": schema.StringAttribute{
				Optional: true, Validators: []validator.String{idValidator{}}, MarkdownDescription: "`id` of the account whose tokens are listed.",
			},
			"status": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.OneOf(listStatuses...)},
				MarkdownDescription: "Status of the tokens: `active`, `expired` or `revoked`.",
			},
			"service_tokens": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The tokens, sorted by id.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id":                 text("Number that Qualytics gave the token."),
					"name":               text("Name of the token."),
					"service_account_id": text("`id` of the account that owns the token."),
					"status":             text("`active`, `expired` or `revoked`."),
					"created_at":         instant("When the token was made, in UTC (RFC 3339). Null where the deployment does not say."),
					"expires_at":         instant("When the token expires, in UTC (RFC 3339). Null if never."),
					"last_used_at":       instant("When the token was last used, in UTC (RFC 3339). Null if never."),
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
	tokens, err := listTokens(ctx, client, model.ServiceAccountID.ValueString(), model.Status.ValueString(), d.data.now())
	if err != nil {
		addError(&resp.Diagnostics, "The service tokens could not be listed", err)
		return
	}
	model.ServiceTokens = []serviceTokenItem{}
	for i := range tokens {
		model.ServiceTokens = append(model.ServiceTokens, viewToken(&tokens[i], d.data.now()))
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

// listTokens lists the tokens of an account and of a status, by id; "" is all.
func listTokens(ctx context.Context, client *qualytics.Client, accountID, status string, now time.Time) ([]qualytics.Token, error) {
	tokens, err := client.ServiceTokens(ctx)
	tokens = slices.DeleteFunc(tokens, func(t qualytics.Token) bool {
		return (accountID != "" && accountID != strconv.FormatInt(t.User.ID, 10)) || (status != "" && status != listStatus(&t, now))
	})
	slices.SortFunc(tokens, func(a, b qualytics.Token) int { return cmp.Compare(a.ID, b.ID) })
	return tokens, err
}

func viewToken(t *qualytics.Token, now time.Time) serviceTokenItem {
	var m serviceTokenModel
	m.refresh(t, now) // the one mapping
	return serviceTokenItem{
		ID: m.ID, Name: m.Name, ServiceAccountID: m.ServiceAccountID, Status: m.Status,
		CreatedAt: m.CreatedAt, ExpiresAt: m.ExpiresAt, LastUsedAt: timetypes.NewRFC3339TimePointerValue(t.LastUsed),
	}
}

func listStatus(t *qualytics.Token, now time.Time) string {
	return viewToken(t, now).Status.ValueString()
}
