// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// unrefreshed plans like "terraform plan -refresh=false", in a new process.
func (h *harness) unrefreshed(o *object, config values) *plan {
	h.t.Helper()
	h.connect(h.config)
	return h.plan(o, config)
}

// A plan without a refresh goes by the clock, and a saved one applies, also if the next
// deadline has passed by then. A plan that changes nothing sends no request.
func TestClockWithoutRefresh(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		age, later  time.Duration
		action      string
		warning     string
		retires     bool // the old token
		withoutNews bool // the server was asked for nothing
	}{
		{"before the window", 20*day - time.Hour, 0, "no-op", "", false, true},
		{"in the window", 21 * day, 0, "update", "its rotation has been due since", true, false},
		{
			"in the window, saved for hours", 21 * day, 5 * time.Hour, "update", "its rotation has been due since",
			true, false,
		},
		{
			"in the window, saved until it expired", 21 * day, 10 * day, "update", "its rotation has been due since",
			false, false,
		},
		{"expired", 31 * day, time.Hour, "update", "it expired at", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				config := overlapping.with(values{"service_account_id": h.account()})
				o := h.created(tokenType, config)
				old := get(o.state, "id")
				h.clock.Advance(tc.age)
				h.server.ClearRequests()
				p := h.unrefreshed(o, config)
				if p.action != tc.action || tc.warning == "" && len(p.diags) > 0 {
					t.Fatalf("planned %s, warned %q", p.action, p.diags.warnings())
				}
				wantText(t, p.diags.warnings(), tc.warning)
				if n := len(h.server.Requests()); tc.withoutNews && n > 0 {
					t.Errorf("%d requests, want none", n)
				}
				h.clock.Advance(tc.later)
				after := h.applied(p)
				rotated := get(after.state, "id") != old
				if rotated != (tc.action == "update") || !h.tokenWorks(after) {
					t.Errorf("rotated %t, works %t", rotated, h.tokenWorks(after))
				}
				if tc.action == "update" {
					want := []string{}
					if tc.retires {
						want = append(want, old)
					}
					wantRetiring(t, retiringTokens(after), want...)
				}
				h.clean(after, config)
				if p := h.unrefreshed(after, config); p.action != "no-op" {
					t.Errorf("the next plan without a refresh is %s", p.action)
				}
			})
		})
	}
}

// The end of an overlap by the clock. A token that is in use stays all the same, and the
// runs that follow say so.
func TestRetiringByClock(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o, config, old := rotated(t, h, nil)
		h.clock.Advance(5*day - time.Minute)
		if p := h.unrefreshed(o, config); p.action != "no-op" {
			t.Errorf("before retire_at: planned %s", p.action)
		}
		h.clock.Advance(2 * time.Minute)
		h.use(parseInt(t, old), time.Minute)
		p := h.unrefreshed(o, config)
		wantText(t, p.diags.warnings(), "will be removed", "its overlap ended at")
		after, diags := h.apply(p)
		wantOK(t, diags)
		wantText(t, diags.warnings(), "is still in use")
		if p.action != "update" || !h.works(old) {
			t.Errorf("planned %s, the used token works: %t", p.action, h.works(old))
		}
		*o = *after
		p = h.unrefreshed(o, config) // it remembers the last use
		if p.action != "no-op" {
			t.Errorf("planned %s", p.action)
		}
		wantText(t, p.diags.warnings(), "is still in use")
		h.clock.Advance(9 * day) // unused, and the current one is not due
		*o = *h.applied(h.unrefreshed(o, config))
		if h.works(old) {
			t.Error("the unused token works")
		}
		h.clean(o, config)
	})
}

// A saved plan that ends an overlap by the clock applies after the window has begun. The next
// run rotates.
func TestRetiringByClockBeforeAWindow(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	current := get(o.state, "id")
	h.clock.Advance(10 * day)
	p := h.unrefreshed(o, config)
	wantText(t, p.diags.warnings(), "will be removed")
	h.clock.Advance(12 * day)
	after := h.applied(p)
	if h.works(old) || get(after.state, "id") != current {
		t.Errorf("the old token works: %t, the ID is %s", h.works(old), get(after.state, "id"))
	}
	after = h.applied(h.unrefreshed(after, config))
	if get(after.state, "id") == current || !h.works(current) {
		t.Errorf("not rotated, or the old token does not work: %t", h.works(current))
	}
	h.clean(after, config)
}

// withClock returns a harness whose machine has a clock that is wrong by skew.
func withClock(t *testing.T, skew time.Duration) *harness {
	t.Helper()
	h := newHarness(t, qualyticstest.Build202609())
	h.clock = &qualyticstest.Clock{}
	h.clock.Advance(skew)
	h.connect(h.config)
	return h
}

// Without a refresh, plan and apply go by the clock of the machine, although something else may
// have asked the server for the time in one of them.
func TestClockOfPlanAndApply(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name            string
		skew, later     time.Duration
		inPlan, inApply bool // something else sends a request
	}{
		{"the machine is behind, and the plan asks", -4 * day, 17 * day, true, false},
		{"the machine is ahead, and the apply asks", 4 * day, 13 * day, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := withClock(t, tc.skew)
			ask := func(asks bool) {
				if asks {
					_, diags := h.look("qualytics_current_user", values{})
					wantOK(t, diags)
				}
			}
			config := values{
				"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 30,
				"rotate_before_days": 20, "overlap_days": 15, "rotate_when_changed": map[string]string{"n": "1"},
			}
			o := h.created(tokenType, config)
			config = config.with(values{"rotate_when_changed": map[string]string{"n": "2"}})
			h.must(o, config, "update")
			h.clock.Advance(tc.later)
			h.server.Clock.Advance(tc.later)
			h.connect(h.config)
			ask(tc.inPlan)
			p := h.plan(o, config)
			wantOK(t, p.diags)
			h.connect(h.config)
			h.oneProcess = true
			ask(tc.inApply)
			h.applied(p) // fails the test if the plan during apply differs
		})
	}
}

// On a machine whose clock is ahead, an apply whose plan knows no response asks for the server's
// time before it rotates. Otherwise, with an argument that is unknown in every plan, or without
// refreshes, every apply would rotate.
func TestRotationWithWrongClock(t *testing.T) {
	t.Parallel()
	late := values{"deletion_policy": unknown{}}
	for _, tc := range []struct {
		name          string
		late          values // unknown while planning, or nil for no refresh
		config        values
		encrypted, no bool // no: GET /users/me fails
	}{
		{name: "an unknown argument", late: late},
		{name: "an unknown argument, and an encrypted token", late: late, encrypted: true},
		{name: "an unknown argument, and an error whose time counts", late: late, no: true},
		{name: "without a refresh"},
		{name: "without a refresh, and a fixed name", config: values{"name": "ci", "name_prefix": nil}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := withClock(t, 50*time.Hour)
			pass := func(d time.Duration) { h.clock.Advance(d); h.server.Clock.Advance(d) }
			config := rotating.with(values{"service_account_id": h.account(), "expires_in_days": 8}).with(tc.config)
			if tc.encrypted {
				pair := keyPairs(t)[0]
				config["encryption"] = h.encryption(pair.algorithm, pair.public)
			}
			o := h.created(tokenType, config)
			first := *o
			if tc.no {
				h.server.Fail(qualyticstest.JSON(http.StatusInternalServerError, `{"detail": "failed"}`).
					On(http.MethodGet, "/users/me").Repeat(qualyticstest.Forever))
			}
			pass(time.Hour)
			for range 3 {
				h.connect(h.config)
				if tc.late != nil {
					wantOK(t, h.reread(o))
				}
				after, diags := h.applyWith(h.plan(o, config.with(tc.late)), config)
				wantOK(t, diags)
				wantText(t, diags.warnings(), "Service token not rotated", "The clock of this machine is at")
				if !after.state.Equal(first.state) || string(after.private) != string(first.private) {
					t.Fatalf("what is stored differs: %s, %s", difference(first.state, after.state), after.private)
				}
				*o = *after
			}
			pass(day)
			after, diags := h.applyWith(h.planned(o, config.with(tc.late)), config)
			wantOK(t, diags)
			if id := get(after.state, "id"); id == get(first.state, "id") || !h.works(id) {
				t.Errorf("not rotated in the window, or the token does not work: %s", diags.warnings())
			}
		})
	}
}

// An apply that does not rotate, because the clock of the machine is ahead, changes nothing that is
// stored: what is not known of an imported token, and that a retiring token is the provider's own.
func TestStoredWithWrongClock(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, _ qualyticstest.Token) {
		expires := h.server.Clock.Now().Add(30 * day)
		byHand := h.server.AddToken(qualyticstest.Token{Name: "by-hand", UserID: self.ID, Expiration: &expires})
		config := rotating.with(values{"service_account_id": formatted(self.ID)})
		imported, rotated := h.loaded(tokenType, formatted(byHand.ID)), h.created(tokenType, config)
		h.connectAs(parseInt(t, get(rotated.state, "id")))
		h.clock.Advance(23 * day)
		h.must(rotated, config, "update")
		wantOK(t, h.refresh(imported))
		h.clock = &qualyticstest.Clock{}
		h.clock.Advance(60 * day)
		for o, config := range map[*object]values{
			imported: {"service_account_id": formatted(self.ID), "name": "by-hand", "expires_in_days": 30},
			rotated:  config,
		} {
			after, diags := h.apply(h.unrefreshed(o, config))
			wantOK(t, diags)
			wantText(t, diags.warnings(), "Service token not rotated")
			if string(after.private) != string(o.private) {
				t.Errorf("stored %s, want %s", after.private, o.private)
			}
		}
	})
}

// On a machine whose clock is ahead, a listed token is the one that an import reads: otherwise
// the generated configuration would revoke it.
func TestListWithWrongClock(t *testing.T) {
	t.Parallel()
	h := withClock(t, 50*time.Hour)
	owner := h.server.AddUser(qualyticstest.User{Name: "Owner"})
	expires := h.server.Clock.Now().Add(day)
	token := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: owner.ID, Expiration: &expires})
	h.connect(h.config)
	results, diags := h.query(tokenType, values{}, 10)
	wantOK(t, diags)
	if len(results) != 1 {
		t.Fatalf("%d tokens are listed, want 1", len(results))
	}
	listed, imported := h.read(tokenType, results[0].Resource), h.loadedByIdentity(tokenType, formatted(token.ID))
	if !listed.Equal(imported.state) {
		t.Errorf("what is listed and imported differs: %s", difference(listed, imported.state))
	}
}

// An update that sends no request does not decide when the next rotation is due.
func TestUpdateWithWrongClock(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := rotating.with(values{"service_account_id": h.account(), "expires_in_days": 30, "rotate_before_days": 6})
	o := h.created(tokenType, config)
	right := h.clock
	h.clock = &qualyticstest.Clock{}
	h.clock.Advance(25 * day)
	config = config.with(values{"deletion_policy": "revoke"})
	h.must(o, config, "update")
	h.clock = right
	if p := h.unrefreshed(o, config); p.action != "no-op" {
		t.Errorf("planned %s: %s", p.action, p.diags.warnings())
	}
}

// The time in an error page of a gateway is not that of the API.
func TestClockOfGateway(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 30}
	first, second := h.created(tokenType, config), h.created(tokenType, config)
	fault := qualyticstest.HTML(http.StatusForbidden).On(http.MethodGet, "/teams").Repeat(qualyticstest.Forever)
	fault.Header.Set("Date", h.server.Clock.Now().Add(40*day).Format(http.TimeFormat))
	h.server.Fail(fault)
	h.connect(h.config)
	wantOK(t, h.reread(first))
	p := h.plan(h.none(accountType), values{"name": "New", "role": "Member", "teams": []string{"X"}})
	wantOK(t, p.diags) // teams are not checked then
	wantOK(t, h.reread(second))
	if p := h.plan(second, config); p.action != "no-op" || get(second.state, "status") != "active" {
		t.Errorf("status %s, planned %s: %s", get(second.state, "status"), p.action, p.diags.warnings())
	}
}

// After a refresh in the same process, the clock does not count: a saved plan would not apply
// as it was planned.
func TestClockAfterRefresh(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, _ := rotated(t, h, nil)
	wantOK(t, h.refresh(o))
	h.clock.Advance(40 * day)
	if p := h.plan(o, config); p.action != "no-op" {
		t.Errorf("planned %s", p.action)
	}
}

// terraform plan -minimal-refresh plans from the state. What that changes is read, and planned
// again; then what was read counts.
func TestMinimalRefresh(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		minimal := func(o *object, config values) *plan {
			p := h.unrefreshed(o, config)
			if p.diags.errors() == "" && p.action != "no-op" {
				wantOK(t, h.reread(o))
				p = h.plan(o, config)
			}
			return p
		}
		config := overlapping.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		old := get(o.state, "id")
		h.server.ClearRequests()
		if p := minimal(o, config); p.action != "no-op" || len(h.server.Requests()) > 0 {
			t.Errorf("planned %s with %d requests", p.action, len(h.server.Requests()))
		}
		h.clock.Advance(21 * day)
		*o = *h.applied(minimal(o, config))
		if get(o.state, "id") == old || !h.works(old) {
			t.Errorf("not rotated, or the old token does not work: %t", h.works(old))
		}
		h.clock.Advance(6 * day)
		h.use(parseInt(t, old), time.Hour)
		p := minimal(o, config)
		wantText(t, p.diags.warnings(), "is still in use")
		if p.action != "no-op" {
			t.Errorf("planned %s although the token is in use", p.action)
		}
	})
}

// A fixed name has to be replaced, which requires a refresh. Without one, the plan says so,
// and its apply changes nothing.
func TestClockAndFixedName(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30, "rotate_before_days": 7}
	o := h.created(tokenType, config)
	h.clock.Advance(24 * day)
	h.server.ClearRequests()
	p := h.unrefreshed(o, config)
	wantText(t, p.diags.warnings(), "requires a plan with a refresh")
	_, diags := h.apply(p)
	wantText(t, diags.errors(), "Service token must be planned again", "Nothing was changed")
	wantWrites(t, h)
	wantText(t, h.unrefreshed(o, config.with(values{"expires_in_days": 60})).diags.errors(),
		"Service token must be planned again", "with a refresh")
	h.must(o, config, "replace")
}

// A rotation across "terraform apply -refresh-only": the refresh stores the status, and the
// next run without a refresh rotates by it.
func TestRotationAcrossRefreshOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	current := get(o.state, "id")
	h.clock.Advance(21 * day)
	h.server.ClearRequests()
	wantOK(t, h.refresh(o))
	wantWrites(t, h)
	if get(o.state, "status") != "rotation_due" {
		t.Errorf("status %s", get(o.state, "status"))
	}
	wantRetiring(t, retiringTokens(o), old)
	after := h.applied(h.unrefreshed(o, config))
	wantRetiring(t, retiringTokens(after), current)
	h.clean(after, config)
}

// A deployment without creation times that limits the lifetime to the window or less does not
// rotate in every run.
func TestLimitedLifetimeWithoutCreationTimes(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.MaxExpiryDays, p.NoTokenCreated = 7, true })
		config := h.expiring(values{"rotate_before_days": 10})
		o := h.created(tokenType, config)
		for range 6 {
			h.clean(o, config)
			if p := h.unrefreshed(o, config); p.action != "no-op" {
				t.Errorf("without a refresh: planned %s", p.action)
			}
			h.clock.Advance(day)
		}
		if n := len(h.server.Tokens()); n != 1 {
			t.Errorf("%d tokens after 6 days, want 1", n)
		}
		h.clock.Advance(day)
		h.must(o, config, "update")
		h.clean(o, config)
		if n := len(h.server.Tokens()); n != 1 {
			t.Errorf("%d tokens after the expiry, want 1", n)
		}
	})
}

// The unknown secret of an imported token is mentioned at the import only.
func TestWarningAtImportOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	owner := h.account()
	token := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: parseInt(t, owner)})
	o, diags := h.load(tokenType, formatted(token.ID))
	wantText(t, diags.warnings(), "Secret of imported service token is unknown")
	config := values{"service_account_id": owner, "name": "ci", "deletion_policy": "delete"}
	for range 2 {
		if diags := h.must(o, config, "no-op"); strings.Contains(diags.warnings(), "unknown") {
			t.Errorf("a later run warns: %s", diags.warnings())
		}
	}
}

// A plan that has refreshed applies as it was planned, also if the server's clock moves back.
func TestRotationWhenServerClockMovesBack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		config, later values
		age           time.Duration
		refreshed     bool // by another run
		retires       bool
	}{
		{nil, nil, 23 * day, false, true},
		{values{"overlap_days": 0}, nil, 23 * day, false, false},
		{nil, nil, 30 * day, false, true}, // it works again
		{nil, nil, 23 * day, true, true},
		{nil, values{"rotate_before_days": 10}, 20 * day, false, true},
	} {
		h := newHarness(t, qualyticstest.Build202609())
		config := rotating.with(values{"service_account_id": h.account()}).with(tc.config)
		o := h.created(tokenType, config)
		old := get(o.state, "id")
		h.clock.Advance(tc.age + time.Minute)
		config = config.with(tc.later)
		p := h.planned(o, config)
		if tc.refreshed {
			p = h.unrefreshed(o, config)
		}
		h.clock.Advance(-time.Hour)
		after := h.applied(p)
		if get(after.state, "id") == old {
			t.Errorf("%v, %s: not rotated", tc.config, tc.age)
		}
		if retiring := retiringTokens(after); tc.retires != slices.Contains(retiring, old) {
			t.Errorf("%v, %s: retiring tokens %q", tc.config, tc.age, retiring)
		}
	}
}
