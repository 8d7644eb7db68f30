// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var (
	_ datasource.DataSourceWithConfigure = (*teamDataSource)(nil)
	_ datasource.DataSourceWithConfigure = (*teamsDataSource)(nil)
)

func newTeamDataSource() datasource.DataSource { return &teamDataSource{} }

func newTeamsDataSource() datasource.DataSource { return &teamsDataSource{} }

type teamDataSource struct{ dataSourceBase }

type teamsDataSource struct{ dataSourceBase }

// teamModel is a team as both data sources show it.
type teamModel struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Description types.String `tfsdk:"description"`
	Permission  types.String `tfsdk:"permission"`
}

type teamsModel struct {
	Name  types.String `tfsdk:"name"`
	Teams []teamModel  `tfsdk:"teams"`
}

func viewTeam(t *qualytics.Team) teamModel {
	return teamModel{
		ID: types.StringValue(strconv.FormatInt(t.ID, 10)), Name: types.StringValue(t.Name),
		Description: stringOrNull(t.Description), Permission: stringOrNull(t.Permission),
	}
}

func teamAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":          text("Number that Qualytics gave the team."),
		"name":        text("Name of the team."),
		"description": text("Description of the team. May be null."),
		"permission":  text("What the team may do: `Editor`, `Author`, `Drafter`, `Viewer` or `Reporter`. Null on builds that do not say."),
	}
}

func (d *teamDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_team"
}

func (d *teamDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := teamAttributes()
	attributes["id"] = schema.StringAttribute{
		Optional: true, Computed: true,
		Validators:          []validator.String{idValidator{}, stringvalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("name"))},
		MarkdownDescription: "Number that Qualytics gave the team. Exactly one of `id` and `name` is needed.",
	}
	attributes["name"] = schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: "Name of the team, exactly."}
	resp.Schema = schema.Schema{MarkdownDescription: "One team. Reading teams needs the role Manager or Admin.", Attributes: attributes}
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
		addError(&resp.Diagnostics, "The team could not be read", err)
		return
	}
	var found []qualytics.Team
	var others []string
	for _, t := range teams {
		if strconv.FormatInt(t.ID, 10) == config.ID.ValueString() || t.Name == config.Name.ValueString() {
			found = append(found, t)
		}
		others = append(others, t.Name)
	}
	if len(found) == 1 {
		resp.Diagnostics.Append(resp.State.Set(ctx, viewTeam(&found[0]))...)
		return
	}
	if !config.ID.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("id"), "There is no such team", fmt.Sprintf("No team has the id %s.", config.ID.ValueString()))
		return
	}
	detail := fmt.Sprintf("%d teams have the name %q; exactly one was expected.", len(found), config.Name.ValueString())
	if near := nearest(config.Name.ValueString(), others); len(found) == 0 && len(near) > 0 {
		detail += " The nearest existing names are " + quoteList(near) + "."
	}
	resp.Diagnostics.AddAttributeError(path.Root("name"), "There is no such team", detail)
}

func (d *teamsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_teams"
}

func (d *teamsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The teams of the deployment, by id. None found is an empty list. Reading teams needs the role Manager or Admin.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Optional: true, MarkdownDescription: "Part of the name, in any case."},
			"teams": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The teams, sorted by id.",
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
		addError(&resp.Diagnostics, "The teams could not be listed", err)
		return
	}
	slices.SortFunc(teams, func(a, b qualytics.Team) int { return cmp.Compare(a.ID, b.ID) })
	part := strings.ToLower(model.Name.ValueString())
	model.Teams = []teamModel{}
	for i := range teams {
		if strings.Contains(strings.ToLower(teams[i].Name), part) {
			model.Teams = append(model.Teams, viewTeam(&teams[i]))
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}
