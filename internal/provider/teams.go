// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

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

func newTeamDataSource() datasource.DataSource {
	attributes := teamAttributes()
	attributes["id"] = schema.StringAttribute{
		Optional: true,
		Computed: true,
		Validators: []validator.String{
			objectID,
			stringvalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("name")),
		},
		MarkdownDescription: "Numeric ID of the team. Exactly one of `id` and `name` is required.",
	}
	attributes["name"] = optionalComputed("Name of the team, case-insensitive.")
	return newDataSource("team", schema.Schema{
		MarkdownDescription: "A team. Reading teams requires the role Manager or Admin.",
		Attributes:          attributes,
	}, readTeam)
}

func readTeam(ctx context.Context, c call, model *teamModel) {
	teams, err := c.client.Teams(ctx)
	if err != nil {
		c.fail("Unable to read team", "", err)
		return
	}
	wanted := oneWanted[qualytics.Team]{
		"team", "id", model.ID.ValueString(),
		func(t *qualytics.Team) string { return formatID(t.ID) },
	}
	if model.ID.IsNull() {
		wanted = oneWanted[qualytics.Team]{
			"team", "name", teamSpelling(model.Name.ValueString(), teams),
			func(t *qualytics.Team) string { return t.Name },
		}
	}
	if team := wanted.in(c, teams); team != nil {
		*model = newTeamModel(team)
	}
}

// teamSpelling returns the server's spelling of a team's name if exactly one team has the
// name, case-insensitive, else name.
func teamSpelling(name string, teams []qualytics.Team) string {
	var found []string
	for i := range teams {
		if strings.EqualFold(teams[i].Name, name) {
			found = append(found, teams[i].Name)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return name
}

type teamsModel struct {
	Name  types.String `tfsdk:"name"`
	Teams []teamModel  `tfsdk:"teams"`
}

func newTeamsDataSource() datasource.DataSource {
	return newDataSource("teams", schema.Schema{
		MarkdownDescription: "The teams of the deployment, sorted by ID. The list is empty if none matches. Reading " +
			"teams requires the role Manager or Admin.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Optional: true, MarkdownDescription: filterName},
			"teams": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The teams, sorted by ID.",
				NestedObject: schema.NestedAttributeObject{Attributes: teamAttributes()},
			},
		},
	}, readTeams)
}

func readTeams(ctx context.Context, c call, model *teamsModel) {
	teams, err := c.client.Teams(ctx)
	if err != nil {
		c.fail("Unable to list teams", "", err)
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
}
