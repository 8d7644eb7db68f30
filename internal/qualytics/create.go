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
	"time"
)

// A POST whose response is lost may have created an object. It is never repeated blindly:
// the client first looks for what the attempt created. Objects of other users are left
// alone, and if ownership is uncertain, the error names the candidates.

// Candidate is an object that a create whose response was lost may have created.
type Candidate struct {
	ID      int64
	Name    string
	Created *time.Time // nil if the deployment does not report it
}

func (u User) candidate() Candidate  { return Candidate{u.ID, u.Name, u.Created} }
func (t Token) candidate() Candidate { return Candidate{t.ID, t.Name, t.Created} }

// createAttempt describes the state before a create.
type createAttempt struct {
	start    time.Time      // by the server's clock
	existing map[int64]bool // IDs that existed before; nil if creation times decide
	unique   bool           // no one else uses the name
}

// mayHaveCreated reports whether an object appeared after the attempt started.
func (a createAttempt) mayHaveCreated(id int64, created *time.Time) bool {
	switch {
	case a.unique:
		return true
	case a.existing != nil:
		return !a.existing[id]
	case created == nil:
		return false
	}
	start := a.start
	if created.Nanosecond() == 0 { // the deployment reports whole seconds
		start = start.Truncate(time.Second)
	}
	return !created.Before(start)
}

// lookupContext returns the context for the lookup after a lost response. It
// outlives the caller's, but only for as long as a few requests take.
func (c *Client) lookupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	const requests = 3
	return context.WithTimeout(context.WithoutCancel(ctx), requests*c.config.Timeout)
}

// mayHaveTakenEffect reports whether a create may have succeeded although it returned an
// error. A conflict may be with the object of an earlier attempt, or of an earlier copy of
// the request that a gateway replayed: a name that no one else uses proves it.
func mayHaveTakenEffect(err error, attempt int, unique bool) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.MaybeDone || (attempt > 1 || unique) && IsConflict(err))
}

// waitToCreateAgain waits before another attempt at a create that is known to have created
// nothing. It reports false if there is none: the API itself refused, the response
// described another object, the retries are used up, or ctx ended.
func (c *Client) waitToCreateAgain(ctx context.Context, err error, attempt int) bool {
	e, ok := errors.AsType[*Error](err)
	_, other := errors.AsType[*otherObjectError](err)
	switch {
	case !ok, other, attempt > c.config.MaxRetries, ctx.Err() != nil, e.retryAfter > retryAfterBudget,
		e.FromAPI && !e.transient && !IsConflict(err):
		return false
	}
	return c.config.Sleep(ctx, max(e.retryAfter, c.backoff(attempt))) == nil
}

// withCandidates adds to the error of a lost response what the lookup found, or
// that it failed, and the other object that the response describes.
func withCandidates(err error, candidates []Candidate, lookup error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	copied := *e
	if other, ok := errors.AsType[*otherObjectError](err); ok {
		candidates = append(candidates, Candidate{ID: other.got.id, Name: other.got.name})
	}
	copied.Candidates = candidates
	if lookup != nil {
		copied.Problem = joinText(copied.Problem,
			"and looking for what it may have created failed ("+lookup.Error()+")")
		copied.LookupFailed = true
	}
	return &copied
}

// beforeCreate describes the state before a create. named returns the objects with its
// name: if this deployment does not show when objects were created, as it does not for the
// client's own user, they tell later which one is new.
func beforeCreate[T object](
	ctx context.Context, c *Client, unique bool, named func() ([]T, error),
) (createAttempt, error) {
	a := createAttempt{unique: unique}
	if !unique {
		me, err := c.Me(ctx)
		if err != nil {
			return a, err
		}
		if me.Created == nil {
			found, err := named()
			if err != nil {
				return a, err
			}
			a.existing = map[int64]bool{}
			for _, item := range found {
				a.existing[item.id()] = true
			}
		}
	}
	a.start = c.startOfAttempt()
	return a, nil
}

// CreateServiceAccount creates a service account: POST /users. If the response is lost, it
// returns the account with that name, role, and teams that was created since; an account
// that may belong to someone else is one of the error's Candidates.
func (c *Client) CreateServiceAccount(ctx context.Context, in ServiceAccountCreate) (*User, error) {
	a, err := beforeCreate(ctx, c, false, func() ([]User, error) { return c.accountsNamed(ctx, in.Name) })
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		user, err := c.postServiceAccount(ctx, in)
		if err == nil || !mayHaveTakenEffect(err, attempt, false) {
			return user, err
		}
		lookup, cancel := c.lookupContext(ctx)
		found, lookupErr := c.accountsNamed(lookup, in.Name)
		cancel()
		if lookupErr != nil {
			return nil, withCandidates(err, nil, lookupErr)
		}
		for i := range found {
			if u := &found[i]; a.mayHaveCreated(u.ID, u.Created) && in.matches(u) {
				return u, nil
			}
		}
		if len(found) > 0 || !c.waitToCreateAgain(ctx, err, attempt) {
			return nil, withCandidates(err, candidates(found), nil)
		}
	}
}

// accountsNamed returns the active service accounts with exactly this name.
func (c *Client) accountsNamed(ctx context.Context, name string) ([]User, error) {
	found, err := c.ServiceAccounts(ctx, UserFilter{Name: name})
	return slices.DeleteFunc(found, func(u User) bool { return u.Name != name || u.Deactivated() }), err
}

// matches reports whether an account may be the result of a create. A deployment may
// ignore a role or a team, so only more than requested speaks against it.
func (in ServiceAccountCreate) matches(u *User) bool {
	for _, team := range u.Teams {
		if !strings.EqualFold(team, TeamPublic) &&
			!slices.ContainsFunc(in.Teams, func(t string) bool { return strings.EqualFold(t, team) }) {
			return false
		}
	}
	return u.Role == "" || u.Role == in.Role
}

// CreateServiceToken creates a token for a service account: POST /user-tokens. unique means
// that no one else uses the name. If the response is lost, so is the secret: the token that
// this attempt created is revoked and deleted, and another one is created. A token that may
// belong to someone else is one of the error's Candidates.
func (c *Client) CreateServiceToken(ctx context.Context, in TokenCreate, unique bool) (*NewToken, error) {
	a, err := beforeCreate(ctx, c, unique, func() ([]Token, error) { return c.tokensNamed(ctx, in) })
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		token, err := c.postServiceToken(ctx, in)
		if err == nil || !mayHaveTakenEffect(err, attempt, unique) {
			return token, err
		}
		lookup, cancel := c.lookupContext(ctx)
		left, lookupErr := c.removeLostToken(lookup, a, in, err)
		cancel()
		if lookupErr != nil || len(left) > 0 || !c.waitToCreateAgain(ctx, err, attempt) {
			return nil, withCandidates(err, candidates(left), lookupErr)
		}
	}
}

// removeLostToken revokes and deletes the token that an attempt with a lost
// response created, and returns the other tokens with that name.
func (c *Client) removeLostToken(ctx context.Context, a createAttempt, in TokenCreate, lost error) ([]Token, error) {
	found, err := c.tokensNamed(ctx, in)
	if err != nil {
		return nil, err
	}
	var left []Token
	for _, t := range found {
		if !a.owns(&t, in, lost) {
			left = append(left, t)
			continue
		}
		if err := c.RevokeAndDeleteToken(ctx, t.ID); err != nil {
			return found, fmt.Errorf("the token with ID %d, whose secret is lost, could not be removed: %w", t.ID, err)
		}
	}
	return left, nil
}

// owns reports whether it is certain that an attempt whose response was lost created a
// token. A unique name is proof. Otherwise the token must be new, of the requested
// lifetime, and never used, and the error must not be a gateway's: then the request may
// never have arrived, and the token may belong to another run that uses the same name.
func (a createAttempt) owns(t *Token, in TokenCreate, lost error) bool {
	if a.unique {
		return true
	}
	e, ok := errors.AsType[*Error](lost)
	fromGateway := ok && e.Status >= http.StatusBadRequest
	return !fromGateway && t.User.ID == in.UserID && a.mayHaveCreated(t.ID, t.Created) && t.Active &&
		t.LastUsed == nil && t.hasLifetime(in.ExpiresInDays)
}

// tokensNamed returns the tokens with the name and the owner of a request. They may have
// an unknown owner.
func (c *Client) tokensNamed(ctx context.Context, in TokenCreate) ([]Token, error) {
	tokens, err := c.ServiceTokens(ctx)
	return slices.DeleteFunc(tokens, func(t Token) bool {
		return t.Name != in.Name || t.User.ID != in.UserID && t.User.ID != 0
	}), err
}

// hasLifetime reports whether a token may have been created with a lifetime in
// days; nil means that it never expires.
func (t *Token) hasLifetime(days *int64) bool {
	if days == nil || t.Expiration == nil {
		return days == nil && t.Expiration == nil
	}
	if t.Created == nil {
		return true
	}
	return (t.Expiration.Sub(*t.Created) - time.Duration(*days)*24*time.Hour).Abs() < 24*time.Hour
}

func candidates[T interface{ candidate() Candidate }](items []T) []Candidate {
	out := make([]Candidate, len(items))
	for i, item := range items {
		out[i] = item.candidate()
	}
	return out
}
