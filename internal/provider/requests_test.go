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
			apply := map[string]int{
				"GET /users": 1, "GET /users/me": 1, "GET /teams": 1, "POST /users": n, "POST /user-tokens": n,
			}
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
			h.oneProcess = true
			h.clock.Stop() // a list must not expire on a slow machine
			h.server.SeedForeign(tc.foreignAccounts, tc.foreignTokens)
			h.connect(h.config)
			h.server.ClearRequests()
			var all []*object
			for i := range n {
				config := values{
					"name": fmt.Sprintf("account %d", i), "role": "Member", "teams": []string{"Data Quality"},
				}
				account, _ := h.apply(h.plan(h.none(accountType), config))
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

// Look-ups of one run share downloads, and see what the run has written.
func TestLookupsShareDownloads(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.Seed(1000, 0)
	accounts := h.server.ServiceAccounts()
	for i := range 150 {
		h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: accounts[i].ID})
	}
	h.connect(h.config)
	h.server.ClearRequests()
	for i := range 40 {
		v, diags := h.look("qualytics_service_account", values{"name": accounts[25*i].Name})
		if diags.errors() != "" || get(v, "id") != fmt.Sprint(accounts[25*i].ID) {
			t.Fatalf("%s: %s", accounts[25*i].Name, diags.errors())
		}
	}
	if n := len(h.server.Requests()); n > 45 {
		t.Errorf("%d requests for 40 data sources by name, want at most 45", n)
	}
	h.server.ClearRequests()
	for i := range 40 {
		if _, diags := h.look("qualytics_service_account",
			values{"user_id": accounts[20*i].UserID}); diags.errors() != "" {
			t.Fatal(diags.errors())
		}
	}
	if n := len(h.server.Requests()); n > 12 {
		t.Errorf("%d requests for 40 data sources by user_id, want at most one download", n)
	}
	h.server.ClearRequests()
	for _, token := range h.server.Tokens() {
		if _, diags := h.imported(importRequest(tokenType, fmt.Sprint(token.ID)), sameRun); diags.errors() != "" {
			t.Fatal(diags.errors())
		}
	}
	if n := len(h.server.Requests()); n > 3 {
		t.Errorf("%d requests to import 150 tokens, want at most 3", n)
	}
	// What this run creates is found.
	p := h.plan(h.none(accountType), values{"name": "Brand new", "role": "Member"})
	h.applied(p)
	for _, by := range []values{{"name": "Brand new"}, {"user_id": "brand_new@service"}} {
		if _, diags := h.look("qualytics_service_account", by); diags.errors() != "" {
			t.Errorf("%v: %s", by, diags.errors())
		}
	}
}
