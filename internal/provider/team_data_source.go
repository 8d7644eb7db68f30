// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ datasource.DataSourceWithConfigure = (*teamDataSource)(nil)

func newTeamDataSource() datasource.DataSource { return &teamDataSource{} }

type teamDataSource struct{ dataSourceBase }

// teamModel is a team in both data sources.
type teamModel struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Description types.String `tfsdk:"description"`
	Permission  types.String `tfsdk:"permission"`
}

func newTeamModel(t *qualytics.Team) teamModel {
	return teamModel{
		ID: idValue(t.ID), Name: types.StringValue(t.Name),
		Description: stringOrNull(t.Description), Permission: stringOrNull(t.Permission),
	}
}

func teamAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":          computedString("Numeric ID of the team."),
		"name":        computedString("Name of the team."),
		"description": computedString("Description of the team. May be null."),
		"permission": computedString("Permission of the team: `Editor`, `Author`, `Drafter`, `Viewer`, or " +
			"`Reporter`. Null if the deployment does not report it."),
	}
}

func (d *teamDataSource) Metadata(_ context.Context, req datasource.MetadataRequest,
	resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_team"
}

func (d *teamDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := teamAttributes()
	attributes["id"] = schema.StringAttribute{
		Optional: true,
		Computed: true,
		Validators: []validator.String{
			idValidator{},
			stringvalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("name")),
		},
		MarkdownDescription: "Numeric ID of the team. Exactly one of `id` and `name` is required.",
	}
	attributes["name"] = schema.StringAttribute{
		Optional:            true,
		Computed:            true,
		MarkdownDescription: "Name of the team, case-insensitive.",
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A team. Reading teams requires the role Manager or Admin.",
		Attributes:          attributes,
	}
}

func (d *teamDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var config teamModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	teams, err := client.Teams(ctx)
	if err != nil {
		addError(&resp.Diagnostics, "Unable to read team", "", err)
		return
	}
	var team *qualytics.Team
	if config.ID.IsNull() {
		names := make([]string, len(teams))
		for i := range teams {
			names[i] = teams[i].Name
		}
		name := config.Name.ValueString()
		if unambiguous(name, names) {
			name = matchTeam(name, names)
		}
		team = exactlyOne(client, teams, "team", "name", name, func(t *qualytics.Team) string { return t.Name },
			&resp.Diagnostics)
	} else {
		team = exactlyOne(client, teams, "team", "id", config.ID.ValueString(),
			func(t *qualytics.Team) string { return formatID(t.ID) }, &resp.Diagnostics)
	}
	if team != nil {
		resp.Diagnostics.Append(resp.State.Set(ctx, newTeamModel(team))...)
	}
}

// unambiguous reports whether exactly one of the names equals name, case-insensitive.
func unambiguous(name string, names []string) bool {
	matches := 0
	for _, n := range names {
		if strings.EqualFold(n, name) {
			matches++
		}
	}
	return matches == 1
}
