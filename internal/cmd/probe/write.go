// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// namePrefix is the prefix of everything that a run creates. "make sweep" removes what a
// killed run left.
const namePrefix = "tfprobe-"

// writer examines writes with a throwaway account.
type writer struct {
	*prober
	name string // of the account
}

// write examines what only writes can show. It always removes what it created.
func (p *prober) write(ctx context.Context, suffix string) {
	p.section("Writes")
	w := &writer{p, namePrefix + suffix + " Probe"}
	w.examine(ctx)
	w.cleanUp(ctx)
}

// post sends a request that creates something.
func (w *writer) post(ctx context.Context, path string, body any) answer {
	return w.send(ctx, http.MethodPost, path, nil, body)
}

func (w *writer) examine(ctx context.Context) {
	created := w.post(ctx, "/users", object{"name": w.name, "role": "Member"})
	if !created.ok() || asObject(created.value).text("id") == "" {
		w.check(assumption{
			"create", "Create a service account", "200 or 201",
			[]string{"200", "201"},
			"Service accounts cannot be created.",
		}, created.outcome())
		return
	}
	account := asObject(created.value)
	w.check(assumption{
		"user_id", "user_id of the name \"tfprobe-… Probe\"", "lower case, spaces as _, hyphens kept or dropped",
		[]string{"hyphens kept", "hyphens dropped"},
		"Plans do not find every account whose name is in use; apply reports the conflict.",
	}, w.userIDRule(account.text("user_id")))
	again := w.post(ctx, "/users", object{"name": w.name, "role": "Member"})
	w.check(assumption{
		"duplicate_account", "Second account with the same name", "409",
		[]string{"409"},
		"Two accounts may have the same name, and an import by name finds the wrong one.",
	}, again.outcome())
	w.trimming(ctx)
	w.updates(ctx, account)
	w.tokens(ctx, account)
	w.afterwards(ctx, account)
}

// userIDRule describes how the server derived the user_id from the account's name.
func (w *writer) userIDRule(userID string) string {
	plain := strings.ReplaceAll(strings.ToLower(w.name), " ", "_")
	switch userID {
	case "":
		return ""
	case plain + "@service":
		return "hyphens kept"
	case strings.ReplaceAll(plain, "-", "") + "@service":
		return "hyphens dropped"
	}
	w.detail("user_id %q of the name %q", userID, w.name)
	return "another rule"
}

// trimming examines names with spaces around them.
func (w *writer) trimming(ctx context.Context) {
	a := w.post(ctx, "/users", object{"name": " " + w.name + " b ", "role": "Member"})
	observed := a.outcome()
	if a.ok() {
		observed = "kept"
		if name := asObject(a.value).text("name"); name == strings.TrimSpace(name) {
			observed = "trimmed"
		}
	}
	w.check(assumption{"trimming", "Name with spaces around it", "unknown", nil, ""}, observed)
}

// updates examines unknown teams and partial updates.
func (w *writer) updates(ctx context.Context, account object) {
	path := "/users/" + account.text("id")
	put := func(body object) answer { return w.send(ctx, http.MethodPut, path, nil, body) }
	unknown := w.post(ctx, "/users",
		object{"name": w.name + " c", "role": "Member", "teams": []string{w.name + " (no such team)"}})
	observed := unknown.outcome()
	if unknown.ok() {
		observed = "ignored"
		if list, _ := asObject(unknown.value)["teams"].([]any); len(list) > 1 { // not only Public
			observed = "created"
		}
	}
	w.check(assumption{
		"unknown_team", "Team that does not exist", "400, 404, 422, or ignored",
		[]string{"400", "404", "422", "ignored"},
		"The provider checks names of teams before it writes them.",
	}, observed)
	both := put(object{"role": "Manager", "teams": []string{}})
	w.check(assumption{
		"update", "Update with role and teams", "200", []string{"200"}, "Accounts cannot be updated.",
	}, both.outcome())
	partial := put(object{"teams": []string{}})
	observed = partial.outcome()
	if partial.ok() {
		observed = "role reset"
		if asObject(partial.value).text("role") == "Manager" {
			observed = "role kept"
		}
	}
	w.check(assumption{
		"partial_update", "Update with teams only", "role kept, or 422",
		[]string{"role kept", "role reset", "422"},
		"The provider always sends both.",
	}, observed)
	team := w.anyTeam(ctx)
	if team == "" {
		return
	}
	lower := put(object{"role": "Member", "teams": []string{strings.ToLower(team)}})
	observed = lower.outcome()
	if lower.ok() {
		observed = "ignored"
		if list, _ := asObject(lower.value)["teams"].([]any); len(list) > 1 {
			observed = "case-insensitive"
		}
	}
	w.check(assumption{"team_case", "Name of a team in lower case", "unknown", nil, ""}, observed)
}

// anyTeam returns the name of a team other than Public that is not in lower case.
func (w *writer) anyTeam(ctx context.Context) string {
	for _, name := range values(w.get(ctx, "/teams", nil).items(), "name") {
		if name != "Public" && name != strings.ToLower(name) {
			return name
		}
	}
	return ""
}

// tokens examines the life of a token.
func (w *writer) tokens(ctx context.Context, account object) {
	create := func(name string, scim bool) (answer, object) {
		a := w.post(ctx, "/user-tokens", object{
			"name": name, "user_id": account["id"], "expires_in_days": 1, "scim_endpoints_only": scim,
		})
		return a, asObject(a.value)
	}
	first, token := create(w.name, false)
	w.check(assumption{
		"create_token", "Create a token", "200 or 201", []string{"200", "201"}, "Tokens cannot be created.",
	}, first.outcome())
	if !first.ok() || token.text("id") == "" {
		return
	}
	path := "/user-tokens/" + token.text("id")
	duplicate, _ := create(w.name, false)
	w.check(assumption{
		"duplicate_token", "Second token with the same name", "409",
		[]string{"409"},
		"After a lost answer, the provider cannot tell the tokens apart by name; use name_prefix.",
	}, duplicate.outcome())
	limited, scim := create(w.name+" scim", true)
	if limited.ok() {
		w.check(assumption{
			"scim_only", "SCIM-only token on another endpoint", "401 or 403",
			[]string{"401", "403"},
			"scim_endpoints_only has no effect here, and the provider warns about it.",
		}, w.as(ctx, scim.text("bearer_token")))
	}
	active := w.send(ctx, http.MethodDelete, "/users/"+account.text("id"), nil, nil)
	w.check(assumption{
		"deactivate_with_tokens", "Deactivate an account with active tokens", "400",
		[]string{"400"},
		"Destroying an account does not stop at active tokens: what uses them breaks.",
	}, active.outcome())
	revoked := w.send(ctx, http.MethodPut, path, nil, object{"revoke": true})
	w.check(assumption{
		"revoke", "Revoke a token", "200", []string{"200"}, "Tokens cannot be revoked.",
	}, revoked.outcome())
	restored := w.send(ctx, http.MethodPut, path, nil, object{"revoke": false})
	w.check(assumption{
		"restore", "Restore a revoked token", "200",
		[]string{"200"},
		"Changing revoked back to false fails, and the next plan replaces the token.",
	}, restored.outcome())
	deleted := w.send(ctx, http.MethodDelete, path, nil, nil)
	w.check(assumption{
		"delete_active_token", "Delete an active token", "400 or 409",
		[]string{"400", "409"},
		"The provider always revokes first.",
	}, deleted.outcome())
}

// as returns the status of GET /users/me with another token.
func (w *writer) as(ctx context.Context, secret string) string {
	client, err := w.client.WithToken(qualytics.Secret(secret))
	if err != nil {
		return ""
	}
	a, err := client.Send(ctx, http.MethodGet, "/users/me", nil, nil)
	if err != nil {
		return ""
	}
	return fmt.Sprint(a.Status)
}

// afterwards deactivates the account, and examines what remains.
func (w *writer) afterwards(ctx context.Context, account object) {
	if !w.removeTokens(ctx, account.text("id")) {
		return
	}
	path := "/users/" + account.text("id")
	gone := w.send(ctx, http.MethodDelete, path, nil, nil)
	w.check(assumption{
		"deactivate", "Deactivate an account", "200, 202, or 204",
		[]string{"200", "202", "204", "404"},
		"Accounts cannot be destroyed.",
	}, gone.outcome())
	a := w.get(ctx, path, nil)
	observed := a.outcome()
	if a.ok() {
		observed = "active"
		if asObject(a.value).text("deleted_at") != "" {
			observed = "deleted_at"
		}
	}
	w.check(assumption{
		"deactivated", "A deactivated account", "deleted_at or 404",
		[]string{"deleted_at", "404"},
		"A deactivated account is not noticed, and stays in the state.",
	}, observed)
	again := w.post(ctx, "/users", object{"name": w.name, "role": "Member"})
	w.check(assumption{"name_reuse", "Name of a deactivated account", "unknown", nil, ""}, again.outcome())
}

// cleanUp removes everything with the name of this run, also after an interrupt, and
// tries again if requests fail.
func (w *writer) cleanUp(ctx context.Context) {
	const (
		attempts = 8
		limit    = 2 * time.Minute
	)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	w.section("Clean-up")
	clean := 0 // passes that found nothing: one answer may be wrong
	for attempt := range attempts {
		var found int
		found, w.leftovers = w.removeAll(ctx)
		if clean++; found > 0 || len(w.leftovers) > 0 {
			clean = 0
		}
		if clean == 2 {
			w.printf("  Nothing active is left. The accounts named %s… stay as deactivated.\n", w.name)
			return
		}
		if len(w.leftovers) > 0 && attempt < attempts-1 {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
	w.printf("  Still active: %s. Remove them by hand, or run make sweep.\n", strings.Join(w.leftovers, ", "))
}

// pause is the time between two attempts to clean up.
const pause = 300 * time.Millisecond

// removeAll removes the tokens of this run's accounts, and deactivates the accounts. It
// returns the number of active accounts that it found, and what may still be active. It
// reads answers leniently: a build whose answers the client cannot read must not keep a
// token alive.
func (w *writer) removeAll(ctx context.Context) (found int, left []string) {
	list := w.get(ctx, "/users", url.Values{"type": {"Service"}, "name": {w.name}})
	if !list.ok() {
		return 0, []string{"the accounts named " + w.name}
	}
	for _, account := range list.items() {
		if !strings.HasPrefix(strings.TrimSpace(account.text("name")), w.name) || account.text("deleted_at") != "" {
			continue
		}
		found++
		done := w.removeTokens(ctx, account.text("id"))
		a := w.send(ctx, http.MethodDelete, "/users/"+account.text("id"), nil, nil)
		if !done || a.Status >= http.StatusBadRequest || a.Status == 0 {
			left = append(left, "account ID "+account.text("id"))
		}
	}
	return found, left
}

// removeTokens revokes and deletes the tokens of an account. It reports whether none is
// left.
func (w *writer) removeTokens(ctx context.Context, accountID string) bool {
	list := w.get(ctx, "/user-tokens/service", nil)
	if !list.ok() {
		return false
	}
	done := true
	for _, token := range list.items() {
		if token.object("user").text("id") != accountID {
			continue
		}
		path := "/user-tokens/" + token.text("id")
		w.send(ctx, http.MethodPut, path, nil, object{"revoke": true})
		a := w.send(ctx, http.MethodDelete, path, nil, nil)
		done = done && (a.Status >= 200 && a.Status < 300 || a.Status == http.StatusNotFound)
	}
	return done
}
