// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// accountNames finds the accounts that use a name while planning. The server derives
// the user_id from the letters and digits of a name, and a deactivated account keeps
// it.
//
// GET /users filters by a part of the name. One complete answer covers every name
// that contains that part, so many new names need few requests. All look-ups of a run
// together send at most maxNameRequests; what they do not cover is left to the apply.
type accountNames struct {
	mu       sync.Mutex
	requests int
	covered  []string                  // parts of names whose accounts are known
	accounts map[int64]*qualytics.User // all that were found, by ID
	stopped  bool                      // a request failed
}

const maxNameRequests = 30

// using returns the accounts whose names have the same letters and digits as name,
// active accounts first. It returns none if that is not known.
func (n *accountNames) using(ctx context.Context, client *qualytics.Client, name string) []qualytics.User {
	n.mu.Lock()
	defer n.mu.Unlock()
	if lettersAndDigits(name) == "" || !n.cover(ctx, client, name) {
		return nil
	}
	var found []qualytics.User
	for _, u := range n.accounts {
		if lettersAndDigits(u.Name) == lettersAndDigits(name) {
			found = append(found, *u)
		}
	}
	slices.SortFunc(found, func(a, b qualytics.User) int { return cmp.Or(activeFirst(a, b), cmp.Compare(a.ID, b.ID)) })
	return found
}

// cover makes sure that the accounts that may use a name are known, and reports
// whether they are.
func (n *accountNames) cover(ctx context.Context, client *qualytics.Client, name string) bool {
	lower := strings.ToLower(name)
	if slices.ContainsFunc(n.covered, func(part string) bool { return strings.Contains(lower, part) }) {
		return true
	}
	for _, part := range wordsOf(lower) {
		left := maxNameRequests - n.requests
		if n.stopped || left <= 0 {
			return false
		}
		// Half of what is left, so that one common word does not use up all of it.
		found, requests, complete, err := client.AccountsUpTo(ctx,
			qualytics.UserFilter{Name: part, IncludeDeleted: true}, max(1, left/2))
		n.requests += requests
		if err != nil {
			n.stopped = true
			return false
		}
		if !complete {
			continue
		}
		if n.accounts == nil {
			n.accounts = map[int64]*qualytics.User{}
		}
		for i := range found {
			n.accounts[found[i].ID] = &found[i]
		}
		n.covered = append(n.covered, part)
		return true
	}
	return false
}

// wordsOf returns the words of a name: those that begin with a letter first,
// because similar names share them, and longer ones before shorter ones.
func wordsOf(name string) []string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	rank := func(word string) int {
		if strings.ContainsFunc(word, unicode.IsLetter) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(words, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(b), len(a)))
	})
	return words
}
