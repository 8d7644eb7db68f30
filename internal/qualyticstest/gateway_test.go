// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// ingresses returns a profile behind each kind of ingress.
func ingresses() map[string]qualyticstest.Profile {
	p := qualyticstest.Build202609()
	return map[string]qualyticstest.Profile{"nginx": p, "envoy": p.BehindEnvoy()}
}

// send sends a request of a client at an address to the server, without a connection. A
// closed connection has the status 0.
func send(t *testing.T, s *qualyticstest.Server, client, method, path, body string) (w *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, s.URL+"/api"+path, strings.NewReader(body))
	r.RemoteAddr = client + ":1"
	r.Header.Set("Authorization", "Bearer "+s.AdminToken())
	r.Header.Set("Content-Type", "application/json")
	w = httptest.NewRecorder()
	defer func() {
		if recover() != nil { // with http.ErrAbortHandler
			w.Code = 0
		}
	}()
	s.ServeHTTP(w, r)
	return w
}

// The responses of an ingress itself.
func TestIngressResponses(t *testing.T) {
	t.Parallel()
	const text, html = "text/plain", "text/html; charset=utf-8"
	large := `{"name":"` + strings.Repeat("x", 1<<20) + `","role":"Member"}`
	for kind, want := range map[string]struct {
		redirect, large, lost, starting int
		media                           string
	}{
		"nginx": {308, 413, 502, 503, html},
		"envoy": {301, 422, 503, 503, text},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			profile := ingresses()[kind]
			s := serve(t, qualyticstest.Options{Profile: &profile})
			s.Clock.Stop()
			check := func(name string, w *httptest.ResponseRecorder, status int, media string) {
				t.Helper()
				if w.Code != status || media != "" && w.Header().Get("Content-Type") != media {
					t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
				}
				if w.Header().Get("Retry-After") != "" {
					t.Errorf("%s: it sends Retry-After", name)
				}
			}
			check("large body", send(t, s, "192.0.2.1", "POST", "/users", large), want.large, "")
			s.Fail(qualyticstest.Fault{Kind: qualyticstest.CloseBefore, Upstream: true, Times: 9})
			check("lost connection", send(t, s, "192.0.2.1", "GET", "/users/me", ""), want.lost, want.media)
			s.Heal()
			s.Upgrade(time.Second, time.Second)
			if w := send(t, s, "192.0.2.1", "GET", "/users/me", ""); w.Code != 0 {
				t.Errorf("during an upgrade: %d", w.Code)
			}
			s.Clock.Advance(time.Second)
			check("starting", send(t, s, "192.0.2.1", "GET", "/users/me", ""), want.starting, want.media)
			s.Clock.Advance(time.Second)
			check("started", send(t, s, "192.0.2.1", "GET", "/users/me", ""), 200, "application/json")
			s.EditProfile(func(p *qualyticstest.Profile) { p.RequireHTTPS = true })
			w := send(t, s, "192.0.2.3", "POST", "/users?a=b", "{}")
			check("http", w, want.redirect, "")
			if got := w.Header().Get("Location"); got != "https"+strings.TrimPrefix(s.URL, "http")+"/api/users?a=b" {
				t.Errorf("it redirects to %q", got)
			}
		})
	}
}

// nginx limits each client, and Envoy all of them together.
func TestIngressRateLimit(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct {
		other int
		media string
	}{
		"nginx": {200, "text/html; charset=utf-8"},
		"envoy": {429, "text/plain"},
	} {
		profile := ingresses()[kind]
		for { // again if so much time passes that a request is allowed
			begin := time.Now()
			s := serve(t, qualyticstest.Options{Profile: &profile, Rate: 1})
			first := send(t, s, "192.0.2.1", "GET", "/users/me", "")
			same := send(t, s, "192.0.2.1", "GET", "/users/me", "")
			other := send(t, s, "192.0.2.2", "GET", "/users/me", "")
			if time.Since(begin) > time.Second {
				continue
			}
			if first.Code != 200 || same.Code != 429 || other.Code != want.other {
				t.Errorf("%s: %d, %d, %d", kind, first.Code, same.Code, other.Code)
			}
			if h := same.Header(); h.Get("Content-Type") != want.media || h.Get("Retry-After") != "" {
				t.Errorf("%s: 429 has %v", kind, h)
			}
			break
		}
	}
}

// What an ingress repeats. A POST that arrives twice finds the name in use, and a DELETE
// finds nothing.
func TestIngressTries(t *testing.T) {
	t.Parallel()
	unavailable := qualyticstest.JSON(http.StatusServiceUnavailable, "{}")
	fault := func(kind qualyticstest.FaultKind, times int) qualyticstest.Fault {
		return qualyticstest.Fault{Kind: kind, Times: times, Upstream: true}
	}
	upstream := func(f qualyticstest.Fault) qualyticstest.Fault { f.Upstream = true; return f }
	for _, tc := range []struct {
		name         string
		fault        qualyticstest.Fault
		method       string
		nginx, envoy int
	}{
		{"not sent", fault(qualyticstest.CloseBefore, 1), "POST", 502, 200},
		{"response lost", fault(qualyticstest.CloseAfter, 1), "POST", 502, 409},
		{"503", upstream(unavailable), "POST", 503, 200},
		{"503 after the work", upstream(afterWork(unavailable)), "POST", 503, 409},
		{"502", upstream(qualyticstest.JSON(502, "{}")), "POST", 502, 502},
		{"cut in the middle", fault(qualyticstest.Truncate, 1), "POST", 0, 0},
		{"response lost", fault(qualyticstest.CloseAfter, 1), "DELETE", 404, 404},
		{"not sent twice", fault(qualyticstest.CloseBefore, 2), "DELETE", 204, 204},
		{"not sent three times", fault(qualyticstest.CloseBefore, 3), "DELETE", 502, 204},
		{"never sent", fault(qualyticstest.CloseBefore, 4), "DELETE", 502, 503},
		{"503 three times", upstream(unavailable.Repeat(3)), "DELETE", 503, 204},
		{"not between them", qualyticstest.Fault{Kind: qualyticstest.CloseBefore}, "DELETE", 0, 0},
	} {
		for kind, want := range map[string]int{"nginx": tc.nginx, "envoy": tc.envoy} {
			t.Run(fmt.Sprintf("%s/%s %s", kind, tc.method, tc.name), func(t *testing.T) {
				t.Parallel()
				profile := ingresses()[kind]
				s := serve(t, qualyticstest.Options{Profile: &profile})
				u := s.AddUser(qualyticstest.User{Name: "API Access", Role: "Member"})
				token := s.AddToken(qualyticstest.Token{Name: "old", UserID: u.ID})
				s.EditToken(token.ID, func(t *qualyticstest.Token) { t.Active = false })
				s.Fail(tc.fault)
				path, body := fmt.Sprintf("/user-tokens/%d", token.ID), ""
				if tc.method == http.MethodPost {
					path, body = "/user-tokens", fmt.Sprintf(`{"name":"new","user_id":%d}`, u.ID)
				}
				if w := send(t, s, "192.0.2.1", tc.method, path, body); w.Code != want {
					t.Errorf("%d %s, want %d", w.Code, w.Body, want)
				}
				if n := len(s.Requests()); n != 1 {
					t.Errorf("the client's log has %d requests", n)
				}
			})
		}
	}
}

func afterWork(f qualyticstest.Fault) qualyticstest.Fault {
	f.Kind = qualyticstest.Replace
	return f
}

// An upgrade as clients see it: the response to a request in progress is lost, connections
// are refused, and the same address serves again.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for kind, profile := range ingresses() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := serve(t, qualyticstest.Options{Profile: &profile})
			s.Clock.Stop()
			get := func() (int, string) { return ask(t, s, s.AdminToken(), "GET", "/users/me", "") }
			if status, text := get(); status != 200 {
				t.Fatalf("before: %d %s", status, text)
			}
			s.Fail(qualyticstest.Fault{
				Kind: qualyticstest.Delay, Do: func() { s.Upgrade(17*time.Second, 5*time.Second) },
			})
			status, text := ask(t, s, s.AdminToken(), "POST", "/users", `{"name":"x","role":"Member"}`)
			if status != 0 || len(s.ServiceAccounts()) != 1 {
				t.Errorf("in progress: %d %s, accounts %v", status, text, s.ServiceAccounts())
			}
			for _, step := range []struct {
				wait   time.Duration
				status int
				text   string
			}{
				{0, 0, "connection refused"},
				{16 * time.Second, 0, "connection refused"},
				{time.Second, 503, ""},
				{4 * time.Second, 503, ""},
				{time.Second, 200, "Ada"},
			} {
				s.Clock.Advance(step.wait)
				if status, text := get(); status != step.status || !strings.Contains(text, step.text) {
					t.Errorf("after %v: %d %s, want %d with %q", step.wait, status, text, step.status, step.text)
				}
			}
		})
	}
}

// A clock that is not moved ends an upgrade as well, and a closed server stays closed.
func TestUpgradeInRealTime(t *testing.T) {
	t.Parallel()
	s := serve(t, qualyticstest.Options{})
	s.Upgrade(20*time.Millisecond, 0)
	deadline := time.Now().Add(10 * time.Second)
	for status := 0; status != http.StatusOK; status, _ = ask(t, s, s.AdminToken(), "GET", "/users/me", "") {
		if time.Now().After(deadline) {
			t.Fatal("it does not serve again")
		}
	}
	s.Upgrade(time.Second, 0)
	s.Close()
	s.Clock.Advance(time.Second)
	if status, text := ask(t, s, s.AdminToken(), "GET", "/users/me", ""); status != 0 {
		t.Errorf("closed, it responds %d %s", status, text)
	}
}

func TestProfileBehindEnvoy(t *testing.T) {
	t.Parallel()
	p, ok := qualyticstest.ProfileNamed("docs-2026-04-envoy")
	if !ok || p.Ingress != qualyticstest.Envoy || p.CreateStatus != 201 || p.Name != "docs-2026-04-envoy" {
		t.Errorf("%t, %+v", ok, p)
	}
}
