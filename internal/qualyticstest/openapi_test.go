// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"slices"
	"strings"
	"testing"
)

// The OpenAPI document of a profile describes exactly its routes, and the schemas the
// fields of its responses.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	for _, profile := range append(Profiles(), Strange()) {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			s, err := NewServer(Options{Profile: &profile})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			var documented []string
			for _, o := range s.operations() {
				documented = append(documented, o.pattern)
			}
			routed := slices.DeleteFunc(slices.Clone(s.patterns),
				func(p string) bool { return strings.Contains(p, "/scim/") })
			slices.Sort(documented)
			slices.Sort(routed)
			if !slices.Equal(documented, routed) {
				t.Errorf("documented %q, routed %q", documented, routed)
			}
			schemas := s.schemas()
			u := s.newUser(User{Name: "x", Role: profile.Roles[0]})
			token := s.newToken(Token{Name: "ci", UserID: u.ID})
			for name, response := range map[string]map[string]any{
				"User": s.userResponse(u, false), "UserToken": s.tokenResponse(token),
			} {
				properties := schemas[name].(map[string]any)["properties"].(map[string]any)
				for field := range properties {
					if _, ok := response[field]; !ok {
						t.Errorf("%s.%s is documented and not returned", name, field)
					}
				}
			}
			for _, o := range s.operations() {
				for _, schema := range []string{o.body, o.response} {
					if schema != "" && schemas[schema] == nil {
						t.Errorf("%s refers to %s, which does not exist", o.pattern, schema)
					}
				}
			}
		})
	}
}
