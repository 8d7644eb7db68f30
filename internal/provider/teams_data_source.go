// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ datasource.DataSourceWithConfigure = (*teamsDataSource)(nil)

func newTeamsDataSource() datasource.DataSource { return &teamsDataSource{} }

type teamsDataSource struct{ dataSourceBase }

type teamsModel struct {
	Name  types.String `tfsdk:"name"`
	Teams []teamModel  `tfsdk:"teams"`
}

func (d *teamsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest,
	resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_teams"
}

func (d *teamsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The teams of the deployment, sorted by ID. The list is empty if none matches. Reading " +
			"teams requires the role Manager or Admin.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Optional: true, MarkdownDescription: "Part of the name, case-insensitive."},
			"teams": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The teams, sorted by ID.",
				NestedObject: schema.NestedAttributeObject{Attributes: teamAttributes()},
			},
		},
	}
}

func (d *teamsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model teamsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	teams, err := client.Teams(ctx)
	if err != nil {
		addError(&resp.Diagnostics, "Unable to list teams", "", err)
		return
	}
	slices.SortFunc(teams, func(a, b qualytics.Team) int { return cmp.Compare(a.ID, b.ID) })
	part := strings.ToLower(model.Name.ValueString())
	model.Teams = []teamModel{}
	for i := range teams {
		if strings.Contains(strings.ToLower(teams[i].Name), part) {
			model.Teams = append(model.Teams, newTeamModel(&teams[i]))
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}
