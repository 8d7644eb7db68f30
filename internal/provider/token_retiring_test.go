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

// retiringTokens returns the elements of retiring_tokens as "ID due" or "ID", with
// "retire_at" unknown as "ID?".
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
		if get(e, "due") == "true" {
			entry += " due"
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

// A rotation with an overlap is an update: the new token is stored with the old one,
// which works until the overlap has ended and the next apply removes it.
func TestOverlap(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := overlapping.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		first, secret := get(o.state, "id"), get(o.state, "token")
		h.clock.Advance(21 * day)
		p := h.planned(o, config)
		for _, name := range []string{"id", "token", "name", "expires_at", "created_at", "status"} {
			if get(p.planned, name) != "?" {
				t.Errorf("%s is planned as %q, want unknown", name, get(p.planned, name))
			}
		}
		wantRetiring(t, retiringOf(p.planned), first+"?")
		wantText(t, p.diags.warnings(), "Service token will be rotated", "stays valid until the overlap ends")
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
		wantRetiring(t, retiringTokens(o), first)

		h.clock.Advance(2 * time.Minute)
		wantOK(t, h.refresh(o))
		wantRetiring(t, retiringTokens(o), first+" due")
		p = h.plan(o, config)
		wantRetiring(t, retiringOf(p.planned))
		wantText(t, p.diags.warnings(), "Retiring service tokens will be removed", "ID "+first, "revoked and deleted",
			"last use")
		h.must(o, config, "update")
		if h.works(first) || len(h.server.Tokens()) != 1 || get(o.state, "id") != second {
			t.Errorf("the overlap ended, and the server has %+v", h.server.Tokens())
		}
		h.clean(o, config)
	})
}

// A saved plan keeps what it decided, and a plan without a refresh decides nothing new.
func TestOverlapUsesNoClockWhilePlanning(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	h.clock.Advance(6 * day)
	if p := h.plan(o, config); p.action != "no-op" {
		t.Errorf("without a refresh, the plan is %s", p.action)
	}
	saved := h.planned(o, config)
	h.clock.Advance(-3 * day)
	after, diags := h.apply(saved)
	if diags.errors() != "" || h.works(old) {
		t.Errorf("the saved plan did not remove the token %s: %s", old, diags.errors())
	}
	wantRetiring(t, retiringTokens(after))
}

// retire_unused_after_hours ends the overlap early if the old token is not used any
// more, and only if the deployment reports when it was used.
func TestRetireUnused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		used     time.Duration // before the rotation: negative; never: 0
		rotation time.Duration // ago
		due      bool
	}{
		{"never used", 0, 4 * day, false},
		{"used before a recent rotation", -3 * day, time.Hour, false},
		{"used before a rotation of yesterday", -time.Hour, 24*time.Hour + time.Minute, true},
		{"used after the rotation", 23 * time.Hour, 30 * time.Hour, false},
		{"unused for long after the rotation", time.Hour, 26 * time.Hour, true},
		{"unused for almost long enough", time.Hour, 25*time.Hour - time.Minute, false},
		{"unused for exactly long enough", time.Hour, 25 * time.Hour, true},
		{"rotated exactly long enough ago", -time.Hour, 24 * time.Hour, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				o, config, old := rotated(t, h, values{"retire_unused_after_hours": 24})
				h.clean(o, config)
				h.server.Clock.Stop()
				if tc.used != 0 {
					h.use(parseInt(t, old), -tc.used)
				}
				h.clock.Advance(tc.rotation)
				want := old
				if tc.due {
					want += " due"
				}
				wantOK(t, h.refresh(o))
				wantRetiring(t, retiringTokens(o), want)
			})
		})
	}
}

// Everything that rotates a token rotates it in place. A token that does not work any
// more is removed immediately; one that works is kept.
func TestReasonsOfOverlap(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		event  func(h *harness, id int64)
		config values
		kept   bool
	}{
		{"due", func(h *harness, _ int64) { h.clock.Advance(21 * day) }, nil, true},
		{"expired", func(h *harness, _ int64) { h.clock.Advance(31 * day) }, nil, false},
		{"revoked by someone else", func(h *harness, id int64) {
			h.revoke(id)
		}, nil, false},
		{
			"trigger", func(*harness, int64) {},
			values{"rotate_when_changed": map[string]string{"generation": "2"}},
			true,
		},
		{
			"trigger and revoked", func(*harness, int64) {},
			values{"rotate_when_changed": map[string]string{"generation": "2"}, "revoked": true},
			false,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				config := overlapping.with(values{
					"service_account_id":  h.account(),
					"rotate_when_changed": map[string]string{"generation": "1"},
				})
				o := h.created(tokenType, config)
				old := get(o.state, "id")
				tc.event(h, parseInt(t, old))
				config = config.with(tc.config)
				h.must(o, config, "update")
				if get(o.state, "id") == old {
					t.Error("the token was not rotated")
				}
				if tc.kept {
					wantRetiring(t, retiringTokens(o), old)
				} else {
					wantRetiring(t, retiringTokens(o))
				}
				if want := map[bool]int{true: 2, false: 1}[tc.kept]; len(h.server.Tokens()) != want {
					t.Errorf("%d tokens on the server, want %d", len(h.server.Tokens()), want)
				}
				h.clean(o, config)
			})
		})
	}
}

// A new account, prefix, lifetime, SCIM limit, or encryption replaces the resource,
// which removes the retiring tokens too.
func TestReplacementDuringOverlap(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for name, change := range map[string]func() values{
		"account":  func() values { return values{"service_account_id": h.account()} },
		"prefix":   func() values { return values{"name_prefix": "other-"} },
		"lifetime": func() values { return values{"expires_in_days": 60} },
		"SCIM":     func() values { return values{"scim_endpoints_only": true} },
		"encryption": func() values {
			return values{"encryption": h.encryption("age", matrixIdentity().Recipient().String())}
		},
	} {
		o, config, old := rotated(t, h, nil)
		h.must(o, config.with(change()), "replace")
		if h.works(old) {
			t.Errorf("%s: the retiring token still works", name)
		}
		wantRetiring(t, retiringTokens(o))
		h.must(o, nil, "delete")
	}
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
		{"overlap removed", values{"overlap_days": nil}, false, 1, "will be removed"},
		{"revoked", values{"revoked": true}, false, 1, "will be removed"},
		{"overlap longer", values{"overlap_days": 9}, true, 2, ""},
		{
			"policy revoke, no overlap",
			values{"overlap_days": nil, "deletion_policy": "revoke"},
			false, 2,
			"are revoked, and stop working",
		},
		{"policy abandon, no overlap", values{"overlap_days": nil, "deletion_policy": "abandon"}, true, 2, ""},
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

// A changed overlap_days moves the end of the overlap of tokens that are already
// retiring, measured from their rotation.
func TestShorterOverlap(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	h.clock.Advance(2 * day)
	config = config.with(values{"overlap_days": 1})
	h.must(o, config, "update")
	h.must(o, config, "update") // the refresh found it due
	if h.works(old) {
		t.Error("the retiring token works after the shorter overlap")
	}
	h.clean(o, config)
}

// A retiring token that someone revoked or deleted leaves the list without a warning.
func TestRetiringTokenGone(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		for name, event := range map[string]func(id int64){
			"revoked": func(id int64) { h.revoke(id) },
			"deleted": func(id int64) { h.server.RemoveToken(id) },
		} {
			o, config, old := rotated(t, h, nil)
			event(parseInt(t, old))
			if diags := h.refresh(o); len(diags) > 0 {
				t.Errorf("%s: %s%s", name, diags.errors(), diags.warnings())
			}
			wantRetiring(t, retiringTokens(o))
			h.clean(o, config)
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

// If a token cannot be removed, it stays in the list and is due; the next apply tries
// again.
func TestRetirementFails(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			o, config, old := rotated(t, h, nil)
			h.clock.Advance(6 * day)
			boom := qualyticstest.JSON(500, `{"detail":"boom"}`).Repeat(qualyticstest.Forever)
			boom.Method = method
			h.server.Fail(boom)
			_, diags := h.run(o, config)
			wantText(t, diags.errors(), "Unable to remove retiring service token", "the next apply tries again")
			wantRetiring(t, retiringTokens(o), old+" due")
			h.server.Heal()
			h.must(o, config, "update")
			if n := len(h.server.Tokens()); n != 1 {
				t.Errorf("%s: %d tokens, want 1", method, n)
			}
			h.clean(o, config)
			h.must(o, nil, "delete")
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

// An imported token can be rotated in place, and a state without the attributes of the
// overlap is completed by a refresh.
func TestOverlapOfImportedToken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.account()
		until := h.server.Clock.Now().AddDate(0, 0, 30)
		created := h.server.AddToken(
			qualyticstest.Token{Name: "by hand", UserID: parseInt(t, owner), Expiration: &until})
		o := h.loaded(tokenType, fmt.Sprint(created.ID))
		wantRetiring(t, retiringTokens(o))
		config := overlapping.with(values{"service_account_id": owner})
		if p := h.plan(o, config); p.action == "replace" || p.diags.errors() != "" {
			t.Fatalf("planned %s %v %s", p.action, p.replace, p.diags.errors())
		}
		h.must(o, config, "update")
		h.clean(o, config)
		h.clock.Advance(21 * day)
		h.must(o, config, "update")
		wantRetiring(t, retiringTokens(o), fmt.Sprint(created.ID))
		old := attributes(o.state)
		for _, name := range []string{"overlap_days", "retire_unused_after_hours", "retiring_tokens"} {
			old[name] = tftypes.NewValue(old[name].Type(), nil)
		}
		o.state = tftypes.NewValue(o.state.Type(), old)
		wantOK(t, h.refresh(o))
		wantRetiring(t, retiringTokens(o))
		h.must(o, config, "update")
		h.clean(o, config)
	})
}

// The guard against a lockout covers retiring tokens in a plan, an update, and a
// destruction.
func TestRetiringOwnToken(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		config := overlapping.with(values{"service_account_id": fmt.Sprint(self.ID)})
		o := h.created(tokenType, config)
		mine := get(o.state, "id")
		h.connectAs(parseInt(t, mine))
		h.revoke(own.ID)
		h.clock.Advance(21 * day)
		h.must(o, config, "update")
		wantRetiring(t, retiringTokens(o), mine)
		h.clock.Advance(6 * day)
		wantOK(t, h.refresh(o))
		for name, config := range map[string]values{
			"due": config, "destroy": nil, "revoked": config.with(values{"revoked": true}),
		} {
			// The hash of its secret is known, so the plan refuses it.
			p := h.plan(o, config)
			wantText(t, p.diags.errors(), "Operation would lock out the provider", "retiring service token")
			if w := p.diags.warnings(); w != "" {
				t.Errorf("%s: the refused plan also warns: %s", name, w)
			}
			// A plan of another Admin does not know it, but the apply does.
			own := h.config
			h.connectAs(h.server.AdminTokenID())
			p = h.plan(o, config)
			h.connect(own)
			after, diags := h.apply(p)
			wantText(t, diags.errors(), "Operation would lock out the provider", "retiring service token")
			if !h.active(mine) {
				t.Fatalf("%s: the provider revoked its own token", name)
			}
			wantRetiring(t, retiringTokens(after), retiringTokens(o)...)
		}
		// The next run uses the new token.
		h.connectAs(parseInt(t, get(o.state, "id")))
		h.must(o, config, "update")
		if h.active(mine) {
			t.Error("the retiring token is still active")
		}
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
		{"fixed name", values{"name_prefix": nil, "name": "ci", "overlap_days": 7}, "Overlap requires name_prefix", ""},
		{"too short", values{"overlap_days": 0}, "between 1 and 364", ""},
		{"too long", values{"overlap_days": 365, "rotate_before_days": nil}, "between 1 and 364", ""},
		{"longer than the window", values{"overlap_days": 8}, "", "Overlap is longer than the rotation window"},
		{"unused without overlap", values{"retire_unused_after_hours": 5}, "overlap_days", ""},
		{"unused too long", values{"overlap_days": 7, "retire_unused_after_hours": 8761}, "between 1 and 8760", ""},
		{
			"fixed name, longer than the window",
			values{"name_prefix": nil, "name": "ci", "overlap_days": 8},
			"Overlap requires name_prefix", "",
		},
		{"unknown", values{"overlap_days": unknown{}, "retire_unused_after_hours": unknown{}}, "", ""},
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
	h.clock.Advance(6 * day)
	h.must(o, config, "update")
	p := h.plan(o, config.with(values{"overlap_days": unknown{}}))
	wantRetiring(t, retiringOf(p.planned))
}

// A plan with values that are only known during apply agrees with the plan during apply,
// whatever the values turn out to be.
func TestOverlapWithUnknownValues(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	trigger := func(value any) values { return values{"rotate_when_changed": map[string]any{"n": value}} }
	for _, tc := range []struct {
		name         string
		age          time.Duration
		first, final values
		rotates      bool
	}{
		{"trigger unchanged", 0, trigger(unknown{}), trigger("1"), false},
		{"trigger changed", 0, trigger(unknown{}), trigger("2"), true},
		{
			"window covers the refresh", 15 * day,
			values{"rotate_before_days": unknown{}},
			values{"rotate_before_days": 20},
			true,
		},
		{"window does not", 21 * day, values{"rotate_before_days": unknown{}}, values{"rotate_before_days": 2}, false},
		{
			"no overlap", 0, trigger("2").with(values{"overlap_days": unknown{}}),
			trigger("2").with(values{"overlap_days": 9}), true,
		},
		{"revoked", 21 * day, values{"revoked": unknown{}}, values{"revoked": true}, false},
		{"not revoked", 21 * day, values{"revoked": unknown{}}, values{"revoked": false}, true},
	} {
		config := overlapping.with(values{"service_account_id": h.account()}).with(trigger("1"))
		o := h.created(tokenType, config)
		old := get(o.state, "id")
		h.clock.Advance(tc.age)
		wantOK(t, h.refresh(o))
		after, diags := h.applyWith(h.plan(o, config.with(tc.first)), config.with(tc.final))
		if diags.errors() != "" || (get(after.state, "id") != old) != tc.rotates {
			t.Errorf("%s: rotated %t, want %t %s", tc.name, get(after.state, "id") != old, tc.rotates, diags.errors())
		}
		h.clean(after, config.with(tc.final))
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
		wantRetiring(t, retiringTokens(o), old+" due")
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

// The old token of a rotation is not removed if it may be the provider's own.
func TestRotationOfOwnToken(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		imported := h.loaded(tokenType, fmt.Sprint(own.ID))
		h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
		config := overlapping.with(values{
			"service_account_id":  fmt.Sprint(self.ID),
			"rotate_when_changed": map[string]string{"n": "1"},
		})
		h.must(imported, config, "update")
		change := config.with(values{"rotate_when_changed": map[string]string{"n": "2"}, "revoked": true})
		p := h.plan(imported, change)
		said := p.diags.errors()
		if said == "" {
			_, diags := h.apply(p)
			said = diags.errors()
		}
		wantText(t, said, "lock out the provider")
		if !h.active(fmt.Sprint(own.ID)) || len(h.server.Tokens()) != 2 {
			t.Errorf("own token active: %t, tokens: %+v", h.active(fmt.Sprint(own.ID)), h.server.Tokens())
		}
	})
}

// With deletion_policy = "abandon", a revocation also revokes what is retiring, and a
// token that never expires is not dropped.
func TestAbandonedRetiringTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, values{"deletion_policy": "abandon"})
	h.must(o, config.with(values{"revoked": true}), "update")
	if h.works(old) {
		t.Error("the retiring token works although the token was revoked")
	}
	h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreExpiry = true })
	config = values{
		"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 30, "overlap_days": 2,
		"deletion_policy": "abandon", "rotate_when_changed": map[string]string{"n": "1"},
	}
	o = h.none(tokenType)
	h.must(o, config, "create")
	old = get(o.state, "id")
	config["rotate_when_changed"] = map[string]string{"n": "2"}
	h.must(o, config, "update")
	h.clock.Advance(3 * day)
	_, diags := h.run(o, config)
	wantText(t, diags.errors(), "never expires on the server")
	wantRetiring(t, retiringTokens(o), old+" due")
}

// The last use is compared with the server's clock, which wrote it.
func TestRetireUnusedWithSkewedClock(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	local := &qualyticstest.Clock{}
	h.clock, local = local, h.clock
	h.clock.Advance(3 * time.Hour)
	config := overlapping.with(values{
		"service_account_id": h.account(), "retire_unused_after_hours": 2,
		"rotate_when_changed": map[string]string{"n": "1"},
	})
	o := h.created(tokenType, config)
	old := get(o.state, "id")
	config["rotate_when_changed"] = map[string]string{"n": "2"}
	h.must(o, config, "update")
	h.clock.Advance(3 * time.Hour)
	local.Advance(3 * time.Hour)
	h.use(parseInt(t, old), 0)
	h.clean(o, config)
	wantRetiring(t, retiringTokens(o), old)
}

// A removal that failed after overlap_days was removed is tried again: without an overlap,
// everything is due.
func TestOverlapRemovedAndRetirementFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	config = config.with(values{"overlap_days": nil})
	no := qualyticstest.JSON(422, `{"detail":"no"}`).Repeat(qualyticstest.Forever)
	no.Method = http.MethodPut
	h.server.Fail(no)
	_, diags := h.run(o, config)
	wantText(t, diags.errors(), "Unable to remove retiring service token")
	h.server.Heal()
	h.must(o, config, "update")
	if h.works(old) {
		t.Error("the retiring token works without an overlap")
	}
	h.clean(o, config)
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
	h.connect(h.config)
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

// Destroying with deletion_policy = "abandon" does not drop what must not stay valid.
func TestDestroyWithAbandonedRetiringTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, values{"deletion_policy": "abandon"})
	no := qualyticstest.JSON(422, `{"detail":"no"}`).On(http.MethodPut, "/user-tokens/"+old)
	h.server.Fail(no)
	_, diags := h.run(o, config.with(values{"revoked": true}))
	wantText(t, diags.errors(), "Unable to remove retiring service token")
	h.must(o, nil, "delete")
	if h.works(old) {
		t.Error("a retiring token of a revoked one works after the destroy")
	}
}

// A token that is not abandoned because it never expires keeps its retiring tokens in the
// state.
func TestRefusedAbandonKeepsRetiringTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := overlapping.with(values{"service_account_id": h.account(), "deletion_policy": "abandon"})
	o := h.created(tokenType, config)
	old := get(o.state, "id")
	h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreExpiry = true })
	h.clock.Advance(21 * day)
	h.must(o, config, "update")
	_, diags := h.run(o, nil)
	wantText(t, diags.errors(), "Abandoned service token must expire")
	wantRetiring(t, retiringTokens(o), old)
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
	for _, policy := range []string{"delete", "revoke", "abandon"} {
		h := newHarness(t, qualyticstest.Build202609())
		o, config, old := rotated(t, h, values{"deletion_policy": policy})
		h.clock.Advance(6 * day)
		wantOK(t, h.refresh(o))
		wantRetiring(t, retiringTokens(o), old+" due")
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

// If a token that is not due cannot be removed, it is due afterwards.
func TestRemovalOfAnOverlapFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	config = config.with(values{"overlap_days": nil})
	h.server.Fail(qualyticstest.JSON(500, `{"detail":"no"}`).On(http.MethodDelete, "").Repeat(qualyticstest.Forever))
	_, diags := h.run(o, config)
	wantText(t, diags.errors(), "Unable to remove retiring service token")
	wantRetiring(t, retiringTokens(o), old+" due")
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
	config = config.with(values{"overlap_days": nil})
	h.connect(h.config)
	fail := qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/user-tokens/service")
	h.server.Fail(fail.Repeat(qualyticstest.Forever))
	p := h.plan(o, config)
	if p.diags.errors() != "" {
		t.Fatalf("the plan fails: %s", p.diags.errors())
	}
	wantText(t, p.diags.warnings(), "Retiring service tokens will be removed", "last use unknown")
	h.server.Heal()
	h.server.Fail(fail)
	after, diags := h.apply(p)
	wantText(t, diags.errors(), "Unable to delete service token", "Retiring service token")
	wantRetiring(t, retiringTokens(after), old)
	if !h.works(old) {
		t.Error("the retiring token was removed")
	}
	h.server.RemoveToken(imported.ID)
	h.connect(h.config)
	p = h.plan(o, config)
	wantText(t, p.diags.warnings(), "Retiring service tokens will be removed")
	if p.diags.errors() != "" {
		t.Errorf("a token that is gone: %s", p.diags.errors())
	}
}

// A replacement removes the retiring tokens too, and its plan says so.
func TestReplacementWarnsOfRetiringTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, config, old := rotated(t, h, nil)
	p := h.plan(o, config.with(values{"expires_in_days": 60}))
	wantText(t, p.diags.warnings(), "Retiring service tokens will be removed", "ID "+old)
	if p.action != "replace" {
		t.Errorf("planned %s", p.action)
	}
}

// Whether a rotation is in place depends on the overlap of the configuration, and not on
// that of the state.
func TestChangedOverlapInARotation(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ before, after, want any }{
		{nil, 5, "update"}, {5, nil, "replace"}, {5, 7, "update"},
	} {
		h := newHarness(t, qualyticstest.Build202609())
		config := overlapping.with(values{"service_account_id": h.account(), "overlap_days": tc.before})
		o := h.created(tokenType, config)
		h.clock.Advance(21 * day)
		if p := h.planned(o, config.with(values{"overlap_days": tc.after})); p.action != tc.want {
			t.Errorf("from %v to %v: planned %s, want %s", tc.before, tc.after, p.action, tc.want)
		}
		// An expired token is of no use to anyone.
		h.clock.Advance(10 * day)
		wantOK(t, h.refresh(o))
		if tc.after != nil {
			wantText(t, h.plan(o, config.with(values{"overlap_days": tc.after})).diags.warnings(),
				"Expired service token will be replaced", "and the old one is removed")
		}
	}
}
