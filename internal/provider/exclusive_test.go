// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const exclusiveType = "qualytics_service_tokens_exclusive"

// foreignIDs returns the IDs in foreign_tokens.
func foreignIDs(state tftypes.Value) []string {
	list, ok := attributes(state)["foreign_tokens"]
	if !ok || !list.IsKnown() {
		return []string{"unknown"}
	}
	var elements []tftypes.Value
	_ = list.As(&elements)
	ids := []string{}
	for _, e := range elements {
		ids = append(ids, get(e, "id"))
	}
	return ids
}

func wantForeign(t tb, state tftypes.Value, want ...string) {
	t.Helper()
	if got := foreignIDs(state); !slices.Equal(got, want) {
		t.Errorf("foreign tokens %q, want %q", got, want)
	}
}

// managed returns a token of a new account, and the configuration of an exclusive resource
// with that token only.
func (h *harness) managed() (token *object, config values) {
	h.t.Helper()
	owner := h.account()
	token = h.created(tokenType, overlapping.with(values{"service_account_id": owner}))
	return token, values{"service_account_id": owner, "token_ids": []string{get(token.state, "id")}}
}

// exclusive returns such a token and its exclusive resource.
func (h *harness) exclusive() (o, token *object, config values) {
	h.t.Helper()
	token, config = h.managed()
	return h.created(exclusiveType, config), token, config
}

// stray creates a token of the account without Terraform, and returns its ID.
func (h *harness) stray(config values, name string) string {
	h.t.Helper()
	owner := parseInt(h.t, fmt.Sprint(config["service_account_id"]))
	return fmt.Sprint(h.server.AddToken(qualyticstest.Token{Name: name, UserID: owner}).ID)
}

// A foreign token is found by a refresh, named in the plan, and revoked by the apply,
// which leaves a newer token alone.
func TestExclusive(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		token, config := h.managed()
		before := h.stray(config, "before")
		h.server.ClearRequests()
		o := h.created(exclusiveType, config)
		wantWrites(t, h)
		wantForeign(t, o.state, before)

		p := h.planned(o, config)
		created := "created at " + h.server.Clock.Now().Format("2006-01-02T")
		if h.server.Profile.NoTokenCreated {
			created = "time of creation unknown"
		}
		wantText(t, p.diags.warnings(), "Foreign service tokens of account ID", `"before", ID `+before, "never used",
			created)
		wantForeign(t, p.planned)
		newer := h.stray(config, "newer")
		h.server.ClearRequests()
		*o = *h.applied(p)
		wantWrites(t, h, "PUT /user-tokens/"+before)
		if h.works(before) || !h.works(newer) || !h.tokenWorks(token) {
			t.Errorf("works: before %t, newer %t, managed %t", h.works(before), h.works(newer), h.tokenWorks(token))
		}
		h.must(o, config, "update")
		if h.works(newer) {
			t.Error("the newer token works after the next apply")
		}
		h.clean(o, config)
		h.server.ClearRequests()
		h.must(o, nil, "delete")
		wantWrites(t, h)
	})
}

// A token that is added to token_ids in the same apply is not revoked, and revoked or
// expired tokens are not foreign.
func TestExclusiveAllowsAToken(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, token, config := h.exclusive()
	stray, revoked := h.stray(config, "stray"), h.stray(config, "revoked")
	h.revoke(parseInt(t, revoked))
	other := h.stray(values{"service_account_id": h.account()}, "of another account")
	config["token_ids"] = []string{get(token.state, "id"), stray}
	wantOK(t, h.refresh(o))
	wantForeign(t, o.state, stray)
	wantForeign(t, h.plan(o, config).planned)
	h.must(o, config, "update")
	wantForeign(t, o.state)
	wantForeign(t, h.plan(o, config.with(values{"token_ids": []any{stray, unknown{}}})).planned)
	if !h.works(stray) || !h.works(other) {
		t.Error("an allowed token, or one of another account, was revoked")
	}
	h.clean(o, config)
}

// In a rotation with an overlap, token_ids has a known and an unknown part while planning,
// and the retiring token is not revoked.
func TestExclusiveDuringOverlap(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o, token, config := h.exclusive()
		tokenConfig := overlapping.with(values{"service_account_id": config["service_account_id"]})
		old := get(token.state, "id")
		h.clock.Advance(21 * day)
		wantOK(t, append(h.refresh(token), h.refresh(o)...))
		rotation := h.plan(token, tokenConfig)
		if p := h.plan(o, config.with(values{"token_ids": []any{unknown{}, old}})); p.action != "update" ||
			p.diags.errors()+p.diags.warnings() != "" {
			t.Errorf("planned %s: %s%s", p.action, p.diags.errors(), p.diags.warnings())
		}
		*token = *h.applied(rotation)
		config["token_ids"] = []string{get(token.state, "id"), old}
		*o = *h.applied(h.plan(o, config)) // Terraform plans again during apply
		if !h.works(old) || !h.tokenWorks(token) {
			t.Error("a token of the rotation was revoked")
		}
		h.clean(o, config)

		// Without retiring_tokens in token_ids, the old token is left to its resource.
		config["token_ids"] = []string{get(token.state, "id")}
		h.must(o, config, "update")
		wantOK(t, h.refresh(o))
		wantForeign(t, o.state)
		wantText(t, h.plan(o, config).diags.warnings(), "are left to their own resources", old)
		h.clock.Advance(6 * day)
		h.must(token, tokenConfig, "update") // retires it
		h.must(o, config, "no-op")
		if w := h.plan(o, config).diags.warnings(); w != "" {
			t.Errorf("warned %q", w)
		}
	})
}

// The token that the provider uses is never revoked, and the plan says so. With unknown
// token_ids, the plan during apply decides.
func TestExclusiveSparesOwnToken(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		config := values{"service_account_id": fmt.Sprint(self.ID), "token_ids": []string{}}
		o := h.created(exclusiveType, config)
		diags := h.must(o, config, "no-op")
		wantText(t, diags.warnings(), "may be in use by the provider", `"own"`)
		p := h.planned(o, config.with(values{"token_ids": unknown{}}))
		config["token_ids"] = []string{fmt.Sprint(own.ID)}
		after, diags := h.applyWith(p, config)
		wantOK(t, diags)
		if w := h.plan(after, config).diags.warnings(); w != "" {
			t.Errorf("warned %q", w)
		}
		if !h.active(fmt.Sprint(own.ID)) {
			t.Error("the provider revoked its own token")
		}
	})
}

// Import by ID, user_id, and identity allows what is active at that time, whatever the
// configuration is named; the next plan shows what the configuration does not name.
func TestImportExclusive(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		token, config := h.managed()
		stray := h.stray(config, "stray")
		owner := fmt.Sprint(config["service_account_id"])
		imported := h.loaded(exclusiveType, owner)
		all := config.with(values{"token_ids": []string{get(token.state, "id"), stray}})
		h.clean(imported, all)
		h.server.ClearRequests()
		h.must(imported, config, "update")
		wantWrites(t, h) // an import revokes nothing
		diags := h.must(imported, config, "update")
		wantText(t, diags.warnings(), "Foreign service tokens of account ID", `"stray"`)
		if h.works(stray) || !h.tokenWorks(token) {
			t.Errorf("works: stray %t, managed %t", h.works(stray), h.tokenWorks(token))
		}
		h.clean(imported, config)
		if !h.oldCLI {
			if _, diags := h.loadByIdentity(exclusiveType, owner); diags.errors() != "" {
				t.Error(diags.errors())
			}
		}
		_, diags = h.load(exclusiveType, "99999")
		wantText(t, diags.errors(), "99999")
	})
}

// The account is gone, on another deployment, or cannot be read.
func TestExclusiveWithoutAccount(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o, _, config := h.exclusive()
		for _, status := range []int{401, 403, 500} {
			h.server.Fail(qualyticstest.JSON(status, `{"detail":"no"}`).Repeat(qualyticstest.Forever))
			if diags := h.refresh(o); diags.errors() == "" || !o.exists() {
				t.Errorf("%d: in the state %t, %s", status, o.exists(), diags.errors())
			}
			h.server.Heal()
		}
		other := newHarness(t, h.server.Profile)
		other.config, other.ids, other.schemas = other.config.with(nil), h.ids, h.schemas
		if diags := other.refresh(o); !strings.Contains(diags.errors(), "another deployment") || !o.exists() {
			t.Errorf("in the state %t, %s", o.exists(), diags.errors())
		}
		h.deactivate(parseInt(t, fmt.Sprint(config["service_account_id"])))
		diags := h.refresh(o)
		wantText(t, diags.warnings(), "Service account of exclusive tokens not found")
		if o.exists() || diags.errors() != "" {
			t.Errorf("in the state %t, %s", o.exists(), diags.errors())
		}
		_, diags = h.run(o, config)
		wantText(t, diags.errors(), "No active service account has the ID")
		person := fmt.Sprint(h.server.AddUser(qualyticstest.User{Name: "Ada", Type: "Human"}).ID)
		_, diags = h.run(h.none(exclusiveType), config.with(values{"service_account_id": person}))
		wantText(t, diags.errors(), "Not a service account", "of type Human")
	})
}

// A revocation that fails leaves the token in the list, and the others are revoked.
func TestExclusiveRevocationFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, config := h.exclusive()
	first, second := h.stray(config, "first"), h.stray(config, "second")
	h.server.Fail(qualyticstest.JSON(422, `{"detail":"no"}`).On(http.MethodPut, "/user-tokens/"+first))
	_, diags := h.run(o, config)
	wantText(t, diags.errors(), "Unable to revoke foreign service token", `"first"`)
	wantForeign(t, o.state, first)
	if h.works(second) {
		t.Error("the second token works")
	}
	h.must(o, config, "update")
	if h.works(first) {
		t.Error("the first token works")
	}
}

// Ephemeral tokens of this run are not foreign.
func TestExclusiveIgnoresOpenEphemeralTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, config := h.exclusive()
	_, _, diags := h.open(values{"service_account_id": config["service_account_id"]})
	wantOK(t, diags)
	wantOK(t, h.reread(o))
	wantForeign(t, o.state)
}

// Invalid arguments are refused, unknown ones are not; an ID of a mock is a warning of the plan.
func TestExclusiveValidation(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for _, tc := range []struct {
		name   string
		config values
		want   string
	}{
		{"valid", values{"service_account_id": "5", "token_ids": []string{"7"}}, ""},
		{"none", values{"service_account_id": "5", "token_ids": []string{}}, ""},
		{"unknown", values{"service_account_id": unknown{}, "token_ids": unknown{}}, ""},
		{"partly unknown", values{"service_account_id": "5", "token_ids": []any{unknown{}, "7"}}, ""},
		{"null element", values{"service_account_id": "5", "token_ids": []any{nil, "7"}}, "null"},
		{"user_id", values{"service_account_id": "x@service", "token_ids": []string{"7"}}, "Invalid ID"},
		{"name", values{"service_account_id": "5", "token_ids": []string{"ci"}}, "Invalid ID"},
		{"mocked account", values{"service_account_id": "abc", "token_ids": []string{"7"}}, "Invalid ID"},
	} {
		p := h.plan(h.none(exclusiveType), tc.config)
		got := p.diags.errors()
		if tc.want == "Invalid ID" && got == "" { // mocks have any ID, so it is a warning before apply
			wantText(t, p.diags.warnings(), "Invalid ID")
			_, diags := h.run(h.none(exclusiveType), tc.config)
			got = diags.errors()
		}
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Rotations after an import, which plans no change: what token_ids contained before is left to
// its own resource, and a stray token is revoked after the first apply.
func TestImportedExclusiveAndRotations(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	token, config := h.managed()
	first := get(token.state, "id")
	o := h.loaded(exclusiveType, fmt.Sprint(config["service_account_id"]))
	h.must(o, config, "no-op")
	stray := h.stray(config, "stray")
	o = h.loaded(exclusiveType, fmt.Sprint(config["service_account_id"]))
	second := h.stray(config, "the new token of a rotation")
	config["token_ids"] = []string{first, second}
	h.must(o, config, "update")
	if !h.works(stray) {
		t.Error("the first apply revoked the stray token")
	}
	h.must(o, config, "update")
	if h.works(stray) || !h.works(first) {
		t.Errorf("works: stray %t, retiring %t", h.works(stray), h.works(first))
	}
	config["token_ids"] = []string{second, h.stray(config, "that of the next rotation")}
	h.must(o, config, "update")
	wantOK(t, h.refresh(o))
	wantForeign(t, o.state)
	h.must(o, config, "no-op")
	if !h.works(first) {
		t.Error("a token that token_ids contained before was revoked")
	}
}

// If token_ids changes in the apply, foreign tokens are left to the next apply: one of them
// may be the old token of a rotation that was applied without this resource.
func TestExclusiveWithStaleNames(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, config := h.exclusive()
	unnamed := h.stray(config, "B, created by an apply with -target")
	wantOK(t, h.refresh(o))
	wantForeign(t, o.state, unnamed)
	p := h.plan(o, config.with(values{"token_ids": []any{unknown{}}}))
	wantForeign(t, p.planned, "unknown")
	wantText(t, p.diags.warnings(), "Foreign service tokens of account ID", "until the next apply")
	newest := h.stray(config, "C")
	config["token_ids"] = []string{newest}
	after, diags := h.applyWith(p, config)
	if diags.errors() != "" || !h.works(unnamed) {
		t.Errorf("works: %t %s", h.works(unnamed), diags.errors())
	}
	h.must(after, config, "update")
	if h.works(unnamed) {
		t.Error("the foreign token works after the next apply")
	}
}

// On another host, the ID may be that of another account: only a deployment that has the
// account and all named tokens is taken for the same.
func TestExclusiveAfterAMove(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, token, config := h.exclusive()
	used := h.stray(config, "in use")
	private := map[string][]byte{}
	if err := json.Unmarshal(o.private, &private); err != nil || len(private["host"]) == 0 {
		t.Fatalf("the private data has no host: %s, %v", o.private, err)
	}
	private["host"] = []byte(`"moved.example.com"`)
	var err error
	if o.private, err = json.Marshal(private); err != nil {
		t.Fatal(err)
	}
	moved := o.private
	if diags := h.refresh(o); diags.errors() != "" { // all tokens of token_ids are there
		t.Errorf("the same deployment under another name: %s", diags.errors())
	}
	h.server.RemoveToken(parseInt(t, get(token.state, "id")))
	o.private = moved
	wantText(t, h.refresh(o).errors(), "Exclusive tokens of another deployment")
	if !o.exists() || !h.works(used) {
		t.Errorf("in the state: %t, works: %t", o.exists(), h.works(used))
	}
}

// Ten foreign tokens are revoked with one list.
func TestRequestsOfExclusive(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, config := h.exclusive()
	for i := range 10 {
		h.stray(config, fmt.Sprintf("stray %d", i))
	}
	p := h.planned(o, config)
	h.connect(h.config)
	h.server.ClearRequests()
	h.applied(p)
	if n := h.routes()["GET /user-tokens/service"]; n != 1 {
		t.Errorf("%d token lists, want 1", n)
	}
}

// A token that another resource manages is foreign if token_ids omits it, whether or not
// this run has read it.
func TestExclusiveAndManagedTokens(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"the token is read first", "the token is read last", "the token is not read"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, qualyticstest.Build202609())
			token, config := h.managed()
			current := h.stray(config, "current")
			config["token_ids"] = []string{current}
			o := h.created(exclusiveType, config)
			h.connect(h.config)
			if first == "the token is read first" {
				wantOK(t, h.reread(token))
			}
			wantOK(t, h.reread(o))
			if first == "the token is read last" {
				wantOK(t, h.reread(token))
			}
			wantForeign(t, o.state, get(token.state, "id"))
			p := h.plan(o, config)
			wantText(t, p.diags.warnings(), "Foreign service tokens of account ID", get(token.state, "id"),
				"also if another resource manages them", "add its ID to token_ids")
			h.applied(p)
			if h.tokenWorks(token) {
				t.Error("a token that token_ids omits still works")
			}
		})
	}
}

// Another account replaces the resource, which revokes nothing and warns about nothing.
func TestExclusiveOfAnotherAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o, _, config := h.exclusive()
	stray := h.stray(config, "stray")
	wantOK(t, h.refresh(o))
	config = values{"service_account_id": h.account(), "token_ids": []string{}}
	p := h.plan(o, config)
	if p.action != "replace" || p.diags.warnings() != "" {
		t.Errorf("planned %s, warned %q", p.action, p.diags.warnings())
	}
	if _, diags := h.apply(p); diags.errors() != "" || !h.works(stray) {
		t.Errorf("stray works: %t %s", h.works(stray), diags.errors())
	}
}

// If the tokens cannot be listed, creating and importing fail with the reason.
func TestExclusiveWithoutList(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	_, config := h.managed()
	no := qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodGet, "/user-tokens/service")
	h.server.Fail(no.Repeat(qualyticstest.Forever))
	o := h.none(exclusiveType)
	_, diags := h.run(o, config)
	wantText(t, diags.errors(), "Unable to list service tokens", "boom")
	if o.exists() {
		t.Error("the resource is in the state")
	}
	_, diags = h.load(exclusiveType, fmt.Sprint(config["service_account_id"]))
	wantText(t, diags.errors(), "Unable to list service tokens")
}

// With an unknown provider configuration, the apply decides which tokens are the provider's
// own. If a request fails, the plan does: it could not agree with its apply.
func TestExclusivePlanWithoutRequests(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	_, config := h.managed()
	stray := h.stray(config, "stray")
	h.use(parseInt(t, stray), 0)
	o := h.created(exclusiveType, config)
	wantOK(t, h.refresh(o))
	known := h.config
	h.connect(known)
	wantText(t, h.plan(o, config).diags.warnings(), "will be revoked", "last used less than a minute ago")
	h.connect(known.with(values{"token": unknown{}}))
	p := h.plan(o, config)
	wantText(t, p.diags.warnings(), "will be revoked", "ID "+stray, "last use unknown")
	h.connect(known)
	after, diags := h.apply(p)
	wantOK(t, diags)
	wantForeign(t, after.state)
	h.connect(known)
	h.server.Fail(qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/user-tokens/service").
		Repeat(qualyticstest.Forever))
	wantText(t, h.plan(o, config).diags.errors(), "Unable to list service tokens", "403")
}

// The account of the provider's own token has a foreign token. Whether the requests that tell
// them apart fail while planning or during apply, the apply agrees with the plan.
func TestExclusiveWithFailingRequests(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		h.server.AddToken(qualyticstest.Token{Name: "stray", UserID: self.ID})
		config := values{"service_account_id": fmt.Sprint(self.ID), "token_ids": []string{fmt.Sprint(own.ID), "999"}}
		o := h.created(exclusiveType, config)
		wantOK(t, h.refresh(o))
		config["token_ids"] = []string{fmt.Sprint(own.ID)}
		for _, path := range []string{"/users/me", "/user-tokens"} {
			fault := qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodGet, path).Repeat(qualyticstest.Forever)
			h.connect(h.config)
			h.server.Fail(fault)
			failed := h.plan(o, config)
			h.server.Heal()
			if failed.diags.errors() == "" {
				h.connect(h.config)
				_, diags := h.apply(failed) // which fails the test if it does not agree
				wantOK(t, diags)
			}
			h.connect(h.config)
			p := h.plan(o, config)
			wantOK(t, p.diags)
			h.connect(h.config)
			h.server.Fail(fault)
			_, diags := h.apply(p)
			h.server.Heal()
			if text := diags.errors(); text != "" && !strings.Contains(text, "boom") {
				t.Error(text)
			}
		}
		if h.connect(h.config); !h.active(fmt.Sprint(own.ID)) {
			t.Error("the provider revoked its own token")
		}
	})
}
