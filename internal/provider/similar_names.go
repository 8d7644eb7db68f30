// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// nearestText returns a sentence with the existing names most similar to name, or
// "" if there are none.
func nearestText(name string, existing []string) string {
	if similar := nearest(name, existing); len(similar) > 0 {
		return " The nearest existing names are " + quoteList(similar) + "."
	}
	return ""
}

// nearest returns at most three existing names similar to name, best first.
func nearest(name string, existing []string) []string {
	const most = 3
	distance := func(other string) int {
		return levenshtein.Distance(strings.ToLower(name), strings.ToLower(other), nil)
	}
	similar := slices.DeleteFunc(slices.Clone(existing), func(other string) bool {
		return isPublic(other) || distance(other) > max(len(name), len(other))*2/3
	})
	slices.SortFunc(similar,
		func(a, b string) int { return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(a, b)) })
	return similar[:min(most, len(similar))]
}
