// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// life is a token during random edits, events on the server, and steps of the clock,
// with a small model of the expected result.
type life struct {
	h      *harness
	o      *object
	config values

	compromised map[int64]bool // revoked by someone else: must never work again
	kept        map[int64]bool // revoked on purpose, the record stays

	// A consumer has a copy of a token, and uses it every day. While it is broken, its
	// updates fail, and its state has the planned values all the same.
	consumed string
	broken   bool
	ends     bool // the configuration ends tokens that are in use
}

// settle applies until the plan is clean, like a nightly run.
func (l *life) settle() {
	const enough = 5
	for range enough {
		if diags := l.h.refresh(l.o); diags.errors() != "" {
			l.h.t.Fatalf("refresh failed: %s", diags.errors())
		}
		if l.apply(l.h.plan(l.o, l.config), l.config) == "no-op" {
			return
		}
	}
	l.h.t.Fatalf("still something to do after %d applies", enough)
}

// apply applies a plan, and updates the consumer.
func (l *life) apply(p *plan, config values) string {
	if p.diags.errors() != "" {
		l.h.t.Fatalf("plan failed: %s", p.diags.errors())
	}
	before, policy := tokensInState(l.o), get(l.o.state, "deletion_policy")
	inUse := l.consumed != "" && l.h.works(l.consumed)
	after, diags := l.h.applyWith(p, config)
	if diags.errors() != "" {
		l.h.t.Fatalf("apply failed: %s", diags.errors())
	}
	*l.o = *after
	for _, id := range before {
		if !slices.Contains(tokensInState(l.o), id) && policy == "revoke" {
			l.kept[parseInt(l.h.t, id)] = true
		}
	}
	said := p.diags.warnings() + diags.warnings()
	if inUse && !l.ends && !l.h.works(l.consumed) {
		l.h.t.Errorf("the token %s was in use, and does not work: %s", l.consumed, said)
	}
	if current := get(l.o.state, "id"); !l.broken && l.config["revoked"] != true {
		l.consumed = current
	}
	return p.action
}

// pass lets days pass, on which the consumer uses its token.
func (l *life) pass(days int) {
	l.h.clock.Advance(time.Duration(days) * day)
	if l.consumed != "" && l.h.works(l.consumed) {
		l.h.use(parseInt(l.h.t, l.consumed), 0)
	}
}

func (l *life) check() {
	l.h.clean(l.o, l.config)
	current := get(l.o.state, "id")
	wanted := l.config["revoked"] != true
	if l.h.tokenWorks(l.o) != wanted {
		l.h.t.Errorf("the token works: %t, want %t", !wanted, wanted)
	}
	for _, token := range l.h.server.Tokens() {
		if l.compromised[token.ID] && token.Active {
			l.h.t.Errorf("the token %d works again although someone else revoked it", token.ID)
		}
		if retiring := slices.Contains(tokensInState(l.o), fmt.Sprint(token.ID)); retiring {
			if fmt.Sprint(token.ID) != current && !l.h.works(fmt.Sprint(token.ID)) {
				l.h.t.Errorf("the retiring token %d does not work", token.ID)
			}
			continue
		}
		if !l.kept[token.ID] || token.Active {
			l.h.t.Errorf("the token %d is orphaned (active: %t)", token.ID, token.Active)
		}
	}
}

// current returns the server's record of the token in the state, or false.
func (l *life) current() (qualyticstest.Token, bool) { return l.h.tokenByID(get(l.o.state, "id")) }

// mayEnd records whether the configuration ends tokens that are in use.
func (l *life) mayEnd() {
	l.ends = l.config["overlap_days"] == 0 || l.config["revoked"] == true
	if l.ends {
		l.settle()
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	profiles := qualyticstest.Profiles()
	rapid.Check(t, func(t *rapid.T) {
		h := newHarness(t, profiles[rapid.IntRange(0, len(profiles)-1).Draw(t, "profile")])
		defer h.server.Close()
		l := &life{
			h:           h,
			o:           h.none(tokenType),
			config:      values{"service_account_id": h.account(), "name_prefix": "a-", "expires_in_days": 30},
			compromised: map[int64]bool{},
			kept:        map[int64]bool{},
		}
		l.settle()
		t.Repeat(map[string]func(*rapid.T){
			"prefix": func(t *rapid.T) {
				l.config["name_prefix"] = rapid.SampledFrom([]string{"a-", "b-"}).Draw(t, "prefix")
			},
			"lifetime": func(t *rapid.T) {
				l.config["expires_in_days"] = rapid.SampledFrom([]int{20, 30, 365}).Draw(t, "days")
			},
			"window": func(t *rapid.T) {
				if n := rapid.SampledFrom([]int{0, 5, 19}).Draw(t, "window"); n > 0 {
					l.config["rotate_before_days"] = n
				} else {
					delete(l.config, "rotate_before_days")
				}
			},
			"revoked": func(t *rapid.T) {
				l.config["revoked"] = rapid.Bool().Draw(t, "revoked")
				l.mayEnd()
			},
			"policy": func(t *rapid.T) {
				l.config["deletion_policy"] = rapid.SampledFrom([]string{"delete", "revoke"}).
					Draw(t, "policy")
				l.settle() // the policy that counts is the one in state
			},
			"trigger": func(t *rapid.T) {
				l.config["rotate_when_changed"] = map[string]string{
					"generation": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "generation"),
				}
			},
			"overlap": func(t *rapid.T) {
				if n := rapid.SampledFrom([]int{-1, 0, 3, 15}).Draw(t, "overlap"); n >= 0 {
					l.config["overlap_days"] = n
				} else {
					delete(l.config, "overlap_days")
				}
				l.mayEnd()
			},
			"consumer": func(t *rapid.T) {
				if l.broken = rapid.Bool().Draw(t, "broken"); !l.broken && l.config["revoked"] != true {
					l.consumed = get(l.o.state, "id")
				}
			},
			"unknown values": func(t *rapid.T) {
				l.settle()
				name := rapid.SampledFrom([]string{
					"overlap_days", "rotate_before_days", "rotate_when_changed", "expires_in_days", "revoked",
					"deletion_policy", "name_prefix", "service_account_id", "scim_endpoints_only",
				}).Draw(t, "name")
				first := l.config.with(values{name: unknown{}})
				p := h.planned(l.o, first)
				l.pass(rapid.IntRange(0, 2).Draw(t, "days"))
				l.apply(p, l.config)
			},
			"without refresh": func(t *rapid.T) {
				l.settle()
				l.pass(rapid.IntRange(0, 40).Draw(t, "days"))
				p := h.unrefreshed(l.o, l.config)
				h.clock.Advance(time.Duration(rapid.IntRange(0, 2).Draw(t, "hours")) * time.Hour)
				l.apply(p, l.config)
			},
			"retiring token revoked or deleted": func(t *rapid.T) {
				retiring := tokensInState(l.o)
				if len(retiring) < 2 {
					t.Skip("no retiring token: rapid chooses another action")
				}
				id := parseInt(t, retiring[1])
				if rapid.Bool().Draw(t, "deleted") {
					h.server.RemoveToken(id)
					return
				}
				l.compromised[id], l.kept[id] = true, true
				h.revoke(id)
			},
			"revoked by someone else": func(t *rapid.T) {
				token, ok := l.current()
				if !ok || !token.Active {
					t.Skip("no active token to revoke: rapid chooses another action")
				}
				l.compromised[token.ID] = true
				h.revoke(token.ID)
				l.settle()
			},
			"deleted by someone else": func(t *rapid.T) {
				token, ok := l.current()
				if !ok {
					t.Skip("no token to delete: rapid chooses another action")
				}
				h.server.RemoveToken(token.ID)
				l.settle()
			},
			"time": func(t *rapid.T) { l.pass(rapid.IntRange(0, 40).Draw(t, "days")) },
			"days": func(t *rapid.T) {
				for range rapid.IntRange(1, 8).Draw(t, "days") {
					l.pass(1)
					l.settle()
				}
			},
			"": func(*rapid.T) { l.settle(); l.check() },
		})
	})
}

// TestMain keeps the property test short; -rapid.checks=500 makes it thorough.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		if err := flag.Set("rapid.checks", "15"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}
