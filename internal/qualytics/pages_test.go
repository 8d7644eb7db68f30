// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// fakePages returns a client of a deployment whose lists are what answer returns: the
// items and the total, -1 for none, of the page that the n-th request asks for. Other
// requests get a 404.
func fakePages(t *testing.T, answer func(n, page int) (items string, total int)) (*Client, *int) {
	t.Helper()
	c, err := New(Config{URL: "http://q.example", Token: "x", MaxRetries: DefaultMaxRetries})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // cached lists request their pages in parallel
	requests := 0
	c.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		items, total := answer(requests, max(1, number))
		text := `{"items":[` + items + `],"size":1`
		if total >= 0 {
			text += `,"total":` + strconv.Itoa(total)
		}
		return responseWith(text + "}"), nil
	})
	return c, &requests
}

func entry(id int) string { return fmt.Sprintf(`{"id":%d,"name":"x","user":{"id":1}}`, id) }

// lists are the lists of the client.
func lists() map[string]func(context.Context, *Client) (int, error) {
	return map[string]func(context.Context, *Client) (int, error){
		"accounts": func(ctx context.Context, c *Client) (int, error) {
			users, err := c.ServiceAccounts(ctx, UserFilter{})
			return len(users), err
		},
		"accounts as they arrive": func(ctx context.Context, c *Client) (n int, last error) {
			for _, err := range c.EachServiceAccount(ctx, UserFilter{}) {
				n, last = n+1, err
			}
			return n, last
		},
		"cached accounts": func(ctx context.Context, c *Client) (int, error) {
			users, err := c.CachedServiceAccounts(ctx)
			return len(users), err
		},
		"tokens": func(ctx context.Context, c *Client) (int, error) {
			tokens, err := c.ServiceTokens(ctx)
			return len(tokens), err
		},
		"own tokens": func(ctx context.Context, c *Client) (int, error) {
			tokens, err := c.OwnTokens(ctx)
			return len(tokens), err
		},
		"teams": func(ctx context.Context, c *Client) (int, error) {
			teams, err := c.Teams(ctx)
			return len(teams), err
		},
	}
}

// A list whose pages never end is an error after maxPages, whether it reports a total or not.
func TestEndlessLists(t *testing.T) {
	t.Parallel()
	for name, list := range lists() {
		for _, report := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", total: ", report), func(t *testing.T) {
				t.Parallel()
				c, requests := fakePages(t, func(_, page int) (string, int) {
					if report {
						return entry(page), 1 << 40
					}
					return entry(page), -1
				})
				_, err := list(t.Context(), c)
				if e := asError(t, err); !contains(e.Problem, "its pages never end") || *requests > maxPages+1 {
					t.Errorf("got %v after %d requests", err, *requests)
				}
			})
		}
	}
}

// A total that changes between two pages means that an object may have moved to a page that
// was read before. The list is read again, and is an error if it never stays the same.
func TestChangingTotal(t *testing.T) {
	t.Parallel()
	for name, list := range lists() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restarts := !strings.Contains(name, "arrive")
			for _, steady := range []bool{false, true} {
				c, _ := fakePages(t, func(n, page int) (string, int) {
					if steady && n > 4 {
						return entry(page), 3
					}
					return entry(page), 2 + page%2 // 3 on the first page, 2 on the second, 3 on the third
				})
				n, err := list(t.Context(), c)
				if steady && restarts {
					if err != nil || n != 3 {
						t.Errorf("a list that changed once: %d objects, %v", n, err)
					}
				} else if e := asError(t, err); !contains(e.Problem, "while the list was read") {
					t.Errorf("a list that keeps changing: %d objects, %v", n, err)
				}
			}
		})
	}
	// A token that two changing lists in a row lack may exist.
	c, _ := fakePages(t, func(_, page int) (string, int) { return entry(page), 3 - page%2 })
	if _, found, err := c.FindServiceToken(t.Context(), 7); err == nil || found {
		t.Errorf("a token that changing lists lack: %t, %v, want an error", found, err)
	}
	if _, _, err := c.CachedServiceToken(t.Context(), 7); err == nil {
		t.Error("a cached token that changing lists lack: no error")
	}
	if _, _, complete, err := c.AccountsUpTo(t.Context(), UserFilter{}, 5); complete || err != nil {
		t.Errorf("a few pages of accounts that change: %t, %v, want incomplete", complete, err)
	}
}

// Null where a list is documented, and embedded objects without an ID or a name, do not make
// a list unreadable.
func TestNullsInLists(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	c, _ := newClient(t, s, nil)
	for _, text := range []string{"null", `{"items":null}`, `{"items":null,"total":0}`, `{"items":null,"total":null}`} {
		for name, list := range lists() {
			s.Fail(qualyticstest.JSON(200, text).On(http.MethodGet, ""))
			if n, err := list(t.Context(), c); n != 0 || err != nil {
				t.Errorf("%s as %s: %d objects, %v", name, text, n, err)
			}
			s.Clock.Advance(2 * listMaxAge)
		}
	}
	for text, proof := range map[string]bool{
		"null": false, `{"items":null}`: false, "[]": true, `{"items":null,"total":0}`: true,
	} {
		s.Fail(qualyticstest.JSON(200, text).On(http.MethodGet, "").Repeat(qualyticstest.Forever))
		if _, found, err := c.FindServiceToken(t.Context(), 7); found || (err == nil) != proof {
			t.Errorf("%s shows that a token is gone: %t, %v", text, found, err)
		}
		s.Clock.Advance(2 * listMaxAge)
		if _, found, err := c.CachedServiceToken(t.Context(), 7); found || (err == nil) != proof {
			t.Errorf("%s, cached, shows that a token is gone: %t, %v", text, found, err)
		}
		s.Heal()
	}
	for _, text := range []string{`{"items":null,"total":2}`, `{"total":0}`, `{"items":7}`, `7`} {
		s.Fail(qualyticstest.JSON(200, text).On(http.MethodGet, "").Repeat(maxListAttempts))
		if tokens, err := c.ServiceTokens(t.Context()); err == nil {
			t.Errorf("%s is a list of %d tokens", text, len(tokens))
		}
		s.Heal()
	}
	s.Fail(qualyticstest.JSON(200, `[{"id":1,"user":{"user_id":"x@service"}},{"id":2,"user":null},
		{"id":3,"user":{"id":5,"teams":null}}]`).On(http.MethodGet, "/user-tokens/service"))
	tokens, err := c.ServiceTokens(t.Context())
	if err != nil || len(tokens) != 3 || tokens[0].User.ID != 0 || tokens[0].User.UserID != "x@service" ||
		tokens[1].User.ID != 0 || tokens[2].User.ID != 5 {
		t.Errorf("owners without an ID: %+v, %v", tokens, err)
	}
	s.Fail(qualyticstest.JSON(200, `{"items":[{"id":1,"teams":null},{"id":2,"teams":[{"id":3},"A"]},
		{"id":3,"teams":[null]},{"id":4,"teams":[{"display_name":"B"}]}]}`).On(http.MethodGet, "/users"))
	users, err := c.ServiceAccounts(t.Context(), UserFilter{})
	if err != nil || len(users) != 4 || len(users[1].Teams)+len(users[2].Teams) > 0 ||
		!slices.Equal(users[3].Teams, []string{"B"}) {
		t.Errorf("teams without a name: %+v, %v; want no teams, as if they were not reported", users, err)
	}
	s.Fail(qualyticstest.JSON(200, `[{"id":1},{"name":"x"}]`).On(http.MethodGet, "/user-tokens/service"))
	if tokens, err := c.ServiceTokens(t.Context()); err == nil {
		t.Errorf("a token without an ID: %+v", tokens)
	}
}

// A token without a known owner is still compared with the client's own, and is a candidate
// of a create whose response was lost.
func TestUnknownOwner(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	self := s.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
	own := s.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
	c, _ := newClient(t, s, func(cfg *Config) { cfg.Token = Secret(s.Bearer(own.ID)) })
	for id, want := range map[int64]Ownership{own.ID: Own, own.ID + 1000: NotOwn} {
		if got, err := c.TokenOwnership(t.Context(), &Token{ID: id, Active: true}, ""); err != nil || got != want {
			t.Errorf("token %d: %d, %v, want %d", id, got, err, want)
		}
	}
	s.Fail(lostResponse)
	s.Fail(qualyticstest.JSON(200, `[{"id":7,"name":"ci"}]`).On(http.MethodGet, "/user-tokens/service"))
	_, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "ci", UserID: self.ID}, false)
	if e := asError(t, err); len(e.Candidates) != 1 || e.Candidates[0].ID != 7 {
		t.Errorf("candidates %+v of %v", e.Candidates, err)
	}
	if n := count(s.Requests(), "DELETE /user-tokens/7"); n > 0 {
		t.Error("a token of an unknown owner was deleted")
	}
}
