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
		w.expect("create", "Create a service account", []string{"200", "201"}, observed,
			"Service accounts cannot be created.")
		return
	}
	account := asObject(created.value)
	w.check("user_id", "user_id of the name \"tfprobe-… Probe\"", "lower case, spaces as _, hyphens kept or dropped",
		[]string{"hyphens kept", "hyphens dropped"}, w.userIDRule(account.text("user_id")),
		"Plans do not find every account whose name is in use; apply reports the conflict.")
	again := w.post(ctx, "/users", object{"name": w.name, "role": "Member"})
	w.expect("duplicate_account", "Second account with the same name", []string{"409"}, again.outcome(),
		"Two accounts may have the same name, and an import by name finds the wrong one.")
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
	name := asObject(a.value).text("name")
	observed := a.either(name == strings.TrimSpace(name), "trimmed", "kept")
	w.note("trimming", "Name with spaces around it", "unknown", observed)
}

// updates examines unknown teams and partial updates.
func (w *writer) updates(ctx context.Context, account object) {
	path := "/users/" + account.text("id")
	put := func(body object) response { return w.send(ctx, http.MethodPut, path, nil, body) }
	unknown := w.post(ctx, "/users", object{"name": w.name + " c", "role": "Member", "teams": []string{w.team()}})
	teams := func(o object) int { list, _ := o["teams"].([]any); return len(list) }
	more := func(a response) bool { return teams(asObject(a.value)) > teams(account) }
	observed := unknown.either(more(unknown), "created", "ignored")
	w.createsTeams = observed == "created"
	w.expect("unknown_team", "Team that does not exist", []string{"400", "404", "422", "ignored"}, observed,
		"The provider checks names of teams before it writes them.")
	both := put(object{"role": "Manager", "teams": []string{}})
	w.expect("update", "Update with role and teams", []string{"200"}, both.outcome(),
		"Accounts cannot be updated.")
	partial := put(object{"teams": []string{}})
	w.check("partial_update", "Update with teams only", "role kept, or 422", []string{"role kept", "role reset", "422"},
		partial.either(asObject(partial.value).text("role") == "Manager", "role kept", "role reset"),
		"The provider always sends both.")
	team := w.anyTeam(ctx)
	if team == "" || w.createsTeams { // it would create another one
		return
	}
	lower := put(object{"role": "Member", "teams": []string{strings.ToLower(team)}})
	w.note("team_case", "Name of a team in lower case", "unknown",
		lower.either(more(lower), "case-insensitive", "ignored"))
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
	w.expect("create_token", "Create a token", []string{"200", "201"}, first.outcome(),
		"Tokens cannot be created.")
	if !first.ok() || token.text("id") == "" {
		return
	}
	path := "/user-tokens/" + token.text("id")
	duplicate, _ := create(w.name, false)
	w.expect("duplicate_token", "Second token with the same name", []string{"409"}, duplicate.outcome(),
		"After a lost response, the provider cannot tell the tokens apart by name; use name_prefix.")
	limited, scim := create(w.name+" scim", true)
	if limited.ok() {
		w.expect("scim_only", "SCIM-only token on another endpoint", []string{"401", "403"},
			w.as(ctx, scim.text("bearer_token")),
			"scim_endpoints_only has no effect here, and the provider warns about it.")
	}
	active := w.send(ctx, http.MethodDelete, "/users/"+account.text("id"), nil, nil)
	w.expect("deactivate_with_tokens", "Deactivate an account with active tokens", []string{"400"}, active.outcome(),
		"Destroying an account does not stop at active tokens: what uses them breaks.")
	revoked := w.send(ctx, http.MethodPut, path, nil, object{"revoke": true})
	w.expect("revoke", "Revoke a token", []string{"revoked"}, activity(revoked),
		"Tokens cannot be revoked.")
	restored := w.send(ctx, http.MethodPut, path, nil, object{"revoke": false})
	w.expect("restore", "Restore a revoked token", []string{"active"}, activity(restored),
		"Changing revoked back to false fails, and the next plan replaces the token.")
	if activity(restored) != "active" {
		return
	}
	deleted := w.send(ctx, http.MethodDelete, path, nil, nil)
	w.expect("delete_active_token", "Delete an active token", []string{"400", "409"}, deleted.outcome(),
		"The provider always revokes first.")
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
	w.check("deactivate", "Deactivate an account", "200, 202, or 204", []string{"200", "202", "204", "404"},
		gone.outcome(), "Accounts cannot be destroyed.")
	a := w.get(ctx, path, nil)
	observed := a.either(asObject(a.value).text("deleted_at") != "", "deleted_at", "active")
	w.expect("deactivated", "A deactivated account", []string{"deleted_at", "404"}, observed,
		"A deactivated account is not noticed, and stays in the state.")
	list := w.get(ctx, "/users", url.Values{"type": {"Service"}, "name": {w.name}, "include_deleted": {"true"}})
	if list.isList() {
		observed = "not listed"
		if slices.Contains(values(list.items(), "id"), account.text("id")) {
			observed = "listed"
		}
		w.expect("deactivated_list", "A deactivated account in the list with include_deleted", []string{"listed"},
			observed, "Names of deactivated accounts are not found before apply.")
	}
	again := w.post(ctx, "/users", object{"name": w.name, "role": "Member"})
	w.note("name_reuse", "Name of a deactivated account", "unknown", again.outcome())
}
