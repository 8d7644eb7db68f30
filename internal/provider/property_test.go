// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
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
	abandoned   map[int64]bool // left on purpose
	kept        map[int64]bool // revoked on purpose, the record stays
}

// settle applies until the plan is clean, like a nightly run.
func (l *life) settle() {
	const enough = 3
	for range enough {
		if diags := l.h.refresh(l.o); diags.errors() != "" {
			l.h.t.Fatalf("refresh failed: %s", diags.errors())
		}
		before, policy := tokensInState(l.o), get(l.o.state, "deletion_policy")
		action, diags := l.h.run(l.o, l.config)
		if diags.errors() != "" {
			l.h.t.Fatalf("apply failed: %s", diags.errors())
		}
		for _, id := range before {
			if !slices.Contains(tokensInState(l.o), id) {
				l.left(id, policy)
			}
		}
		if action == "no-op" {
			return
		}
	}
	l.h.t.Fatalf("still something to do after %d applies", enough)
}

// left records the tokens that a policy leaves.
func (l *life) left(id, policy string) {
	var n int64
	_, _ = fmt.Sscan(id, &n)
	switch policy {
	case "revoke":
		l.kept[n] = true
	case "abandon":
		l.abandoned[n] = true
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
		if !l.abandoned[token.ID] && (!l.kept[token.ID] || token.Active) {
			l.h.t.Errorf("the token %d is orphaned (active: %t)", token.ID, token.Active)
		}
	}
}

// current returns the server's record of the token in the state, or false.
func (l *life) current() (qualyticstest.Token, bool) { return l.h.tokenByID(get(l.o.state, "id")) }

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
			abandoned:   map[int64]bool{},
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
			"revoked": func(t *rapid.T) { l.config["revoked"] = rapid.Bool().Draw(t, "revoked") },
			"policy": func(t *rapid.T) {
				l.config["deletion_policy"] = rapid.SampledFrom([]string{"delete", "revoke", "abandon"}).
					Draw(t, "policy")
				l.settle() // the policy that counts is the one in state
			},
			"trigger": func(t *rapid.T) {
				l.config["rotate_when_changed"] = map[string]string{
					"generation": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "generation"),
				}
			},
			"overlap": func(t *rapid.T) {
				if n := rapid.SampledFrom([]int{0, 3, 15}).Draw(t, "overlap"); n > 0 {
					l.config["overlap_days"] = n
				} else {
					delete(l.config, "overlap_days")
				}
			},
			"retiring token revoked or deleted": func(t *rapid.T) {
				retiring := tokensInState(l.o)
				if len(retiring) < 2 {
					t.Skip("no retiring token: rapid chooses another action")
				}
				id := parseInt(t, strings.TrimSuffix(retiring[1], " due"))
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
			"time": func(t *rapid.T) { h.clock.Advance(time.Duration(rapid.IntRange(0, 40).Draw(t, "days")) * day) },
			"":     func(*rapid.T) { l.settle(); l.check() },
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
