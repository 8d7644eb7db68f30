// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// query lists like "terraform query": it stops at the limit.
func (h *harness) query(kind string, config values, limit int64) ([]tfprotov6.ListResourceResult, diagnostics) {
	h.t.Helper()
	schema := h.schemas.ListResourceSchemas[kind]
	server, ok := h.p.(tfprotov6.ListResourceServer)
	if !ok {
		h.t.Fatal("the server lists nothing")
	}
	dv := h.dynamic(schema.ValueType(), h.value(schema, config))
	valid, err := server.ValidateListResourceConfig(h.ctx,
		&tfprotov6.ValidateListResourceConfigRequest{TypeName: kind, Config: dv})
	if err != nil {
		h.t.Fatal(err)
	}
	if diags := diagnostics(valid.Diagnostics); diags.errors() != "" {
		return nil, diags
	}
	stream, err := server.ListResource(h.ctx,
		&tfprotov6.ListResourceRequest{TypeName: kind, Config: dv, IncludeResource: true, Limit: limit})
	if err != nil {
		h.t.Fatal(err)
	}
	var results []tfprotov6.ListResourceResult
	var diags diagnostics
	for r := range stream.Results {
		diags = append(diags, r.Diagnostics...)
		if r.Identity != nil {
			results = append(results, r)
		}
		if int64(len(results)) == limit {
			break
		}
	}
	return results, diags
}

func displayed(results []tfprotov6.ListResourceResult) []string {
	out := []string{}
	for _, r := range results {
		out = append(out, r.DisplayName)
	}
	return out
}

// A query lists the accounts that match, with the values that an import reads.
func TestListAccounts(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "API Access", Role: "Admin", Teams: []string{"Data Quality"}})
		h.server.AddUser(qualyticstest.User{Name: "dbt"})
		now := h.server.Clock.Now()
		h.server.AddUser(qualyticstest.User{Name: "Dead", Deleted: &now})
		for _, tc := range []struct {
			config values
			want   []string
		}{
			{values{}, []string{"API Access (api_access@service)", "dbt (dbt@service)"}},
			{values{"name": "api"}, []string{"API Access (api_access@service)"}},
			{values{"role": "Member"}, []string{"dbt (dbt@service)"}},
			{values{"team": "data quality"}, []string{"API Access (api_access@service)"}},
			{values{"team": "Public", "role": "Admin"}, []string{"API Access (api_access@service)"}},
			{values{"team": "Nowhere"}, []string{}},
		} {
			results, diags := h.query(accountType, tc.config, 100)
			if got := displayed(results); !slices.Equal(got, tc.want) || diags.errors() != "" {
				t.Errorf("%v: %v %s, want %v", tc.config, got, diags.errors(), tc.want)
			} else if len(got) == 0 {
				wantText(t, diags.warnings(), "Query found nothing", h.server.URL)
			}
		}
		// What the list shows is what an import of it reads.
		results, _ := h.query(accountType, values{"name": "api"}, 1)
		loaded := h.loadedByIdentity(accountType, fmt.Sprint(u.ID))
		if listed := h.read(accountType, results[0].Resource); !listed.Equal(loaded.state) {
			t.Errorf("listed and imported differ: %s", difference(listed, loaded.state))
		}
		_, diags := h.query(accountType, values{"role": "Boss"}, 1)
		wantText(t, diags.errors(), `"Admin"`)
	})
}

// Pages are requested when they are needed, and an error follows the items of the
// pages before it.
func TestListPages(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.Seed(250, 0)
	for limit, requests := range map[int64]int{1: 1, 99: 1, 100: 1, 101: 2, 200: 2, 1000: 3} {
		h.server.ClearRequests()
		results, diags := h.query(accountType, values{}, limit)
		if want := min(int(limit), 250); len(results) != want || len(h.server.Requests()) != requests ||
			diags.errors() != "" {
			t.Errorf("limit %d: %d results with %d requests, want %d with %d %s", limit, len(results),
				len(h.server.Requests()), want, requests, diags.errors())
		}
	}
	h.server.Fail(qualyticstest.Fault{Path: "/users", Skip: 2, Times: qualyticstest.Forever, Status: 500})
	results, diags := h.query(accountType, values{}, 1000)
	wantText(t, diags.errors(), "Unable to list", "500")
	if len(results) != 200 {
		t.Errorf("%d results before the error, want 200", len(results))
	}
}

// A query lists the tokens that match, with the values that an import reads.
func TestListTokens(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "API Access"})
		other := h.server.AddUser(qualyticstest.User{Name: "dbt"})
		until := h.server.Clock.Now().Add(30 * day)
		soon := h.server.Clock.Now().Add(time.Hour)
		lasting := h.server.AddToken(qualyticstest.Token{Name: "api-production", UserID: u.ID, Expiration: &until})
		h.server.AddToken(qualyticstest.Token{Name: "eternal", UserID: other.ID})
		h.server.AddToken(qualyticstest.Token{Name: "over", UserID: other.ID, Expiration: &soon})
		gone := h.server.AddToken(qualyticstest.Token{Name: "gone", UserID: other.ID})
		h.revoke(gone.ID)
		h.clock.Advance(2 * time.Hour)
		expires := "api-production of API Access, expires " + until.Format(time.DateOnly)
		for _, tc := range []struct {
			config values
			want   []string
		}{
			{values{}, []string{expires, "eternal of dbt, never expires"}},
			{values{"status": "expired"}, []string{"over of dbt, expired " + soon.Format(time.DateOnly)}},
			{values{"status": "revoked"}, []string{"gone of dbt, revoked"}},
			{values{"service_account_id": fmt.Sprint(u.ID)}, []string{expires}},
		} {
			results, diags := h.query(tokenType, tc.config, 100)
			if got := displayed(results); !slices.Equal(got, tc.want) || diags.errors() != "" {
				t.Errorf("%v: %v %s, want %v", tc.config, got, diags.errors(), tc.want)
			} else if len(got) == 0 {
				wantText(t, diags.warnings(), "Query found nothing", h.server.URL)
			}
		}
		results, _ := h.query(tokenType, values{}, 1)
		loaded, _ := h.loadByIdentity(tokenType, fmt.Sprint(lasting.ID))
		if listed := h.read(tokenType, results[0].Resource); len(results) != 1 || !listed.Equal(loaded.state) {
			t.Errorf("listed and imported differ: %s", difference(listed, loaded.state))
		}
		h.connect(h.config) // else the list is cached
		h.server.Fail(qualyticstest.HTML(500).Repeat(qualyticstest.Forever))
		_, diags := h.query(tokenType, values{}, 1)
		wantText(t, diags.errors(), "Unable to list")
	})
}

// Names with control and bidirectional characters cannot disguise the output of
// "terraform query".
func TestDisplayNamesArePrintable(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.server.AddUser(qualyticstest.User{Name: "a\x1b[31m\u202eb\nc"})
		h.server.AddToken(qualyticstest.Token{Name: "t\x07\u2066x", UserID: owner.ID})
		for _, kind := range []string{accountType, tokenType} {
			results, diags := h.query(kind, values{}, 100)
			if diags.errors() != "" || len(results) != 1 {
				t.Fatalf("%d results, %s", len(results), diags.errors())
			}
			name := results[0].DisplayName
			hidden := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
			if strings.ContainsFunc(name, hidden) {
				t.Errorf("%s: display name %q", kind, name)
			}
		}
	})
}
