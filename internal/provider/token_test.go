// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const day = 24 * time.Hour

// with returns a copy of a configuration with changes; nil removes a value.
func (v values) with(changes values) values {
	out := values{}
	for k, x := range v {
		out[k] = x
	}
	for k, x := range changes {
		if x == nil {
			delete(out, k)
		} else {
			out[k] = x
		}
	}
	return out
}

// tokenWorks reports whether the server accepts the token in a state.
func (h *harness) tokenWorks(o *object) bool {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet,
		h.server.URL+h.server.Profile.Prefix+"/users/me", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	secret := get(o.state, "token")
	if ciphertext := get(o.state, "encrypted_token"); ciphertext != "" {
		secret = decryptAge(h.t, ciphertext, matrixIdentity())
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// token returns the server's only service token.
func (h *harness) token() qualyticstest.Token {
	h.t.Helper()
	tokens := h.server.Tokens()
	if len(tokens) != 1 {
		h.t.Fatalf("the server has %d tokens, want one: %+v", len(tokens), tokens)
	}
	return tokens[0]
}

func TestTokenLifecycle(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30}
		o := h.created(tokenType, config)
		if !h.tokenWorks(o) || get(o.state, "status") != "active" || get(o.state, "expires_at") == "" {
			t.Errorf("the new token: works %t, status %s, expires %s", h.tokenWorks(o), get(o.state, "status"),
				get(o.state, "expires_at"))
		}
		h.clean(o, config)
		id := get(o.state, "id")
		h.server.ClearRequests()
		h.must(o, config.with(values{"name": "other"}), "replace")
		wantWrites(t, h, "PUT /user-tokens/"+id, "DELETE /user-tokens/"+id, "POST /user-tokens")
		h.must(o, nil, "delete")
		if n := len(h.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

func TestTokenNeverExpires(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci", "scim_endpoints_only": true}
		o := h.created(tokenType, config)
		if get(o.state, "expires_at") != "" || !h.token().SCIMOnly || h.tokenWorks(o) {
			t.Errorf("expires %q, SCIM only %t", get(o.state, "expires_at"), h.token().SCIMOnly)
		}
		h.clean(o, config)
		h.must(o, config.with(values{"expires_in_days": 30}), "replace")
		h.must(o, config.with(values{"expires_in_days": 30, "scim_endpoints_only": false}), "replace")
	})
}

func TestTokenNamePrefix(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	prefix := strings.Repeat("ä", 230)
	config := values{"service_account_id": h.account(), "name_prefix": prefix}
	a := h.created(tokenType, config)
	h.clock.Advance(time.Second)
	b := h.created(tokenType, config)
	form := regexp.MustCompile(`^ä{230}\d{17}[0-9a-f]{8}$`)
	if !form.MatchString(get(a.state, "name")) || get(a.state, "name") >= get(b.state, "name") {
		t.Errorf("the names %q and %q do not sort by time", get(a.state, "name"), get(b.state, "name"))
	}
	h.clean(a, config)
	wantText(t, h.validate(tokenType, config.with(values{"name_prefix": prefix + "x"})).errors(), "between 1 and 230")
	h.must(a, config.with(values{"name_prefix": "x-"}), "replace")
	h.must(a, config.with(values{"name_prefix": "x"}), "replace")
	// The current name: nothing changes on the server.
	h.must(a, values{"service_account_id": config["service_account_id"], "name": get(a.state, "name")}, "update")
	h.must(a, config.with(values{"name_prefix": "x"}), "update")
	h.must(a, config.with(values{"name_prefix": nil, "name": "fixed"}), "replace")
}

func TestTokenNameTaken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci"}
		h.must(h.none(tokenType), config, "create")
		_, diags := h.run(h.none(tokenType), config)
		wantText(t, diags.errors(), "409", fmt.Sprintf("The active token with ID %d uses the name", h.token().ID),
			fmt.Sprint("terraform import qualytics_service_token.NAME ", h.token().ID), "name_prefix",
			"create_before_destroy")
		h.revoke(h.token().ID)
		_, diags = h.run(h.none(tokenType), config)
		wantText(t, diags.errors(), "The revoked token with ID")
	})
}

func TestTokenAccountMissing(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		_, diags := h.run(h.none(tokenType), values{"service_account_id": "999", "name": "ci"})
		wantText(t, diags.errors(), `Service token "ci"`, "The account with ID 999 may not exist")
	})
}

func TestTokenGone(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci"}
		o := h.created(tokenType, config)
		h.server.RemoveToken(h.token().ID)
		p := h.plan(o, nil)
		if after, diags := h.apply(p); diags.errors() != "" || after.exists() {
			t.Errorf("destroying what is gone: %s", diags.errors())
		}
		diags := h.refresh(o)
		wantText(t, diags.warnings(), "Service token not found", "deleted outside of Terraform")
		h.must(o, config, "create")
		h.clean(o, config)
	})
}

func TestTokenReadErrors(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(tokenType, values{"service_account_id": h.account(), "name": "ci"})
	for _, fault := range []qualyticstest.Fault{
		qualyticstest.JSON(401, `{"detail":"no"}`), qualyticstest.JSON(404, `{"detail":"Not Found"}`),
		qualyticstest.HTML(404), qualyticstest.HTML(200),
		qualyticstest.JSON(200, `{"items":[],"total":1}`), qualyticstest.JSON(200, `null`), qualyticstest.JSON(200,
			`{}`), qualyticstest.HTML(503),
		{Kind: qualyticstest.Truncate},
	} {
		h.server.Fail(fault.Repeat(qualyticstest.Forever))
		wantText(t, h.refresh(o).errors(), `Service token "ci"`, "Unable to read")
		h.server.Heal()
		if !o.exists() {
			t.Fatalf("%+v emptied the state", fault)
		}
	}
}

// Each row of the planning table: refreshed status and revoked, and the planned action.
func TestTokenPlanningTable(t *testing.T) {
	t.Parallel()
	config := func(h *harness) values {
		return values{
			"service_account_id": h.account(),
			"name_prefix":        "ci-",
			"expires_in_days":    30,
			"rotate_before_days": 7,
		}
	}
	byOthers := func(h *harness) {
		h.revoke(h.token().ID)
	}
	restored := func(h *harness) {
		h.server.EditToken(h.token().ID, func(t *qualyticstest.Token) { t.Active = true })
	}
	for _, tc := range []struct {
		name    string
		before  bool // value of revoked at creation
		event   func(h *harness)
		revoked bool
		status  string // after the refresh
		action  string
		after   string
		warning string
	}{
		{"active", false, func(*harness) {}, false, "active", "no-op", "active", ""},
		{"active, revoke", false, func(*harness) {}, true, "active", "update", "revoked", ""},
		{
			"a second before the window", false, func(h *harness) { h.clock.Advance(23*day - 5*time.Second) }, false,
			"active", "no-op", "active", "",
		},
		{
			"the window is inclusive", false, func(h *harness) { h.clock.Advance(23 * day) }, false, "rotation_due",
			"replace", "active", "is replaced, because its rotation has been due since",
		},
		{
			"rotation due, revoke", false, func(h *harness) { h.clock.Advance(24 * day) }, true,
			"rotation_due", "update",
			"revoked", "",
		},
		{
			"expired", false, func(h *harness) { h.clock.Advance(30 * day) }, false, "expired", "replace", "active",
			"it expired at",
		},
		{
			"expired, revoke", false, func(h *harness) { h.clock.Advance(31 * day) }, true, "expired", "update",
			"revoked", "",
		},
		{"revoked here, stays", true, func(*harness) {}, true, "revoked", "no-op", "revoked", ""},
		{
			"revoked here, restore", true, func(*harness) {}, false, "revoked", "update", "active",
			"works again with the same secret",
		},
		{"revoked by others", false, byOthers, false, "revoked", "replace", "active", "so it is not restored"},
		{"revoked by others, wanted", false, byOthers, true, "revoked", "no-op", "revoked", ""},
		{"revoked here, restored by others", true, restored, true, "active", "update", "revoked", ""},
		{
			"revoked here, expired", true, func(h *harness) { h.clock.Advance(31 * day) }, false, "revoked", "replace",
			"active", "so it is not restored",
		},
		{
			"revoked here, expired, stays", true, func(h *harness) { h.clock.Advance(31 * day) }, true, "revoked",
			"no-op", "revoked", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				o, c := h.none(tokenType), config(h)
				c["revoked"] = tc.before
				h.must(o, c, "create")
				tc.event(h)
				if diags := h.refresh(o); diags.errors() != "" || get(o.state, "status") != tc.status {
					t.Fatalf("refreshed to %s %s, want %s", get(o.state, "status"), diags.errors(), tc.status)
				}
				c["revoked"] = tc.revoked
				p := h.plan(o, c)
				if p.action != tc.action {
					t.Fatalf("planned %s %v %s, want %s", p.action, p.replace, p.diags.errors(), tc.action)
				}
				wantText(t, p.diags.warnings(), tc.warning)
				if tc.warning == "" && p.diags.warnings() != "" {
					t.Errorf("warned: %s", p.diags.warnings())
				}
				secret := get(o.state, "token")
				after := h.applied(p)
				if got := get(after.state, "status"); got != tc.after || h.tokenWorks(after) != (tc.after == "active") {
					t.Errorf("after: %s, works %t, want %s", got, h.tokenWorks(after), tc.after)
				}
				if same := secret == get(after.state, "token"); same == (tc.action == "replace") {
					t.Errorf("the secret stayed the same: %t", same)
				}
				h.clean(after, c)
				if h.token().Active == (tc.after == "revoked") {
					t.Errorf("on the server it is active: %t", h.token().Active)
				}
				if strings.Contains(string(after.private), secret) ||
					strings.Contains(string(after.private), base64.StdEncoding.EncodeToString([]byte(secret))) {
					t.Error("the private data holds a token")
				}
			})
		})
	}
}

// A plan that was saved before the window still applies within it, and one
// that rotates still does so a day later.
func TestTokenSavedPlan(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{
			"service_account_id": h.account(),
			"name_prefix":        "ci-",
			"expires_in_days":    30,
			"rotate_before_days": 7,
			"deletion_policy":    "revoke",
		}
		o := h.created(tokenType, config)
		h.clock.Advance(22 * day)
		wantOK(t, h.refresh(o))
		changed := config.with(values{"deletion_policy": "delete"})
		p := h.plan(o, changed)
		h.clock.Advance(2 * day)
		after, diags := h.apply(p)
		if diags.errors() != "" || get(after.state, "status") != "active" {
			t.Fatalf("%s %s", get(after.state, "status"), diags.errors())
		}
		p = h.planned(after, changed)
		h.clock.Advance(day)
		rotated, diags := h.apply(p)
		if p.action != "replace" || diags.errors() != "" {
			t.Fatalf("%s %s", p.action, diags.errors())
		}
		h.clean(rotated, changed)
		h.clean(rotated, changed)
	})
}

// Without a refresh, nothing rotates.
func TestTokenWithoutRefresh(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30, "rotate_before_days": 7}
	o := h.created(tokenType, config)
	h.clock.Advance(60 * day)
	if p := h.plan(o, config); p.action != "no-op" {
		t.Errorf("planned %s, want nothing", p.action)
	}
}

func TestTokenRotateBeforeDays(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30}
	o := h.created(tokenType, config)
	h.clock.Advance(20 * day)
	h.server.ClearRequests()
	if diags := h.must(o, config.with(values{"rotate_before_days": 5}), "update"); diags.warnings() != "" {
		t.Errorf("warned: %s", diags.warnings())
	}
	wantWrites(t, h)
	// The window of the configuration counts: a longer one rotates immediately.
	diags := h.must(o, config.with(values{"rotate_before_days": 12}), "replace")
	wantText(t, diags.warnings(), "Service token will be rotated", "Its name is fixed", "use name_prefix")
	h.clean(o, config.with(values{"rotate_before_days": 12}))
}

func TestTokenRotateWhenChanged(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci"}
	o := h.created(tokenType, config)
	for _, step := range []struct {
		value  any
		action string
	}{
		{map[string]string{"a": "1"}, "update"},
		{map[string]string{"a": "2"}, "replace"},
		{map[string]string{"a": "2", "b": "1"}, "replace"},
		{map[string]string{"a": "2", "b": "1"}, "no-op"},
		{nil, "update"},
		{map[string]string{"a": "3"}, "update"},
		{map[string]string{}, "replace"},
	} {
		h.must(o, config.with(values{"rotate_when_changed": step.value}), step.action)
	}
	if p := h.plan(o,
		config.with(values{"rotate_when_changed": map[string]any{"a": unknown{}}})); p.action != "replace" {
		t.Errorf("an unknown value: %s, want replace", p.action)
	}
	h.must(o, config, "update")
	if p := h.plan(o,
		config.with(values{"rotate_when_changed": map[string]any{"a": unknown{}}})); p.action != "update" {
		t.Errorf("adding a map with an unknown value: %s, want update", p.action)
	}
}

func TestTokenDeletionPolicy(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		for policy, want := range map[string]string{"delete": "gone", "revoke": "revoked", "abandon": "active"} {
			config := values{
				"service_account_id": h.account(),
				"name_prefix":        "ci-",
				"expires_in_days":    30,
				"deletion_policy":    policy,
			}
			o := h.created(tokenType, config)
			id := get(o.state, "id")
			h.must(o, nil, "delete")
			got := "gone"
			for _, token := range h.server.Tokens() {
				if fmt.Sprint(token.ID) == id {
					got = map[bool]string{true: "active", false: "revoked"}[token.Active]
				}
			}
			if got != want {
				t.Errorf("%s: the token is %s, want %s", policy, got, want)
			}
		}
	})
}

func TestTokenRestoreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30}
	o := h.created(tokenType, config.with(values{"revoked": true}))
	p := h.plan(o, config)
	h.clock.Advance(31 * day)
	after, diags := h.apply(p)
	wantText(t, diags.errors(), "Unable to restore", "Token is expired", "The next plan replaces it")
	h.must(after, config, "replace")
	h.clean(after, config)
}

func TestTokenDeleteFails(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.created(tokenType, values{"service_account_id": h.account(), "name": "ci"})
		h.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodDelete, "/user-tokens/*"))
		_, diags := h.run(o, nil)
		wantText(t, diags.errors(), "Unable to delete", "boom")
		if !o.exists() || h.token().Active {
			t.Error("the state or the revocation is lost")
		}
		h.must(o, nil, "delete") // although some deployments refuse to revoke twice
		if n := len(h.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

func TestTokenValidation(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	base := values{"service_account_id": "5", "name": "ci", "expires_in_days": 30}
	for _, tc := range []struct {
		change values
		want   string
	}{
		{values{"name": ""}, "between 1 and 255"},
		{values{"name": strings.Repeat("x", 256)}, "between 1 and 255"},
		{values{"name": nil}, "name_prefix"},
		{values{"name_prefix": "x"}, "name_prefix"},
		{values{"expires_in_days": 0}, "between 1 and 365"},
		{values{"expires_in_days": 366}, "between 1 and 365"},
		{values{"rotate_before_days": 0}, "between 1 and 364"},
		{values{"rotate_before_days": 30}, "at most 29"},
		{values{"rotate_before_days": 7, "expires_in_days": nil}, "expires_in_days"},
		{values{"deletion_policy": "keep"}, `"abandon"`},
		{values{"deletion_policy": "abandon", "expires_in_days": nil}, "must expire"},
		{values{"service_account_id": "api_access@service"}, "numeric ID"},
	} {
		wantText(t, h.validate(tokenType, base.with(tc.change)).errors(), tc.want)
	}
	for _, ok := range []values{
		{},
		{"expires_in_days": unknown{}, "rotate_before_days": 7},
		{"deletion_policy": "abandon", "name": nil, "name_prefix": "ci-"},
		{"name": unknown{}},
		{"rotate_before_days": 29},
		{"expires_in_days": 365},
		{"deletion_policy": "abandon", "expires_in_days": unknown{}, "name": nil, "name_prefix": "ci-"},
		{"service_account_id": unknown{}},
	} {
		if diags := h.validate(tokenType, base.with(ok)); diags.errors() != "" {
			t.Errorf("%v is refused: %s", ok, diags.errors())
		}
	}
}

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
			"rotate_when_changed": map[string]string{"a": "1"}, "deletion_policy": "abandon",
		})
		h.server.ClearRequests()
		diags := h.must(o, adopted, "update")
		wantText(t, diags.warnings(), "does not report whether a token is limited to SCIM")
		wantWrites(t, h)
		h.clean(o, adopted)
		h.must(o, adopted.with(values{"scim_endpoints_only": false}), "replace")
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

// The provider never revokes its own token, but does revoke a sibling.
func TestTokenLockout(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		self := h.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
		own := h.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
		sibling := h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
		h.connectAs(own.ID)
		config := values{"service_account_id": fmt.Sprint(self.ID), "name": "own"}
		o := h.loaded(tokenType, fmt.Sprint(own.ID))
		h.clean(o, config)
		for _, refused := range []values{
			nil, config.with(values{"revoked": true}),
			config.with(values{"expires_in_days": 5}),
		} {
			wantText(t, h.plan(o, refused).diags.errors(), "lock out the provider",
				"this is the token that the provider uses")
		}
		other, _ := h.load(tokenType, fmt.Sprint(sibling.ID))
		h.server.ClearRequests()
		p := h.plan(other, nil)
		if _, diags := h.apply(p); diags.errors() != "" {
			t.Errorf("the sibling is refused: %s", diags.errors())
		}
		id := fmt.Sprint(sibling.ID)
		if diff := cmp.Diff([]string{"PUT /user-tokens/" + id, "DELETE /user-tokens/" + id},
			h.server.Writes()); diff != "" {
			t.Errorf("writes, want -, got +:\n%s", diff)
		}
	})
}

// What a plan says about the arguments of an imported token, which the API does not report.
func TestArgumentsOfImportedToken(t *testing.T) {
	t.Parallel()
	const summary = "Name prefix applies from the next rotation on"
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
