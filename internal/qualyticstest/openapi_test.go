// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import "testing"

// The schemas of a profile describe the fields of its responses, and exist.
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
			for _, o := range s.operations {
				for _, schema := range []string{o.body, o.response} {
					if schema != "" && schemas[schema] == nil {
						t.Errorf("%s refers to %s, which does not exist", o.pattern, schema)
					}
				}
			}
		})
	}
}
