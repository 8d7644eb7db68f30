// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// readAll reads accounts and tokens as a refresh does.
func readAll(t *testing.T, c *Client, s *qualyticstest.Server, accounts, parallelism int) {
	t.Helper()
	slots := make(chan struct{}, parallelism)
	var wait sync.WaitGroup
	do := func(read func() error) {
		wait.Add(1)
		slots <- struct{}{}
		go func() {
			defer wait.Done()
			defer func() { <-slots }()
			if err := read(); err != nil {
				t.Error(err)
			}
		}()
	}
	users, tokens := s.ServiceAccounts(), s.Tokens()
	for i := range accounts {
		u, token := users[i], tokens[i]
		do(func() error {
			got, err := c.CachedServiceAccount(t.Context(), u.ID)
			if err == nil && (got == nil || got.Name != u.Name) {
				return fmt.Errorf("account %d was read as %+v", u.ID, got)
			}
			return err
		})
		do(func() error {
			got, found, err := c.CachedServiceToken(t.Context(), token.ID)
			if err == nil && (!found || got.Name != token.Name || got.User.ID != u.ID) {
				return fmt.Errorf("token %d was read as %+v", token.ID, got)
			}
			return err
		})
	}
	wait.Wait()
}

// A refresh takes at most twice the requests of the cheaper way for the accounts,
// and one download for the tokens, whatever the size of the deployment.
func TestRequestsOfARefresh(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ deployment, managed, accounts int }{
		{1, 1, 1}, {5, 2, 2}, {100, 100, 4}, {300, 300, 6}, {300, 2, 2}, {300, 3, 4}, {1000, 1000, 20}, {1000, 8, 9},
	} {
		for _, parallelism := range []int{1, 10, 100} {
			t.Run(fmt.Sprint(tc, " ", parallelism), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, qualyticstest.Build202609())
				s.Seed(tc.deployment, 1)
				still := s.Clock.Now() // so that a list does not expire on a slow machine
				c, _ := newClient(t, s, func(cfg *Config) { cfg.Now = func() time.Time { return still } })
				readAll(t, c, s, tc.managed, parallelism)
				tokens := count(s.Requests(), "GET /user-tokens/service")
				accounts := len(s.Requests()) - tokens
				if tokens != 1 || accounts > tc.accounts {
					t.Errorf("%d requests for tokens and %d for accounts, want 1 and at most %d", tokens, accounts,
						tc.accounts)
				}
			})
		}
	}
}

// A cached list never hides a write of the same run.
func TestWritesAreSeen(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	s.Seed(30, 1)
	c, _ := newClient(t, s, nil)
	ctx := t.Context()
	readAll(t, c, s, 30, 10)
	user, token := s.ServiceAccounts()[0], s.Tokens()[0]
	if _, err := c.UpdateServiceAccount(ctx, user.ID, ServiceAccountUpdate{Role: RoleManager}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.CachedServiceAccount(ctx, user.ID); err != nil || got.Role != RoleManager {
		t.Errorf("after the update: %+v, %v", got, err)
	}
	if _, err := c.SetTokenRevoked(ctx, token.ID, true); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.CachedServiceToken(ctx, token.ID); err != nil || got.Active {
		t.Errorf("after the revocation: %+v, %v", got, err)
	}
	if err := c.DeleteToken(ctx, token.ID); err != nil {
		t.Fatal(err)
	}
	if _, found, err := c.CachedServiceToken(ctx, token.ID); err != nil || found {
		t.Errorf("after the deletion: %t, %v", found, err)
	}
	made, err := c.CreateServiceToken(ctx, TokenCreate{Name: "new", UserID: user.ID}, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := c.CachedServiceToken(ctx, made.ID); err != nil || !found {
		t.Errorf("after the creation: %t, %v", found, err)
	}
	if err := c.RevokeAndDeleteToken(ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.DeactivateServiceAccount(ctx, user.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := c.CachedServiceAccount(ctx, user.ID); err != nil || !got.Deactivated() {
		t.Errorf("after the deactivation: %+v, %v", got, err)
	}
}

// A download that is in progress during a write does not hide the write.
func TestWriteDuringADownload(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	s.Seed(1, 1)
	token := s.Tokens()[0]
	c, _ := newClient(t, s, nil)
	stale, err := c.ServiceTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.tokens.get(t.Context(), c.now(), c.now, func(ctx context.Context) (map[int64]Token, error) {
		_, err := c.SetTokenRevoked(ctx, token.ID, true)
		return map[int64]Token{token.ID: stale[0]}, err // read before the write
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.CachedServiceToken(t.Context(), token.ID); err != nil || got.Active {
		t.Errorf("got %+v, %v, want the revoked token", got, err)
	}
}

func TestListExpires(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	s.Seed(3, 1)
	c, _ := newClient(t, s, nil)
	token := s.Tokens()[0]
	for i, advance := range []time.Duration{0, listMaxAge / 2, listMaxAge} {
		s.Clock.Advance(advance)
		if _, found, err := c.CachedServiceToken(t.Context(), token.ID); err != nil || !found {
			t.Fatal(err)
		}
		if want := []int{1, 1, 2}[i]; count(s.Requests(), "GET /user-tokens/service") != want {
			t.Errorf("after %s: %d downloads, want %d", advance, count(s.Requests(), "GET /user-tokens/service"), want)
		}
	}
	// A token that is missing is confirmed by a new list.
	for _, u := range s.Tokens() {
		s.RemoveToken(u.ID)
	}
	if _, found, err := c.CachedServiceToken(t.Context(), token.ID+1000); err != nil || found {
		t.Errorf("found %t, %v", found, err)
	}
}

// Stopping one reader does not stop another.
func TestInterruptedDownload(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	s.Seed(1, 1)
	token := s.Tokens()[0]
	c, _ := newClient(t, s, nil)
	first, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	s.Fail(qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: 50 * time.Millisecond, Do: func() { close(arrived) }})
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		if _, _, err := c.CachedServiceToken(first, token.ID); err == nil {
			t.Error("the stopped read succeeded")
		}
	}()
	<-arrived
	wait.Add(1)
	go func() {
		defer wait.Done()
		if _, found, err := c.CachedServiceToken(t.Context(), token.ID); err != nil || !found {
			t.Errorf("the other read: %t, %v", found, err)
		}
	}()
	cancel()
	wait.Wait()
}

// If a deployment refuses to list accounts, each is read by itself.
func TestListingRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	s.Seed(20, 1)
	c, _ := newClient(t, s, nil)
	s.Fail(
		qualyticstest.JSON(422, `{"detail":"no include_deleted here"}`).
			On(http.MethodGet, "/users").
			Repeat(qualyticstest.Forever),
	)
	readAll(t, c, s, 20, 10)
	if n := count(s.Requests(), "GET /users"); n > 2 {
		t.Errorf("the list was requested %d times, want at most 2", n)
	}
}
