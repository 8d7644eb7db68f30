// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// A set of teams is the same whatever the case and order of its names, and
// with or without Public, which everybody is in.

func isPublic(name string) bool { return strings.EqualFold(name, qualytics.TeamPublic) }

// teamKeys are the names that count, folded and sorted.
func teamKeys(names []string) []string {
	var keys []string
	for _, name := range names {
		if !isPublic(name) {
			keys = append(keys, strings.ToLower(name))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func sameTeams(a, b []string) bool { return slices.Equal(teamKeys(a), teamKeys(b)) }

// spelledLike gives the server's teams in the spelling of prior, where prior
// names them, and with Public only if prior names it.
func spelledLike(prior, server []string) []string {
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

// namesOf are the values of a known set of strings.
func namesOf(set types.Set) []string {
	out := []string{}
	for _, v := range set.Elements() {
		if s, ok := v.(types.String); ok && !s.IsNull() && !s.IsUnknown() {
			out = append(out, s.ValueString())
		}
	}
	return out
}

func setOf(names []string) types.Set {
	values := make([]attr.Value, 0, len(names))
	for _, name := range names {
		values = append(values, types.StringValue(name))
	}
	return types.SetValueMust(types.StringType, values)
}

// sameTeamsModifier keeps the state when the configuration only spells the
// same teams differently.
type sameTeamsModifier struct{}

func (sameTeamsModifier) Description(context.Context) string {
	return "The case and order of names, and the team Public, make no difference."
}

func (m sameTeamsModifier) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

func (sameTeamsModifier) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	if req.ConfigValue.IsNull() || req.StateValue.IsNull() || req.PlanValue.IsUnknown() ||
		slices.ContainsFunc(req.PlanValue.Elements(), attr.Value.IsUnknown) {
		return
	}
	if sameTeams(namesOf(req.PlanValue), namesOf(req.StateValue)) {
		resp.PlanValue = req.StateValue
	}
}

// lookUpTeams gives the server's spelling of every wanted team. One that does
// not exist is an error that names the nearest ones.
func lookUpTeams(ctx context.Context, client *qualytics.Client, wanted []string, diags *diag.Diagnostics) []string {
	if len(teamKeys(wanted)) == 0 {
		return []string{}
	}
	existing, err := client.TeamNames(ctx)
	if err != nil {
		addError(diags, "The teams could not be looked up", err)
		return nil
	}
	return resolveTeams(wanted, existing, diags)
}

// resolveTeams finds every wanted team among the existing ones.
func resolveTeams(wanted, existing []string, diags *diag.Diagnostics) []string {
	out := []string{}
	slices.Sort(wanted)
	for _, name := range wanted {
		switch found := spelling(existing, name); {
		case isPublic(name) || slices.Contains(out, found):
		case found != "":
			out = append(out, found)
		default:
			diags.AddAttributeError(path.Root("teams"), fmt.Sprintf("There is no team %q", name), unknownTeamText(name, existing))
		}
	}
	return out
}

// spelling finds a name among existing ones, exactly or else in any case.
func spelling(existing []string, name string) string {
	if slices.Contains(existing, name) {
		return name
	}
	if i := slices.IndexFunc(existing, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return existing[i]
	}
	return ""
}

func unknownTeamText(name string, existing []string) string {
	text := "Create the team in Qualytics first, or correct the name."
	if near := nearest(name, existing); len(near) > 0 {
		text += " The nearest existing names are " + quoteList(near) + "."
	}
	return text
}

// maxNearest is how many similar names are offered.
const maxNearest = 3

// nearest are the existing names most like name, best first.
func nearest(name string, existing []string) []string {
	distance := func(other string) int {
		return levenshtein.Distance(strings.ToLower(name), strings.ToLower(other), nil)
	}
	near := slices.DeleteFunc(slices.Clone(existing), func(other string) bool {
		return isPublic(other) || distance(other) > max(len(name), len(other))*2/3
	})
	slices.SortFunc(near, func(a, b string) int { return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(a, b)) })
	return near[:min(maxNearest, len(near))]
}

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, ", ")
}
