// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cleanUp removes the tokens of this run and deactivates its accounts, also after an
// interrupt, until two passes in a row found nothing active: one response may be wrong, and
// a write whose response was lost may take effect later.
func (w *writer) cleanUp(ctx context.Context) {
	w.section("Clean-up")
	if !w.sent {
		w.printf("  Nothing was created.\n")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.timing.limit)
	defer cancel()
	pause, clean := w.timing.pause, 0
	for ctx.Err() == nil {
		if w.leftovers = w.pass(ctx); len(w.leftovers) == 0 {
			clean++
		} else {
			clean = 0
		}
		if clean == 2 {
			w.printf("  Nothing active is left. %s", strings.Join(w.remains(), " "))
			w.printf("\n")
			return
		}
		wait := pause
		if w.lost && clean == 1 {
			wait = w.timing.settle
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		pause = min(2*pause, w.timing.settle)
	}
	w.printf("  Still active: %s. Remove them by hand, or run make sweep.\n", strings.Join(w.leftovers, ", "))
}

// remains describes what the API cannot erase.
func (w *writer) remains() []string {
	var out []string
	if len(w.accounts) > 0 {
		out = append(out, "The accounts named "+w.name+"… remain as deactivated accounts.")
	}
	if w.createsTeams {
		out = append(out, "The team "+w.team()+" was created by the server and stays.")
	}
	return out
}

// timing is how patient the clean-up is.
type timing struct {
	limit  time.Duration // for all of it
	pause  time.Duration // between the first two passes; doubled after each
	settle time.Duration // for writes whose response was lost
}

var defaultTiming = timing{limit: 2 * time.Minute, pause: 300 * time.Millisecond, settle: 5 * time.Second}

// pass removes what is active, and returns what was or may be active. It reads responses
// leniently: a build whose responses the client cannot read must not keep a token alive.
func (w *writer) pass(ctx context.Context) []string {
	var left []string
	if !w.findAccounts(ctx) {
		left = append(left, "accounts named "+w.name)
	}
	tokens, ok := w.allTokens(ctx)
	if !ok {
		left = append(left, "tokens named "+w.name)
	}
	for _, token := range tokens {
		owned := w.accounts[token.object("user").text("id")] || strings.HasPrefix(token.text("name"), w.name)
		if owned || w.tokenIDs[token.text("id")] {
			left = append(left, "token ID "+token.text("id"))
			w.removeToken(ctx, token.text("id"))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		if w.isDeactivated(ctx, id) {
			continue
		}
		left = append(left, "account ID "+id)
		w.send(ctx, http.MethodDelete, "/users/"+id, nil, nil)
	}
	return left
}

// findAccounts adds the accounts with the name of this run. It reports false if the list
// could not be read.
func (w *writer) findAccounts(ctx context.Context) bool {
	query := url.Values{"type": {"Service"}, "name": {w.name}, "include_deleted": {"true"}}
	list := w.get(ctx, "/users", query)
	if list.Status == http.StatusUnprocessableEntity || list.Status == http.StatusBadRequest {
		query.Del("include_deleted")
		list = w.get(ctx, "/users", query)
	}
	if !list.isList() {
		return false
	}
	for _, account := range list.items() {
		if strings.HasPrefix(strings.TrimSpace(account.text("name")), w.name) && account.text("id") != "" {
			w.accounts[account.text("id")] = true
		}
	}
	return true
}

// isDeactivated reports whether an account is certainly deactivated.
func (w *writer) isDeactivated(ctx context.Context, id string) bool {
	a := w.get(ctx, "/users/"+id, nil)
	user := asObject(a.value)
	return a.Status == http.StatusNotFound && !a.HTML ||
		a.ok() && user.text("id") == id && user.text("deleted_at") != ""
}

// removeToken revokes and deletes a token.
func (w *writer) removeToken(ctx context.Context, id string) {
	w.send(ctx, http.MethodPut, "/user-tokens/"+id, nil, object{"revoke": true})
	w.send(ctx, http.MethodDelete, "/user-tokens/"+id, nil, nil)
}

// allTokens returns the service tokens of all pages. It reports false if a page could not be read.
func (w *writer) allTokens(ctx context.Context) ([]object, bool) {
	const mostPages = 1000
	var all []object
	var query url.Values
	for page := 1; page <= mostPages; page++ {
		a := w.get(ctx, "/user-tokens/service", query)
		if !a.isList() {
			return all, false
		}
		items := a.items()
		all = append(all, items...)
		envelope := asObject(a.value)
		total, err := strconv.Atoi(envelope.text("total") + envelope.text("total_count"))
		if envelope == nil || len(items) == 0 || err == nil && len(all) >= total || err != nil {
			return all, true
		}
		query = url.Values{"page": {strconv.Itoa(page + 1)}, "size": {strconv.Itoa(len(items))}}
	}
	return all, false
}

// removeTokens removes the tokens of an account. It reports whether none is left.
func (w *writer) removeTokens(ctx context.Context, accountID string) bool {
	tokens, ok := w.allTokens(ctx)
	for _, token := range tokens {
		if token.object("user").text("id") == accountID {
			w.removeToken(ctx, token.text("id"))
		}
	}
	return ok
}
