// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
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

// Two sets of team names are equal if they differ only in case and in the team
// Public, which contains every user.

func isPublic(name string) bool { return strings.EqualFold(name, qualytics.TeamPublic) }

func sameTeams(a, b []string) bool { return len(missingFrom(a, b))+len(missingFrom(b, a)) == 0 }

// keepSpelling returns the server's team names in the spelling of prior, and with
// Public only if prior contains it.
func keepSpelling(prior, server []string) []string {
	out := []string{}
	for _, name := range prior {
		if isPublic(name) || containsFold(server, name) {
			out = append(out, name)
		}
	}
	for _, name := range server {
		if !isPublic(name) && !containsFold(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// withoutPublic returns the names of all teams except Public.
func withoutPublic(names []string) []string { return slices.DeleteFunc(slices.Clone(names), isPublic) }

// missingFrom returns the names in a that are not in b, without Public.
func missingFrom(a, b []string) []string {
	var out []string
	for _, name := range a {
		if !isPublic(name) && !containsFold(b, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// sameTeamsModifier keeps the state if the configuration has the same teams in another spelling.
type sameTeamsModifier struct{ description }

const teamsAreEqual = "Case, order, and the team Public make no difference."

func (sameTeamsModifier) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	if req.ConfigValue.IsNull() || req.StateValue.IsNull() || req.PlanValue.IsUnknown() {
		return
	}
	planned, state := stringsOf(req.PlanValue), stringsOf(req.StateValue)
	if slices.ContainsFunc(req.PlanValue.Elements(), attr.Value.IsUnknown) {
		refuseOtherSpelling(req.Path, planned, state, &resp.Diagnostics)
		return
	}
	if sameTeams(planned, state) {
		resp.PlanValue = req.StateValue
	}
}

// refuseOtherSpelling reports known names that differ from the state only in case,
// in a set that also has unknown names. Terraform accepts the configuration or the
// state as a plan, and no mixture. Which of them it must be depends on the unknown
// names, so the apply could end with an inconsistent plan.
func refuseOtherSpelling(attribute path.Path, planned, state []string, diags *diag.Diagnostics) {
	for _, name := range planned {
		found := matchTeam(name, state)
		if isPublic(name) && found == "" {
			diags.AddAttributeError(attribute, "Spelling of team differs from the state", fmt.Sprintf("The "+
				"configuration has the team %q together with names that are only known after apply. Remove it: "+
				"every user is in Public.", name))
		}
		if found != "" && found != name {
			diags.AddAttributeError(attribute, "Spelling of team differs from the state", fmt.Sprintf("The state has "+
				"the team %q, and the configuration has %q together with names that are only known after apply. "+
				"Use the spelling of the state.", found, name))
		}
	}
}

// lookUpTeams returns the server's spelling of every team. A team that does not
// exist is an error that names the nearest ones. The names are requested again
// before that, because this run may have created the team.
func (c call) lookUpTeams(ctx context.Context, teams []string) []string {
	if len(withoutPublic(teams)) == 0 {
		return []string{}
	}
	existing, missing, err := c.findTeams(ctx, teams)
	if err == nil && len(missing) > 0 {
		c.client.ForgetTeamNames()
		existing, missing, err = c.findTeams(ctx, teams)
	}
	if err != nil {
		c.fail("Unable to look up teams", "", err)
		return nil
	}
	for _, name := range missing {
		c.failAt("teams", "Team not found", "%s", unknownTeamText(name, existing))
	}
	return matchTeams(teams, existing)
}

// findTeams returns the names of all teams, and the given ones that do not exist.
func (c call) findTeams(ctx context.Context, teams []string) (existing, missing []string, err error) {
	existing, err = c.client.TeamNames(ctx)
	return existing, missingFrom(teams, existing), err
}

// matchTeams returns the existing teams that are named, in their own spelling.
func matchTeams(teams, existing []string) []string {
	out := []string{}
	for _, name := range slices.Sorted(slices.Values(teams)) {
		if found := matchTeam(name, existing); found != "" && !isPublic(name) && !slices.Contains(out, found) {
			out = append(out, found)
		}
	}
	return out
}

// matchTeam returns the existing name that is equal to name, or else equal to it
// except for case, or "".
func matchTeam(name string, existing []string) string {
	if slices.Contains(existing, name) {
		return name
	}
	if i := slices.IndexFunc(existing, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return existing[i]
	}
	return ""
}

func unknownTeamText(name string, existing []string) string {
	text := fmt.Sprintf("There is no team %q.", name)
	if len(withoutPublic(existing)) == 0 {
		return text + " The deployment has no team except Public. Create the team in Qualytics first."
	}
	if _, isID := parseID(name); isID {
		return text + " It looks like an ID; teams are given by name."
	}
	return text + " Create the team in Qualytics first, or correct the name." +
		nearestText(name, withoutPublic(existing))
}
