// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
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
	Name               types.String         `tfsdk:"name"`
	Role               types.String         `tfsdk:"role"`
	Team               types.String         `tfsdk:"team"`
	IncludeDeactivated types.Bool           `tfsdk:"include_deactivated"`
	ServiceAccounts    []serviceAccountItem `tfsdk:"service_accounts"`
}

type serviceAccountItem struct {
	serviceAccountView
	DeactivatedAt timetypes.RFC3339 `tfsdk:"deactivated_at"`
}

func (d *serviceAccountsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_accounts"
}

func (d *serviceAccountsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	item := accountAttributes()
	item["deactivated_at"] = instant("When the account was deactivated, in UTC (RFC 3339). Null while it is active.")
	resp.Schema = schema.Schema{
		MarkdownDescription: "The service accounts of the deployment, by id. None found is an empty list.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Optional: true, MarkdownDescription: "Part of the name, in any case."},
			"role": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.OneOf(roles...)},
				MarkdownDescription: "Role of the accounts.",
			},
			"team":                schema.StringAttribute{Optional: true, MarkdownDescription: "Name of a team that the accounts are in, in any case."},
			"include_deactivated": schema.BoolAttribute{Optional: true, MarkdownDescription: "Whether deactivated accounts are listed as well. Defaults to false."},
			"service_accounts": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The accounts, sorted by id.",
				NestedObject: schema.NestedAttributeObject{Attributes: item},
			},
		},
	}
}

func (d *serviceAccountsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model serviceAccountsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	filter, known := accountFilter(ctx, client, model.Name, model.Role, model.Team)
	filter.IncludeDeleted = model.IncludeDeactivated.ValueBool()
	var accounts []qualytics.User
	if known {
		var err error
		if accounts, err = listAccounts(ctx, client, filter); err != nil {
			addError(&resp.Diagnostics, "The service accounts could not be listed", err)
			return
		}
	}
	model.ServiceAccounts = []serviceAccountItem{}
	for i := range accounts {
		model.ServiceAccounts = append(model.ServiceAccounts, serviceAccountItem{viewAccount(&accounts[i]), timetypes.NewRFC3339TimePointerValue(accounts[i].DeletedAt)})
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

// accountFilter makes a filter with the server's spelling of a team. It reports
// false for a team that does not exist, which nobody is in.
func accountFilter(ctx context.Context, client *qualytics.Client, name, role, team types.String) (qualytics.UserFilter, bool) {
	filter := qualytics.UserFilter{Name: name.ValueString(), Role: role.ValueString(), Team: team.ValueString()}
	if filter.Team == "" || isPublic(filter.Team) {
		return filter, true
	}
	names, err := client.TeamNames(ctx)
	if err != nil {
		return filter, true // the server's filter will do
	}
	filter.Team = spelling(names, filter.Team)
	return filter, filter.Team != ""
}
