// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"net/http"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A success that describes another object than the request is an error in every method,
// and what it describes is not returned. What a response lacks is not compared.
func TestAnotherObject(t *testing.T) {
	t.Parallel()
	user := func(u *User, err error) (bool, error) { return u != nil, err }
	token := func(t *Token, err error) (bool, error) { return t != nil, err }
	for _, tc := range []struct {
		name, method, path, body string
		call                     func(context.Context, *Client) (bool, error)
		want                     string // "": accepted
	}{
		{
			"GET user", http.MethodGet, "/users/5", `{"id":9,"name":"x"}`,
			func(ctx context.Context, c *Client) (bool, error) { return user(c.User(ctx, 5)) },
			"ID 9 instead of 5",
		},
		{
			"find user", http.MethodGet, "/users/5", `{"id":9,"deleted_at":"2026-01-01T00:00:00Z"}`,
			func(ctx context.Context, c *Client) (bool, error) { return user(c.FindUser(ctx, 5)) },
			"ID 9 instead of 5",
		},
		{
			"cached user", http.MethodGet, "/users/5", `{"id":9}`,
			func(ctx context.Context, c *Client) (bool, error) { return user(c.CachedServiceAccount(ctx, 5)) },
			"ID 9 instead of 5",
		},
		{
			"PUT user", http.MethodPut, "/users/5", `{"id":9,"role":"Member","teams":["Public"]}`,
			func(ctx context.Context, c *Client) (bool, error) {
				return user(c.UpdateServiceAccount(ctx, 5, ServiceAccountUpdate{Role: RoleMember}))
			},
			"ID 9 instead of 5",
		},
		{
			"PUT token", http.MethodPut, "/user-tokens/5", `{"id":9,"active":false}`,
			func(ctx context.Context, c *Client) (bool, error) { return token(c.SetTokenRevoked(ctx, 5, true)) },
			"ID 9 instead of 5",
		},
		{
			"revocation", http.MethodPut, "/user-tokens/5", `{"id":9,"active":false}`,
			func(ctx context.Context, c *Client) (bool, error) { return false, c.RevokeToken(ctx, 5) },
			"ID 9 instead of 5",
		},
		{
			"revocation before a deletion", http.MethodPut, "/user-tokens/5", `{"id":9,"active":false}`,
			func(ctx context.Context, c *Client) (bool, error) { return false, c.RevokeAndDeleteToken(ctx, 5) },
			"ID 9 instead of 5",
		},
		{
			"POST user", http.MethodPost, "/users", `{"id":9,"name":"Other"}`,
			func(ctx context.Context, c *Client) (bool, error) { return user(c.CreateServiceAccount(ctx, wanted)) },
			`the name "Other" instead of "API Access"`,
		},
		{
			"POST user without a name", http.MethodPost, "/users", `{"id":9}`,
			func(ctx context.Context, c *Client) (bool, error) { return user(c.CreateServiceAccount(ctx, wanted)) },
			"",
		},
		{
			"POST token, another name", http.MethodPost, "/user-tokens",
			`{"id":9,"name":"other","user":{"id":5},"bearer_token":"canary"}`,
			func(ctx context.Context, c *Client) (bool, error) {
				created, err := c.CreateServiceToken(ctx, TokenCreate{Name: "ci", UserID: 5}, true)
				return created != nil, err
			},
			`the name "other" instead of "ci"`,
		},
		{
			"POST token, another owner", http.MethodPost, "/user-tokens",
			`{"id":9,"name":"ci","user":{"id":6},"bearer_token":"canary"}`,
			func(ctx context.Context, c *Client) (bool, error) {
				created, err := c.CreateServiceToken(ctx, TokenCreate{Name: "ci", UserID: 5}, false)
				return created != nil, err
			},
			"the account 6 instead of 5",
		},
		{
			"POST token without a name and an owner", http.MethodPost, "/user-tokens", `{"id":9,"bearer_token":"x"}`,
			func(ctx context.Context, c *Client) (bool, error) {
				created, err := c.CreateServiceToken(ctx, TokenCreate{Name: "ci", UserID: 5}, true)
				return created != nil, err
			},
			"",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, qualyticstest.Build202609())
			c, w := newClient(t, s, nil)
			s.Fail(qualyticstest.JSON(200, tc.body).On(tc.method, tc.path).Repeat(qualyticstest.Forever))
			returned, err := tc.call(t.Context(), c)
			if tc.want == "" {
				if err != nil || !returned {
					t.Errorf("got %v", err)
				}
				return
			}
			e := asError(t, err)
			if returned || e.Method != tc.method || !contains(e.URL, tc.path) || e.Status != 200 || e.Attempts != 1 ||
				!contains(e.Problem, "describes another object") || !contains(e.Problem, tc.want) ||
				!contains(e.Problem, "nothing of it was stored") || contains(err.Error(), "canary") {
				t.Errorf("got %+v, want an error that contains %q", e, tc.want)
			}
			if e.MaybeDone != (tc.method != http.MethodGet) {
				t.Errorf("MaybeDone is %t", e.MaybeDone)
			}
			if n := count(s.Requests(), tc.method+" "+tc.path); n != 1 || len(w.all) > 0 {
				t.Errorf("sent %d times after %v, want once", n, w.all)
			}
			if created := tc.method == http.MethodPost; created != (len(e.Candidates) == 1) {
				t.Errorf("candidates %+v", e.Candidates)
			}
			if deletes := count(s.Requests(), "DELETE /user-tokens/5"); deletes > 0 {
				t.Error("deleted a token whose revocation is not confirmed")
			}
		})
	}
}

// If a gateway swaps the response to a create, the account that it created is found, and
// the token that it created, whose secret is lost, is removed.
func TestAnotherObjectCreated(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	owner := s.AddUser(qualyticstest.User{Name: "Owner"})
	c, _ := newClient(t, s, nil)
	swapped := qualyticstest.JSON(200, `{"id":9,"name":"Other","bearer_token":"x"}`).On(http.MethodPost, "")
	swapped.Kind = qualyticstest.Replace
	s.Fail(swapped)
	if user, err := c.CreateServiceAccount(t.Context(), wanted); err != nil || user.Name != wanted.Name {
		t.Errorf("account: %+v, %v", user, err)
	}
	s.Fail(swapped)
	_, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "ci", UserID: owner.ID}, true)
	if e := asError(t, err); len(e.Candidates) != 1 || e.Candidates[0].Name != "Other" || len(s.Tokens()) != 0 {
		t.Errorf("token: %+v with %+v on the server", e, s.Tokens())
	}
}
