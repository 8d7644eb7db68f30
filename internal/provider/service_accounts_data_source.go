// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ datasource.DataSourceWithConfigure = (*serviceAccountsDataSource)(nil)

func newServiceAccountsDataSource() datasource.DataSource { return &serviceAccountsDataSource{} }

type serviceAccountsDataSource struct{ dataSourceBase }

type serviceAccountsModel struct {
	Name               types.String  `tfsdk:"name"`
	Role               types.String  `tfsdk:"role"`
	Team               types.String  `tfsdk:"team"`
	IncludeDeactivated types.Bool    `tfsdk:"include_deactivated"`
	ServiceAccounts    []accountItem `tfsdk:"service_accounts"`
}

type accountItem struct {
	accountView
	DeactivatedAt timetypes.RFC3339 `tfsdk:"deactivated_at"`
}

func (d *serviceAccountsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest,
	resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_service_accounts"
}

func (d *serviceAccountsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest,
	resp *datasource.SchemaResponse,
) {
	item := accountAttributes()
	item["deactivated_at"] = computedTime("Time of deactivation in UTC (RFC 3339). Null if the account is active.")
	resp.Schema = schema.Schema{
		MarkdownDescription: "The service accounts of the deployment, sorted by ID. The list is empty if none matches.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Optional: true, MarkdownDescription: "Part of the name, case-insensitive."},
			"role": schema.StringAttribute{
				Optional: true, Validators: []validator.String{oneOf(roles...)},
				MarkdownDescription: "Role of the service accounts: `Admin`, `Manager`, `Editor`, or `Member`.",
			},
			"team": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of a team of the service accounts, case-insensitive.",
			},
			"include_deactivated": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether deactivated service accounts are included. Defaults to `false`.",
			},
			"service_accounts": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The service accounts, sorted by ID.",
				NestedObject: schema.NestedAttributeObject{Attributes: item},
			},
		},
	}
}

func (d *serviceAccountsDataSource) Read(ctx context.Context, req datasource.ReadRequest,
	resp *datasource.ReadResponse,
) {
	var model serviceAccountsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	filter, teamExists := accountFilter(ctx, client, model.Name, model.Role, model.Team)
	filter.IncludeDeleted = model.IncludeDeactivated.ValueBool()
	var accounts []qualytics.User
	if teamExists {
		var err error
		if accounts, err = listAccounts(ctx, client, filter); err != nil {
			addError(&resp.Diagnostics, "Unable to list service accounts", "", err)
			return
		}
	}
	model.ServiceAccounts = []accountItem{}
	for i := range accounts {
		model.ServiceAccounts = append(model.ServiceAccounts, accountItem{
			newAccountView(&accounts[i]), timetypes.NewRFC3339TimePointerValue(accounts[i].DeletedAt),
		})
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}
