// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// host returns the host and port of the harness's server.
func (h *harness) host() string { return strings.TrimPrefix(h.server.URL, "http://") }

// An object that is missing, or deactivated, on another deployment stays in the
// state; one that moved with its deployment is read from the new host.
func TestMissingOnAnotherDeployment(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Member"}
		account := h.created(accountType, config)
		tokenConfig := values{"service_account_id": get(account.state, "id"), "name": "ci"}
		token := h.created(tokenType, tokenConfig)
		other := newHarness(t, h.server.Profile)
		other.oldCLI = h.oldCLI
		for _, o := range []*object{account, token} {
			wantText(t, other.refresh(o).errors(), "Object not found on another deployment", h.host(), other.host())
			if !o.exists() {
				t.Fatalf("%s was removed from the state", o.kind)
			}
		}
		// The same ID and user_id, deactivated there.
		now := other.server.Clock.Now()
		for {
			u := other.server.AddUser(qualyticstest.User{Name: "x", Deleted: &now})
			if fmt.Sprint(u.ID) >= get(account.state, "id") {
				break
			}
		}
		wantText(t, other.refresh(account).errors(), "another deployment")
		// The deployment moved: the objects are on the new host, and gone later.
		moved := newHarness(t, h.server.Profile)
		moved.oldCLI = h.oldCLI
		moved.must(moved.none(accountType), config, "create")
		moved.must(moved.none(tokenType), tokenConfig, "create")
		for _, o := range []*object{account, token} {
			if diags := moved.refresh(o); diags.errors() != "" || !o.exists() {
				t.Fatalf("on the new host: %s", diags.errors())
			}
		}
		now = moved.server.Clock.Now()
		moved.server.RemoveToken(moved.token().ID)
		moved.server.EditUser(moved.server.ServiceAccounts()[0].ID, func(u *qualyticstest.User) { u.Deleted = &now })
		for _, o := range []*object{account, token} {
			if diags := moved.refresh(o); diags.errors() != "" || o.exists() {
				t.Errorf("gone from the new host: %s", diags.errors())
			}
		}
	})
}

// A secret that is used as an import ID, or as an argument, is not shown.
func TestSecretInTheWrongPlace(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	secret := h.server.AdminToken()
	for _, kind := range []string{accountType, tokenType} {
		_, diags := h.load(kind, secret)
		wantText(t, diags.errors(), "Import ID looks like a secret", "QUALYTICS_IMPORT_TOKEN")
		if strings.Contains(diags.errors(), secret[:20]) {
			t.Errorf("the secret is shown: %s", diags.errors())
		}
	}
	base := values{"service_account_id": "1", "name": "x"}
	for _, diags := range []diagnostics{
		h.validate(tokenType, base.with(values{"service_account_id": secret})),
		h.validate(tokenType, base.with(values{"deletion_policy": secret})),
		h.validate(accountType, values{"name": "x", "role": secret}),
	} {
		if diags.errors() == "" || strings.Contains(diags.errors(), secret[:20]) {
			t.Errorf("got %q, want an error without the secret", diags.errors())
		}
	}
	wantText(t, h.validate(accountType, values{"name": "x", "role": "admin"}).errors(), `Did you mean "Admin"?`)
}

// Look-ups of one run share downloads, and see what the run has written.
func TestLookupsShareDownloads(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.Seed(1000, 0)
	accounts := h.server.ServiceAccounts()
	for i := range 150 {
		h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: accounts[i].ID})
	}
	h.connect(h.config)
	h.server.ClearRequests()
	for i := range 40 {
		v, diags := h.look("qualytics_service_account", values{"name": accounts[25*i].Name})
		if diags.errors() != "" || get(v, "id") != fmt.Sprint(accounts[25*i].ID) {
			t.Fatalf("%s: %s", accounts[25*i].Name, diags.errors())
		}
	}
	if n := len(h.server.Requests()); n > 45 {
		t.Errorf("%d requests for 40 data sources by name, want at most 45", n)
	}
	h.server.ClearRequests()
	for i := range 40 {
		if _, diags := h.look("qualytics_service_account",
			values{"user_id": accounts[20*i].UserID}); diags.errors() != "" {
			t.Fatal(diags.errors())
		}
	}
	if n := len(h.server.Requests()); n > 12 {
		t.Errorf("%d requests for 40 data sources by user_id, want at most one download", n)
	}
	h.server.ClearRequests()
	for _, token := range h.server.Tokens() {
		if _, diags := h.imported(importRequest(tokenType, fmt.Sprint(token.ID)), sameRun); diags.errors() != "" {
			t.Fatal(diags.errors())
		}
	}
	if n := len(h.server.Requests()); n > 3 {
		t.Errorf("%d requests to import 150 tokens, want at most 3", n)
	}
	// What this run creates is found.
	p := h.plan(h.none(accountType), values{"name": "Brand new", "role": "Member"})
	if _, diags := h.apply(p); diags.errors() != "" {
		t.Fatal(diags.errors())
	}
	for _, by := range []values{{"name": "Brand new"}, {"user_id": "brand_new@service"}} {
		if _, diags := h.look("qualytics_service_account", by); diags.errors() != "" {
			t.Errorf("%v: %s", by, diags.errors())
		}
	}
}

// Names that are only known after apply, together with other names that are
// spelled differently than in the state.
func TestUnknownTeamsAndSpelling(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := func(teams ...any) values { return values{"name": "x", "role": "Member", "teams": teams} }
	o := h.created(accountType, config("Data Engineering", "Data Quality"))
	p := h.plan(o, config("data engineering", "Data Quality", unknown{}))
	wantText(t, p.diags.errors(), "Spelling of team differs from the state", `"Data Engineering"`)
	if p := h.plan(o, config("Data Engineering", "Data Quality", unknown{})); p.diags.errors() != "" {
		t.Errorf("the same spelling: %s", p.diags.errors())
	}
	h.clean(o, config("data engineering", "Data Quality", "Public"))
	h.clean(o, config("Data Quality", "data engineering"))
	p = h.plan(o, config("Public", "Data Engineering", unknown{}))
	wantText(t, p.diags.errors(), "Spelling of team differs from the state", `"Public"`)
	if p := h.plan(o, config("Data Engineering", "Data Quality", unknown{})); !strings.Contains(get(p.planned, "teams"),
		"?") {
		t.Errorf("planned %s for teams that are partly unknown", get(p.planned, "teams"))
	}
	h.must(o, config(), "update")
	all := values{"name": "x", "role": "Member", "teams": unknown{}}
	if p := h.plan(o, all); get(p.planned, "teams") != "?" {
		t.Errorf("planned %q for unknown teams", get(p.planned, "teams"))
	}
}

// If the teams cannot be looked up, nothing is created.
func TestTeamsCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.Fail(qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/teams").Repeat(qualyticstest.Forever))
	_, diags := h.run(h.none(accountType), values{"name": "x", "role": "Member", "teams": []string{"Data Quality"}})
	wantText(t, diags.errors(), "Unable to look up teams", "reading teams requires the role Manager or Admin")
	wantWrites(t, h)
}

// A promotion to Admin is applied.
func TestPromotionToAdmin(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "x", "role": "Member"})
	h.must(o, values{"name": "x", "role": "Admin"}, "update")
	if role := h.server.ServiceAccounts()[0].Role; role != "Admin" {
		t.Errorf("the role is %s", role)
	}
}

// A team that was created since the names were requested exists for an apply.
func TestTeamCreatedInTheSameApply(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.none(accountType)
		config := values{"name": "x", "role": "Member", "teams": []string{"Brand New"}}
		p := h.plan(o, config)
		wantText(t, p.diags.warnings(), "Team does not exist yet", `There is no team "Brand New"`)
		h.server.AddTeam("Brand New")
		after := h.applied(p)
		h.clean(after, config)
	})
}

// A destroy or change without a refresh never reaches an object of another deployment
// that has the same ID.
func TestWritesToAnotherDeployment(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Member", "revoke_tokens_on_destroy": true}
		account := h.created(accountType, config)
		tokenConfig := values{"service_account_id": get(account.state, "id"), "name": "ci"}
		token := h.created(tokenType, tokenConfig)
		other := newHarness(t, h.server.Profile)
		other.oldCLI = h.oldCLI
		stranger := other.server.AddUser(qualyticstest.User{Name: "Stranger"})
		other.server.AddToken(qualyticstest.Token{Name: "foreign", UserID: stranger.ID})
		for _, p := range []*plan{
			other.plan(account, nil), other.plan(account, config.with(values{"role": "Manager"})),
			other.plan(token, nil), other.plan(token, tokenConfig.with(values{"revoked": true})),
		} {
			_, diags := other.apply(p)
			wantText(t, diags.errors(), "Object was read from another deployment", h.host(), other.host())
		}
		wantWrites(t, other)
	})
}

// A server that does not report the role of the provider's own account does not open
// the way to a demotion.
func TestDemotionWithUnknownRole(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	self := h.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
	own := h.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
	h.connectAs(own.ID)
	o := h.loaded(accountType, fmt.Sprint(self.ID))
	h.server.Fail(qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"user_id":"terraform@service"}`, self.ID)).
		On("GET", "/users/me").Repeat(qualyticstest.Forever))
	h.connectAs(own.ID)
	p := h.plan(o, values{"name": "Terraform", "role": "Member"})
	wantText(t, p.diags.errors(), "Operation would lock out the provider")
}
