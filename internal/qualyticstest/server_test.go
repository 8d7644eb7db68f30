// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func serve(t *testing.T, opts qualyticstest.Options) *qualyticstest.Server {
	t.Helper()
	s, err := qualyticstest.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ask sends a request with a bearer token, and returns status and body.
func ask(t *testing.T, s *qualyticstest.Server, bearer, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+s.Profile.Prefix+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// Every documented rule, on every profile. {user} and {token} are replaced by IDs.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, profile := range qualyticstest.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, qualyticstest.Options{Profile: &profile})
			u := s.AddUser(qualyticstest.User{Name: "API Access", Role: "Manager"})
			token := s.AddToken(qualyticstest.Token{Name: "ci", UserID: u.ID})
			put := strings.NewReplacer("{user}", fmt.Sprint(u.ID), "{token}", fmt.Sprint(token.ID), "{long}",
				strings.Repeat("x", 256))
			for _, tc := range []struct {
				name, method, path, body string
				want                     int
				text                     string
			}{
				{"name taken", "POST", "/users", `{"name":"API access","role":"Member"}`, 409, "already exists"},
				{"name empty", "POST", "/users", `{"name":"","role":"Member"}`, 422, `"name"`},
				{"name too long", "POST", "/users", `{"name":"{long}","role":"Member"}`, 422, `"loc"`},
				{"role missing", "POST", "/users", `{"name":"x"}`, 422, `"role"`},
				{"role unknown", "POST", "/users", `{"name":"x","role":"Internal"}`, 422, `"role"`},
				{"wrong type", "POST", "/users", `{"name":5,"role":"Member"}`, 422, `"body"`},
				{"page too large", "GET", "/users?size=101", "", 422, `"size"`},
				{"page zero", "GET", "/users?page=0", "", 422, `"page"`},
				{"unknown query", "GET", "/users?state=1", "", 422, `"state"`},
				{"unknown type", "GET", "/users?type=Robot", "", 422, `"type"`},
				{"no such user", "GET", "/users/9999", "", 404, "User not found"},
				{"invalid ID", "GET", "/users/abc", "", 422, `"id"`},
				{"active tokens", "DELETE", "/users/{user}", "", 400, "active tokens"},
				{"token name taken", "POST", "/user-tokens", `{"name":"ci","user_id":{user}}`, 409, "already exists"},
				{"token for a missing user", "POST", "/user-tokens", `{"name":"x","user_id":9999}`, 404, "not found"},
				{"token for a person", "POST", "/user-tokens", `{"name":"x","user_id":101}`, 400, "not a service user"},
				{
					"lifetime too long", "POST", "/user-tokens", `{"name":"x","user_id":{user},"expires_in_days":366}`,
					422, "365",
				},
				{
					"lifetime zero", "POST", "/user-tokens", `{"name":"x","user_id":{user},"expires_in_days":0}`, 422,
					"365",
				},
				{"owner missing", "POST", "/user-tokens", `{"name":"x"}`, 422, "user_id"},
				{
					"delete before revoke", "DELETE", "/user-tokens/{token}", "", profile.DeleteActiveToken,
					"revoked before",
				},
				{"no such token", "PUT", "/user-tokens/9999", `{"revoke":true}`, 404, "Token not found"},
				{"revoke is not a boolean", "PUT", "/user-tokens/{token}", `{"revoke":"yes"}`, 422, `"revoke"`},
				{"no such team", "GET", "/teams/99", "", 404, "Team not found"},
				{"no such route", "GET", "/nothing", "", 404, "Not Found"},
				{"empty body revokes", "PUT", "/user-tokens/{token}", `{}`, 200, `"active":false`},
				{"restore", "PUT", "/user-tokens/{token}", `{"revoke":false}`, 200, `"active":true`},
			} {
				status, text := ask(t, s, s.AdminToken(), tc.method, put.Replace(tc.path), put.Replace(tc.body))
				if status != tc.want || !strings.Contains(text, tc.text) {
					t.Errorf("%s: %d %s, want %d with %q", tc.name, status, text, tc.want, tc.text)
				}
			}
			bearer := s.Bearer(token.ID)
			for path, want := range map[string]int{
				"/users": 403, "/users/me": 200, "/teams": 200,
				"/user-tokens/service": 403, "/user-tokens": 200,
			} {
				if status, _ := ask(t, s, bearer, "GET", path, ""); status != want {
					t.Errorf("a Manager's GET %s: %d, want %d", path, status, want)
				}
			}
			for _, bad := range []string{"", "nonsense", bearer[:len(bearer)-2], "a.b.c"} {
				if status, _ := ask(t, s, bad, "GET", "/users/me", ""); status != 401 {
					t.Errorf("the token %q gets %d", bad, status)
				}
			}
			scim := s.Bearer(s.AddToken(qualyticstest.Token{Name: "scim", UserID: u.ID, SCIMOnly: true}).ID)
			if status, _ := ask(t, s, scim, "GET", "/users/me", ""); status != profile.SCIMOnlyStatus {
				t.Errorf("a SCIM-only token gets %d", status)
			}
			if status, _ := ask(t, s, scim, "GET", "/scim/v2/Users", ""); status != 200 {
				t.Errorf("a SCIM-only token gets %d from SCIM", status)
			}
			until := s.Clock.Now().Add(time.Hour)
			short := s.AddToken(qualyticstest.Token{Name: "short", UserID: u.ID, Expiration: &until})
			s.Clock.Advance(time.Hour)
			if status, _ := ask(t, s, s.Bearer(short.ID), "GET", "/users/me", ""); status != 401 {
				t.Errorf("an expired token gets %d", status)
			}
			if s.Bearer(9999) != "" {
				t.Error("a token that does not exist has a secret")
			}
		})
	}
}

func TestMediaTypeAndWebApp(t *testing.T) {
	t.Parallel()
	s := serve(t, qualyticstest.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/users", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.AdminToken())
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Fatalf("without a media type: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	outside, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/users", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	page, err := http.DefaultClient.Do(outside)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = page.Body.Close() }()
	if text, _ := io.ReadAll(page.Body); page.StatusCode != http.StatusOK || !strings.Contains(string(text), "<html>") {
		t.Errorf("outside the API: %d %s", page.StatusCode, text)
	}
}

func TestDifferencesBetweenProfiles(t *testing.T) {
	t.Parallel()
	shape := map[string][3]string{ // teams, creation time, name of the total
		"2026-09": {
			"map[string]interface {}",
			"created",
			"total",
		},
		"docs-2026-04": {"string", "created_at", "total_count"},
		"seed-2025-11": {"string", "", "total"},
	}
	for _, profile := range qualyticstest.Profiles() {
		s := serve(t, qualyticstest.Options{Profile: &profile})
		status, text := ask(t, s, s.AdminToken(), "POST", "/users",
			`{"name":"API Access","role":"Member","teams":["Data Quality"]}`)
		var user map[string]any
		if err := json.Unmarshal([]byte(text), &user); err != nil || status != profile.CreateStatus {
			t.Fatalf("%s: %d %s", profile.Name, status, text)
		}
		want := shape[profile.Name]
		teams, _ := user["teams"].([]any)
		if len(teams) != 2 || fmt.Sprintf("%T", teams[0]) != want[0] {
			t.Errorf("%s: teams %v", profile.Name, teams)
		}
		for _, field := range []string{"created", "created_at"} {
			if _, ok := user[field]; ok != (field == want[1]) {
				t.Errorf("%s: has %s: %t", profile.Name, field, ok)
			}
		}
		if _, text := ask(t, s, s.AdminToken(), "GET", "/users", ""); !strings.Contains(text,
			fmt.Sprintf(`"%s":`, want[2])) {
			t.Errorf("%s: page without %s: %s", profile.Name, want[2], text)
		}
	}
	if _, ok := qualyticstest.ProfileNamed("2026-09"); !ok {
		t.Error("the newest profile is not found by name")
	}
	if _, ok := qualyticstest.ProfileNamed("1999"); ok {
		t.Error("a profile that does not exist is found")
	}
}

func TestFaultsAndLog(t *testing.T) {
	t.Parallel()
	s := serve(t, qualyticstest.Options{Latency: time.Millisecond})
	get := func() int { status, _ := ask(t, s, s.AdminToken(), "GET", "/users/me", ""); return status }
	s.Fail(qualyticstest.Fault{Method: "GET", Path: "/users/*", Skip: 1, Times: 2, Status: 418})
	s.Fail(qualyticstest.JSON(451, "{}").On("DELETE", ""))
	for i, want := range []int{200, 418, 418, 200} {
		if got := get(); got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
	for _, kind := range []qualyticstest.FaultKind{qualyticstest.CloseBefore, qualyticstest.CloseAfter} {
		s.Fail(qualyticstest.Fault{Kind: kind})
		_, text := ask(t, s, s.AdminToken(), "POST", "/users", fmt.Sprintf(`{"name":"x%d","role":"Member"}`, kind))
		if !strings.Contains(text, "EOF") {
			t.Errorf("kind %d: %s", kind, text)
		}
	}
	if n := len(s.ServiceAccounts()); n != 1 {
		t.Errorf("%d accounts, want the one whose response was lost after the work", n)
	}
	s.Fail(qualyticstest.Fault{Kind: qualyticstest.Replace, Status: 502})
	if status, _ := ask(t, s, s.AdminToken(), "POST", "/users", `{"name":"y","role":"Member"}`); status != 502 ||
		len(s.ServiceAccounts()) != 2 {
		t.Errorf("a replaced response: %d, %d accounts", status, len(s.ServiceAccounts()))
	}
	s.Fail(qualyticstest.HTML(503).Repeat(qualyticstest.Forever))
	if first, second := get(), get(); first != 503 || second != 503 {
		t.Error("a fault with Forever ended")
	}
	s.Heal()
	if get() != 200 {
		t.Error("the server is not healed")
	}
	if got := s.Writes(); len(got) != 3 || got[0] != "POST /users" {
		t.Errorf("writes %v", got)
	}
	s.ClearRequests()
	if len(s.Requests()) != 0 {
		t.Error("the log is not empty")
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, qualyticstest.Options{Rate: 1, Burst: 5})
	limited, begin := 0, time.Now()
	for range 20 {
		if status, _ := ask(t, s, s.AdminToken(), "GET", "/users/me", ""); status == http.StatusTooManyRequests {
			limited++
		}
	}
	const most = 14 // the burst of 5, one of the second, and the rest is refused
	if refilled := int(time.Since(begin).Seconds()) + 1; limited > most || limited < most-refilled {
		t.Errorf("%d of 20 requests were refused at 1 a second with a burst of 5", limited)
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	s := serve(t, qualyticstest.Options{})
	s.Seed(3, 2)
	if a, n := len(s.ServiceAccounts()), len(s.Tokens()); a != 3 || n != 6 {
		t.Errorf("%d accounts, %d tokens", a, n)
	}
}
