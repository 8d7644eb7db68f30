// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

var (
	lostResponse = qualyticstest.Fault{Method: http.MethodPost, Kind: qualyticstest.CloseAfter}
	neverArrived = qualyticstest.Fault{Method: http.MethodPost, Kind: qualyticstest.CloseBefore}
	wanted       = ServiceAccountCreate{Name: "API Access", Role: RoleManager, Teams: []string{"Data Quality"}}
)

func count(requests []qualyticstest.Request, what string) int {
	n := 0
	for _, r := range requests {
		if r.String() == what {
			n++
		}
	}
	return n
}

// A create whose response is lost is not repeated blindly: what it created is adopted, and
// nothing else is.
func TestLostAccount(t *testing.T) {
	t.Parallel()
	later := func(s *qualyticstest.Server) func() { // another run creates one while our request never arrives
		return func() { s.AddUser(qualyticstest.User{Name: "API Access", Role: "Admin"}) }
	}
	for _, profile := range qualyticstest.Profiles() {
		for _, tc := range []struct {
			name       string
			arrange    func(s *qualyticstest.Server)
			posts      int
			accounts   int
			candidates int // 0: the create succeeds
		}{
			{"response lost", func(s *qualyticstest.Server) { s.Fail(lostResponse) }, 1, 1, 0},
			{"never arrived", func(s *qualyticstest.Server) { s.Fail(neverArrived) }, 2, 1, 0},
			{
				"never arrived, then lost",
				func(s *qualyticstest.Server) { s.Fail(neverArrived); s.Fail(lostResponse) }, 2,
				1, 0,
			},
			{"gateway after the work", func(s *qualyticstest.Server) {
				f := qualyticstest.HTML(502).On(http.MethodPost, "")
				f.Kind = qualyticstest.Replace
				s.Fail(f)
			}, 1, 1, 0},
			{"older object with the same name, 409 lost", func(s *qualyticstest.Server) {
				s.AddUser(qualyticstest.User{
					Name: "API Access", Role: "Manager",
					Created: s.Clock.Now().Add(-time.Minute),
				})
				s.Fail(lostResponse)
			}, 1, 1, 1},
			{"another run's", func(s *qualyticstest.Server) {
				f := neverArrived
				f.Do = later(s)
				s.Fail(f)
			}, 1, 1, 1},
		} {
			t.Run(tc.name+" "+profile.Name, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, profile)
				tc.arrange(s)
				before := s.Users()
				c, _ := newClient(t, s, nil)
				user, err := c.CreateServiceAccount(t.Context(), wanted)
				if tc.candidates > 0 {
					if e := asError(t, err); len(e.Candidates) != tc.candidates || e.LookupFailed {
						t.Errorf("candidates %+v of %v", e.Candidates, e)
					}
				} else if err != nil || user.Role != RoleManager || len(user.Teams) != 2 {
					t.Errorf("got %+v, %v", user, err)
				}
				if n := count(s.Requests(), "POST /users"); n != tc.posts {
					t.Errorf("%d POSTs, want %d", n, tc.posts)
				}
				if n := len(s.ServiceAccounts()); n != tc.accounts {
					t.Errorf("%d accounts, want %d", n, tc.accounts)
				}
				for i, u := range before {
					if now := s.Users()[i]; now.Role != u.Role || now.Deleted != nil {
						t.Errorf("%q was changed", u.Name)
					}
				}
			})
		}
	}
}

// A create whose response is lost is not repeated blindly: what it created is removed, and
// nothing else is.
func TestLostToken(t *testing.T) {
	t.Parallel()
	days := int64(30)
	for _, profile := range qualyticstest.Profiles() {
		for _, tc := range []struct {
			name       string
			unique     bool
			arrange    func(s *qualyticstest.Server, owner int64)
			tokens     int
			candidates int
		}{
			{"response lost", false, func(s *qualyticstest.Server, _ int64) { s.Fail(lostResponse) }, 1, 0},
			{"response lost, unique", true, func(s *qualyticstest.Server, _ int64) { s.Fail(lostResponse) }, 1, 0},
			{"response lost twice", false, func(s *qualyticstest.Server, _ int64) {
				s.Fail(lostResponse.Repeat(2))
			}, 1, 0},
			{"never arrived", false, func(s *qualyticstest.Server, _ int64) { s.Fail(neverArrived) }, 1, 0},
			{"older object with the same name, 409 lost", false, func(s *qualyticstest.Server, owner int64) {
				until := s.Clock.Now().Add(30*24*time.Hour - time.Minute)
				s.AddToken(qualyticstest.Token{
					Name: "ci", UserID: owner, Created: s.Clock.Now().Add(-time.Minute),
					Expiration: &until,
				})
				s.Fail(lostResponse)
			}, 1, 1},
			{"another run's, of another lifetime", false, func(s *qualyticstest.Server, owner int64) {
				f := neverArrived
				f.Do = func() { s.AddToken(qualyticstest.Token{Name: "ci", UserID: owner}) }
				s.Fail(f)
			}, 1, 1},
			{"another run's, in use", false, func(s *qualyticstest.Server, owner int64) {
				f := neverArrived
				f.Do = func() {
					now := s.Clock.Now()
					until := now.Add(30 * 24 * time.Hour)
					s.AddToken(qualyticstest.Token{Name: "ci", UserID: owner, Expiration: &until, LastUsed: &now})
				}
				s.Fail(f)
			}, 1, 1},
			{"another run's, response of a gateway", false, func(s *qualyticstest.Server, owner int64) {
				f := qualyticstest.HTML(502).On(http.MethodPost, "")
				f.Do = func() {
					until := s.Clock.Now().Add(30 * 24 * time.Hour)
					s.AddToken(qualyticstest.Token{Name: "ci", UserID: owner, Expiration: &until})
				}
				s.Fail(f)
			}, 1, 1},
		} {
			t.Run(tc.name+" "+profile.Name, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, profile)
				owner := s.AddUser(qualyticstest.User{Name: "Owner"})
				tc.arrange(s, owner.ID)
				c, _ := newClient(t, s, nil)
				token, err := c.CreateServiceToken(t.Context(),
					TokenCreate{Name: "ci", UserID: owner.ID, ExpiresInDays: &days}, tc.unique)
				if tc.candidates > 0 {
					if e := asError(t, err); len(e.Candidates) != tc.candidates {
						t.Errorf("candidates %+v of %v", e.Candidates, e)
					}
				} else if err != nil || string(token.Bearer) != s.Bearer(token.ID) || token.Bearer == "" {
					t.Errorf("got %v, %v", token, err)
				}
				tokens := s.Tokens()
				if len(tokens) != tc.tokens || !tokens[0].Active {
					t.Errorf("the server has %+v", tokens)
				}
			})
		}
	}
}

// A create that never arrives is sent as often as any other request.
func TestCreateNeverArrives(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	owner := s.AddUser(qualyticstest.User{Name: "Owner"})
	c, _ := newClient(t, s, nil)
	s.Fail(neverArrived.Repeat(qualyticstest.Forever))
	if _, err := c.CreateServiceAccount(t.Context(), wanted); !asError(t, err).MaybeDone {
		t.Errorf("account: %v", err)
	}
	if _, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "ci", UserID: owner.ID}, true); !asError(t,
		err).MaybeDone {
		t.Errorf("token: %v", err)
	}
	for _, what := range []string{"POST /users", "POST /user-tokens"} {
		if n := count(s.Requests(), what); n != 1+DefaultMaxRetries {
			t.Errorf("%d of %s, want %d", n, what, 1+DefaultMaxRetries)
		}
	}
}

// The local clock is an hour ahead of the server's, or an hour behind.
func TestLostWithSkewedClocks(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		s := newServer(t, qualyticstest.Build202609())
		c, _ := newClient(t, s, func(cfg *Config) { cfg.Now = func() time.Time { return s.Clock.Now().Add(skew) } })
		s.Fail(lostResponse)
		if _, err := c.CreateServiceAccount(t.Context(), wanted); err != nil {
			t.Errorf("skew %s: %v", skew, err)
		}
		s.AddUser(qualyticstest.User{Name: "Old", Role: "Member", Created: s.Clock.Now().Add(-10 * time.Second)})
		s.Fail(lostResponse)
		if _, err := c.CreateServiceAccount(t.Context(), ServiceAccountCreate{Name: "Old", Role: RoleMember}); len(
			asError(t, err).Candidates) != 1 {
			t.Errorf("skew %s: an older account was adopted: %v", skew, err)
		}
	}
}

// If the lookup fails too, the error says so.
func TestLostResponseAndFailedLookup(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	owner := s.AddUser(qualyticstest.User{Name: "Owner"})
	c, _ := newClient(t, s, nil)
	s.Fail(lostResponse.Repeat(2))
	s.Fail(qualyticstest.HTML(500).On(http.MethodGet, "/users").Repeat(qualyticstest.Forever))
	s.Fail(qualyticstest.HTML(500).On(http.MethodGet, "/user-tokens/service").Repeat(qualyticstest.Forever))
	_, err := c.CreateServiceAccount(t.Context(), wanted)
	if e := asError(t, err); !e.LookupFailed || !e.MaybeDone || e.Method != http.MethodPost {
		t.Errorf("got %+v", e)
	}
	_, err = c.CreateServiceToken(t.Context(), TokenCreate{Name: "ci", UserID: owner.ID}, true)
	if e := asError(t, err); !e.LookupFailed || e.Method != http.MethodPost {
		t.Errorf("got %+v", e)
	}
}

// The run is stopped before the response arrives: the lookup still happens, and
// nothing is sent again.
func TestLostResponseAndInterrupt(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	owner := s.AddUser(qualyticstest.User{Name: "Owner"})
	c, _ := newClient(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	f := lostResponse
	f.Do = cancel
	s.Fail(f)
	if _, err := c.CreateServiceToken(ctx, TokenCreate{Name: "ci", UserID: owner.ID}, true); err == nil ||
		len(s.Tokens()) != 0 {
		t.Errorf("got %v with %+v on the server, want an error and nothing left", err, s.Tokens())
	}
	ctx, cancel = context.WithCancel(t.Context())
	f.Do = cancel
	s.Fail(f)
	if user, err := c.CreateServiceAccount(ctx, wanted); err != nil || user.Name != "API Access" {
		t.Errorf("got %+v, %v, want the account", user, err)
	}
}

// Without a response to GET /users/me, nothing can tell later what a create has created, so
// nothing is created.
func TestCreateWithoutOwnAccount(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	owner := s.AddUser(qualyticstest.User{Name: "Owner"})
	c, _ := newClient(t, s, nil)
	s.Fail(qualyticstest.JSON(403, `{"detail":"x"}`).On(http.MethodGet, "/users/me").Repeat(qualyticstest.Forever))
	if _, err := c.CreateServiceAccount(t.Context(), wanted); asError(t, err).Status != 403 {
		t.Errorf("account: %v", err)
	}
	if _, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "ci", UserID: owner.ID}, false); asError(t,
		err).Status != 403 {
		t.Errorf("token: %v", err)
	}
	if writes := s.Writes(); len(writes) > 0 {
		t.Errorf("sent %v", writes)
	}
}

func TestMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	conflict := &Error{Status: http.StatusConflict, FromAPI: true}
	for _, tc := range []struct {
		name    string
		err     error
		attempt int
		unique  bool
		want    bool
	}{
		{"lost response", &Error{MaybeDone: true}, 1, false, true},
		{"refused", &Error{Status: http.StatusBadRequest, FromAPI: true}, 2, true, false},
		{"another error", errors.New("x"), 2, true, false},
		{"name in use", conflict, 1, false, false},
		{"conflict with an earlier attempt", conflict, 2, false, true},
		{"conflict with an earlier copy", conflict, 1, true, true},
	} {
		if got := mayHaveTakenEffect(tc.err, tc.attempt, tc.unique); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestAccountMatchesRequest(t *testing.T) {
	t.Parallel()
	request := ServiceAccountCreate{Role: RoleMember, Teams: []string{"Data Quality"}}
	for _, tc := range []struct {
		name string
		user User
		want bool
	}{
		{"as requested", User{Role: RoleMember, Teams: []string{TeamPublic, "data quality"}}, true},
		{"team ignored", User{Role: RoleMember, Teams: []string{TeamPublic}}, true},
		{"another team", User{Role: RoleMember, Teams: []string{"Data Quality", "Finance"}}, false},
		{"another role", User{Role: RoleAdmin}, false},
		{"role not reported", User{}, true},
	} {
		if got := request.matches(&tc.user); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}
