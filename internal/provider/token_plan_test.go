// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

var rotating = values{"name_prefix": "ci-", "expires_in_days": 30, "rotate_before_days": 7}

// Each row of the planning table: refreshed status and revoked, and the planned action.
func TestTokenPlanningTable(t *testing.T) {
	t.Parallel()
	byOthers := func(h *harness) { h.revoke(h.token().ID) }
	restored := func(h *harness) {
		h.server.EditToken(h.token().ID, func(t *qualyticstest.Token) { t.Active = true })
	}
	for _, tc := range []struct {
		name    string
		before  bool // value of revoked at creation
		event   func(h *harness)
		revoked bool
		status  string // after the refresh
		action  string // "rotate" is an update with another secret
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
			"rotate", "active", "because its rotation has been due since",
		},
		{
			"rotation due, revoke", false, func(h *harness) { h.clock.Advance(24 * day) }, true,
			"rotation_due", "update",
			"revoked", "",
		},
		{
			"expired", false, func(h *harness) { h.clock.Advance(30 * day) }, false, "expired", "rotate", "active",
			"it expired at",
		},
		{
			"expired, revoke", false, func(h *harness) { h.clock.Advance(31 * day) }, true, "expired", "update",
			"revoked", "",
		},
		{"revoked here, stays", true, func(*harness) {}, true, "revoked", "no-op", "revoked", ""},
		{
			"revoked here, restore", true, func(*harness) {}, false, "revoked", "update", "active",
			"will work again with the same secret",
		},
		{"revoked by others", false, byOthers, false, "revoked", "rotate", "active", "so it is not restored"},
		{"revoked by others, wanted", false, byOthers, true, "revoked", "no-op", "revoked", ""},
		{"revoked here, restored by others", true, restored, true, "active", "update", "revoked", ""},
		{
			"revoked here, expired", true, func(h *harness) { h.clock.Advance(31 * day) }, false, "revoked", "rotate",
			"active", "so it cannot be restored",
		},
		{
			"revoked here, expired, stays", true, func(h *harness) { h.clock.Advance(31 * day) }, true, "revoked",
			"no-op", "revoked", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				c := h.expiring(values{"rotate_before_days": 7, "revoked": tc.before})
				o := h.created(tokenType, c)
				tc.event(h)
				if diags := h.refresh(o); diags.errors() != "" || get(o.state, "status") != tc.status {
					t.Fatalf("refreshed to %s %s, want %s", get(o.state, "status"), diags.errors(), tc.status)
				}
				c["revoked"] = tc.revoked
				p := h.plan(o, c)
				if p.action != strings.Replace(tc.action, "rotate", "update", 1) {
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
				if same := secret == get(after.state, "token"); same == (tc.action == "rotate") {
					t.Errorf("the secret stayed the same: %t", same)
				}
				h.clean(after, c)
				if h.active(get(after.state, "id")) == (tc.after == "revoked") {
					t.Errorf("on the server, it is not %s", tc.after)
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
		config := h.expiring(values{"rotate_before_days": 7, "deletion_policy": "revoke"})
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
		if p.action != "update" || get(rotated.state, "id") == get(after.state, "id") || diags.errors() != "" {
			t.Fatalf("%s %s", p.action, diags.errors())
		}
		h.clean(rotated, changed)
	})
}

// Adding a window changes nothing on the server; a longer one rotates immediately.
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
	wantText(t, diags.warnings(), "will be replaced", "Its name is fixed", "use name_prefix",
		"It stops working before the new one exists")
	h.clean(o, config.with(values{"rotate_before_days": 12}))
}

// A shorter window, or none, ends a rotation that was due when it was last read.
func TestShorterWindow(t *testing.T) {
	t.Parallel()
	for _, window := range []any{8, nil} {
		h := newHarness(t, qualyticstest.Build202609())
		config := h.expiring(values{"rotate_before_days": 10})
		o := h.created(tokenType, config)
		h.clock.Advance(21*day + day/2) // 8.5 days left
		if wantOK(t, h.refresh(o)); get(o.state, "status") != "rotation_due" {
			t.Fatalf("status %s", get(o.state, "status"))
		}
		after := h.applied(h.plan(o, config.with(values{"rotate_before_days": window})))
		if status := get(after.state, "status"); status != "active" || get(after.state, "id") != get(o.state, "id") {
			t.Errorf("with a window of %v: status %s, ID %s", window, status, get(after.state, "id"))
		}
	}
}

// A changed value rotates; adding the map, removing it, or the same values do not.
func TestTokenRotateWhenChanged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"name", "name_prefix"} {
		h := newHarness(t, qualyticstest.Build202609())
		config := values{"service_account_id": h.account(), name: "ci"}
		o := h.created(tokenType, config)
		unknownValue := map[string]any{"a": unknown{}}
		for _, step := range []struct {
			value   any
			action  string
			rotates bool
		}{
			{map[string]string{"a": "1"}, "update", false},
			{map[string]string{"a": "2"}, "update", true},
			{map[string]string{"a": "2", "b": "1"}, "update", true},
			{map[string]string{"a": "2", "b": "1"}, "no-op", false},
			{nil, "update", false},
			{map[string]string{"a": "3"}, "update", false},
			{map[string]string{}, "update", true},
		} {
			action, id := step.action, get(o.state, "id")
			if step.rotates && name == "name" {
				action = "replace"
			}
			w := h.must(o, config.with(values{"rotate_when_changed": step.value}), action).warnings()
			rotated := get(o.state, "id") != id
			if rotated != step.rotates || strings.Contains(w, "rotate_when_changed") != step.rotates {
				t.Errorf("%s, %v: rotated %t, want %t; warned %q", name, step.value, rotated, step.rotates, w)
			}
		}
		if p := h.planned(o, config.with(values{"rotate_when_changed": unknownValue})); p.action != "update" ||
			get(p.planned, "id") != "?" || p.diags.warnings() != "" {
			t.Errorf("an unknown value: %s, ID %s, %s", p.action, get(p.planned, "id"), p.diags.warnings())
		}
		h.must(o, config, "update")
		if p := h.plan(o, config.with(values{"rotate_when_changed": unknownValue})); p.action != "update" {
			t.Errorf("adding a map with an unknown value: %s, want update", p.action)
		}
	}
}

// Someone else revokes the token between the plan and the apply of revoked = true.
func TestForeignRevocationIsNotAdopted(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(_ *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci"}
		o := h.created(tokenType, config)
		p := h.plan(o, config.with(values{"revoked": true}))
		h.revoke(h.token().ID)
		after := h.applied(p)
		h.must(after, config, "replace")
	})
}

// An unknown revoked is an update that may turn out to revoke, or to require a new token. With
// a fixed name, that needs another plan, and nothing is changed.
func TestUnknownRevoked(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30, "rotate_before_days": 7}
	o := h.created(tokenType, config)
	h.clock.Advance(25 * day)
	p := h.planned(o, config.with(values{"revoked": unknown{}}))
	if p.action != "update" {
		t.Errorf("planned %s", p.action)
	}
	h.server.ClearRequests()
	_, diags := h.applyWith(p, config.with(values{"revoked": false}))
	wantText(t, diags.errors(), "Service token must be planned again", "Nothing was changed")
	wantWrites(t, h)
	after, diags := h.applyWith(p, config.with(values{"revoked": true}))
	wantOK(t, diags)
	h.clean(after, config.with(values{"revoked": true}))
}

// A token of a deactivated account cannot be replaced before the account is
// reactivated.
func TestRotationOfDeactivatedAccount(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.server.AddUser(qualyticstest.User{Name: "x"})
		config := rotating.with(values{"service_account_id": fmt.Sprint(owner.ID)})
		o := h.created(tokenType, config)
		h.clock.Advance(31 * day)
		h.deactivate(owner.ID)
		_, diags := h.run(o, config)
		wantText(t, diags.errors(), "Unable to create service token", "may be deactivated")
		h.server.EditUser(owner.ID, func(u *qualyticstest.User) { u.Deleted = nil })
		action, diags := h.run(o, config)
		if diags.errors() != "" || (action != "create" && action != "update") {
			t.Fatalf("%s %s", action, diags.errors())
		}
		h.clean(o, config)
	})
}

// An unknown account is another one only if this plan creates or replaces an account.
func TestUnknownAccountOfToken(t *testing.T) {
	t.Parallel()
	for _, newAccount := range []bool{false, true} {
		h := newHarness(t, qualyticstest.Build202609())
		config := rotating.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		id := get(o.state, "id")
		h.use(parseInt(t, id), time.Hour)
		wantOK(t, h.refresh(o))
		if newAccount {
			wantOK(t, h.plan(h.none(accountType), values{"name": "New", "role": "Member"}).diags)
		}
		p := h.plan(o, config.with(values{"service_account_id": unknown{}}))
		if newAccount {
			wantText(t, p.diags.warnings(), "will be replaced", "Last used 1 hour ago")
			after, diags := h.applyWith(p, config.with(values{"service_account_id": h.account()}))
			wantOK(t, diags)
			if p.action != "replace" || h.active(id) || !h.tokenWorks(after) {
				t.Errorf("planned %s; the old one is active: %t", p.action, h.active(id))
			}
			continue
		}
		if p.action != "update" || p.diags.warnings() != "" {
			t.Errorf("planned %s, warned %q", p.action, p.diags.warnings())
		}
		h.server.ClearRequests()
		_, diags := h.applyWith(p, config.with(values{"service_account_id": h.account()}))
		wantText(t, diags.errors(), "Service token must be planned again", "Nothing was changed")
		after, diags := h.applyWith(p, config)
		wantOK(t, diags)
		wantWrites(t, h)
		if get(after.state, "id") != id {
			t.Error("the token of the same account was rotated")
		}
	}
}

// Someone deletes the old token between the plan and the apply of a rotation.
func TestRotationOfDeletedToken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := rotating.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		h.clock.Advance(25 * day)
		p := h.planned(o, config)
		h.server.RemoveToken(h.token().ID)
		after, diags := h.apply(p)
		if diags.errors() != "" || !h.tokenWorks(after) {
			t.Fatal(diags.errors())
		}
		h.clean(after, config)
	})
}

// The window consists of days of 24 hours in UTC, also across a leap day.
func TestRotationAcrossLeapDay(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.clock.Advance(time.Date(2027, 12, 1, 12, 0, 0, 0, time.FixedZone("", 5*3600)).Sub(h.clock.Now()))
	h.connectAs(h.server.AdminTokenID())
	config := rotating.with(
		values{"service_account_id": h.account(), "expires_in_days": 365, "rotate_before_days": 364})
	o := h.created(tokenType, config)
	if got := get(o.state, "expires_at"); got[:10] != "2028-11-30" {
		t.Errorf("365 days after 2027-12-01, with a leap day, is %s", got)
	}
	h.clock.Advance(day - 5*time.Second)
	h.clean(o, config)
	h.clock.Advance(10 * time.Second)
	h.must(o, config, "update")
}

// The server's clock decides, although that of this machine is days behind or ahead: a token
// that the server accepts is not rotated as one that has expired.
func TestRotationWithSkewedClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-50 * time.Hour, -time.Hour, time.Hour, 50 * time.Hour} {
		h := withClock(t, skew)
		config := rotating.with(
			values{"service_account_id": h.account(), "expires_in_days": 2, "rotate_before_days": 1})
		o := h.created(tokenType, config)
		h.clean(o, config)
		advance := func(d time.Duration) { h.clock.Advance(d); h.server.Clock.Advance(d) }
		advance(day - time.Minute)
		h.clean(o, config)
		advance(2 * time.Minute)
		h.must(o, config, "update")
		h.clean(o, config)
	}
}

// A deployment without creation times rotates all the same, without drift.
func TestRotationWithoutCreationTimes(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.NoTokenCreated = true })
		config := rotating.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		h.clean(o, config)
		if get(o.state, "created_at") != "" {
			t.Errorf("created at %s, want null", get(o.state, "created_at"))
		}
		h.must(o, config.with(values{"deletion_policy": "revoke"}), "update")
		h.clock.Advance(24 * day)
		h.must(o, config, "update")
		h.clean(o, config)
	})
}

// A token of an account whose ID is unknown while planning.
func TestTokenOfUnknownAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for _, config := range []values{
		rotating.with(values{"service_account_id": unknown{}}),
		{
			"service_account_id": unknown{}, "name": unknown{}, "expires_in_days": unknown{}, "revoked": unknown{},
			"scim_endpoints_only": unknown{},
		},
		{
			"service_account_id": "5", "name_prefix": unknown{}, "rotate_when_changed": unknown{},
			"deletion_policy": unknown{},
		},
	} {
		if p := h.plan(h.none(tokenType), config); p.action != "create" || p.diags.errors() != "" {
			t.Errorf("%v: %s %s", config, p.action, p.diags.errors())
		}
	}
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30}
	o := h.created(tokenType, config)
	for _, name := range []string{
		"name", "expires_in_days", "revoked", "scim_endpoints_only", "rotate_before_days", "rotate_when_changed",
		"deletion_policy", "overlap_days", "service_account_id", "encryption",
	} {
		var value any = unknown{}
		if name == "encryption" {
			value = h.encryption(nil, nil)
		}
		p := h.planned(o, config.with(values{name: value}))
		if p.action != "update" || p.diags.errors() != "" ||
			strings.Contains(p.diags.warnings(), "may stop working") != (name == "revoked") {
			t.Errorf("unknown %s: %s %v %s %s", name, p.action, p.replace, p.diags.errors(), p.diags.warnings())
		}
	}
}
