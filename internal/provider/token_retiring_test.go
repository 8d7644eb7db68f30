// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// overlapping is a token that is rotated in place 10 days before it expires.
var overlapping = values{"name_prefix": "ci-", "expires_in_days": 30, "rotate_before_days": 10, "overlap_days": 5}

// retiringTokens returns the IDs of retiring_tokens, with "?" if retire_at is unknown.
func retiringTokens(o *object) []string { return retiringOf(o.state) }

func retiringOf(state tftypes.Value) []string {
	list, ok := attributes(state)["retiring_tokens"]
	if !ok || !list.IsKnown() {
		return []string{"unknown"}
	}
	var elements []tftypes.Value
	_ = list.As(&elements)
	out := []string{}
	for _, e := range elements {
		entry := get(e, "id")
		if get(e, "retire_at") == "?" {
			entry += "?"
		}
		out = append(out, entry)
	}
	return out
}

func wantRetiring(t tb, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("retiring tokens %q, want %q", got, want)
	}
}

// rotated returns a token that was rotated in place, its configuration, and the ID of
// the replaced token.
func rotated(t tb, h *harness, more values) (o *object, config values, old string) {
	t.Helper()
	config = overlapping.with(more).with(values{"service_account_id": h.account()})
	o = h.none(tokenType)
	h.must(o, config, "create")
	wantRetiring(t, retiringTokens(o))
	old = get(o.state, "id")
	h.clock.Advance(21 * day)
	h.must(o, config, "update")
	wantRetiring(t, retiringTokens(o), old)
	return o, config, old
}

// A rotation is an update: the new token is stored with the old one, which works until the
// overlap has ended and the next apply removes it.
func TestOverlap(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := overlapping.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		first, secret, name := get(o.state, "id"), get(o.state, "token"), get(o.state, "name")
		h.clock.Advance(21 * day)
		p := h.planned(o, config)
		for _, name := range []string{"id", "token", "name", "expires_at", "created_at", "status"} {
			if get(p.planned, name) != "?" {
				t.Errorf("%s is planned as %q, want unknown", name, get(p.planned, name))
			}
		}
		wantRetiring(t, retiringOf(p.planned), first+"?")
		wantText(t, p.diags.warnings(), fmt.Sprintf("Service token %q (ID %s) will be rotated", name, first),
			"its rotation has been due since",
			"until it has not been used for 5 days (overlap_days), at the latest until it "+
				"expires at "+get(o.state, "expires_at"))
		if p.action != "update" {
			t.Fatalf("planned %s %v", p.action, p.replace)
		}
		h.server.ClearRequests()
		after, diags := h.apply(p)
		if diags.errors()+diags.warnings() != "" {
			t.Fatal(diags.errors(), diags.warnings())
		}
		wantWrites(t, h, "POST /user-tokens")
		*o = *after
		second := get(o.state, "id")
		if second == first || get(o.state, "token") == secret || !h.tokenWorks(o) || !h.works(first) {
			t.Errorf("token %s after %s, works: %t, the old one works: %t", second, first, h.tokenWorks(o),
				h.works(first))
		}
		wantRetiring(t, retiringTokens(o), first)
		h.clean(o, config)
		h.clock.Advance(5*day - time.Minute)
		h.clean(o, config)

		h.clock.Advance(2 * time.Minute)
		before := o.state
		wantOK(t, h.refresh(o))
		if !o.state.Equal(before) {
			t.Errorf("the end of the overlap is drift: %s", difference(before, o.state))
		}
		p = h.plan(o, config)
		wantRetiring(t, retiringOf(p.planned), "unknown")
		wantText(t, p.diags.warnings(),
			fmt.Sprintf("Retiring service tokens of %q (ID", get(o.state, "name")), "will be removed", "ID "+first,
			"its overlap ended at", "revoked and deleted", "never used", "increase overlap_days")
		h.server.ClearRequests()
		*o = *h.applied(p)
		wantWrites(t, h, "PUT /user-tokens/"+first, "DELETE /user-tokens/"+first)
		wantRetiring(t, retiringTokens(o))
		if h.works(first) || len(h.server.Tokens()) != 1 || get(o.state, "id") != second {
			t.Errorf("the overlap ended, and the server has %+v", h.server.Tokens())
		}
		h.clean(o, config)
	})
}

// Without overlap_days, the overlap is 7 days.
func TestDefaultOverlap(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, values{"overlap_days": nil})
	if got := get(o.state, "overlap_days"); got != "7" {
		t.Errorf("overlap_days is %s, want 7", got)
	}
	h.clock.Advance(7*day - time.Minute)
	h.clean(o, config)
	if !h.works(old) {
		t.Error("the old token ended before 7 days")
	}
	h.clock.Advance(2 * time.Minute)
	h.must(o, config, "update")
	if h.works(old) {
		t.Error("the old token works after 7 days")
	}
}

// Without an overlap, the old token is removed in the same apply, used or not, after the new
// one is stored. The plan says so.
func TestNoOverlap(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := overlapping.with(values{"service_account_id": h.account(), "overlap_days": 0})
		o := h.created(tokenType, config)
		old := get(o.state, "id")
		h.clock.Advance(21 * day)
		h.use(parseInt(t, old), time.Minute)
		p := h.planned(o, config)
		wantRetiring(t, retiringOf(p.planned), "unknown")
		wantText(t, p.diags.warnings(), "will be rotated",
			"removed in the same apply and stop working (overlap_days = 0)", "Last used 1 minute ago")
		h.server.ClearRequests()
		*o = *h.applied(p)
		wantWrites(t, h, "POST /user-tokens", "PUT /user-tokens/"+old, "DELETE /user-tokens/"+old)
		wantRetiring(t, retiringTokens(o))
		h.clean(o, config)
	})
}

// What is in use stays, without a change in the plan, and every plan warns. Once it has not
// been used for overlap_days, it is removed.
func TestRetiringTokenInUse(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o, config, old := rotated(t, h, values{"expires_in_days": 90, "rotate_before_days": 69})
		name := listedName(t, h, old)
		for range 10 { // a client uses it every day
			h.clock.Advance(day)
			h.use(parseInt(t, old), 2*time.Hour)
			h.clean(o, config)
		}
		before := o.state
		p := h.planned(o, config)
		wantText(t, p.diags.warnings(), fmt.Sprintf("Replaced service token %q (ID", name), "is still in use",
			"last used 2 hours ago", "ID "+get(o.state, "id"), "was replaced at", "although its state says otherwise",
			"terraform apply -replace=ADDRESS", "set overlap_days = 0",
			"has not been used for 5 days, at the latest until "+
				"it expires at")
		if p.action != "no-op" || !o.state.Equal(before) || !h.works(old) {
			t.Errorf("planned %s, drift %q, the old token works: %t", p.action, difference(before, o.state),
				h.works(old))
		}
		h.clock.Advance(5*day - 2*time.Hour - time.Minute)
		h.clean(o, config)
		h.clock.Advance(2 * time.Minute)
		wantText(t, h.must(o, config, "update").warnings(), "will be removed", "last used 5 days ago")
		if h.works(old) {
			t.Error("the unused token works")
		}
		h.clean(o, config)
	})
}

// listedName returns the name of the server's token with an ID.
func listedName(t *testing.T, h *harness, id string) string {
	t.Helper()
	token, ok := h.tokenByID(id)
	if !ok {
		t.Fatalf("there is no token %s", id)
	}
	return token.Name
}

// A token that never expires stays as long as it is used. One that expires ends then.
func TestRetiringTokenInUseExpires(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	for range 9 { // it expires 30 days after its creation
		h.use(parseInt(t, old), 0)
		h.clean(o, config)
		h.clock.Advance(day)
	}
	h.must(o, config, "update")
	if _, ok := h.tokenByID(old); ok {
		t.Error("the expired token is still on the server")
	}
	h.clean(o, config)
}

// A token that is used between the plan and the apply stays, and the apply warns.
func TestRetiringTokenUsedBeforeApply(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o, config, old := rotated(t, h, nil)
		h.clock.Advance(6 * day)
		p := h.planned(o, config)
		wantText(t, p.diags.warnings(), "will be removed", "Apply asks for their last use once more")
		h.use(parseInt(t, old), time.Minute)
		after, diags := h.apply(p)
		wantOK(t, diags)
		wantText(t, diags.warnings(), "is still in use", "last used 1 minute ago")
		wantRetiring(t, retiringTokens(after), old)
		if !h.works(old) {
			t.Error("the used token was removed")
		}
		h.clean(after, config)
	})
}

// What needs another token creates it in place, and the old one stays valid.
func TestRotationInPlace(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *harness) values{
		"lifetime":      func(*harness) values { return values{"expires_in_days": 60} },
		"no lifetime":   func(*harness) values { return values{"expires_in_days": nil, "rotate_before_days": nil} },
		"prefix":        func(*harness) values { return values{"name_prefix": "other-"} },
		"to fixed name": func(*harness) values { return values{"name_prefix": nil, "name": "fixed"} },
		"trigger":       func(*harness) values { return values{"rotate_when_changed": map[string]string{"n": "2"}} },
		"encryption": func(h *harness) values {
			return values{"encryption": h.encryption("age", matrixIdentity().Recipient().String())}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				config := overlapping.with(values{
					"service_account_id": h.account(), "rotate_when_changed": map[string]string{"n": "1"},
				})
				o := h.created(tokenType, config)
				old := get(o.state, "id")
				config = config.with(change(h))
				h.server.ClearRequests()
				w := h.must(o, config, "update").warnings()
				wantWrites(t, h, "POST /user-tokens")
				wantText(t, w, "will be rotated", " changed", "stays valid")
				wantRetiring(t, retiringTokens(o), old)
				if !h.works(old) || !h.tokenWorks(o) {
					t.Errorf("works: %t, the old one: %t", h.tokenWorks(o), h.works(old))
				}
				h.clean(o, config)
			})
		})
	}
}

// What does not work any more is of no use to anyone: a rotation removes it immediately, and
// says so.
func TestRotationOfTokenThatDoesNotWork(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		event func(h *harness, id int64)
		said  []string
	}{
		{
			"expired", func(h *harness, _ int64) { h.clock.Advance(31 * day) },
			[]string{"Expired service token", "no longer works"},
		},
		{"revoked by someone else", func(h *harness, id int64) { h.revoke(id) }, []string{"so it is not restored"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				config := overlapping.with(values{"service_account_id": h.account()})
				o := h.created(tokenType, config)
				tc.event(h, h.token().ID)
				w := h.must(o, config, "update").warnings()
				wantText(t, w, append(tc.said, "will be rotated", "The old one will be removed.")...)
				if strings.Contains(w, "stays valid") {
					t.Errorf("warned %s", w)
				}
				wantRetiring(t, retiringTokens(o))
				if fmt.Sprint(h.token().ID) != get(o.state, "id") || !h.tokenWorks(o) {
					t.Errorf("the state has %s, the server %+v", get(o.state, "id"), h.server.Tokens())
				}
				h.clean(o, config)
			})
		})
	}
}

// The plan of a rotation says what happens to the old token.
func TestEndOfTheOldTokenIsPlanned(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := overlapping.with(values{
		"service_account_id": h.account(), "rotate_when_changed": map[string]string{"n": "1"},
	})
	o := h.created(tokenType, config)
	for said, change := range map[string]values{
		"stays valid until it has not been used for 5 days":                         nil,
		"depends on overlap_days, which is known after apply":                       {"overlap_days": unknown{}},
		"removed in the same apply and stop working (overlap_days = 0)":             {"overlap_days": 0},
		"Both the old and the new one will be revoked (revoked = true). Never used": {"revoked": true},
	} {
		p := h.planned(o, config.with(change).with(values{"rotate_when_changed": map[string]string{"n": "2"}}))
		wantText(t, p.diags.warnings(), "will be rotated", said)
		named := strings.Contains(p.diags.warnings(), "may stop working")
		if _, unknown := change["overlap_days"].(unknown); named != unknown {
			t.Errorf("%v: says that the old token may stop working: %t", change, named)
		}
	}
}

// Another account replaces the resource, which removes the retiring tokens too. The plan says
// so.
func TestReplacementDuringOverlap(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	p := h.planned(o, config.with(values{"service_account_id": h.account()}))
	wantText(t, p.diags.warnings(), "will be replaced", "because service_account_id changed", "belongs to one account",
		"It stops working before the new one exists", "Never used", "Its retiring tokens end too", "will be removed",
		"ID "+old, "the resource is removed")
	if p.action != "replace" || !slices.Equal(p.replace, []string{"service_account_id"}) {
		t.Errorf("planned %s %v", p.action, p.replace)
	}
	*o = *h.applied(p)
	wantRetiring(t, retiringTokens(o))
	h.must(o, nil, "delete")
	if left := h.server.Tokens(); len(left) != 0 {
		t.Errorf("%d tokens are left", len(left))
	}
}

// Each change of the configuration during an overlap has a defined outcome.
func TestChangesDuringOverlap(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		config  values
		works   bool // the old token, afterwards
		records int  // on the server
		warns   string
	}{
		{"no overlap", values{"overlap_days": 0}, false, 1, "overlap_days = 0"},
		{"revoked", values{"revoked": true}, false, 1, "revoked = true"},
		{"overlap longer", values{"overlap_days": 9}, true, 2, ""},
		{
			"policy revoke, no overlap",
			values{"overlap_days": 0, "deletion_policy": "revoke"},
			false, 2,
			"will be revoked, and stop working",
		},
		{"default overlap", values{"overlap_days": nil}, true, 2, ""},
		{"window changed", values{"rotate_before_days": 12}, true, 2, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				o, config, old := rotated(t, h, nil)
				config = config.with(tc.config)
				if w := h.planned(o, config).diags.warnings(); tc.warns == "" && w != "" ||
					!strings.Contains(w, tc.warns) {
					t.Errorf("warned %q, want %q", w, tc.warns)
				}
				h.must(o, config, "update")
				if h.works(old) != tc.works || len(h.server.Tokens()) != tc.records {
					t.Errorf("works: %t, want %t; %d records, want %d", h.works(old), tc.works, len(h.server.Tokens()),
						tc.records)
				}
				h.clean(o, config)
			})
		})
	}
}

// A retiring token that someone deleted leaves the list. The record of one that someone
// revoked is deleted by the next apply, unless the policy keeps it.
func TestRetiringTokenGone(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o, config, old := rotated(t, h, nil)
		h.server.RemoveToken(parseInt(t, old))
		if diags := h.refresh(o); len(diags) > 0 {
			t.Errorf("deleted: %s%s", diags.errors(), diags.warnings())
		}
		wantRetiring(t, retiringTokens(o))
		h.clean(o, config)

		o, config, old = rotated(t, h, nil)
		h.revoke(parseInt(t, old))
		p := h.planned(o, config)
		wantText(t, p.diags.warnings(), "will be removed", "revoked outside of Terraform")
		*o = *h.applied(p)
		if _, ok := h.tokenByID(old); ok {
			t.Error("the record of the revoked token is still on the server")
		}
		h.clean(o, config)

		o, config, old = rotated(t, h, values{"deletion_policy": "revoke"})
		h.revoke(parseInt(t, old))
		h.clean(o, config)
		wantRetiring(t, retiringTokens(o))
		if _, ok := h.tokenByID(old); !ok {
			t.Error("the record that the policy keeps is gone")
		}
	})
}

// The current token is deleted while another is retiring: the state keeps both until
// the next apply.
func TestCurrentTokenGoneDuringOverlap(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o, config, old := rotated(t, h, nil)
		h.server.RemoveToken(parseInt(t, get(o.state, "id")))
		diags := h.refresh(o)
		wantText(t, diags.warnings(), "Current service token not found")
		if !o.exists() || diags.errors() != "" {
			t.Fatalf("in the state: %t, %s", o.exists(), diags.errors())
		}
		h.must(o, config, "update")
		if !h.tokenWorks(o) || !h.works(old) {
			t.Errorf("works: %t, the retiring one: %t", h.tokenWorks(o), h.works(old))
		}
		h.clean(o, config)
		h.must(o, nil, "delete")
		if n := len(h.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

// Two rotations within one overlap: both old tokens retire, each at its time.
func TestTwoRotationsInOneOverlap(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		trigger := func(n string) values { return values{"rotate_when_changed": map[string]string{"n": n}} }
		o, config, first := rotated(t, h, trigger("1"))
		h.clock.Advance(2 * day)
		config = config.with(trigger("2"))
		second := get(o.state, "id")
		h.must(o, config, "update")
		wantRetiring(t, retiringTokens(o), first, second)
		h.clock.Advance(4 * day)
		config = config.with(trigger("3"))
		third := get(o.state, "id")
		h.must(o, config, "update") // rotates, and removes what is due
		wantRetiring(t, retiringTokens(o), second, third)
		if h.works(first) || !h.works(second) || !h.works(third) || !h.tokenWorks(o) {
			t.Errorf("works: %t %t %t %t", h.works(first), h.works(second), h.works(third), h.tokenWorks(o))
		}
		h.clean(o, config)
	})
}

// If a token cannot be removed, it stays in the list, and the next apply tries again.
func TestRetirementFails(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		for _, more := range []values{nil, {"overlap_days": 0}} {
			for _, method := range []string{http.MethodPut, http.MethodDelete} {
				o, config, old := rotated(t, h, nil)
				if config = config.with(more); more == nil {
					h.clock.Advance(6 * day) // the overlap ends
				}
				h.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On(method, "").Repeat(qualyticstest.Forever))
				_, diags := h.run(o, config)
				wantText(t, diags.errors(), "Unable to remove retiring service token", "the next apply tries again")
				wantRetiring(t, retiringTokens(o), old)
				h.server.Heal()
				h.must(o, config, "update")
				if n := len(h.server.Tokens()); n != 1 {
					t.Errorf("%s, %v: %d tokens, want 1", method, more, n)
				}
				h.clean(o, config)
				h.must(o, nil, "delete")
			}
		}
	})
}

// If the new token cannot be created, the state is unchanged and the old token works.
func TestRotationInPlaceFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := overlapping.with(values{"service_account_id": h.account()})
	o := h.created(tokenType, config)
	h.clock.Advance(21 * day)
	wantOK(t, h.refresh(o))
	before := o.state
	h.server.Fail(qualyticstest.JSON(422, `{"detail":"no"}`).On(http.MethodPost, "/user-tokens"))
	after, diags := h.apply(h.plan(o, config))
	wantText(t, diags.errors(), "Unable to create service token")
	if !after.state.Equal(before) || !h.tokenWorks(after) {
		t.Errorf("the state changed: %s", difference(before, after.state))
	}
}

// An imported token that never expires is rotated in place if the configuration has a
// lifetime, and stays valid for the overlap.
func TestLifetimeOfImportedToken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.account()
		created := h.server.AddToken(qualyticstest.Token{Name: "by hand", UserID: parseInt(t, owner)})
		old := fmt.Sprint(created.ID)
		h.use(created.ID, time.Minute)
		o := h.loaded(tokenType, old)
		wantRetiring(t, retiringTokens(o))
		config := overlapping.with(values{"service_account_id": owner})
		p := h.plan(o, config)
		wantText(t, p.diags.warnings(), `Service token "by hand" (ID `, "will be rotated", "expires_in_days changed",
			"stays valid")
		if p.action != "update" {
			t.Fatalf("planned %s %v", p.action, p.replace)
		}
		*o = *h.applied(p)
		wantRetiring(t, retiringTokens(o), old)
		if !h.works(old) || !h.tokenWorks(o) {
			t.Errorf("works: %t, the imported one: %t", h.tokenWorks(o), h.works(old))
		}
		h.clean(o, config)
		h.clock.Advance(6 * day) // the secret of the imported token is not known
		h.must(o, config, "update")
		if h.works(old) {
			t.Error("the imported token works after the overlap")
		}
		h.clean(o, config)
	})
}

// The provider's own retiring token stays, with a warning, and nothing fails, whether its
// secret is known or not. Only a destruction is refused.
func TestRetiringOwnToken(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		config := overlapping.with(values{
			"service_account_id": fmt.Sprint(self.ID), "expires_in_days": 90, "rotate_before_days": 69,
		})
		o := h.created(tokenType, config)
		mine := get(o.state, "id")
		h.connectAs(parseInt(t, mine))
		h.revoke(own.ID)
		h.clock.Advance(21 * day)
		h.must(o, config, "update")
		wantRetiring(t, retiringTokens(o), mine)
		h.clock.Advance(6 * day)
		for name, tc := range map[string]struct {
			config values
			action string
		}{
			"ended":      {config, "no-op"},
			"no overlap": {config.with(values{"overlap_days": 0}), "update"},
		} {
			p := h.planned(o, tc.config)
			wantOK(t, p.diags)
			wantText(t, p.diags.warnings(), "is in use by the provider", "stays valid",
				"attribute token of this resource")
			if p.action != tc.action || strings.Contains(p.diags.warnings(), "state rm") {
				t.Errorf("%s: planned %s, %s", name, p.action, p.diags.warnings())
			}
			after, diags := h.apply(p)
			wantOK(t, diags)
			wantRetiring(t, retiringTokens(after), mine)
			if !h.active(mine) {
				t.Fatalf("%s: the provider revoked its own token", name)
			}
		}
		wantText(t, h.plan(o, nil).diags.errors(), "Operation would lock out the provider",
			"attribute token of this resource")
		// A plan of another Admin does not know it, but the apply does.
		mineConfig := h.config
		h.clock.Advance(6 * day)
		h.connectAs(h.server.AdminTokenID())
		p := h.planned(o, config)
		destroy := h.plan(o, nil)
		wantText(t, p.diags.warnings(), "will be removed")
		wantOK(t, destroy.diags)
		h.config = mineConfig
		after, diags := h.apply(p)
		wantOK(t, diags)
		wantText(t, diags.warnings(), "is in use by the provider")
		wantRetiring(t, retiringTokens(after), mine)
		_, diags = h.apply(destroy)
		wantText(t, diags.errors(), "Operation would lock out the provider")
		if !h.active(mine) || !h.active(get(o.state, "id")) {
			t.Fatal("a token was revoked")
		}
		// The next run uses the new token.
		h.clock.Advance(6 * day)
		h.connectAs(parseInt(t, get(o.state, "id")))
		h.must(o, config, "update")
		if h.active(mine) {
			t.Error("the retiring token is still active")
		}
		h.clean(o, config)
	})
}

// What validation refuses, and what it warns about.
func TestOverlapValidation(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	base := values{"service_account_id": "1", "name_prefix": "ci-", "expires_in_days": 30, "rotate_before_days": 7}
	for _, tc := range []struct {
		name     string
		config   values
		errors   string
		warnings string
	}{
		{"valid", values{"overlap_days": 7}, "", ""},
		{"fixed name", values{"name_prefix": nil, "name": "ci", "overlap_days": 7}, "", ""},
		{"none", values{"overlap_days": 0}, "", ""},
		{"too short", values{"overlap_days": -1}, "between 0 and 364", ""},
		{"too long", values{"overlap_days": 365, "rotate_before_days": nil}, "between 0 and 364", ""},
		{"longer than the window", values{"overlap_days": 8}, "", "Overlap is longer than the rotation window"},
		{"unknown", values{"overlap_days": unknown{}}, "", ""},
		{"unknown name", values{"name_prefix": unknown{}, "overlap_days": 7}, "", ""},
		{"both names unknown", values{"name_prefix": unknown{}, "name": unknown{}, "overlap_days": 7}, "", ""},
		{"fixed name, unknown overlap", values{"name_prefix": nil, "name": "ci", "overlap_days": unknown{}}, "", ""},
		{
			"policy, both names unknown",
			values{"name_prefix": unknown{}, "name": unknown{}, "deletion_policy": "revoke"},
			"", "",
		},
	} {
		diags := h.validate(tokenType, base.with(tc.config))
		if got := diags.errors(); tc.errors == "" && got != "" || !strings.Contains(got, tc.errors) {
			t.Errorf("%s: errors %q, want %q", tc.name, got, tc.errors)
		}
		if got := diags.warnings(); tc.warnings == "" && got != "" || !strings.Contains(got, tc.warnings) {
			t.Errorf("%s: warnings %q, want %q", tc.name, got, tc.warnings)
		}
	}
}

// Unknown arguments of an overlap leave the list unknown only if it depends on them.
func TestUnknownOverlap(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, _ := rotated(t, h, nil)
	for _, name := range []string{"overlap_days", "revoked"} {
		p := h.plan(o, config.with(values{name: unknown{}}))
		wantRetiring(t, retiringOf(p.planned), "unknown")
		if p.action != "update" || p.diags.errors() != "" {
			t.Errorf("unknown %s: %s %s", name, p.action, p.diags.errors())
		}
	}
	never := values{"service_account_id": h.account(), "name_prefix": "ci-"}
	o = h.created(tokenType, never)
	p := h.planned(o, never.with(values{"overlap_days": unknown{}}))
	wantRetiring(t, retiringOf(p.planned))
	if get(p.planned, "id") == "?" {
		t.Error("an unknown overlap of a token that never expires lets its ID be unknown")
	}
}

// If a rotation cannot remove another token, that is a warning: an error would keep what
// depends on the new token from being updated.
func TestRotationWithoutRemoval(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := overlapping.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		old := get(o.state, "id")
		h.revoke(parseInt(t, old))
		boom := qualyticstest.JSON(422, `{"detail":"no"}`).Repeat(qualyticstest.Forever)
		boom.Method = http.MethodDelete
		h.server.Fail(boom)
		diags := h.must(o, config, "update")
		wantText(t, diags.warnings(), "Unable to remove retiring service token")
		wantRetiring(t, retiringTokens(o), old)
		if !h.tokenWorks(o) {
			t.Error("the new token does not work")
		}
		h.server.Heal()
		h.must(o, config, "update")
		h.clean(o, config)
	})
}

// A deployment that removes no expired token does not block the plans that follow.
func TestExpiredTokenThatStays(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, _ := rotated(t, h, values{"overlap_days": 10})
	h.clock.Advance(9*day + time.Hour) // the old token has expired
	no := qualyticstest.JSON(400, `{"detail":"expired"}`).Repeat(qualyticstest.Forever)
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		no.Method = method
		h.server.Fail(no)
	}
	diags := h.must(o, config, "update")
	wantText(t, diags.warnings(), "Record of expired service token stays")
	h.server.Heal()
	h.clean(o, config)
}

// A rotation never removes the provider's own token, which was imported without its secret:
// neither without an overlap nor after it, whether or not it expires.
func TestRotationOfOwnToken(t *testing.T) {
	t.Parallel()
	for _, expires := range []bool{true, false} {
		onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
			if !expires { // then the lifetime of the configuration rotates it
				h.server.EditToken(own.ID, func(t *qualyticstest.Token) { t.Expiration = nil })
			}
			o := h.loaded(tokenType, fmt.Sprint(own.ID))
			h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
			config := overlapping.with(values{
				"service_account_id": fmt.Sprint(self.ID), "rotate_when_changed": map[string]string{"n": "1"},
			})
			h.must(o, config, "update")
			config = config.with(values{"rotate_when_changed": map[string]string{"n": "2"}, "overlap_days": 0})
			wantText(t, h.must(o, config, "update").warnings(), "is in use by the provider")
			wantRetiring(t, retiringTokens(o), fmt.Sprint(own.ID))
			config["overlap_days"] = 5
			h.must(o, config, "update")
			h.clock.Advance(6 * day)
			wantText(t, h.must(o, config, "no-op").warnings(), "is in use by the provider")
			if !h.active(fmt.Sprint(own.ID)) {
				t.Error("the provider revoked its own token")
			}
		})
	}
}

// The last use is compared with the server's clock, which wrote it.
func TestRetiringTokenInUseWithSkewedClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-30 * time.Hour, 30 * time.Hour} {
		h := newHarness(t, qualyticstest.Build202609())
		h.clock = &qualyticstest.Clock{}
		h.clock.Advance(skew)
		config := overlapping.with(values{
			"service_account_id": h.account(), "overlap_days": 1, "rotate_when_changed": map[string]string{"n": "1"},
		})
		o := h.created(tokenType, config)
		old := get(o.state, "id")
		config["rotate_when_changed"] = map[string]string{"n": "2"}
		h.must(o, config, "update")
		advance := func(d time.Duration) { h.clock.Advance(d); h.server.Clock.Advance(d) }
		advance(25 * time.Hour)
		h.use(parseInt(t, old), 23*time.Hour)
		h.clean(o, config)
		wantRetiring(t, retiringTokens(o), old)
		advance(2 * time.Hour)
		h.must(o, config, "update")
		if h.works(old) {
			t.Errorf("with a skew of %s, the unused token works", skew)
		}
	}
}

// The apply process of a rotation has sent no request before, and still uses the server's
// clock.
func TestOverlapUsesServerClockInANewProcess(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.clock = &qualyticstest.Clock{}
	h.clock.Advance(-3 * time.Hour) // the server is ahead
	config := overlapping.with(values{
		"service_account_id": h.account(), "rotate_when_changed": map[string]string{"n": "1"},
	})
	o := h.created(tokenType, config)
	p := h.planned(o, config.with(values{"rotate_when_changed": map[string]string{"n": "2"}}))
	after := h.applied(p)
	var elements []tftypes.Value
	_ = attributes(after.state)["retiring_tokens"].As(&elements)
	retireAt, err := time.Parse(time.RFC3339, get(elements[0], "retire_at"))
	if want := h.server.Clock.Now().Add(5 * day); err != nil || retireAt.Sub(want).Abs() > 5*time.Second {
		t.Errorf("retires at %s, want %s: %v", retireAt, want, err)
	}
}

// A retired token of the provider's own account is told apart from the provider's token by
// the hash of its secret, whatever the format of bearer tokens.
func TestRetiringSibling(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		config := overlapping.with(values{"service_account_id": fmt.Sprint(self.ID), "expires_in_days": 20})
		o := h.created(tokenType, config)
		old := get(o.state, "id")
		h.clock.Advance(11 * day)
		h.must(o, config, "update")
		h.clock.Advance(6 * day)
		h.must(o, config, "update")
		if h.active(old) || !h.active(fmt.Sprint(own.ID)) {
			t.Errorf("the retired token is active: %t, the provider's: %t", h.active(old), h.active(fmt.Sprint(own.ID)))
		}
	})
}

// A destruction that cannot look up a retiring token is an error, whatever the status.
func TestDestroyWithoutLookup(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, old := rotated(t, h, nil)
	for _, status := range []int{403, 409, 422} {
		p := h.planned(o, nil)
		h.server.Fail(qualyticstest.JSON(status, `{"detail":"no"}`).On(http.MethodGet, "/user-tokens/service").
			Repeat(qualyticstest.Forever))
		after, diags := h.apply(p)
		wantText(t, diags.errors(), "Unable to remove retiring service token")
		wantRetiring(t, retiringTokens(after), old)
		h.server.Heal()
	}
	if !h.works(old) || !h.tokenWorks(o) {
		t.Error("a token was removed")
	}
}

// A destruction that cannot remove a retiring token keeps both in the state.
func TestDestroyWithRetiringTokenFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, old := rotated(t, h, nil)
	h.server.Fail(qualyticstest.JSON(422, `{"detail":"no"}`).On(http.MethodPut, "/user-tokens/"+old))
	_, diags := h.run(o, nil)
	wantText(t, diags.errors(), "Unable to remove retiring service token")
	wantRetiring(t, retiringTokens(o), old)
	if !h.tokenWorks(o) {
		t.Error("the current token was removed first")
	}
	h.must(o, nil, "delete")
	if n := len(h.server.Tokens()); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

// A refresh that cannot confirm that a retiring token is gone is an error, and changes
// nothing.
func TestRetiringTokenCannotBeConfirmed(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, old := rotated(t, h, nil)
	h.server.RemoveToken(parseInt(t, old))
	h.server.Fail(qualyticstest.Fault{
		Method: http.MethodGet, Path: "/user-tokens/service", Skip: 1, Status: 422, Times: qualyticstest.Forever,
	})
	wantText(t, h.refresh(o).errors(), "Unable to read service token", "Retiring service token")
	wantRetiring(t, retiringTokens(o), old)
}

// A plan knows which of token and encrypted_token will be null.
func TestPlannedSecret(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 30}
	age := h.encryption("age", matrixIdentity().Recipient().String())
	for _, tc := range []struct {
		name             string
		encryption       any
		token, encrypted string
	}{
		{"plain", nil, "?", ""},
		{"encrypted", age, "", "?"},
		{"unknown", h.encryption(nil, nil), "?", "?"},
	} {
		p := h.plan(h.none(tokenType), config.with(values{"encryption": tc.encryption}))
		if token, encrypted := get(p.planned, "token"), get(p.planned, "encrypted_token"); token != tc.token ||
			encrypted != tc.encrypted || p.diags.errors() != "" {
			t.Errorf("%s: token %q, encrypted_token %q, want %q and %q", tc.name, token, encrypted, tc.token,
				tc.encrypted)
		}
		wantRetiring(t, retiringOf(p.planned))
	}
}

// A retiring token that is gone when the apply removes it is not an error, whatever the
// policy.
func TestRetiringTokenGoneDuringApply(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"delete", "revoke"} {
		h := newHarness(t, qualyticstest.Build202609())
		o, config, old := rotated(t, h, values{"deletion_policy": policy})
		h.clock.Advance(6 * day)
		wantOK(t, h.refresh(o))
		wantRetiring(t, retiringTokens(o), old)
		p := h.plan(o, config)
		h.server.RemoveToken(parseInt(t, old))
		h.clock.Advance(time.Minute) // the plan's list has expired
		after, diags := h.apply(p)
		if diags.errors() != "" {
			t.Errorf("%s: %s", policy, diags.errors())
		}
		wantRetiring(t, retiringTokens(after))
	}
}

// Without the hash of its secret, a retiring token is looked up before it is removed. If
// that fails, a plan leaves the decision to the apply, which removes nothing.
func TestRetiringTokenCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	owner := h.account()
	created := h.clock.Now()
	expires := created.Add(30 * day)
	imported := h.server.AddToken(qualyticstest.Token{
		Name: "ci", UserID: parseInt(t, owner), Created: created, Expiration: &expires,
	})
	o := h.loaded(tokenType, fmt.Sprint(imported.ID))
	config := overlapping.with(values{"service_account_id": owner})
	h.must(o, config, "update")
	h.clock.Advance(21 * day)
	h.must(o, config, "update")
	old := fmt.Sprint(imported.ID)
	wantRetiring(t, retiringTokens(o), old)
	config = config.with(values{"overlap_days": 0})
	h.connect(h.config)
	fail := qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/user-tokens/service")
	h.server.Fail(fail.Repeat(qualyticstest.Forever))
	p := h.plan(o, config)
	if p.diags.errors() != "" {
		t.Fatalf("the plan fails: %s", p.diags.errors())
	}
	after, diags := h.apply(p)
	h.server.Heal()
	wantText(t, diags.errors(), "Unable to remove retiring service token", "is still listed")
	wantRetiring(t, retiringTokens(after), old)
	if !h.works(old) {
		t.Error("the retiring token was removed")
	}
	h.server.RemoveToken(imported.ID)
	h.connect(h.config)
	wantOK(t, h.plan(o, config).diags)
}
