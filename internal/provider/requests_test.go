// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// routes returns the number of requests by route since the log was cleared.
func (h *harness) routes() map[string]int {
	out := map[string]int{}
	for _, r := range h.server.Requests() {
		out[r.Method+" "+regexp.MustCompile(`/[0-9]+`).ReplaceAllString(r.Path, "/{id}")]++
	}
	h.server.ClearRequests()
	return out
}

// The exact number of requests of each operation.
func TestRequestsOfEachOperation(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name                           string
		managed                        int
		foreignAccounts, foreignTokens int
		refresh                        map[string]int // the others follow from the number of objects
	}{
		{"300 and 300", 300, 0, 0, map[string]int{
			"GET /users/{id}": 3, "GET /users": 3,
			"GET /user-tokens/service": 1,
		}},
		{"2,000 and 2,000", 2000, 0, 0, map[string]int{
			"GET /users/{id}": 20, "GET /users": 20,
			"GET /user-tokens/service": 1,
		}},
		{"20 and 20 among 20,000 and 50,000", 20, 20_000, 50_000, map[string]int{
			"GET /users/{id}": 20,
			"GET /users":      1, "GET /user-tokens/service": 1,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := tc.managed
			// One page of all accounts is sufficient for all new names; in a large deployment,
			// another request for a word that they share.
			apply := map[string]int{"GET /users": 1, "GET /users/me": 1, "POST /users": n, "POST /user-tokens": n}
			if tc.foreignAccounts > 1000 {
				apply["GET /users"] = 2
			}
			destroy := map[string]int{
				"GET /users/me":            1,
				"GET /user-tokens/service": 1, // are the tokens in use?
				"PUT /user-tokens/{id}":    n,
				"DELETE /user-tokens/{id}": n,
				"DELETE /users/{id}":       n,
			}
			h := newHarness(t, qualyticstest.Build202609())
			h.clock.Stop() // a list must not expire on a slow machine
			h.server.SeedForeign(tc.foreignAccounts, tc.foreignTokens)
			h.connect(h.config)
			h.server.ClearRequests()
			var all []*object
			for i := range n {
				account, config := h.none(accountType), values{"name": fmt.Sprintf("account %d", i), "role": "Member"}
				account, _ = h.apply(h.plan(account, config))
				token, _ := h.apply(h.plan(h.none(tokenType),
					values{"service_account_id": get(account.state, "id"), "name": "ci", "expires_in_days": 90}))
				all = append(all, account, token)
			}
			if diff := cmp.Diff(apply, h.routes()); diff != "" {
				t.Errorf("apply, want -, got +:\n%s", diff)
			}
			h.connect(h.config)
			for _, o := range all {
				if diags := h.reread(o); len(diags) > 0 {
					t.Fatal(diags.errors(), diags.warnings())
				}
			}
			if diff := cmp.Diff(tc.refresh, h.routes()); diff != "" {
				t.Errorf("refresh, want -, got +:\n%s", diff)
			}
			h.connect(h.config)
			for i := len(all) - 1; i >= 0; i-- { // tokens first
				if _, diags := h.apply(h.plan(all[i], nil)); len(diags) > 0 {
					t.Fatal(diags.errors(), diags.warnings())
				}
			}
			if diff := cmp.Diff(destroy, h.routes()); diff != "" {
				t.Errorf("destroy, want -, got +:\n%s", diff)
			}
		})
	}
}
