// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// Teams are compared without case, Public makes no difference, and the state keeps the spelling
// of the configuration.
func TestAccountTeams(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "API Access", "role": "Member", "teams": []string{"data engineering", "PUBLIC"}}
		o := h.created(accountType, config)
		h.clean(o, config)
		if got := get(o.state, "teams"); got != "PUBLIC,data engineering" {
			t.Errorf("the state spells the teams %q", got)
		}
		for _, same := range [][]string{
			{"Data Engineering"}, {"Public", "DATA ENGINEERING"}, {"data engineering", "Data Engineering"},
		} {
			h.clean(o, values{"name": "API Access", "role": "Member", "teams": same})
		}
		h.server.ClearRequests()
		h.must(o, values{"name": "API Access", "role": "Member", "teams": []string{}}, "update")
		wantWrites(t, h, fmt.Sprint("PUT /users/", get(o.state, "id")))
		h.clean(o, values{"name": "API Access", "role": "Member", "teams": []string{"Public"}})
		if got := h.server.ServiceAccounts()[0].Teams; len(got) != 0 {
			t.Errorf("the server still has the teams %v", got)
		}
	})
}

// Membership that is not configured does not change, even if the role does.
func TestAccountUnmanagedTeams(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.created(accountType, values{"name": "x", "role": "Member"})
		id := h.server.ServiceAccounts()[0].ID
		h.server.EditUser(id, func(u *qualyticstest.User) { u.Teams = []string{"Data Quality"} })
		h.clean(o, values{"name": "x", "role": "Member"})
		h.server.EditUser(id, func(u *qualyticstest.User) { u.Teams = []string{"Data Quality", "Data Engineering"} })
		after := h.applied(h.plan(o, values{"name": "x", "role": "Manager"})) // with the state of before
		u := h.server.ServiceAccounts()[0]
		if diff := cmp.Diff([]string{"Data Quality", "Data Engineering"}, u.Teams); diff != "" || u.Role != "Manager" {
			t.Errorf("role %s, teams, want -, got +:\n%s", u.Role, diff)
		}
		h.clean(after, values{"name": "x", "role": "Manager"})
		// Managed, and no longer managed: nothing changes.
		h.clean(after, values{"name": "x", "role": "Manager", "teams": []string{"data quality", "data engineering"}})
		h.clean(after, values{"name": "x", "role": "Manager"})
	})
}

// A role that a build does not have is an error; older builds have it.
func TestAccountEditorRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	_, diags := h.run(h.none(accountType), values{"name": "x", "role": "Editor"})
	wantText(t, diags.errors(), "422", "role: ", `do not have the role "Editor"`)
	o := h.created(accountType, values{"name": "x", "role": "Member"})
	_, diags = h.run(o, values{"name": "x", "role": "Editor"})
	wantText(t, diags.errors(), "Unable to update", `do not have the role "Editor"`)
	h.clean(o, values{"name": "x", "role": "Member"})
	h.must(o, values{"name": "x", "role": "Admin"}, "update")
	h.clean(o, values{"name": "x", "role": "Admin"})

	old := newHarness(t, qualyticstest.Seed202511())
	e := old.none(accountType)
	old.must(e, values{"name": "x", "role": "Editor"}, "create")
	old.clean(e, values{"name": "x", "role": "Editor"})
}

// What the server ignores is an error, and the state contains what the server reports.
func TestAccountServerIgnores(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreRole, p.IgnoreTeams = true, true })
		o := h.none(accountType)
		config := values{"name": "x", "role": "Manager", "teams": []string{"Data Quality"}}
		_, diags := h.run(o, config)
		wantText(t, diags.errors(), "Role not applied", `had the role "Manager", and the response has "Member"`,
			`did not add "Data Quality"`, "terraform untaint")
		if !o.exists() || get(o.state, "role") != "Member" || get(o.state, "teams") != "" {
			t.Errorf("the state holds the role %q and the teams %q", get(o.state, "role"), get(o.state, "teams"))
		}
		o.tainted = false // what the message asks for
		_, diags = h.run(o, config)
		wantText(t, diags.errors(), "Role not applied", "Teams not applied")
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreRole, p.IgnoreTeams = false, false })
		h.must(o, config, "update")
		h.clean(o, config)
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreTeams = true })
		_, diags = h.run(o, values{"name": "x", "role": "Manager", "teams": []string{}})
		wantText(t, diags.errors(), `did not remove "Data Quality"`)
	})
}

// A deactivated account leaves the state, and nothing is left to destroy.
func TestAccountGone(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.created(accountType, values{"name": "x", "role": "Member"})
		p := h.plan(o, nil)
		h.deactivate(h.server.ServiceAccounts()[0].ID)
		if h.applied(p).exists() {
			t.Error("in the state after the destroy")
		}
		diags := h.refresh(o)
		if o.exists() || diags.errors() != "" {
			t.Errorf("still in state: %s", diags.errors())
		}
		wantText(t, diags.warnings(), `Service account "x"`, "deactivated or removed")
	})
}

// Only the API's own 404 removes an account from the state.
func TestAccountReadErrors(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "x", "role": "Member"})
	path := "/users/" + get(o.state, "id") // of a proxy that does not serve it
	for _, tc := range []struct {
		name  string
		fault qualyticstest.Fault
		want  string
	}{
		{"401", qualyticstest.JSON(401, `{"detail":"Could not validate"}`), "invalid, expired, or revoked"},
		{"403", qualyticstest.JSON(403, `{"detail":"no"}`), "requires the role Admin"},
		{"403 of a firewall", qualyticstest.HTML(403), "does not come from Qualytics"},
		{"404 of a proxy", qualyticstest.HTML(404), "check url and api_path"},
		{"404 of nowhere", qualyticstest.JSON(404, `{"detail":"Not Found"}`), "404"},
		{"404 of a path", qualyticstest.HTML(404).On("GET", path), "Unable to read"},
		{"404 of a path, empty", qualyticstest.Fault{Status: 404}.On("GET", path), "Unable to read"},
		{"404 of a path, JSON", qualyticstest.JSON(404, `{"error":"no route"}`).On("GET", path), "Unable to read"},
		{"429", qualyticstest.HTML(429), "rate limit"},
		{"500", qualyticstest.JSON(500, `{"detail":"boom"}`), "has a problem"},
		{"web page", qualyticstest.HTML(200), "check url and api_path"},
		{"closed", qualyticstest.Fault{Kind: qualyticstest.CloseBefore}, "closed"},
	} {
		h.server.Fail(tc.fault.Repeat(qualyticstest.Forever))
		diags := h.refresh(o) // fails the test when the state changed
		wantText(t, diags.errors(), `Service account "x" (ID`, tc.want, "Request: GET http://127.")
		h.server.Heal()
		if !o.exists() {
			t.Fatalf("%s emptied the state", tc.name)
		}
	}
	h.clean(o, values{"name": "x", "role": "Member"})
}

// An account with active tokens is not deactivated, unless revoke_tokens_on_destroy is set.
func TestAccountDestroyWithActiveTokens(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Member"}
		o := h.created(accountType, config)
		token := h.server.AddToken(qualyticstest.Token{Name: "by hand", UserID: h.server.ServiceAccounts()[0].ID})
		_, diags := h.run(o, nil)
		wantText(t, diags.errors(), "Unable to deactivate", "400",
			fmt.Sprintf(`"by hand" (ID %d), last used never`, token.ID), "revoke_tokens_on_destroy = true")
		if !o.exists() || len(h.server.ServiceAccounts()) != 1 {
			t.Fatal("the account is gone")
		}
		config["revoke_tokens_on_destroy"] = true
		h.server.ClearRequests()
		h.must(o, config, "update")
		wantWrites(t, h)
		h.must(o, nil, "delete")
		if len(h.server.ServiceAccounts()) != 0 || h.server.Tokens()[0].Active {
			t.Error("the account or its token is still active")
		}
	})
}

// An active service account can be imported by ID, user_id, and identity, and nothing else can.
func TestAccountImport(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "API Access", Role: "Manager", Teams: []string{"Data Quality"}})
		person := h.server.AddUser(qualyticstest.User{Name: "Bob", UserID: "auth0|bob", Type: "Human"})
		internal := h.server.AddUser(qualyticstest.User{Name: "System", UserID: "system", Type: "Internal"})
		now := h.server.Clock.Now()
		dead := h.server.AddUser(qualyticstest.User{Name: "Dead", Deleted: &now})
		config := values{"name": "API Access", "role": "Manager", "teams": []string{"Data Quality"}}
		for _, id := range []string{fmt.Sprint(u.ID), u.UserID} {
			o := h.loaded(accountType, id)
			h.clean(o, config)
			h.clean(o, values{"name": "API Access", "role": "Manager"})
		}
		o := h.loadedByIdentity(accountType, fmt.Sprint(u.ID))
		h.clean(o, config)
		for id, want := range map[string]string{
			"999999":                "No service account has the ID or user_id",
			"missing@service":       "No service account has the ID or user_id",
			fmt.Sprint(person.ID):   "of type Human",
			fmt.Sprint(internal.ID): "of type Internal",
		} {
			_, diags := h.load(accountType, id)
			wantText(t, diags.errors(), "Unable to import", want)
		}
		_, diags := h.load(accountType, dead.UserID)
		wantText(t, diags.errors(), "deactivated", "Reactivate it in Qualytics")
		_, diags = h.load(accountType, fmt.Sprint(dead.ID))
		wantText(t, diags.errors(), "eactivated")
		wantWrites(t, h)
	})
}

// Invalid arguments are refused without a request, unknown ones are not.
func TestAccountValidation(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.ClearRequests()
	for name, tc := range map[string]struct {
		config values
		want   string
	}{
		"empty name": {values{"name": "", "role": "Member"}, "between 1 and 255"},
		"blank name": {values{"name": "  ", "role": "Member"}, "must not be blank"},
		"long name":  {values{"name": strings.Repeat("ä", 256), "role": "Member"}, "between 1 and 255"},
		"role":       {values{"name": "x", "role": "admin"}, `"Admin"`},
		"empty team": {values{"name": "x", "role": "Member", "teams": []string{""}}, "at least 1"},
		"null team":  {values{"name": "x", "role": "Member", "teams": []any{"Data Quality", nil}}, "null"},
	} {
		t.Log(name)
		wantText(t, h.validate(accountType, tc.config).errors(), tc.want)
	}
	ok := values{"name": strings.Repeat("ä", 255), "role": unknown{}, "teams": unknown{}}
	if diags := h.validate(accountType, ok); diags.errors() != "" {
		t.Errorf("valid or unknown values are refused: %s", diags.errors())
	}
	if len(h.server.Requests()) != 0 {
		t.Errorf("validation sent requests: %v", h.server.Requests())
	}
}

// A deactivated account that had the same user_id does not hide the active one.
func TestImportBesideADeactivatedTwin(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	now := h.server.Clock.Now()
	dead := h.server.AddUser(qualyticstest.User{Name: "API Access", Deleted: &now})
	h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: dead.ID})
	active := h.server.AddUser(qualyticstest.User{Name: "API Access"})
	token := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: active.ID})
	o, diags := h.load(accountType, "api_access@service")
	if diags.errors() != "" || get(o.state, "id") != fmt.Sprint(active.ID) {
		t.Errorf("imported %v %s", o, diags.errors())
	}
	o, diags = h.load(tokenType, "api_access@service/ci")
	if diags.errors() != "" || get(o.state, "id") != fmt.Sprint(token.ID) {
		t.Errorf("imported %v %s", o, diags.errors())
	}
}

// A membership that is lost in a role change is reported, even if it is not managed.
func TestUnmanagedTeamLost(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "x", "role": "Member"})
	id := h.named("x")[0].ID
	h.server.EditUser(id, func(u *qualyticstest.User) { u.Teams = []string{"Data Quality"} })
	h.server.Fail(
		qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"user_id":"x@service","role":"Manager","teams":["Public"]}`, id)).
			On(http.MethodPut, ""),
	)
	_, diags := h.run(o, values{"name": "x", "role": "Manager"})
	wantText(t, diags.errors(), `did not add "Data Quality"`)
}

// A response without teams says nothing about them, so an update cannot keep them.
func TestUpdateWithoutKnownTeams(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.created(accountType, values{"name": "x", "role": "Member"})
		id := h.server.ServiceAccounts()[0].ID
		h.server.EditUser(id, func(u *qualyticstest.User) { u.Teams = []string{"Data Quality"} })
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.OmitTeams = true })
		h.server.ClearRequests()
		_, diags := h.run(o, values{"name": "x", "role": "Manager"})
		wantText(t, diags.errors(), "Unable to determine current teams", "Set teams")
		wantWrites(t, h)
		h.must(o, values{"name": "x", "role": "Manager", "teams": []string{"Data Quality"}}, "update")
	})
}
