// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A refresh reads every object once, within seconds. The API has no "read one
// token", and one request for each account is more than its ingress allows for
// hundreds of them. So reads of one client share downloads:
//
//   - What is kept: the last complete download of a list, by id.
//   - For how long: snapshotLife from the moment the download began.
//   - What ends it earlier: a write through this client ends it for the object
//     that was written, also in a download that is under way.
//   - Why it is safe: it serves reads only, and nothing that is missing from it
//     is believed to be gone before a fresh answer says so. Looks that decide a
//     write, such as those after a lost answer, always ask the server.
//
// Clients share nothing, and so do aliases of a provider.

// snapshotLife is how long a download serves reads.
const snapshotLife = 10 * time.Second

// snapshot shares one download among all reads that wait for it and those that
// come soon after.
type snapshot[T any] struct {
	mu      sync.Mutex
	items   map[int64]T
	begun   time.Time // of the download that filled items
	current *flight   // the download under way, if any
}

// flight is a download under way.
type flight struct {
	begun   time.Time
	touched map[int64]bool // written meanwhile
	done    chan struct{}
	err     error
}

// get gives an object from a download that began at since or later, and starts
// or joins one where there is none. It reports false for an object that the
// download does not show.
func (s *snapshot[T]) get(ctx context.Context, id int64, since time.Time, now func() time.Time, download func(context.Context) (map[int64]T, error)) (T, bool, error) {
	for {
		s.mu.Lock()
		if s.items != nil && !s.begun.Before(since) {
			item, ok := s.items[id]
			s.mu.Unlock()
			return item, ok, nil
		}
		f := s.current
		if f == nil {
			f = &flight{begun: now(), touched: map[int64]bool{}, done: make(chan struct{})}
			s.current = f
			s.mu.Unlock()
			s.land(ctx, f, download)
		} else {
			s.mu.Unlock()
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			var none T
			return none, false, &Error{Problem: "stopped while waiting for a list", Stopped: true, cause: ctx.Err()}
		}
		var e *Error
		interrupted := errors.As(f.err, &e) && e.Stopped && ctx.Err() == nil // another reader was, not this one
		if f.err != nil && !interrupted {
			var none T
			return none, false, f.err
		}
	}
}

// land carries a download out.
func (s *snapshot[T]) land(ctx context.Context, f *flight, download func(context.Context) (map[int64]T, error)) {
	items, err := download(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range f.touched {
		delete(items, id)
	}
	if err == nil {
		s.items, s.begun = items, f.begun
	}
	f.err = err
	s.current = nil
	close(f.done)
}

// touch forgets an object that was written.
func (s *snapshot[T]) touch(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, id)
	if s.current != nil {
		s.current.touched[id] = true
	}
}

// ReadServiceToken reads one service token for a refresh: from a list that is
// at most snapshotLife old. One that it does not show is looked for in a fresh
// list: GET /user-tokens/service.
func (c *Client) ReadServiceToken(ctx context.Context, id int64) (*Token, bool, error) {
	called := c.now()
	for _, since := range []time.Time{called.Add(-snapshotLife), called} {
		t, ok, err := c.tokenSnapshot.get(ctx, id, since, c.now, c.downloadTokens)
		if err != nil || ok {
			return &t, ok, err
		}
	}
	return nil, false, nil
}

func (c *Client) downloadTokens(ctx context.Context) (map[int64]Token, error) {
	return c.tokens(ctx, "/user-tokens/service")
}

// accountReads decides between asking for each account and listing them all. As
// long as fewer accounts were asked for than the list has pages, asking is
// cheaper; after that, listing is. Together that is at most twice the requests
// of the cheaper way, whatever the size of the deployment.
type accountReads struct {
	mu    sync.Mutex
	asked int // one by one, since the last listing
	pages int // of the list, 0 when not known
	off   bool
	first *page[User] // kept until the others are worth asking for
	begun time.Time   // of first
}

// askFirst is how many accounts are asked for before the first page is, which
// tells the number of pages.
const askFirst = 2

// errNotYet says that the list has more pages than were asked for one by one.
var errNotYet = errors.New("listing does not pay yet")

// alone reports whether the next account is asked for by itself.
func (r *accountReads) alone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off || r.asked < max(askFirst, r.pages) {
		r.asked++
		return true
	}
	return false
}

// listed starts counting anew.
func (r *accountReads) listed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = 0
}

// stop gives up listing: this deployment does not let us.
func (r *accountReads) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off = true
}

// touch forgets the first page, because something was written.
func (r *accountReads) touch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first = nil
}

// ReadServiceAccount reads an account for a refresh; nil for one that is gone,
// which is always confirmed by its own GET /users/{id}.
func (c *Client) ReadServiceAccount(ctx context.Context, id int64) (*User, error) {
	for {
		since := c.now().Add(-snapshotLife)
		if !c.userSnapshot.fresh(since) && c.reads.alone() {
			return c.UserIfActive(ctx, id)
		}
		user, ok, err := c.userSnapshot.get(ctx, id, since, c.now, c.downloadAccounts)
		switch {
		case errors.Is(err, errNotYet):
			continue
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			c.reads.stop()
		default:
			c.reads.listed()
		}
		// An answer without any team says nothing of teams: everybody is in Public.
		if err != nil || !ok || user.Deactivated() || len(user.Teams) == 0 {
			return c.UserIfActive(ctx, id)
		}
		return &user, nil
	}
}

// touchAccount forgets what is kept of an account that was written.
func (c *Client) touchAccount(id int64) {
	c.userSnapshot.touch(id)
	c.reads.touch()
}

// fresh reports whether a download serves reads since an instant.
func (s *snapshot[T]) fresh(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items != nil && !s.begun.Before(since)
}

// downloadAccounts lists all service accounts, deactivated ones included: GET
// /users. It stops after the first page while the others do not pay.
func (c *Client) downloadAccounts(ctx context.Context) (map[int64]User, error) {
	r := &c.reads
	query := UserFilter{IncludeDeleted: true}.query()
	r.mu.Lock()
	first, begun := r.first, r.begun
	r.mu.Unlock()
	if first == nil || begun.Before(c.now().Add(-snapshotLife)) {
		begun = c.now()
		var err error
		if first, err = onePage[User](ctx, c, "/users", query, 1); err != nil {
			return nil, err
		}
	}
	pages := 1
	if first.total > len(first.items) && len(first.items) > 0 {
		pages = (first.total + len(first.items) - 1) / len(first.items)
	}
	r.mu.Lock()
	r.pages, r.first, r.begun = pages, first, begun
	notYet := pages > max(askFirst, r.asked)
	if !notYet {
		r.first = nil
	}
	r.mu.Unlock()
	if notYet {
		return nil, errNotYet
	}
	return c.otherPages(ctx, query, first, pages)
}

// parallelPages is how many pages of a listing are asked for at once.
const parallelPages = 4

// otherPages completes the first page of GET /users with all others: those up to
// the last one at once where the build says how many there are, and then one by
// one until there are no more.
func (c *Client) otherPages(ctx context.Context, query url.Values, first *page[User], last int) (map[int64]User, error) {
	all := make([]*page[User], last)
	all[0] = first
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallelPages)
	for number := 2; number <= last; number++ {
		group.Go(func() error {
			p, err := onePage[User](groupCtx, c, "/users", query, number)
			all[number-1] = p
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	items := map[int64]User{}
	take := func(p *page[User]) {
		for _, u := range p.items {
			items[u.ID] = u
		}
	}
	for _, p := range all {
		take(p)
	}
	for number, p := last, all[last-1]; !p.last(len(items)) && number < maxPages; {
		number++
		var err error
		if p, err = onePage[User](ctx, c, "/users", query, number); err != nil {
			return nil, err
		}
		take(p)
	}
	return items, nil
}
