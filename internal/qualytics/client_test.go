// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// recordedWaits records the waits of a client, without waiting.
type recordedWaits struct {
	mu   sync.Mutex
	all  []time.Duration
	logs []string
}

func (w *recordedWaits) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d >= firstBackoff/2 { // shorter waits limit the rate after a 429
		w.all = append(w.all, d)
	}
	return ctx.Err()
}

func (w *recordedWaits) log(_ context.Context, message string, fields map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = append(w.logs, fmt.Sprint(message, fields))
}

func newServer(t *testing.T, profile qualyticstest.Profile) *qualyticstest.Server {
	t.Helper()
	s, err := qualyticstest.NewServer(qualyticstest.Options{Profile: &profile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// newClient returns a client for s whose waits are recorded and have no random
// part.
func newClient(t *testing.T, s *qualyticstest.Server, edit func(*Config)) (*Client, *recordedWaits) {
	t.Helper()
	w := &recordedWaits{}
	cfg := Config{
		URL:        s.URL,
		APIPath:    s.APIPath(),
		Token:      Secret(s.AdminToken()),
		MaxRetries: DefaultMaxRetries,
		UserAgent:  "test/1",
		Now:        s.Clock.Now,
		Sleep:      w.sleep,
		Jitter:     func() float64 { return 1 },
		Log:        w.log,
	}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v (%T), want a *qualytics.Error", err, err)
	}
	return e
}

// Each call works with each build, and its errors are told apart.
func TestEveryCallOnEveryProfile(t *testing.T) {
	t.Parallel()
	for _, profile := range qualyticstest.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, profile)
			c, _ := newClient(t, s, func(cfg *Config) { cfg.Headers = map[string]Secret{"X-Gateway": "key"} })
			ctx := t.Context()
			user, err := c.CreateServiceAccount(ctx,
				ServiceAccountCreate{Name: "API Access", Role: RoleMember, Teams: []string{"Data Quality"}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"Public", "Data Quality"},
				user.Teams); diff != "" || user.UserID != "api_access@service" ||
				user.Role != RoleMember {
				t.Errorf("created %+v", user)
			}
			if _, err := c.CreateServiceAccount(ctx,
				ServiceAccountCreate{Name: "api access", Role: RoleMember}); !IsConflict(err) {
				t.Errorf("name in use: got %v, want a conflict", err)
			}
			if _, err := c.CreateServiceAccount(ctx, ServiceAccountCreate{Name: "x", Role: "Owner"}); !IsInvalid(err) ||
				!contains(err.Error(), "role: ") {
				t.Errorf("invalid role: got %v, want a 422 that names the role", err)
			}
			if _, err := c.UpdateServiceAccount(ctx, user.ID, ServiceAccountUpdate{Role: RoleManager}); err != nil {
				t.Error(err)
			}
			if got, err := c.User(ctx, user.ID); err != nil || got.Role != RoleManager ||
				!slices.Equal(got.Teams, []string{"Public"}) {
				t.Errorf("after the update: %+v, %v", got, err)
			}
			days := int64(30)
			token, err := c.CreateServiceToken(ctx, TokenCreate{Name: "ci", UserID: user.ID, ExpiresInDays: &days},
				false)
			if err != nil {
				t.Fatal(err)
			}
			as, _ := newClient(t, s, func(cfg *Config) { cfg.Token = token.Bearer })
			if me, err := as.CurrentUser(ctx); err != nil || me.ID != user.ID {
				t.Errorf("the owner of the new token is %+v, %v", me, err)
			}
			if _, err := as.ServiceTokens(ctx); asError(t, err).Status != http.StatusForbidden {
				t.Errorf("a Manager lists tokens: %v", err)
			}
			if teams, err := as.Teams(ctx); err != nil || len(teams) != 3 {
				t.Errorf("teams: %v, %v", teams, err)
			}
			if own, err := as.OwnTokens(ctx); err != nil || len(own) != 1 || own[0].ID != token.ID {
				t.Errorf("own tokens: %v, %v", own, err)
			}
			if err := c.DeactivateServiceAccount(ctx, user.ID); !IsBadRequest(err) {
				t.Errorf("deactivated with an active token: %v", err)
			}
			if err := c.DeleteToken(ctx, token.ID); !IsRefused(err) {
				t.Errorf("deleted an active token: %v", err)
			}
			if revoked, err := c.SetTokenRevoked(ctx, token.ID, true); err != nil || revoked.Active {
				t.Errorf("revoked: %+v, %v", revoked, err)
			}
			if err := c.RevokeToken(ctx, token.ID); err != nil {
				t.Errorf("revoked twice: %v", err)
			}
			if _, err := as.CurrentUser(ctx); asError(t, err).Status != http.StatusUnauthorized {
				t.Errorf("a revoked token works: %v", err)
			}
			if got, found, err := c.FindServiceToken(ctx, token.ID); err != nil || !found || got.Active ||
				got.Expiration == nil {
				t.Errorf("found %+v, %t, %v", got, found, err)
			}
			for range 2 { // the second time it does not exist any more
				if err := c.RevokeAndDeleteToken(ctx, token.ID); err != nil {
					t.Error(err)
				}
			}
			if _, found, err := c.FindServiceToken(ctx, token.ID); err != nil || found {
				t.Errorf("the deleted token is found: %v", err)
			}
			if err := c.DeactivateServiceAccount(ctx, user.ID); err != nil {
				t.Error(err)
			}
			if got, err := c.User(ctx, user.ID); !IsNotFound(err) && (err != nil || !got.Deactivated()) {
				t.Errorf("deactivated: %+v, %v", got, err)
			}
			for _, r := range s.Requests() {
				if r.Header.Get("Authorization") == "" ||
					(r.Header.Get("X-Gateway") != "key" && !contains(r.Header.Get("Authorization"),
						string(token.Bearer))) ||
					r.Header.Get("User-Agent") != "test/1" {
					t.Errorf("%s was sent without a header: %v", r, r.Header)
				}
			}
		})
	}
}

// Lists are complete, whatever their size, with one request per page.
func TestListsAreComplete(t *testing.T) {
	t.Parallel()
	for _, profile := range qualyticstest.Profiles() {
		for _, n := range []int{0, 1, 100, 101, 250} {
			t.Run(fmt.Sprint(profile.Name, " ", n), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, profile)
				s.Seed(n, 1)
				c, _ := newClient(t, s, nil)
				users, err := c.ServiceAccounts(t.Context(), UserFilter{})
				if err != nil || len(users) != n {
					t.Errorf("%d accounts, %v, want %d", len(users), err, n)
				}
				if want := max(1, (n+99)/100); len(s.Requests()) != want {
					t.Errorf("%d requests, want %d", len(s.Requests()), want)
				}
				tokens, err := c.ServiceTokens(t.Context())
				if err != nil || len(tokens) != n {
					t.Errorf("%d tokens, %v, want %d", len(tokens), err, n)
				}
			})
		}
	}
}

// Some deployments may return the list of tokens in pages, although none are documented.
func TestTokensInPages(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 50, 51, 130} {
		s := newServer(t, qualyticstest.Build202609())
		s.EditProfile(func(p *qualyticstest.Profile) { p.TokenPages = true })
		s.Seed(n, 1)
		c, _ := newClient(t, s, nil)
		tokens, err := c.ServiceTokens(t.Context())
		if err != nil || len(tokens) != n {
			t.Errorf("%d tokens, %v, want %d", len(tokens), err, n)
		}
		if want := max(1, (n+49)/50); len(s.Requests()) != want {
			t.Errorf("%d requests for %d tokens, want %d", len(s.Requests()), n, want)
		}
	}
}

// A list with fewer tokens than its total is an error.
func TestIncompleteTokenList(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	s.Fail(
		qualyticstest.JSON(200, `{"items": [{"id": 7}], "total": 2}`).
			On(http.MethodGet, "/user-tokens/service").
			Repeat(qualyticstest.Forever),
	)
	c, _ := newClient(t, s, nil)
	tokens, err := c.ServiceTokens(t.Context())
	if err == nil || !contains(err.Error(), "reports 2 entries and has 1") {
		t.Errorf("got %v and the error %v", tokens, err)
	}
}

// Which requests are repeated.
func TestRetries(t *testing.T) {
	t.Parallel()
	get := func(ctx context.Context, c *Client) error { _, err := c.CurrentUser(ctx); return err }
	post := func(ctx context.Context, c *Client) error {
		_, err := c.postServiceAccount(ctx, ServiceAccountCreate{Name: "x", Role: RoleMember})
		return err
	}
	put := func(ctx context.Context, c *Client) error {
		_, err := c.SetTokenRevoked(ctx, 999, true)
		return err
	}
	remove := func(ctx context.Context, c *Client) error { return c.DeleteToken(ctx, 999) }
	status := func(code int, header ...string) qualyticstest.Fault {
		f := qualyticstest.HTML(code)
		if len(header) > 0 {
			f.Header = f.Header.Clone()
			f.Header.Set("Retry-After", header[0])
		}
		return f
	}
	closed := qualyticstest.Fault{Kind: qualyticstest.CloseBefore}
	lost := qualyticstest.Fault{Kind: qualyticstest.CloseAfter}
	cut := qualyticstest.Fault{Kind: qualyticstest.Truncate}
	for _, tc := range []struct {
		name     string
		call     func(context.Context, *Client) error
		fault    qualyticstest.Fault
		times    int
		attempts int
		want     []time.Duration // the waits; nil: not checked
		fails    bool
	}{
		{"429 GET", get, status(429), 2, 3, []time.Duration{time.Second, 3 * time.Second}, false},
		{"429 POST", post, status(429), 2, 3, nil, false},
		{"429 every time", get, status(429), -1, 6, []time.Duration{
			time.Second, 3 * time.Second, 9 * time.Second,
			27 * time.Second, 30 * time.Second,
		}, true},
		{"Retry-After", post, status(429, "7"), 1, 2, []time.Duration{7100 * time.Millisecond}, false},
		{"Retry-After 0", get, status(429, "0"), 1, 2, []time.Duration{time.Second}, false},
		{"Retry-After invalid", get, status(429, "soon"), 1, 2, []time.Duration{time.Second}, false},
		{"Retry-After an hour", get, status(429, "3600"), 1, 1, []time.Duration{}, true},
		{"Retry-After exceeds its budget", get, status(503, "50"), -1, 3, []time.Duration{
			50100 * time.Millisecond,
			50300 * time.Millisecond,
		}, true},
		{"502 GET", get, status(502), 1, 2, nil, false},
		{"503 PUT", put, status(503), 1, 2, nil, true}, // then 404
		{"504 DELETE", remove, status(504), 1, 2, nil, true},
		{"502 POST", post, status(502), 1, 1, nil, true},
		{"503 POST", post, status(503), 1, 1, nil, true},
		{"500 GET", get, status(500), 1, 1, nil, true},
		{"408 GET", get, status(408), 1, 1, nil, true},
		{"closed GET", get, closed, 2, 3, nil, false},
		{"closed DELETE", remove, closed, 1, 2, nil, true},
		{"closed POST", post, closed, 1, 1, nil, true},
		{"lost POST", post, lost, 1, 1, nil, true},
		{"cut GET", get, cut, 1, 2, nil, false},
		{"cut POST", post, cut, 1, 1, nil, true},
		{"web page GET", get, status(200), 1, 1, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, qualyticstest.Build202609())
			c, w := newClient(t, s, nil)
			s.Fail(tc.fault.Repeat(tc.times))
			err := tc.call(t.Context(), c)
			if (err != nil) != tc.fails {
				t.Errorf("got the error %v", err)
			}
			if got := len(s.Requests()); got != tc.attempts {
				t.Errorf("sent %d times, want %d", got, tc.attempts)
			}
			if err != nil && asError(t, err).Attempts != tc.attempts {
				t.Errorf("the error reports %d attempts, want %d", asError(t, err).Attempts, tc.attempts)
			}
			if tc.want != nil {
				if diff := cmp.Diff(tc.want, append([]time.Duration{}, w.all...)); diff != "" {
					t.Errorf("waits, want -, got +:\n%s", diff)
				}
			}
			waiting := 0
			for _, line := range w.logs {
				if contains(line, "waiting before the next attempt") {
					waiting++
				}
			}
			if waiting != tc.attempts-1 {
				t.Errorf("%d log lines about waits for %d attempts: %v", waiting, tc.attempts, w.logs)
			}
		})
	}
}

// A POST that never reached the server is repeated, and the error says why there was no
// connection.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	c, w := newClient(t, s, nil)
	c.http.Transport = roundTripper(func(*http.Request) (*http.Response, error) { return nil, refused() })
	_, err := c.postServiceAccount(t.Context(), ServiceAccountCreate{Name: "x", Role: RoleMember})
	e := asError(t, err)
	if e.Attempts != 6 || len(w.all) != 5 || e.MaybeDone || !contains(e.Problem, "no connection") ||
		!contains(e.Problem, "connection refused") {
		t.Errorf("a POST without a connection: %+v after %v", e, w.all)
	}
}

func TestRetryAfterDate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"Tue, 01 Sep 2026 00:00:30 GMT": 30 * time.Second,
		"Mon, 31 Aug 2026 00:00:30 GMT": 0,
		"-5":                            0,
		"99999999999999":                365 * 24 * time.Hour,
		"":                              0,
	} {
		if got := parseRetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

// An error says what happened, and whether the response is from the API.
func TestErrorsByStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		fault   qualyticstest.Fault
		fromAPI bool
		want    string
	}{
		{"API 404", qualyticstest.JSON(404, `{"detail":"User not found"}`), true, "User not found"},
		{"HTML 404", qualyticstest.HTML(404), false, "check url and api_path"},
		{"HTML 403", qualyticstest.HTML(403), false, "gateway or firewall"},
		{"empty 403", qualyticstest.Fault{Status: 403}, false, "the response is empty"},
		{"HTML 200", qualyticstest.HTML(200), false, "got a web page"},
		{"empty 200", qualyticstest.Fault{Status: 200}, false, "empty"},
		{"text 200", qualyticstest.Fault{Status: 200, Body: "fine"}, false, "not JSON"},
		{"HTML without a header", qualyticstest.Fault{
			Status: 200,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: " <html>",
		}, false, "got a web page"},
		{"wrong type", qualyticstest.JSON(200, `{"id":"7"}`), false, `field "id" is a string`},
		{
			"fault context", qualyticstest.JSON(409, `{"detail":"no","fault_context":{"title":"Busy","hint":"Wait"}}`),
			true, "Busy: no (Wait)",
		},
		{"list", qualyticstest.JSON(422, `{"detail":[{"loc":["body","role"],"msg":"bad"}]}`), true, "role: bad"},
		{"redirect away", qualyticstest.Fault{
			Status: 302,
			Header: http.Header{"Location": {"https://login.example.com/?secret"}},
		}, false, "redirects to https://login.example.com,"},
		{
			"redirect in a loop",
			qualyticstest.Fault{Status: 302, Header: http.Header{"Location": {"/api/users/me"}}},
			false, "redirects to http://127.0.0.1",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, qualyticstest.Build202609())
			c, _ := newClient(t, s, nil)
			s.Fail(tc.fault.Repeat(qualyticstest.Forever))
			_, err := c.CurrentUser(t.Context())
			e := asError(t, err)
			if e.FromAPI != tc.fromAPI || !contains(e.Error(), tc.want) || contains(e.Error(), "secret") {
				t.Errorf("got %q (from the API: %t), want an error that contains %q", e, e.FromAPI, tc.want)
			}
		})
	}
}

// A write is never redirected, and a read never to another server.
func TestRedirects(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s reached another server with %q", r.Method, r.URL, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(other.Close)
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := newServer(t, qualyticstest.Build202609())
		c, _ := newClient(t, s, nil)
		away := qualyticstest.Fault{Status: code, Header: http.Header{"Location": {other.URL + "/api/users/me"}}}
		s.Fail(away)
		if _, err := c.CurrentUser(t.Context()); asError(t, err).Status != code {
			t.Errorf("GET away, %d: %v", code, err)
		}
		within := qualyticstest.Fault{Status: code, Header: http.Header{"Location": {"/api/users/me"}}}
		admin := s.Users()[0]
		s.Fail(within.On(http.MethodGet, fmt.Sprint("/users/", admin.ID)))
		if me, err := c.User(t.Context(), admin.ID); err != nil || me.Name != "Ada Admin" {
			t.Errorf("GET within, %d: %v, %v", code, me, err)
		}
		s.ClearRequests()
		s.Fail(within.On(http.MethodPost, "/users"))
		if _, err := c.postServiceAccount(t.Context(),
			ServiceAccountCreate{Name: "x", Role: RoleMember}); asError(t, err).Status != code ||
			len(s.Requests()) != 1 {
			t.Errorf("POST within, %d: %v after %v", code, err, s.Requests())
		}
	}
}

// A canceled context ends a wait, and sends no further request.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := newClient(t, s, func(cfg *Config) {
		cfg.Sleep = func(ctx context.Context, _ time.Duration) error {
			cancel()
			return Sleep(ctx, time.Hour)
		}
	})
	s.Fail(qualyticstest.HTML(503).Repeat(qualyticstest.Forever))
	_, err := c.CurrentUser(ctx)
	if e := asError(t, err); !errors.Is(err, context.Canceled) || e.Attempts != 1 ||
		!contains(e.Problem, "stopped while waiting") {
		t.Errorf("got %v", err)
	}
	if err := c.DeactivateServiceAccount(ctx, 1); !errors.Is(err, context.Canceled) || len(s.Requests()) != 1 {
		t.Errorf("a write after the end: %v, %v", err, s.Requests())
	}
}

// A write that was sent is not abandoned: its response may contain a secret.
func TestWriteOutlivesItsContext(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	owner := s.AddUser(qualyticstest.User{Name: "x"})
	ctx, cancel := context.WithCancel(t.Context())
	s.Fail(
		qualyticstest.Fault{
			Method: http.MethodPost,
			Kind:   qualyticstest.Delay,
			Do:     cancel,
			Wait:   20 * time.Millisecond,
		},
	)
	c, _ := newClient(t, s, nil)
	token, err := c.CreateServiceToken(ctx, TokenCreate{Name: "ci", UserID: owner.ID}, true)
	if err != nil || token.Bearer == "" {
		t.Errorf("got %v, %v, want the token", token, err)
	}
}

// A request without a response ends after the timeout, and is repeated.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Config{URL: "https://q.example", Token: "x", Timeout: time.Second, MaxRetries: 1})
		if err != nil {
			t.Fatal(err)
		}
		c.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		_, err = c.CurrentUser(t.Context())
		if e := asError(t, err); e.Attempts != 2 || !contains(e.Problem, "no response within 1s") {
			t.Errorf("got %v", err)
		}
	})
}

// Some servers send a content type with an empty response.
func TestEmptyResponseWithAType(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusAccepted, http.StatusNoContent} {
		for body, fails := range map[string]bool{
			"":                         false,
			"<html>the web app</html>": status != http.StatusNoContent,
		} {
			s := newServer(t, qualyticstest.Build202609())
			c, _ := newClient(t, s, nil)
			s.Fail(qualyticstest.Fault{
				Method: http.MethodDelete, Kind: qualyticstest.Respond, Status: status,
				Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: body,
			})
			if err := c.DeleteToken(t.Context(), 7); (err != nil) != fails {
				t.Errorf("%d with the body %q: %v", status, body, err)
			}
		}
	}
}

// A response that does not end is an error before the memory does.
func TestResponseTooLarge(t *testing.T) {
	t.Parallel()
	c, err := New(Config{URL: "https://q.example", Token: "x", Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
		return responseWith(`{"name":"` + strings.Repeat("x", MaxResponseBytes)), nil
	})
	if _, err := c.CurrentUser(t.Context()); !contains(asError(t, err).Error(), "larger than 64 MiB") {
		t.Errorf("got %v", err)
	}
}

// An untrusted certificate is an error that names the setting, and is not repeated.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":1}`))
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{URL: server.URL, Token: "x", MaxRetries: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CurrentUser(t.Context()); asError(t, err).Attempts != 1 ||
		!contains(err.Error(), "set ca_cert_file") {
		t.Errorf("an untrusted certificate: %v", err)
	}
	c, err = New(Config{URL: server.URL, Token: "x", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CurrentUser(t.Context()); err != nil {
		t.Errorf("without verification: %v", err)
	}
	c, err = New(Config{URL: strings.Replace(server.URL, "https", "http", 1), Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CurrentUser(t.Context()); err == nil {
		t.Error("http to a TLS port succeeds")
	}
}

// An invalid configuration is an error that does not show the secret.
func TestNewInvalidConfig(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cfg  Config
	}{
		{"no URL", Config{Token: "x"}},
		{"no token", Config{URL: "x"}},
		{"token with a line break", Config{URL: "x", Token: "hunter2\n"}},
		{"header", Config{URL: "x", Token: "x", Headers: map[string]Secret{"Authorization": "hunter2"}}},
	} {
		if _, err := New(tc.cfg); err == nil || contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
}

// A panic during a call that prints everything in its message and the stack
// contains no secret.
func TestPanicShowsNoSecret(t *testing.T) {
	t.Parallel()
	const header = "canary-of-the-gateway-header"
	s := newServer(t, qualyticstest.Build202609())
	owner := s.AddUser(qualyticstest.User{Name: "x"})
	var c *Client
	c, _ = newClient(t, s, func(cfg *Config) {
		cfg.Headers = map[string]Secret{"X-Gateway": header}
		copied := *cfg
		cfg.Log = func(_ context.Context, message string, fields map[string]any) {
			if fields["method"] != http.MethodPost {
				return
			}
			panic(fmt.Sprintf("%s %v %+v %#v %+v", message, fields, copied, copied, c))
		}
	})
	panicText := func() (text string) {
		defer func() { text = fmt.Sprint(recover(), string(debug.Stack())) }()
		_, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "x", UserID: owner.ID}, false)
		t.Errorf("the call returned %v, want a panic", err)
		return ""
	}
	text := panicText()
	if !strings.Contains(text, "Qualytics API request") || !strings.Contains(text, "goroutine") {
		t.Fatalf("the panic printed %s", text)
	}
	for _, secret := range []string{s.AdminToken(), header, s.Bearer(s.Tokens()[0].ID)} {
		if strings.Contains(text, secret) || strings.Contains(text, secret[len(secret)-20:]) {
			t.Errorf("a panic printed %s: %s", secret, text)
		}
	}
}

// Responses that are odd, but must not break anything.
func TestOddResponses(t *testing.T) {
	t.Parallel()
	token := `{"id":7,"name":"ci","active":true,"last_used":"yesterday","user":{"id":3}}`
	s := newServer(t, qualyticstest.Build202609())
	c, _ := newClient(t, s, nil)
	s.Fail(qualyticstest.JSON(200, "["+token+"]").On(http.MethodGet, "/user-tokens/service"))
	if tokens, err := c.ServiceTokens(t.Context()); err != nil || len(tokens) != 1 || tokens[0].LastUsed != nil {
		t.Errorf("an invalid last_used: %+v, %v", tokens, err)
	}
	s.Fail(qualyticstest.JSON(200, `{"items":[{"id":5}],"total":9223372036854775807}`).On(http.MethodGet, "/users"))
	for _, id := range []int64{1, 2, 3, 4, 5} { // the third read requests the first page
		_, _ = c.CachedServiceAccount(t.Context(), id)
	}
	items := make([]string, 50)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":%d}`, i+1)
	}
	first := qualyticstest.JSON(200, `{"items":[`+strings.Join(items, ",")+`]}`).
		On(http.MethodGet, "/user-tokens/service")
	second := qualyticstest.JSON(200, `{"items":[{"id":51}]}`).On(http.MethodGet, "/user-tokens/service")
	s.Fail(first)
	s.Fail(second)
	if tokens, err := c.ServiceTokens(t.Context()); err != nil || len(tokens) != 51 {
		t.Errorf("an envelope without total and size: %d tokens, %v, want 51", len(tokens), err)
	}
	for user, err := range c.EachServiceAccount(t.Context(), UserFilter{}) {
		t.Errorf("no accounts, but got %v, %v", user, err)
	}
	s.Seed(150, 0)
	s.Fail(qualyticstest.Fault{
		Method: http.MethodGet,
		Path:   "/users",
		Skip:   1,
		Status: 200,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   `{"items":[],"total":150}`,
	})
	var last error
	for _, err := range c.EachServiceAccount(t.Context(), UserFilter{}) {
		last = err
	}
	if last == nil || !contains(last.Error(), "reports 150 entries and has 100") {
		t.Errorf("an empty page in the middle: %v, want an error", last)
	}
}

// A Retry-After date is compared with the server's clock.
func TestRetryAfterWithSkewedClock(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	c, w := newClient(t, s, func(cfg *Config) {
		cfg.Now = func() time.Time { return s.Clock.Now().Add(-time.Hour) }
	})
	f := qualyticstest.HTML(429)
	f.Header = f.Header.Clone()
	f.Header.Set("Retry-After", s.Clock.Now().Add(20*time.Second).Format(http.TimeFormat))
	s.Fail(f)
	if _, err := c.CurrentUser(t.Context()); err != nil || len(w.all) == 0 || w.all[0] > time.Minute {
		t.Errorf("waited %v, %v, want about 20 s", w.all, err)
	}
}

// A conflict on a name that no one else uses is the response to a replayed request.
func TestReplayedCreate(t *testing.T) {
	t.Parallel()
	for _, profile := range qualyticstest.Profiles() {
		s := newServer(t, profile)
		owner := s.AddUser(qualyticstest.User{Name: "Owner"})
		c, w := newClient(t, s, nil)
		replay := qualyticstest.Fault{Method: http.MethodPost, Kind: qualyticstest.Replay}
		s.Fail(replay)
		token, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "ci-1", UserID: owner.ID}, true)
		if err != nil || len(s.Tokens()) != 1 || string(token.Bearer) != s.Bearer(s.Tokens()[0].ID) {
			t.Errorf("%s, unique name: %v, %+v", profile.Name, err, s.Tokens())
		}
		if len(w.all) != 1 {
			t.Errorf("%s: waits %v, want one before the second attempt", profile.Name, w.all)
		}
		s.Fail(replay)
		if _, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "fixed", UserID: owner.ID},
			false); !IsConflict(err) {
			t.Errorf("%s, fixed name: %v, want a conflict", profile.Name, err)
		}
		for _, status := range []int{502, 503, 504} {
			s.Fail(qualyticstest.JSON(status, `{"detail":"gateway"}`).On(http.MethodPost, ""))
			name := fmt.Sprint("after ", status)
			if _, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: name, UserID: owner.ID},
				false); err != nil {
				t.Errorf("%s, %d in JSON: %v", profile.Name, status, err)
			}
		}
	}
}
