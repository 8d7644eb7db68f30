// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
	load := c.tokens.load
	c.tokens.load = func(ctx context.Context) ([]Token, error) {
		_, err := c.SetTokenRevoked(ctx, token.ID, true)
		return stale, err // read before the write
	}
	if _, err := c.tokens.get(t.Context(), c.Now()); err != nil {
		t.Fatal(err)
	}
	c.tokens.load = load
	if got, _, err := c.CachedServiceToken(t.Context(), token.ID); err != nil || got.Active {
		t.Errorf("got %+v, %v, want the revoked token", got, err)
	}
}

// A list is downloaded again after listMaxAge.
func TestListExpires(t *testing.T) {
	t.Parallel()
	s, c, _ := seeded(t, 3)
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
	s.Fail(qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: time.Minute, Do: func() { close(arrived) }})
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

// seeded returns a client for a deployment with accounts, and their IDs.
func seeded(t *testing.T, accounts int) (*qualyticstest.Server, *Client, []int64) {
	t.Helper()
	s := newServer(t, qualyticstest.Build202609())
	s.Clock.Stop() // a list must not expire on a slow machine
	s.Seed(accounts, 1)
	var ids []int64
	for _, u := range s.ServiceAccounts() {
		ids = append(ids, u.ID)
	}
	c, _ := newClient(t, s, nil)
	return s, c, ids
}

// Reads by ID: two by themselves, then as many as the list has pages, then from the list.
// After the list has expired, counting starts again.
func TestReadsOneByOne(t *testing.T) {
	t.Parallel()
	s, c, ids := seeded(t, 250) // three pages
	want := func(when string, lists, single int) {
		t.Helper()
		if gotLists, got := count(s.Requests(), "GET /users"), countSingle(s); gotLists != lists || got != single {
			t.Errorf("%s: %d list requests and %d single ones, want %d and %d", when, gotLists, got, lists, single)
		}
	}
	read := func(ids ...int64) {
		t.Helper()
		for _, id := range ids {
			if u, err := c.CachedServiceAccount(t.Context(), id); err != nil || u.ID != id {
				t.Fatalf("%+v, %v", u, err)
			}
		}
	}
	read(ids[:2]...)
	want("two accounts", 0, 2)
	read(ids[2])
	want("the third", 1, 3)
	read(ids[3:]...)
	want("all", 3, 3)
	s.Clock.Advance(listMaxAge + time.Second)
	read(ids[:3]...)
	want("three more after the list expired", 3, 6)
	read(ids[3:]...)
	want("all again", 6, 6)
}

// countSingle returns the number of requests for a single account.
func countSingle(s *qualyticstest.Server) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/users/") && r.Path != "/users/me" {
			n++
		}
	}
	return n
}

// A first page that was requested before a write is not part of a later list.
func TestWriteAfterTheFirstPage(t *testing.T) {
	t.Parallel()
	_, c, ids := seeded(t, 250)
	for _, id := range ids[10:13] {
		if _, err := c.CachedServiceAccount(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.UpdateServiceAccount(t.Context(), ids[0], ServiceAccountUpdate{Role: RoleManager}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{ids[13], ids[0]} {
		u, err := c.CachedServiceAccount(t.Context(), id)
		if err != nil || id == ids[0] && u.Role != RoleManager {
			t.Errorf("after the update: %+v, %v", u, err)
		}
	}
}

// Lists for data sources contain what this client has written.
func TestListsAfterWrites(t *testing.T) {
	t.Parallel()
	s, c, ids := seeded(t, 3)
	for range 2 {
		if accounts, err := c.CachedServiceAccounts(t.Context()); err != nil || len(accounts) != 3 {
			t.Fatalf("%d accounts, %v", len(accounts), err)
		}
		if tokens, err := c.CachedServiceTokens(t.Context()); err != nil || len(tokens) != 3 {
			t.Fatalf("%d tokens, %v", len(tokens), err)
		}
	}
	if lists := count(s.Requests(), "GET /users") + count(s.Requests(), "GET /user-tokens/service"); lists != 2 {
		t.Errorf("%d list requests, want 2", lists)
	}
	if _, err := c.CreateServiceAccount(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateServiceToken(t.Context(), TokenCreate{Name: "new", UserID: ids[0]}, false); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Millisecond)
	if accounts, err := c.CachedServiceAccounts(t.Context()); err != nil || len(accounts) != 4 {
		t.Errorf("%d accounts, %v, want 4", len(accounts), err)
	}
	if tokens, err := c.CachedServiceTokens(t.Context()); err != nil || len(tokens) != 4 {
		t.Errorf("%d tokens, %v, want 4", len(tokens), err)
	}
}

// If a later page of the list fails, each account is read by itself, and the list is not
// requested again.
func TestLaterPageFails(t *testing.T) {
	t.Parallel()
	s, c, ids := seeded(t, 250)
	f := qualyticstest.JSON(400, `{"detail":"no"}`).On(http.MethodGet, "/users").Repeat(qualyticstest.Forever)
	f.Skip = 1
	s.Fail(f)
	for _, id := range ids[:100] {
		if u, err := c.CachedServiceAccount(t.Context(), id); err != nil || u.ID != id {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	if lists, single := count(s.Requests(), "GET /users"), countSingle(s); lists > 3 || single != 100 {
		t.Errorf("%d list requests and %d single ones, want at most 3 and 100", lists, single)
	}
}

// A stopped read does not make all further ones single.
func TestStoppedFirstPage(t *testing.T) {
	t.Parallel()
	s, c, ids := seeded(t, 50)
	ctx, cancel := context.WithCancel(t.Context())
	f := qualyticstest.Fault{Method: http.MethodGet, Path: "/users", Kind: qualyticstest.CloseBefore, Do: cancel}
	s.Fail(f)
	for i, id := range ids {
		read := t.Context()
		if i == 2 {
			read = ctx
		}
		if _, err := c.CachedServiceAccount(read, id); (err == nil) != (i != 2) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if single := countSingle(s); single > 4 {
		t.Errorf("%d accounts were read by themselves after a stopped request", single)
	}
}

// Look-ups by name share a list if there are many, and see what was written.
func TestLookupsByName(t *testing.T) {
	t.Parallel()
	s, c, ids := seeded(t, 30)
	look := func(name string, accounts, requests int) {
		t.Helper()
		s.ClearRequests()
		found, err := c.CachedAccountsNamed(t.Context(), name)
		if got := count(s.Requests(), "GET /users"); err != nil || len(found) != accounts || got != requests {
			t.Errorf(
				"%q: %d accounts with %d requests, want %d with %d: %v",
				name,
				len(found),
				got,
				accounts,
				requests,
				err,
			)
		}
	}
	look("Seed 00000", 1, 1)
	look("Seed 00001", 1, 1)
	look("Seed 00002", 1, 1) // the list
	look("Seed 00003", 1, 0)
	look("Seed", 0, 1) // not in the list: a request confirms that
	if err := c.DeactivateServiceAccount(t.Context(), ids[5]); err == nil {
		t.Error("an account with an active token was deactivated")
	}
	look("Seed 00004", 1, 1) // the list is not current after a write
	s.Clock.Advance(listMaxAge + time.Second)
	look("Seed 00006", 1, 1)
	look("Seed 00007", 1, 1)
	look("Seed 00008", 1, 1)
	look("Seed 00009", 1, 0)
	s.Fail(qualyticstest.JSON(400, `{"detail":"no"}`).On(http.MethodGet, "/users"))
	s.Clock.Advance(listMaxAge + time.Second)
	if _, err := c.CachedAccountsNamed(t.Context(), "Seed 00001"); asError(t, err).Status != 400 {
		t.Errorf("a failed look-up: %v", err)
	}
}

// A list without teams does not report them, so each account is read by itself.
func TestListWithoutTeams(t *testing.T) {
	t.Parallel()
	s, c, ids := seeded(t, 5)
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"id":%d,"name":"x","teams":[]}`, id))
	}
	s.Fail(qualyticstest.JSON(200, `{"items":[`+strings.Join(items, ",")+`],"total":5}`).
		On(http.MethodGet, "/users").Repeat(qualyticstest.Forever))
	for _, id := range ids {
		if u, err := c.CachedServiceAccount(t.Context(), id); err != nil || len(u.Teams) == 0 {
			t.Errorf("%+v, %v", u, err)
		}
	}
}

// If the first page does not report the size of the list, or the list changes while it is
// read, the list is read again, page by page.
func TestListOfUnknownSize(t *testing.T) {
	t.Parallel()
	s, c, ids := seeded(t, 250)
	items := []string{`{"id":999999,"name":"deactivated meanwhile","teams":["Public"]}`}
	for _, id := range ids[:PageSize-1] {
		items = append(items, fmt.Sprintf(`{"id":%d,"name":"x","teams":["Public"]}`, id))
	}
	s.Fail(qualyticstest.JSON(200, `{"items":[`+strings.Join(items, ",")+`]}`).On(http.MethodGet, "/users"))
	for _, id := range ids {
		if u, err := c.CachedServiceAccount(t.Context(), id); err != nil || u.ID != id {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	if lists, single := count(s.Requests(), "GET /users"), countSingle(s); lists != 4 || single != 2 {
		t.Errorf("%d list requests and %d single ones, want 4 and 2", lists, single)
	}
	if u, err := c.CachedServiceAccount(t.Context(), 999999); err != nil || u != nil {
		t.Errorf("an account that is not in the second list was found: %+v, %v", u, err)
	}
}

// Pages after the first are requested in parallel, but not all at the same time.
func TestParallelPages(t *testing.T) {
	t.Parallel()
	s, c, _ := seeded(t, 12*PageSize)
	var mu sync.Mutex
	now, most := 0, 0
	step := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		now += d
		most = max(most, now)
	}
	send := direct(s)
	c.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		step(1)
		defer step(-1)
		time.Sleep(time.Second) // until all others have arrived
		return send(r)
	})
	synctest.Test(t, func(t *testing.T) {
		if accounts, err := c.CachedServiceAccounts(t.Context()); err != nil || len(accounts) != 12*PageSize {
			t.Fatalf("%d accounts, %v", len(accounts), err)
		}
	})
	if most != parallelPages {
		t.Errorf("%d requests at the same time, want %d", most, parallelPages)
	}
	if n := count(s.Requests(), "GET /users"); n != 12 {
		t.Errorf("%d list requests, want 12", n)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// direct calls a server without a network, for a bubble of synctest, where waits take no time.
func direct(s *qualyticstest.Server) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		received := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), http.NoBody)
		received.Header = r.Header
		recorder := httptest.NewRecorder()
		s.ServeHTTP(recorder, received)
		return recorder.Result(), nil
	}
}
