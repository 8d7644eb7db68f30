// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	resource "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// stringOrNull returns null for "".
func stringOrNull(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// timeOf returns the time in an attribute. It reports false for null and unknown.
func timeOf(value timetypes.RFC3339) (time.Time, bool) {
	if value.IsNull() || value.IsUnknown() {
		return time.Time{}, false
	}
	t, diags := value.ValueRFC3339Time()
	return t, !diags.HasError()
}

// knownStrings returns the string, or none if it is null or unknown.
func knownStrings(value types.String) []string {
	if value.IsNull() || value.IsUnknown() {
		return nil
	}
	return []string{value.ValueString()}
}

// stringsOf returns the known elements of a set of strings.
func stringsOf(set types.Set) []string {
	out := []string{}
	for _, v := range set.Elements() {
		if s, ok := v.(types.String); ok && !s.IsNull() && !s.IsUnknown() {
			out = append(out, s.ValueString())
		}
	}
	return out
}

func setOf(elements []string) types.Set {
	values := make([]attr.Value, len(elements))
	for i, s := range elements {
		values[i] = types.StringValue(s)
	}
	return types.SetValueMust(types.StringType, values)
}

// hasUnknown reports whether a value, or one of its elements or attributes, is unknown.
func hasUnknown(value attr.Value) bool {
	var parts []attr.Value
	switch v := value.(type) {
	case types.Set:
		parts = v.Elements()
	case types.Map:
		parts = slices.Collect(maps.Values(v.Elements()))
	case types.Object:
		parts = slices.Collect(maps.Values(v.Attributes()))
	}
	return value.IsUnknown() || slices.ContainsFunc(parts, attr.Value.IsUnknown)
}

// argument is a value in a configuration.
type argument struct {
	name  string
	value attr.Value
}

// unknownNames returns the names of the arguments that are not completely known.
func unknownNames(arguments ...argument) []string {
	var names []string
	for _, a := range arguments {
		if hasUnknown(a.value) {
			names = append(names, a.name)
		}
	}
	return names
}

// computedString returns a computed attribute of a data source.
func computedString(description string) datasource.StringAttribute {
	return datasource.StringAttribute{Computed: true, MarkdownDescription: description}
}

// computedTime returns a computed attribute of a data source for a time.
func computedTime(description string) datasource.StringAttribute {
	return datasource.StringAttribute{
		CustomType:          timetypes.RFC3339Type{},
		Computed:            true,
		MarkdownDescription: description,
	}
}

// keptString returns a computed attribute of a resource that keeps its value.
func keptString(description string) resource.StringAttribute {
	return resource.StringAttribute{
		Computed:            true,
		PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		MarkdownDescription: description,
	}
}

// keptTime returns a computed attribute of a resource for a time that keeps its value.
func keptTime(description string) resource.StringAttribute {
	attribute := keptString(description)
	attribute.CustomType = timetypes.RFC3339Type{}
	return attribute
}

// formatTime returns a time as in attributes: RFC 3339 in UTC.
func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// quoteList returns names in quotation marks, separated by commas.
func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, ", ")
}

// containsString reports whether a set has a known element.
func containsString(set types.Set, value types.String) bool {
	return slices.Contains(stringsOf(set), value.ValueString())
}

// optionalComputed returns an attribute of a data source that selects an object, or is completed.
func optionalComputed(description string) datasource.StringAttribute {
	return datasource.StringAttribute{Optional: true, Computed: true, MarkdownDescription: description}
}
