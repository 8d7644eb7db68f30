// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
)

// Terraform reads every object once per run, within seconds. The API cannot
// return a single token, and one request per account would exceed the rate limit
// of its ingress. Reads of one client therefore share downloads of whole lists:
//
//   - A download is used for listMaxAge from its start.
//   - A write through this client ends that earlier: for the written object, and
//     for everything that needs the complete list. This includes downloads that
//     are in progress.
//   - Only reads use it, and an object that is missing from it is not considered
//     deleted before a new request confirms it. Decisions about a write, such as
//     the lookup after a lost response, always ask the server.
//
// Clients share nothing, so neither do aliases of a provider.

// listMaxAge is how long a downloaded list serves reads.
const listMaxAge = 10 * time.Second

// cached is a value that is loaded once. The zero value is empty.
type cached[T any] struct {
	mu    sync.Mutex
	value *T
}

// get returns the value, and loads it if there is none. Concurrent callers wait
// for one load. A failed load is repeated by the next caller.
func (c *cached[T]) get(load func() (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.value == nil {
		value, err := load()
		if err != nil {
			return value, err
		}
		c.value = &value
	}
	return *c.value, nil
}

// invalidate removes the value.
func (c *cached[T]) invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = nil
}

// sharedList is a list of objects that concurrent and successive reads download together.
type sharedList[T object] struct {
	now    func() time.Time
	load   func(context.Context) ([]T, error) // by ID
	flight singleflight.Group
	latest atomic.Pointer[download[T]]

	mu      sync.Mutex
	writes  int           // through this client so far
	written map[int64]int // the number of the last write to an object, by ID
}

// download is a complete list.
type download[T object] struct {
	items  []T // by ID
	start  time.Time
	writes int // that happened before it started
}

// wrote records a write to an object, after it was sent.
func (l *sharedList[T]) wrote(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written == nil {
		l.written = map[int64]int{}
	}
	l.writes++
	l.written[id] = l.writes
}

// fresh returns the latest download if it started at since or later, else nil.
func (l *sharedList[T]) fresh(since time.Time) *download[T] {
	if d := l.latest.Load(); d != nil && !d.start.Before(since) {
		return d
	}
	return nil
}

// get returns a download that started at since or later. Concurrent callers
// share one, and its error.
func (l *sharedList[T]) get(ctx context.Context, since time.Time) (*download[T], error) {
	for {
		if d := l.fresh(since); d != nil {
			return d, nil
		}
		_, err, _ := l.flight.Do("", func() (any, error) {
			if l.fresh(since) != nil {
				return nil, nil
			}
			l.mu.Lock()
			d := &download[T]{start: l.now(), writes: l.writes}
			l.mu.Unlock()
			var err error
			if d.items, err = l.load(ctx); err != nil {
				return nil, err
			}
			l.latest.Store(d)
			return nil, nil
		})
		if e, ok := errors.AsType[*Error](err); ok && e.Stopped && ctx.Err() == nil {
			continue // another caller was stopped, not this one
		}
		if err != nil {
			return nil, err
		}
	}
}

// item returns an object of a download. It reports false if the download does
// not contain it, or if it was written since.
func (l *sharedList[T]) item(d *download[T], id int64) (T, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := slices.BinarySearchFunc(d.items, id, func(item T, id int64) int { return cmp.Compare(item.id(), id) })
	if !ok || l.written[id] > d.writes {
		var none T
		return none, false
	}
	return d.items[i], true
}

// isCurrent reports whether nothing has been written since a download started.
func (l *sharedList[T]) isCurrent(d *download[T]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes == d.writes
}

// all returns the objects of a complete list by ID, at most listMaxAge old and
// without a write since. Callers share the slice and must not change it.
func (l *sharedList[T]) all(ctx context.Context) ([]T, error) {
	called := l.now()
	d, err := l.get(ctx, called.Add(-listMaxAge))
	if err == nil && !l.isCurrent(d) {
		d, err = l.get(ctx, called)
	}
	if err != nil {
		return nil, err
	}
	return d.items, nil
}

// CachedServiceToken returns a service token from a list that is at most listMaxAge old, or
// else from a new one: GET /user-tokens/service. It reports false if neither contains it.
func (c *Client) CachedServiceToken(ctx context.Context, id int64) (*Token, bool, error) {
	called := c.Now()
	var list *download[Token]
	for _, since := range []time.Time{called.Add(-listMaxAge), called} {
		var err error
		if list, err = c.tokens.get(ctx, since); err != nil {
			return nil, false, err
		}
		if token, ok := c.tokens.item(list, id); ok {
			return &token, true, nil
		}
	}
	return nil, false, c.checkAbsence(list.items)
}

// CachedServiceTokens returns every service token by ID for a data source, an
// import, or a list resource: at most listMaxAge old, and with every write of
// this client. The caller must not change the slice.
func (c *Client) CachedServiceTokens(ctx context.Context) ([]Token, error) {
	return c.tokens.all(ctx)
}

// accountReads decides between reading accounts one by one and downloading the
// list of all accounts. The rule: read one by one until as many were read as the
// list has pages, then download the list. The number of pages is learned from
// the first page, which is requested for the third account.
//
// Worst case: twice the requests of the cheaper way, plus one.
type accountReads struct {
	mu         sync.Mutex
	single     int         // accounts read one by one since the last download
	first      *page[User] // the first page, until the download uses it
	start      time.Time   // when first was requested
	pages      int         // of the list; 0: unknown
	listFailed bool        // a list request failed: accounts are read one by one until the run ends
}

// singleReads is how many accounts are read before the first page is requested.
const singleReads = 2

// chooseSingleRead reports whether to read the next account by itself: there is no list
// since, and downloading one would need more requests. It counts these reads, and requests
// the first page to learn the size of the list.
func (c *Client) chooseSingleRead(ctx context.Context, since time.Time) bool {
	r := &c.accountReads
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.users.fresh(since) != nil {
		return false
	}
	if !r.listFailed && r.single >= singleReads && r.pages == 0 {
		r.listFailed = c.loadFirstPage(ctx) != nil && ctx.Err() == nil
	}
	if r.listFailed || r.single < max(singleReads, r.pages) {
		r.single++
		return true
	}
	return false
}

// downloaded starts counting again after a download. If that failed, all further reads are single.
func (r *accountReads) downloaded(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.listFailed = true
	} else {
		r.single = 0
	}
}

// loadFirstPage requests the first page of all service accounts, including
// deactivated ones. The caller holds the lock.
func (c *Client) loadFirstPage(ctx context.Context) error {
	r := &c.accountReads
	r.start = c.Now()
	first, err := onePage[User](ctx, c, allAccounts, 1)
	if err != nil {
		return err
	}
	r.first, r.pages = first, first.count()
	return nil
}

// allAccounts is the list of every service account.
var allAccounts = UserFilter{IncludeDeleted: true}.list()

// CachedServiceAccount returns an account, or nil if it does not exist. Its own GET /users/{id}
// always confirms that it does not exist or is deactivated. Its data is at most listMaxAge old.
func (c *Client) CachedServiceAccount(ctx context.Context, id int64) (*User, error) {
	since := c.Now().Add(-listMaxAge)
	if c.chooseSingleRead(ctx, since) {
		return c.FindUser(ctx, id)
	}
	list, err := c.users.get(ctx, since)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	c.accountReads.downloaded(err)
	if err == nil {
		// A response without any team does not report teams: everyone is in Public.
		if user, ok := c.users.item(list, id); ok && !user.Deactivated() && len(user.Teams) > 0 {
			return &user, nil
		}
	}
	return c.FindUser(ctx, id)
}

// wroteAccount records a write to an account.
func (c *Client) wroteAccount(id int64) {
	c.users.wrote(id)
	c.accountReads.mu.Lock()
	defer c.accountReads.mu.Unlock()
	c.accountReads.first = nil
}

// downloadAccounts returns all service accounts by ID: GET /users. It starts
// with the first page of accountReads if that is recent.
func (c *Client) downloadAccounts(ctx context.Context) ([]User, error) {
	r := &c.accountReads
	r.mu.Lock()
	var err error
	if r.first == nil || r.start.Before(c.Now().Add(-listMaxAge)) {
		err = c.loadFirstPage(ctx)
	}
	first, pages := r.first, r.pages
	r.first = nil
	r.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case pages > maxPages:
		return nil, endlessList(c, allAccounts)
	}
	return c.otherPages(ctx, first, pages)
}

// parallelPages is how many pages of a list are requested in parallel.
const parallelPages = 4

// otherPages returns the accounts of the first page and of all others, which are
// requested in parallel. If these are not all accounts, because the list has changed or
// the deployment does not report its size, it lists them again, one page after the other.
func (c *Client) otherPages(ctx context.Context, first *page[User], last int) ([]User, error) {
	all := make([]*page[User], last)
	all[0] = first
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallelPages)
	for number := 2; number <= last; number++ {
		group.Go(func() error {
			p, err := onePage[User](groupCtx, c, allAccounts, number)
			all[number-1] = p
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var users []User
	changed := false
	for _, p := range all {
		users = append(users, p.items...)
		changed = changed || p.total != first.total
	}
	users = byID(users)
	if all[last-1].last(len(users)) && len(users) >= first.total && !changed {
		return users, nil
	}
	return listAll[User](ctx, c, allAccounts)
}

// CachedServiceAccounts returns every service account by ID, including deactivated
// ones, for a data source or an import: at most listMaxAge old, and with every
// write of this client. The caller must not change the slice.
func (c *Client) CachedServiceAccounts(ctx context.Context) ([]User, error) {
	return c.users.all(ctx)
}

// CachedAccountsNamed returns the service accounts with exactly this name, including
// deactivated ones. Like reads by ID, look-ups by name share a download if there
// are many of them. A name that it does not contain is confirmed by a request.
func (c *Client) CachedAccountsNamed(ctx context.Context, name string) ([]User, error) {
	since := c.Now().Add(-listMaxAge)
	list := c.users.fresh(since)
	useList := list != nil && c.users.isCurrent(list)
	if list == nil {
		useList = !c.chooseSingleRead(ctx, since)
	}
	if useList {
		accounts, err := c.CachedServiceAccounts(ctx)
		if err != nil {
			return nil, err
		}
		c.accountReads.downloaded(nil)
		if found := withName(accounts, name); len(found) > 0 {
			return found, nil
		}
	}
	accounts, err := c.ServiceAccounts(ctx, UserFilter{Name: name, IncludeDeleted: true})
	return withName(accounts, name), err
}

func withName(accounts []User, name string) []User {
	return slices.DeleteFunc(slices.Clone(accounts), func(u User) bool { return u.Name != name })
}
