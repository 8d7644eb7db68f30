// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// namePrefix is the prefix of everything that a run creates. "make sweep" removes what a
// killed run left.
const namePrefix = "tfprobe-"

// writer examines writes with a throwaway account.
type writer struct {
	*prober
	name     string          // of the account
	accounts map[string]bool // IDs of the accounts of this run
	tokenIDs map[string]bool // and of its tokens
	sent     bool            // something that may create an object was sent
	lost     bool            // the response of a write was lost

	createsTeams bool // the server created a team that does not exist
}

// team is the name of a team that does not exist.
func (w *writer) team() string { return w.name + " (no such team)" }

// write examines what only writes can show. It always removes what it created.
func (p *prober) write(ctx context.Context, suffix string) {
	p.section("Writes")
	w := &writer{
		prober: p, name: namePrefix + suffix + " Probe", accounts: map[string]bool{}, tokenIDs: map[string]bool{},
	}
	w.examine(ctx)
	w.cleanUp(ctx)
}

// post sends a request that creates something, and records what it created.
func (w *writer) post(ctx context.Context, path string, body any) response {
	if ctx.Err() != nil {
		return noResponse(ctx.Err())
	}
	a := w.send(ctx, http.MethodPost, path, nil, body)
	id := asObject(a.value).text("id")
	switch {
	case a.Status == http.StatusConflict && !a.HTML:
		w.sent = true // nothing else has this name: a gateway may have sent the request twice
		return a
	case a.Status >= http.StatusBadRequest && a.Status < http.StatusInternalServerError && !a.HTML:
		return a // refused
	case !a.ok() || id == "":
		w.lost = true
	case path == "/users":
		w.accounts[id] = true
	default:
		w.tokenIDs[id] = true
	}
	w.sent = true
	return a
}

func (w *writer) examine(ctx context.Context) {
	created := w.post(ctx, "/users", object{"name": w.name, "role": "Member"})
	if !created.ok() || asObject(created.value).text("id") == "" {
		observed := created.outcome()
		if created.ok() {
			observed += " without an ID"
		}
		w.check(assumption{
			"create", "Create a service account", "200 or 201",
			[]string{"200", "201"},
			"Service accounts cannot be created.",
		}, observed)
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
	put := func(body object) response { return w.send(ctx, http.MethodPut, path, nil, body) }
	unknown := w.post(ctx, "/users", object{"name": w.name + " c", "role": "Member", "teams": []string{w.team()}})
	observed := unknown.outcome()
	if unknown.ok() {
		observed = "ignored"
		before, _ := account["teams"].([]any)
		if after, _ := asObject(unknown.value)["teams"].([]any); len(after) > len(before) {
			observed, w.createsTeams = "created", true
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
	if team == "" || w.createsTeams { // it would create another one
		return
	}
	lower := put(object{"role": "Member", "teams": []string{strings.ToLower(team)}})
	observed = lower.outcome()
	if lower.ok() {
		observed = "ignored"
		before, _ := account["teams"].([]any)
		if after, _ := asObject(lower.value)["teams"].([]any); len(after) > len(before) {
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
	create := func(name string, scim bool) (response, object) {
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
		"After a lost response, the provider cannot tell the tokens apart by name; use name_prefix.",
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
		"revoke", "Revoke a token", "revoked",
		[]string{"revoked"},
		"Tokens cannot be revoked.",
	}, activity(revoked))
	restored := w.send(ctx, http.MethodPut, path, nil, object{"revoke": false})
	w.check(assumption{
		"restore", "Restore a revoked token", "active",
		[]string{"active"},
		"Changing revoked back to false fails, and the next plan replaces the token.",
	}, activity(restored))
	if activity(restored) != "active" {
		return
	}
	deleted := w.send(ctx, http.MethodDelete, path, nil, nil)
	w.check(assumption{
		"delete_active_token", "Delete an active token", "400 or 409",
		[]string{"400", "409"},
		"The provider always revokes first.",
	}, deleted.outcome())
}

// activity returns whether the token in a response is active, or the status.
func activity(a response) string {
	switch active := asObject(a.value)["active"]; {
	case !a.ok():
		return a.outcome()
	case active == true:
		return "active"
	case active == false:
		return "revoked"
	}
	return a.outcome() + " without the field active"
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
	list := w.get(ctx, "/users", url.Values{"type": {"Service"}, "name": {w.name}, "include_deleted": {"true"}})
	if list.isList() {
		observed = "not listed"
		if slices.Contains(values(list.items(), "id"), account.text("id")) {
			observed = "listed"
		}
		w.check(assumption{
			"deactivated_list", "A deactivated account in the list with include_deleted", "listed",
			[]string{"listed"},
			"Names of deactivated accounts are not found before apply.",
		}, observed)
	}
	again := w.post(ctx, "/users", object{"name": w.name, "role": "Member"})
	w.check(assumption{"name_reuse", "Name of a deactivated account", "unknown", nil, ""}, again.outcome())
}
