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

// with is a copy of a configuration with some values changed; nil removes one.
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

// works reports whether the server takes the token of a state.
func (w *world) works(o *object) bool {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.server.URL+w.server.Profile.Prefix+"/users/me", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+get(o.state, "token"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// token is the server's only service token.
func (w *world) token() qualyticstest.Token {
	w.t.Helper()
	tokens := w.server.Tokens()
	if len(tokens) != 1 {
		w.t.Fatalf("the server has %d tokens, want one: %+v", len(tokens), tokens)
	}
	return tokens[0]
}

func TestTokenLifecycle(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		o := w.none(tokenType)
		config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30}
		w.must(o, config, "create")
		if !w.works(o) || get(o.state, "status") != "active" || get(o.state, "expires_at") == "" {
			t.Errorf("the new token: works %t, status %s, expires %s", w.works(o), get(o.state, "status"), get(o.state, "expires_at"))
		}
		w.clean(o, config)
		id := get(o.state, "id")
		w.server.ClearRequests()
		w.must(o, config.with(values{"name": "other"}), "replace")
		wantWrites(t, w, "PUT /user-tokens/"+id, "DELETE /user-tokens/"+id, "POST /user-tokens")
		w.must(o, nil, "delete")
		if n := len(w.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

func TestTokenNeverExpires(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		o := w.none(tokenType)
		config := values{"service_account_id": w.account(), "name": "ci", "scim_endpoints_only": true}
		w.must(o, config, "create")
		if get(o.state, "expires_at") != "" || !w.token().SCIMOnly || w.works(o) {
			t.Errorf("expires %q, SCIM only %t", get(o.state, "expires_at"), w.token().SCIMOnly)
		}
		w.clean(o, config)
		w.must(o, config.with(values{"expires_in_days": 30}), "replace")
		w.must(o, config.with(values{"expires_in_days": 30, "scim_endpoints_only": false}), "replace")
	})
}

func TestTokenNamePrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	prefix := strings.Repeat("ä", 230)
	config := values{"service_account_id": w.account(), "name_prefix": prefix}
	a, b := w.none(tokenType), w.none(tokenType)
	w.must(a, config, "create")
	w.clock.Advance(time.Second)
	w.must(b, config, "create")
	form := regexp.MustCompile(`^ä{230}\d{17}[0-9a-f]{8}$`)
	if !form.MatchString(get(a.state, "name")) || get(a.state, "name") >= get(b.state, "name") {
		t.Errorf("the names %q and %q do not sort by time", get(a.state, "name"), get(b.state, "name"))
	}
	w.clean(a, config)
	wantText(t, w.validate(tokenType, config.with(values{"name_prefix": prefix + "x"})).errors(), "between 1 and 230")
	w.must(a, config.with(values{"name_prefix": "x-"}), "replace")
	w.must(a, config.with(values{"name_prefix": "x"}), "replace")
	// The name it has already: nothing on the server has to change.
	w.must(a, values{"service_account_id": config["service_account_id"], "name": get(a.state, "name")}, "update")
	w.must(a, config.with(values{"name_prefix": "x"}), "update")
	w.must(a, config.with(values{"name_prefix": nil, "name": "fixed"}), "replace")
}

func TestTokenNameTaken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		config := values{"service_account_id": w.account(), "name": "ci"}
		w.must(w.none(tokenType), config, "create")
		_, diags := w.run(w.none(tokenType), config)
		wantText(t, diags.errors(), "409", fmt.Sprintf("the token with the id %d, which is active", w.token().ID),
			fmt.Sprint("terraform import qualytics_service_token.NAME ", w.token().ID), "name_prefix", "create_before_destroy")
		w.server.EditToken(w.token().ID, func(t *qualyticstest.Token) { t.Active = false })
		_, diags = w.run(w.none(tokenType), config)
		wantText(t, diags.errors(), "which is revoked")
	})
}

func TestTokenAccountMissing(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		_, diags := w.run(w.none(tokenType), values{"service_account_id": "999", "name": "ci"})
		wantText(t, diags.errors(), `"ci" could not be created`, "The account with the id 999 may not exist")
	})
}

func TestTokenGone(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		o := w.none(tokenType)
		config := values{"service_account_id": w.account(), "name": "ci"}
		w.must(o, config, "create")
		w.server.RemoveToken(w.token().ID)
		p := w.plan(o, nil)
		if after, diags := w.apply(p); diags.errors() != "" || after.exists() {
			t.Errorf("destroying what is gone: %s", diags.errors())
		}
		diags := w.refresh(o)
		wantText(t, diags.warnings(), "A service token is gone", "deleted outside of Terraform")
		w.must(o, config, "create")
		w.clean(o, config)
	})
}

func TestTokenReadErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(tokenType)
	w.must(o, values{"service_account_id": w.account(), "name": "ci"}, "create")
	for _, fault := range []qualyticstest.Fault{
		qualyticstest.JSON(401, `{"detail":"no"}`), qualyticstest.JSON(404, `{"detail":"Not Found"}`), qualyticstest.HTML(404), qualyticstest.HTML(200),
		qualyticstest.JSON(200, `{"items":[],"total":1}`), qualyticstest.JSON(200, `null`), qualyticstest.JSON(200, `{}`), qualyticstest.HTML(503),
		{Kind: qualyticstest.Truncate},
	} {
		w.server.Fail(fault.Repeat(qualyticstest.Forever))
		wantText(t, w.refresh(o).errors(), `The service token "ci"`, "could not be read")
		w.server.Heal()
		if !o.exists() {
			t.Fatalf("%+v emptied the state", fault)
		}
	}
}

// Each row of the planning table: what a refreshed status and revoked lead to.
func TestTokenPlanningTable(t *testing.T) {
	t.Parallel()
	config := func(w *world) values {
		return values{"service_account_id": w.account(), "name_prefix": "ci-", "expires_in_days": 30, "rotate_before_days": 7}
	}
	byOthers := func(w *world) {
		w.server.EditToken(w.token().ID, func(t *qualyticstest.Token) { t.Active = false })
	}
	restored := func(w *world) {
		w.server.EditToken(w.token().ID, func(t *qualyticstest.Token) { t.Active = true })
	}
	for _, tc := range []struct {
		name    string
		before  bool // revoked, when it is made
		event   func(w *world)
		revoked bool
		status  string // after the refresh
		action  string
		after   string
		warning string
	}{
		{"active", false, func(*world) {}, false, "active", "no-op", "active", ""},
		{"active, revoke", false, func(*world) {}, true, "active", "update", "revoked", ""},
		{"a second before the window", false, func(w *world) { w.clock.Advance(23*day - 5*time.Second) }, false, "active", "no-op", "active", ""},
		{"the window is inclusive", false, func(w *world) { w.clock.Advance(23 * day) }, false, "rotation_due", "replace", "active", "is replaced because its rotation has been due since"},
		{"rotation due, revoke", false, func(w *world) { w.clock.Advance(24 * day) }, true, "rotation_due", "update", "revoked", ""},
		{"expired", false, func(w *world) { w.clock.Advance(30 * day) }, false, "expired", "replace", "active", "has been expired since"},
		{"expired, revoke", false, func(w *world) { w.clock.Advance(31 * day) }, true, "expired", "update", "revoked", ""},
		{"revoked here, stays", true, func(*world) {}, true, "revoked", "no-op", "revoked", ""},
		{"revoked here, restore", true, func(*world) {}, false, "revoked", "update", "active", ""},
		{"revoked by others", false, byOthers, false, "revoked", "replace", "active", "never switched on again"},
		{"revoked by others, wanted", false, byOthers, true, "revoked", "no-op", "revoked", ""},
		{"revoked here, restored by others", true, restored, true, "active", "update", "revoked", ""},
		{"revoked here, expired", true, func(w *world) { w.clock.Advance(31 * day) }, false, "revoked", "replace", "active", "never switched on again"},
		{"revoked here, expired, stays", true, func(w *world) { w.clock.Advance(31 * day) }, true, "revoked", "no-op", "revoked", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, w *world) {
				o, c := w.none(tokenType), config(w)
				c["revoked"] = tc.before
				w.must(o, c, "create")
				tc.event(w)
				if diags := w.refresh(o); diags.errors() != "" || get(o.state, "status") != tc.status {
					t.Fatalf("refreshed to %s %s, want %s", get(o.state, "status"), diags.errors(), tc.status)
				}
				c["revoked"] = tc.revoked
				p := w.plan(o, c)
				if p.action != tc.action {
					t.Fatalf("planned %s %v %s, want %s", p.action, p.replace, p.diags.errors(), tc.action)
				}
				wantText(t, p.diags.warnings(), tc.warning)
				if tc.warning == "" && p.diags.warnings() != "" {
					t.Errorf("warned: %s", p.diags.warnings())
				}
				secret := get(o.state, "token")
				after, diags := w.apply(p)
				if diags.errors() != "" {
					t.Fatal(diags.errors())
				}
				if got := get(after.state, "status"); got != tc.after || w.works(after) != (tc.after == "active") {
					t.Errorf("after: %s, works %t, want %s", got, w.works(after), tc.after)
				}
				if same := secret == get(after.state, "token"); same == (tc.action == "replace") {
					t.Errorf("the secret stayed the same: %t", same)
				}
				w.clean(after, c)
				if w.token().Active == (tc.after == "revoked") {
					t.Errorf("on the server it is active: %t", w.token().Active)
				}
				if strings.Contains(string(after.private), secret) || strings.Contains(string(after.private), base64.StdEncoding.EncodeToString([]byte(secret))) {
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
	onEveryProfile(t, func(t *testing.T, w *world) {
		o := w.none(tokenType)
		config := values{"service_account_id": w.account(), "name_prefix": "ci-", "expires_in_days": 30, "rotate_before_days": 7, "deletion_policy": "revoke"}
		w.must(o, config, "create")
		w.clock.Advance(22 * day)
		if diags := w.refresh(o); diags.errors() != "" {
			t.Fatal(diags.errors())
		}
		changed := config.with(values{"deletion_policy": "delete"})
		p := w.plan(o, changed)
		w.clock.Advance(2 * day)
		after, diags := w.apply(p)
		if diags.errors() != "" || get(after.state, "status") != "active" {
			t.Fatalf("%s %s", get(after.state, "status"), diags.errors())
		}
		if diags := w.refresh(after); diags.errors() != "" {
			t.Fatal(diags.errors())
		}
		p = w.plan(after, changed)
		w.clock.Advance(day)
		rotated, diags := w.apply(p)
		if p.action != "replace" || diags.errors() != "" {
			t.Fatalf("%s %s", p.action, diags.errors())
		}
		w.clean(rotated, changed)
		w.clean(rotated, changed)
	})
}

// Without a refresh nothing rotates, whatever the clock says.
func TestTokenWithoutRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(tokenType)
	config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30, "rotate_before_days": 7}
	w.must(o, config, "create")
	w.clock.Advance(60 * day)
	if p := w.plan(o, config); p.action != "no-op" {
		t.Errorf("planned %s, want nothing", p.action)
	}
}

func TestTokenRotateBeforeDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(tokenType)
	config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30}
	w.must(o, config, "create")
	w.clock.Advance(20 * day)
	w.server.ClearRequests()
	if diags := w.must(o, config.with(values{"rotate_before_days": 5}), "update"); diags.warnings() != "" {
		t.Errorf("warned: %s", diags.warnings())
	}
	diags := w.must(o, config.with(values{"rotate_before_days": 12}), "update")
	wantText(t, diags.warnings(), "The next plan rotates this token")
	wantWrites(t, w)
	if get(o.state, "status") != "rotation_due" {
		t.Errorf("status %s", get(o.state, "status"))
	}
	diags = w.must(o, config.with(values{"rotate_before_days": 12}), "replace")
	wantText(t, diags.warnings(), "Its name is fixed", "use name_prefix")
	w.clean(o, config.with(values{"rotate_before_days": 12}))
}

func TestTokenRotateWhenChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(tokenType)
	config := values{"service_account_id": w.account(), "name": "ci"}
	w.must(o, config, "create")
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
		w.must(o, config.with(values{"rotate_when_changed": step.value}), step.action)
	}
	if p := w.plan(o, config.with(values{"rotate_when_changed": map[string]any{"a": unknown{}}})); p.action != "replace" {
		t.Errorf("an unknown value: %s, want replace", p.action)
	}
	w.must(o, config, "update")
	if p := w.plan(o, config.with(values{"rotate_when_changed": map[string]any{"a": unknown{}}})); p.action != "update" {
		t.Errorf("adding a map with an unknown value: %s, want update", p.action)
	}
}

func TestTokenDeletionPolicy(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		for policy, want := range map[string]string{"delete": "gone", "revoke": "revoked", "abandon": "active"} {
			o := w.none(tokenType)
			config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30, "deletion_policy": policy}
			w.must(o, config, "create")
			id := get(o.state, "id")
			w.must(o, nil, "delete")
			got := "gone"
			for _, token := range w.server.Tokens() {
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
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(tokenType)
	config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30}
	w.must(o, config.with(values{"revoked": true}), "create")
	p := w.plan(o, config)
	w.clock.Advance(31 * day)
	after, diags := w.apply(p)
	wantText(t, diags.errors(), "could not be restored", "Token is expired", "The next plan replaces it")
	w.must(after, config, "replace")
	w.clean(after, config)
}

func TestTokenDeleteFails(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		o := w.none(tokenType)
		w.must(o, values{"service_account_id": w.account(), "name": "ci"}, "create")
		w.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodDelete, "/user-tokens/*"))
		_, diags := w.run(o, nil)
		wantText(t, diags.errors(), "could not be removed", "boom")
		if !o.exists() || w.token().Active {
			t.Error("the state or the revocation is lost")
		}
		w.must(o, nil, "delete") // although some builds refuse to revoke twice
		if n := len(w.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

func TestTokenValidation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
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
		{values{"service_account_id": "api_access@service"}, "number that Qualytics gave"},
	} {
		wantText(t, w.validate(tokenType, base.with(tc.change)).errors(), tc.want)
	}
	for _, ok := range []values{
		{},
		{"expires_in_days": unknown{}, "rotate_before_days": 7},
		{"deletion_policy": "abandon"},
		{"name": unknown{}},
		{"rotate_before_days": 29},
		{"expires_in_days": 365},
		{"deletion_policy": "abandon", "expires_in_days": unknown{}},
		{"service_account_id": unknown{}},
	} {
		if diags := w.validate(tokenType, base.with(ok)); diags.errors() != "" {
			t.Errorf("%v is refused: %s", ok, diags.errors())
		}
	}
}

func TestTokenImport(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		owner := w.server.AddUser(qualyticstest.User{Name: "API Access"})
		until := w.server.Clock.Now().AddDate(0, 0, 30)
		token := w.server.AddToken(qualyticstest.Token{Name: "team/ci", UserID: owner.ID, Expiration: &until})
		config := values{"service_account_id": fmt.Sprint(owner.ID), "name": "team/ci", "expires_in_days": 30}
		for _, id := range []string{fmt.Sprint(token.ID), fmt.Sprint(owner.ID, "/team/ci"), owner.UserID + "/team/ci"} {
			o, diags := w.load(tokenType, id)
			if diags.errors() != "" {
				t.Fatal(diags.errors())
			}
			if get(o.state, "token") != "" {
				t.Error("an imported token has a secret")
			}
			w.clean(o, config)
		}
		o, diags := w.loadByIdentity(tokenType, fmt.Sprint(token.ID))
		if diags.errors() != "" {
			t.Fatal(diags.errors())
		}
		// What the API never echoes is adopted, whatever it is.
		adopted := config.with(values{
			"name": nil, "name_prefix": "new-", "scim_endpoints_only": true, "rotate_before_days": 7,
			"rotate_when_changed": map[string]string{"a": "1"}, "deletion_policy": "abandon",
		})
		w.server.ClearRequests()
		diags = w.must(o, adopted, "update")
		wantText(t, diags.warnings(), "never tells whether a token is limited to SCIM")
		wantWrites(t, w)
		w.clean(o, adopted)
		w.must(o, adopted.with(values{"scim_endpoints_only": false}), "replace")
		for id, want := range map[string]string{
			"999999": "No service token is called like that", owner.UserID + "/x": `The tokens of this account are "team/ci"`, "x/team/ci": "No service token",
			fmt.Sprint(w.server.AdminTokenID()): "No service token",
		} {
			_, diags := w.load(tokenType, id)
			wantText(t, diags.errors(), "cannot be imported", want)
		}
	})
}

// A build whose list holds more than it should.
func TestTokenImportOfAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	w.server.Fail(qualyticstest.JSON(200, `[{"id": 7, "name": "laptop", "active": true, "user": {"id": 3, "user_id": "auth0|bob", "user_type": "Human"}}]`).
		On(http.MethodGet, "/user-tokens/service"))
	_, diags := w.load(tokenType, "7")
	wantText(t, diags.errors(), `"7" cannot be imported`, `"auth0|bob" of the type Human`)
}

// A lifetime that cannot be derived: the first value configured is adopted, the
// next change replaces.
func TestTokenImportOddLifetime(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]func(w *world, t *qualyticstest.Token){
		"half a day": func(w *world, t *qualyticstest.Token) {
			until := w.server.Clock.Now().Add(60 * time.Hour)
			t.Expiration = &until
		},
		"no creation time": func(w *world, t *qualyticstest.Token) {
			until := w.server.Clock.Now().Add(30 * day)
			t.Expiration = &until
			w.server.EditProfile(func(p *qualyticstest.Profile) { p.NoTokenCreated = true })
		},
		"longer than allowed": func(w *world, t *qualyticstest.Token) {
			until := w.server.Clock.Now().Add(400 * day)
			t.Expiration = &until
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, qualyticstest.Build202609())
			owner := w.server.AddUser(qualyticstest.User{Name: "x"})
			token := qualyticstest.Token{Name: "ci", UserID: owner.ID}
			shape(w, &token)
			o, diags := w.load(tokenType, fmt.Sprint(w.server.AddToken(token).ID))
			if diags.errors() != "" || get(o.state, "expires_in_days") != "" {
				t.Fatalf("%s: %q", diags.errors(), get(o.state, "expires_in_days"))
			}
			config := values{"service_account_id": fmt.Sprint(owner.ID), "name": "ci"}
			w.clean(o, config)
			w.server.ClearRequests()
			w.must(o, config.with(values{"expires_in_days": 90}), "update")
			wantWrites(t, w)
			w.clean(o, config.with(values{"expires_in_days": 90}))
			w.must(o, config.with(values{"expires_in_days": 60}), "replace")
		})
	}
}

func TestTokenImportRevokedAndExpired(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		owner := w.server.AddUser(qualyticstest.User{Name: "x"})
		config := values{"service_account_id": fmt.Sprint(owner.ID), "name": "revoked"}
		revoked := w.server.AddToken(qualyticstest.Token{Name: "revoked", UserID: owner.ID})
		w.server.EditToken(revoked.ID, func(t *qualyticstest.Token) { t.Active = false })
		o, _ := w.load(tokenType, fmt.Sprint(revoked.ID))
		w.clean(o, config.with(values{"revoked": true}))
		w.must(o, config, "replace")
		until := w.server.Clock.Now().Add(day)
		expired := w.server.AddToken(qualyticstest.Token{Name: "expired", UserID: owner.ID, Expiration: &until})
		w.clock.Advance(2 * day)
		o, _ = w.load(tokenType, fmt.Sprint(expired.ID))
		if get(o.state, "status") != "expired" {
			t.Errorf("status %s", get(o.state, "status"))
		}
		w.clean(o, config.with(values{"name": "expired", "expires_in_days": 1, "revoked": true}))
		diags := w.must(o, config.with(values{"name": "expired", "expires_in_days": 1}), "replace")
		wantText(t, diags.warnings(), "has been expired since")
	})
}

// The provider never revokes the token it uses; a sibling that can be told
// apart is fine.
func TestTokenLockout(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		self := w.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
		own := w.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
		sibling := w.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
		w.connect(values{"url": w.server.URL, "api_path": w.server.APIPath(), "token": w.server.Bearer(own.ID)})
		config := values{"service_account_id": fmt.Sprint(self.ID), "name": "own"}
		o, diags := w.load(tokenType, fmt.Sprint(own.ID))
		if diags.errors() != "" {
			t.Fatal(diags.errors())
		}
		w.clean(o, config)
		for _, refused := range []values{nil, config.with(values{"revoked": true}), config.with(values{"expires_in_days": 5})} {
			wantText(t, w.plan(o, refused).diags.errors(), "lock itself out", "the very token that the provider uses")
		}
		w.must(o, config.with(values{"deletion_policy": "revoke"}), "update")
		other, _ := w.load(tokenType, fmt.Sprint(sibling.ID))
		w.server.ClearRequests()
		p := w.plan(other, nil)
		if _, diags := w.apply(p); diags.errors() != "" {
			t.Errorf("the sibling is refused: %s", diags.errors())
		}
		id := fmt.Sprint(sibling.ID)
		if diff := cmp.Diff([]string{"PUT /user-tokens/" + id, "DELETE /user-tokens/" + id}, w.server.Writes()); diff != "" {
			t.Errorf("writes, want -, got +:\n%s", diff)
		}
	})
}
