// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The secret in QUALYTICS_IMPORT_TOKEN is stored if it is the token's own, and never shown.
func TestImportWithItsSecret(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "x"})
		token := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: u.ID})
		sibling := h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: u.ID})
		stranger := h.server.AddToken(
			qualyticstest.Token{Name: "ci", UserID: h.server.AddUser(qualyticstest.User{Name: "y"}).ID})
		config := values{"service_account_id": fmt.Sprint(u.ID), "name": "ci"}
		for _, tc := range []struct {
			name, secret   string
			stored         bool
			error, warning string
		}{
			{"its own", h.server.Bearer(token.ID), true, "", ""},
			{"with a line break", h.server.Bearer(token.ID) + "\n", true, "", ""},
			{"none", "", false, "", "QUALYTICS_IMPORT_TOKEN"},
			{"a sibling's", h.server.Bearer(sibling.ID), false, "", "another token of the same account"},
			{"a stranger's", h.server.Bearer(stranger.ID), false, "", "belongs to another account"},
			{"an Admin's", h.server.AdminToken(), false, "", "belongs to another account"},
			{"nonsense", "canary-nonsense-of-an-import", false, "401", ""},
			{"not a header", "canary nonsense", false, "space or a control character", ""},
		} {
			h.env["QUALYTICS_IMPORT_TOKEN"] = tc.secret
			o, diags := h.load(tokenType, fmt.Sprint(token.ID))
			wantText(t, diags.errors(), tc.error)
			wantText(t, diags.warnings(), tc.warning)
			if (diags.errors() != "") != (tc.error != "") {
				t.Errorf("%s: %s", tc.name, diags.errors())
			}
			if said := diags.errors() + diags.warnings(); tc.secret != "" &&
				strings.Contains(said, strings.TrimSpace(tc.secret)) {
				t.Errorf("%s: a diagnostic shows the secret: %s", tc.name, said)
			}
			if tc.error != "" {
				continue
			}
			if (get(o.state, "token") != "") != tc.stored || (tc.stored && !h.tokenWorks(o)) {
				t.Errorf("%s: stored %q", tc.name, get(o.state, "token"))
			}
			h.env["QUALYTICS_IMPORT_TOKEN"] = ""
			if w := h.plan(o, config).diags.warnings(); w != "" {
				t.Errorf("%s: the plan of the same run repeats the warning: %s", tc.name, w)
			}
			h.connect(h.config) // the next run
			p := h.plan(o, config)
			if p.action != "no-op" || p.diags.warnings() != "" {
				t.Errorf("%s: the next plan is %s and warns %q", tc.name, p.action, p.diags.warnings())
			}
		}
		wantWrites(t, h)
	})
}

// A token can be imported by ID, account and name, and identity, and what the API does not report
// is adopted.
func TestTokenImport(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.server.AddUser(qualyticstest.User{Name: "API Access"})
		until := h.server.Clock.Now().AddDate(0, 0, 30)
		token := h.server.AddToken(qualyticstest.Token{Name: "team/ci", UserID: owner.ID, Expiration: &until})
		config := values{"service_account_id": fmt.Sprint(owner.ID), "name": "team/ci", "expires_in_days": 30}
		for _, id := range []string{fmt.Sprint(token.ID), fmt.Sprint(owner.ID, "/team/ci"), owner.UserID + "/team/ci"} {
			o := h.loaded(tokenType, id)
			if get(o.state, "token") != "" {
				t.Error("an imported token has a secret")
			}
			h.clean(o, config)
		}
		o := h.loadedByIdentity(tokenType, fmt.Sprint(token.ID))
		// What the API never echoes is adopted, whatever it is.
		adopted := config.with(values{
			"name": nil, "name_prefix": "new-", "scim_endpoints_only": true, "rotate_before_days": 7,
			"rotate_when_changed": map[string]string{"a": "1"}, "deletion_policy": "revoke",
		})
		h.server.ClearRequests()
		diags := h.must(o, adopted, "update")
		wantText(t, diags.warnings(), "does not report whether a token is limited to SCIM")
		wantWrites(t, h)
		h.clean(o, adopted)
		h.must(o, adopted.with(values{"scim_endpoints_only": false}), "update")
		wantRetiring(t, retiringTokens(o), fmt.Sprint(token.ID))
		for id, want := range map[string]string{
			"999999": "No service token has the import ID", owner.UserID + "/x": `The tokens of this account are ` +
				`"team/ci"`, "x/team/ci": "No service token",
			fmt.Sprint(h.server.AdminTokenID()): "No service token",
		} {
			_, diags := h.load(tokenType, id)
			wantText(t, diags.errors(), "Unable to import", want)
		}
	})
}

// A list that contains a token of a person.
func TestTokenImportOfAPerson(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.Fail(
		qualyticstest.JSON(200, `[{"id": 7, "name": "laptop", "active": true, "user": {"id": 3, "user_id": `+
			`"auth0|bob", "user_type": "Human"}}]`).
			On(http.MethodGet, "/user-tokens/service"),
	)
	_, diags := h.load(tokenType, "7")
	wantText(t, diags.errors(), "Unable to import service token", `"auth0|bob", a user of type Human`)
}

// If the lifetime cannot be derived, the first configured value is adopted, and the
// next change replaces the token.
func TestTokenImportOddLifetime(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]func(h *harness, t *qualyticstest.Token){
		"half a day": func(h *harness, t *qualyticstest.Token) {
			until := h.server.Clock.Now().Add(60 * time.Hour)
			t.Expiration = &until
		},
		"no creation time": func(h *harness, t *qualyticstest.Token) {
			until := h.server.Clock.Now().Add(30 * day)
			t.Expiration = &until
			h.server.EditProfile(func(p *qualyticstest.Profile) { p.NoTokenCreated = true })
		},
		"longer than allowed": func(h *harness, t *qualyticstest.Token) {
			until := h.server.Clock.Now().Add(400 * day)
			t.Expiration = &until
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, qualyticstest.Build202609())
			owner := h.server.AddUser(qualyticstest.User{Name: "x"})
			token := qualyticstest.Token{Name: "ci", UserID: owner.ID}
			shape(h, &token)
			o, diags := h.load(tokenType, fmt.Sprint(h.server.AddToken(token).ID))
			if diags.errors() != "" || get(o.state, "expires_in_days") != "" {
				t.Fatalf("%s: %q", diags.errors(), get(o.state, "expires_in_days"))
			}
			config := values{"service_account_id": fmt.Sprint(owner.ID), "name": "ci"}
			h.clean(o, config)
			h.server.ClearRequests()
			h.must(o, config.with(values{"expires_in_days": 90}), "update")
			wantWrites(t, h)
			h.clean(o, config.with(values{"expires_in_days": 90}))
			h.must(o, config.with(values{"expires_in_days": 60}), "replace")
		})
	}
}

// Revoked and expired tokens can be imported, and are replaced unless revoked is true.
func TestTokenImportRevokedAndExpired(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.server.AddUser(qualyticstest.User{Name: "x"})
		config := values{"service_account_id": fmt.Sprint(owner.ID), "name": "revoked"}
		revoked := h.server.AddToken(qualyticstest.Token{Name: "revoked", UserID: owner.ID})
		h.revoke(revoked.ID)
		o, _ := h.load(tokenType, fmt.Sprint(revoked.ID))
		h.clean(o, config.with(values{"revoked": true}))
		h.must(o, config, "replace")
		until := h.server.Clock.Now().Add(day)
		expired := h.server.AddToken(qualyticstest.Token{Name: "expired", UserID: owner.ID, Expiration: &until})
		h.clock.Advance(2 * day)
		o, _ = h.load(tokenType, fmt.Sprint(expired.ID))
		if get(o.state, "status") != "expired" {
			t.Errorf("status %s", get(o.state, "status"))
		}
		h.clean(o, config.with(values{"name": "expired", "expires_in_days": 1, "revoked": true}))
		diags := h.must(o, config.with(values{"name": "expired", "expires_in_days": 1}), "replace")
		wantText(t, diags.warnings(), "it expired at")
	})
}

// What a plan says about the arguments of an imported token, which the API does not report.
func TestArgumentsOfImportedToken(t *testing.T) {
	t.Parallel()
	const summary = "applies from the next rotation on"
	for _, tc := range []struct {
		name   string
		prefix any
		warns  bool
	}{
		{"other prefix", "app-", true},
		{"prefix of the name", "c", false},
		{"unknown prefix", unknown{}, false},
		{"fixed name", nil, false},
	} {
		h := newHarness(t, qualyticstest.Build202609())
		owner := h.account()
		imported := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: parseInt(t, owner)})
		o := h.loaded(tokenType, fmt.Sprint(imported.ID))
		config := values{"service_account_id": owner, "name_prefix": tc.prefix}
		if tc.prefix == nil {
			config["name"] = "ci"
		}
		w := h.plan(o, config).diags.warnings()
		if strings.Contains(w, summary) != tc.warns {
			t.Errorf("%s: warned %q, want a warning: %t", tc.name, w, tc.warns)
		}
		if tc.prefix == nil || tc.prefix == (unknown{}) {
			continue
		}
		// After the first apply, later changes say nothing about the import.
		h.must(o, config, "update")
		p := h.plan(o, config.with(values{"revoked": true}))
		if w := p.diags.warnings(); w != "" || p.action != "update" {
			t.Errorf("%s: the next plan is %s and warns %q", tc.name, p.action, w)
		}
	}
}

// Importing a token names the other live tokens of its account with the same prefix: during an
// overlap, one of them may be the one that replaced it.
func TestImportNamesSiblings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	owner := parseInt(t, h.account())
	add := func(name string, userID int64) int64 {
		return h.server.AddToken(qualyticstest.Token{Name: name, UserID: userID}).ID
	}
	current := add("ci-202611261015304250a1b2c3d", owner)
	sibling := add("ci-2026102610153042500000001", owner)
	revoked := add("ci-2026092610153042500000002", owner)
	h.server.EditToken(revoked, func(t *qualyticstest.Token) { t.Active = false })
	others := []int64{
		revoked, add("ci-by hand", owner), add("app-2026102610153042500000003", owner),
		add("ci-2026102610153042500000004", parseInt(t, h.account())),
	}
	_, diags := h.load(tokenType, fmt.Sprint(current))
	wantText(t, diags.warnings(), "Other service tokens have the prefix of", fmt.Sprintf("(ID %d)", sibling),
		"revoke the others")
	for _, other := range others {
		if strings.Contains(diags.warnings(), fmt.Sprintf("(ID %d)", other)) {
			t.Errorf("names the token %d: %s", other, diags.warnings())
		}
	}
	_, diags = h.load(tokenType, fmt.Sprint(others[1])) // without a generated suffix
	if strings.Contains(diags.warnings(), "Other service tokens") {
		t.Errorf("warned: %s", diags.warnings())
	}
}

// The host of an identity is compared without case.
func TestImportByIdentityOfTheHost(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	s := newServer(t, qualyticstest.Options{}) // on 127.0.0.1, which has a name
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	h.connect(values{"url": "http://localhost" + port, "api_path": s.APIPath(), "token": s.AdminToken()})
	id := fmt.Sprint(s.AddUser(qualyticstest.User{Name: "x"}).ID)
	typ := h.ids.IdentitySchemas[accountType].ValueType()
	for host, want := range map[string]string{
		"LocalHost" + port: "", "other.example.com": "Import from another deployment",
	} {
		req := importRequest(accountType, "")
		req.Identity = &tfprotov6.ResourceIdentityData{IdentityData: h.dynamic(typ, tftypes.NewValue(typ,
			map[string]tftypes.Value{
				"id": tftypes.NewValue(tftypes.String, id), "host": tftypes.NewValue(tftypes.String, host),
			}))}
		_, diags := h.imported(req, !sameRun)
		if wantText(t, diags.errors(), want); want == "" {
			wantOK(t, diags)
		}
	}
}
