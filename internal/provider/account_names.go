// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

func newAccountNames(client *qualytics.Client) *accountNames {
	return &accountNames{client: client, common: map[string]bool{}, accounts: map[int64]*qualytics.User{}}
}

const (
	maxNameRequests = 30
	// reservedForReplacements is how many requests new accounts leave for replacements: a
	// failed replacement has already deactivated an account.
	reservedForReplacements = 10
	// maxListPages is how many pages of all accounts are worth a complete list, which
	// also finds names with other separators.
	maxListPages = 10
)

// stop ends the look-ups: the apply has begun, and Terraform plans every create again there.
func (n *accountNames) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
}

// using returns the accounts that use a name, by ID. It returns none if that is not known.
// reserve is how many of the requests it must leave.
func (n *accountNames) using(ctx context.Context, name string, reserve int) []qualytics.User {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.cover(ctx, name, reserve) {
		return nil
	}
	var found []qualytics.User
	for _, u := range n.accounts {
		if usesName(u.Name, u.UserID, name) {
			found = append(found, *u)
		}
	}
	slices.SortFunc(found, func(a, b qualytics.User) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

// cover makes sure that the accounts that may use a name are known, and reports whether they are.
func (n *accountNames) cover(ctx context.Context, name string, reserve int) bool {
	lower := strings.ToLower(name)
	if slices.ContainsFunc(n.covered, func(part string) bool { return strings.Contains(lower, part) }) {
		return true
	}
	for _, part := range append([]string{""}, wordsOf(lower)...) {
		left := maxNameRequests - reserve - n.requests
		if n.stopped || left <= 0 {
			return false
		}
		if n.common[part] {
			continue
		}
		// Half of what is left, so that one common word does not use up all of it.
		pages := max(1, left/2)
		if part == "" {
			pages = min(maxListPages, pages)
		}
		filter := qualytics.UserFilter{Name: part, IncludeDeleted: true}
		found, requests, complete, err := n.client.AccountsUpTo(ctx, filter, pages)
		n.requests += requests
		switch {
		case err != nil:
			n.stopped = true
			return false
		case complete:
			for i := range found {
				n.accounts[found[i].ID] = &found[i]
			}
			n.covered = append(n.covered, part)
			return true
		}
		n.common[part] = true
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

// firstActive returns the first account that matches, active accounts first, or nil.
func firstActive(accounts []qualytics.User, matches func(*qualytics.User) bool) *qualytics.User {
	var found *qualytics.User
	for i := range accounts {
		if u := &accounts[i]; matches(u) && (found == nil || found.Deactivated() && !u.Deactivated()) {
			found = u
		}
	}
	return found
}

// usesName reports whether an account with a name and a user_id may use another name. Only
// the server knows how it derives the user_id: names and user_ids with the same letters and
// digits, or with the same ASCII ones, may be the same to it.
func usesName(accountName, userID, name string) bool {
	local, _, _ := strings.Cut(userID, "@")
	derived, letters, ascii := lettersAndDigits(local), lettersAndDigits(name), asciiOnly(lettersAndDigits(name))
	switch own := lettersAndDigits(accountName); {
	case letters != "" && (letters == own || letters == derived):
		return true
	case ascii != "" && ascii == asciiOnly(own):
		return true
	}
	// A server that dropped the other letters of one name drops them of all.
	return userID != "" && derived == asciiOnly(derived) && derived == ascii
}

// mayUse reports whether an account uses a name, or may do so because the name is unknown.
func (m accountFields) mayUse(name types.String) bool {
	return name.IsUnknown() || usesName(m.Name.ValueString(), m.UserID.ValueString(), name.ValueString())
}

// lettersAndDigits returns the letters and digits of a name in lower case.
func lettersAndDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// asciiOnly returns the ASCII characters of a text.
func asciiOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return -1
		}
		return r
	}, s)
}
