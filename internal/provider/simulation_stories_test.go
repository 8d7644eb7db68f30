// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// Stories that the simulation found.

// newStory returns a workspace of a simulation with a configuration that has been applied. A
// violation fails the test.
func newStory(t *testing.T, config map[string]*block) *workspace {
	t.Helper()
	s := newSimulation(1)
	profile := qualyticstest.Build202609()
	s.server = newServer(t, qualyticstest.Options{Profile: &profile, Clock: s.clock})
	w := &workspace{
		s: s, name: "w1", config: config, state: map[string]*object{}, deposed: map[string]*object{},
		credential: s.server.AdminTokenID(),
	}
	s.spaces = []*workspace{w}
	w.mustRun(t, "full")
	return w
}

// mustRun applies, which must succeed.
func (w *workspace) mustRun(t *testing.T, refresh string) *changes {
	t.Helper()
	c := w.run(options{refresh: refresh}, -1)
	if c.diags.errors() != "" {
		t.Fatal(c.diags.errors())
	}
	return c
}

// catch turns a violation into a failure of the test.
func catch(t *testing.T) {
	t.Helper()
	if v, ok := recover().(violation); ok {
		t.Error(string(v))
	}
}

func storyConfig(account, token values) map[string]*block {
	return map[string]*block{
		"account.a": {kind: accountType, args: values{"name": "A", "role": "Member"}.with(account)},
		"token.t": {kind: tokenType, args: values{
			"service_account_id": ref{"account.a", "id"}, "name_prefix": "ci-", "expires_in_days": 30,
			"rotate_before_days": 10,
		}.with(token)},
	}
}

func (w *workspace) deactivated() bool {
	id := w.s.server.ServiceAccounts()
	return len(id) == 0
}

// A tainted account is not deactivated if the name of its replacement is unknown while
// planning, similar to its own, or used by another account.
func TestTaintedAccountIsNotDeactivatedInVain(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]values{
		"unknown": {"name": late{"A"}}, "similar": {"name": "a"}, "of another account": {"name": "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer catch(t)
			w := newStory(t, storyConfig(nil, nil))
			delete(w.config, "token.t")
			w.mustRun(t, "full")
			now := w.s.clock.Now()
			w.s.server.AddUser(qualyticstest.User{Name: "Other", Deleted: &now})
			w.edit("account.a", config)
			w.s.taint(w)
			c := w.run(options{refresh: "full"}, -1)
			wantText(t, c.diags.errors(), "must be planned again", "untaint")
			if w.deactivated() {
				t.Error("the account is deactivated, and its replacement cannot be created")
			}
			w.untaint() // what the error advises
			w.edit("account.a", values{"name": "A"})
			w.mustRun(t, "full")
			delete(w.config, "account.a") // a refused destroy does not prevent one that is asked for
			if w.mustRun(t, "full"); !w.deactivated() {
				t.Error("the account is not deactivated")
			}
		})
	}
}

// overlap_days or revoked is unknown while planning: the plan names the tokens that may end.
func TestUnknownOverlapNamesRetiringTokens(t *testing.T) {
	t.Parallel()
	defer catch(t)
	w := newStory(t, storyConfig(nil, nil))
	w.stores = []*store{{w: w, token: "token.t", sdkv2: true, pace: 1}}
	w.mustRun(t, "full")
	w.stores[0].failing = true
	w.edit("token.t", values{"expires_in_days": 20})
	w.run(options{refresh: "full"}, -1) // the update of the consumer fails
	w.s.pass(1)
	w.edit("token.t", values{"overlap_days": late{0}})
	c := w.plan(options{refresh: "full"})
	wantText(t, c.diags.warnings(), "may stop working", "only known after apply")
	w.edit("token.t", values{"overlap_days": nil, "revoked": late{true}})
	c = w.plan(options{refresh: "full"})
	wantText(t, c.diags.warnings(), "only known after apply")
}

// The current token may end in the same apply, which depends on a value that is unknown while
// planning: the plan names it.
func TestUnknownValuesNameTheCurrentToken(t *testing.T) {
	t.Parallel()
	for _, change := range []values{
		{"overlap_days": 0, "name_prefix": nil, "name": late{"fixed"}},
		{"revoked": late{true}},
		{"overlap_days": late{0}, "expires_in_days": late{20}},
	} {
		t.Run(describe(change), func(t *testing.T) {
			t.Parallel()
			defer catch(t)
			w := newStory(t, storyConfig(nil, nil))
			w.stores = []*store{{w: w, token: "token.t", pace: 1}}
			w.mustRun(t, "full")
			w.s.pass(1)
			w.edit("token.t", change)
			c := w.plan(options{refresh: "full"})
			wantText(t, c.diags.warnings(), "may stop working", "only known after apply")
			w.apply(c, -1) // violates nothing
		})
	}
}

// Without a refresh, overlap_days = 0 ends a retiring token that is in use: the plan names it.
func TestForcedEndIsNamedWithoutRefresh(t *testing.T) {
	t.Parallel()
	defer catch(t)
	w := newStory(t, storyConfig(nil, nil))
	w.stores = []*store{{w: w, token: "token.t", pace: 1}}
	w.mustRun(t, "full")
	w.stores[0].failing = true
	w.edit("token.t", values{"expires_in_days": 20})
	w.run(options{refresh: "full"}, -1)
	w.s.pass(1)
	w.edit("token.t", values{"overlap_days": 0})
	c := w.mustRun(t, "none") // violates nothing
	wantText(t, c.diags.warnings(), "is in use", "overlap_days = 0")
}

// A value that is unknown while planning turns out to be the same. The plan of the apply then
// has no change but by the clock, which must agree with the first plan.
func TestUnknownValueAndTheClock(t *testing.T) {
	t.Parallel()
	for _, argument := range []values{
		{"deletion_policy": late{"revoke"}},
		{"overlap_days": late{7}},
		{"name_prefix": late{"ci-"}},
		{"service_account_id": late{ref{"account.a", "id"}}},
	} {
		for _, refresh := range []string{"none", "minimal", "full"} {
			t.Run(describe(argument)+refresh, func(t *testing.T) {
				t.Parallel()
				defer catch(t)
				w := newStory(t, storyConfig(nil, argument))
				before := get(w.state["token.t"].state, "id")
				w.s.pass(19)
				saved := w.plan(options{refresh: refresh})
				w.s.pass(2) // into the rotation window
				w.apply(saved, -1)
				w.mustRun(t, refresh)
				if w.mustRun(t, "none"); get(w.state["token.t"].state, "id") == before {
					t.Error("the token was not rotated")
				}
				w.s.pass(9) // the overlap has ended
				saved = w.plan(options{refresh: refresh})
				w.apply(saved, -1)
				if w.mustRun(t, "none"); strings.Contains(w.state["token.t"].state.String(), `"`+before+`"`) {
					t.Error("the old token was not removed")
				}
			})
		}
	}
}

// An exclusive resource whose account is unknown while planning keeps its history, and
// revokes what is foreign.
func TestExclusiveTokensOfUnknownAccount(t *testing.T) {
	t.Parallel()
	defer catch(t)
	config := storyConfig(nil, nil)
	unknownAccount := late{ref{"account.a", "id"}}
	config["exclusive.x"] = &block{kind: exclusiveType, args: values{"service_account_id": unknownAccount}}
	config["account.b"] = &block{kind: accountType, args: values{"name": "B", "role": "Member"}}
	config["token.t"].args["service_account_id"] = unknownAccount
	w := newStory(t, config)
	u := w.s.server.ServiceAccounts()[0]
	if u.Name != "A" {
		u = w.s.server.ServiceAccounts()[1]
	}
	foreign := w.s.server.AddToken(qualyticstest.Token{Name: "manual", UserID: u.ID})
	c := w.mustRun(t, "full")
	if action := c.of("exclusive.x").action; action != "update" {
		t.Errorf("the action is %s", action)
	}
	if w.s.snapshot().works(foreign.ID) {
		t.Error("the foreign token still works")
	}
	w.edit("exclusive.x", values{"service_account_id": late{ref{"account.b", "id"}}})
	c = w.run(options{refresh: "full"}, -1)
	wantText(t, c.diags.errors(), "must be planned again")
	w.edit("exclusive.x", values{"service_account_id": ref{"account.b", "id"}})
	if action := w.mustRun(t, "full").of("exclusive.x").action; action != "replace" {
		t.Errorf("the action is %s", action)
	}
}
