// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A POST whose answer is lost may have made something. It is never repeated
// blindly: the client looks first for what this attempt made. What was made by
// somebody else is left alone, and where that cannot be decided, the error
// names the candidates.

// maxAttempts is how often an object is created when every answer is lost.
const maxAttempts = 3

// Candidate is an object that a create with a lost answer may have made.
type Candidate struct {
	ID      int64
	Name    string
	Created *time.Time // nil where the build does not say
}

// attempt is one create, and what is known of the time before it.
type attempt struct {
	start  time.Time      // on the server's clock, as well as it is known
	before map[int64]bool // ids that existed; nil where creation times decide
	unique bool           // nobody else uses the name
}

// made reports whether an object was made since the attempt began.
func (a attempt) made(id int64, created *time.Time) bool {
	switch {
	case a.unique:
		return true
	case a.before != nil:
		return !a.before[id]
	case created == nil:
		return false
	}
	start := a.start
	if created.Nanosecond() == 0 { // the build counts whole seconds
		start = start.Truncate(time.Second)
	}
	return !created.Before(start)
}

// serverClock is how far the server's clock is ahead of this machine's, as the
// Date header of its last answer shows.
type serverClock struct{ ahead atomic.Int64 }

const (
	// dateResolution is how coarse a Date header is: a smaller difference says
	// nothing, and the two clocks count as the same.
	dateResolution = 2 * time.Second
	// startTolerance allows for what such clocks differ by all the same.
	startTolerance = 250 * time.Millisecond
)

func (s *serverClock) observe(h http.Header, now time.Time) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	ahead := date.Sub(now)
	if ahead.Abs() <= dateResolution {
		ahead = 0
	}
	s.ahead.Store(int64(ahead))
}

// begin starts an attempt: now, on the server's clock.
func (c *Client) begin() attempt {
	ahead := time.Duration(c.clock.ahead.Load())
	tolerance := startTolerance
	if ahead != 0 {
		tolerance = dateResolution
	}
	return attempt{start: c.now().Add(ahead - tolerance)}
}

// lookAround is the context for looking after a lost answer: also when the
// caller was interrupted, but not for longer than a few requests take.
func (c *Client) lookAround(ctx context.Context) (context.Context, context.CancelFunc) {
	const requests = 3
	return context.WithTimeout(context.WithoutCancel(ctx), requests*c.http.Timeout)
}

// lost reports whether a create may have taken effect although it failed. A
// conflict may be with what an earlier attempt made after all.
func lost(err error, attempts int) bool {
	var e *Error
	return errors.As(err, &e) && (e.MaybeDone || attempts > 1 && IsConflict(err))
}

// mayRepeat reports whether a create with a lost answer may be sent again once
// it is known to have made nothing. What the API itself refused stays refused.
func mayRepeat(ctx context.Context, err error, attempts int) bool {
	var e *Error
	return ctx.Err() == nil && attempts < maxAttempts && errors.As(err, &e) && (!e.FromAPI || attempts > 1 && IsConflict(err))
}

// unsure adds to the error of a lost answer what was found, or why nothing
// could be.
func unsure(err error, candidates []Candidate, look error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	copied := *e
	copied.Candidates = candidates
	if look != nil {
		copied.Problem = joinText(copied.Problem, "and looking for what it may have made failed ("+look.Error()+")")
		copied.NotLooked = true
	}
	return &copied
}

// tellsCreation reports whether this build says when users were made: one whose
// own user has no such time does not.
func (c *Client) tellsCreation(ctx context.Context) (bool, error) {
	me, err := c.Me(ctx)
	return err == nil && me.Created != nil, err
}

// CreateServiceAccount makes a service account: POST /users. When the answer is
// lost, an account of that name, role and teams made since the attempt is ours
// and is returned; one that is not, is named in the error's Candidates.
func (c *Client) CreateServiceAccount(ctx context.Context, in ServiceAccountCreate) (*User, error) {
	var before map[int64]bool
	tells, err := c.tellsCreation(ctx)
	if err == nil && !tells {
		var namesakes []User
		if namesakes, err = c.namesakes(ctx, in.Name); err == nil {
			before = idsOf(namesakes, func(u User) int64 { return u.ID })
		}
	}
	if err != nil {
		return nil, err
	}
	a := c.begin()
	a.before = before
	for attempts := 1; ; attempts++ {
		user, err := c.postServiceAccount(ctx, in)
		if err == nil || !lost(err, attempts) {
			return user, err
		}
		look, cancel := c.lookAround(ctx)
		found, lookErr := c.namesakes(look, in.Name)
		cancel()
		if lookErr != nil {
			return nil, unsure(err, nil, lookErr)
		}
		for i := range found {
			if u := &found[i]; a.made(u.ID, u.Created) && asAsked(in, u) {
				return u, nil
			}
		}
		if len(found) > 0 || !mayRepeat(ctx, err, attempts) {
			return nil, unsure(err, candidates(found, func(u User) Candidate { return Candidate{u.ID, u.Name, u.Created} }), nil)
		}
	}
}

// namesakes are the service accounts of exactly this name.
func (c *Client) namesakes(ctx context.Context, name string) ([]User, error) {
	found, err := c.ServiceAccounts(ctx, UserFilter{Name: name})
	return slices.DeleteFunc(found, func(u User) bool { return u.Name != name || u.Deactivated() }), err
}

// asAsked reports whether an account is what a create asked for. A build may
// drop a role or a team, so only more than was asked speaks against it.
func asAsked(in ServiceAccountCreate, u *User) bool {
	for _, team := range u.Teams {
		if !strings.EqualFold(team, TeamPublic) && !slices.ContainsFunc(in.Teams, func(t string) bool { return strings.EqualFold(t, team) }) {
			return false
		}
	}
	return u.Role == "" || u.Role == in.Role
}

// CreateServiceToken makes a token for a service account: POST /user-tokens.
// unique says that nobody else uses the name. When the answer is lost, a token
// of that name made since the attempt is ours, but its secret is lost: it is
// revoked, deleted, and made again. One that may be somebody else's is named in
// the error's Candidates.
func (c *Client) CreateServiceToken(ctx context.Context, in TokenCreate, unique bool) (*NewToken, error) {
	before, err := c.tokensBefore(ctx, in, unique)
	if err != nil {
		return nil, err
	}
	a := c.begin()
	a.unique, a.before = unique, before
	for attempts := 1; ; attempts++ {
		token, err := c.postServiceToken(ctx, in)
		if err == nil || !lost(err, attempts) {
			return token, err
		}
		look, cancel := c.lookAround(ctx)
		left, lookErr := c.clearLost(look, a, in)
		cancel()
		if lookErr != nil || len(left) > 0 || !mayRepeat(ctx, err, attempts) {
			return nil, unsure(err, candidates(left, func(t Token) Candidate { return Candidate{t.ID, t.Name, t.Created} }), lookErr)
		}
	}
}

// tokensBefore are the tokens of the same name, where neither the name nor a
// creation time can tell later which one is new.
func (c *Client) tokensBefore(ctx context.Context, in TokenCreate, unique bool) (map[int64]bool, error) {
	if unique {
		return nil, nil
	}
	if tells, err := c.tellsCreation(ctx); err != nil || tells {
		return nil, err
	}
	found, err := c.tokenNamesakes(ctx, in)
	return idsOf(found, func(t Token) int64 { return t.ID }), err
}

// clearLost revokes and deletes what an attempt with a lost answer made, and
// gives the tokens of that name that are not its.
func (c *Client) clearLost(ctx context.Context, a attempt, in TokenCreate) ([]Token, error) {
	found, err := c.tokenNamesakes(ctx, in)
	if err != nil {
		return nil, err
	}
	var left []Token
	for _, t := range found {
		// Nobody can have used a token whose secret nobody has.
		if !a.made(t.ID, t.Created) || !t.Active || t.LastUsed != nil || !t.lives(in.ExpiresInDays) {
			left = append(left, t)
			continue
		}
		if err := c.RevokeAndDeleteToken(ctx, t.ID); err != nil {
			return found, fmt.Errorf("the token with the id %d, whose secret is lost, could not be removed: %w", t.ID, err)
		}
	}
	return left, nil
}

func (c *Client) tokenNamesakes(ctx context.Context, in TokenCreate) ([]Token, error) {
	tokens, err := c.ServiceTokens(ctx)
	return slices.DeleteFunc(tokens, func(t Token) bool { return t.User.ID != in.UserID || t.Name != in.Name }), err
}

// lives reports whether a token may have been made with a lifetime; nil is for
// ever. Without a creation time only that can be compared.
func (t *Token) lives(days *int64) bool {
	if days == nil || t.Expiration == nil {
		return days == nil && t.Expiration == nil
	}
	if t.Created == nil {
		return true
	}
	return (t.Expiration.Sub(*t.Created) - time.Duration(*days)*24*time.Hour).Abs() < 24*time.Hour
}

func idsOf[T any](items []T, id func(T) int64) map[int64]bool {
	ids := make(map[int64]bool, len(items))
	for _, item := range items {
		ids[id(item)] = true
	}
	return ids
}

func candidates[T any](items []T, of func(T) Candidate) []Candidate {
	out := make([]Candidate, len(items))
	for i, item := range items {
		out[i] = of(item)
	}
	return out
}
