// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A new token works, a replacement of a fixed name removes the old one first, and a destroy
// leaves nothing.
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
		h.must(o, config.with(values{"expires_in_days": 60}), "replace") // the server allows a name once
		wantWrites(t, h, "PUT /user-tokens/"+id, "DELETE /user-tokens/"+id, "POST /user-tokens")
		h.must(o, nil, "delete")
		if n := len(h.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

// A token without a lifetime never expires, and is rotated in place if it gets one.
func TestTokenNeverExpires(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci", "scim_endpoints_only": true}
		o := h.created(tokenType, config)
		if get(o.state, "expires_at") != "" || !h.token().SCIMOnly || h.tokenWorks(o) {
			t.Errorf("expires %q, SCIM only %t", get(o.state, "expires_at"), h.token().SCIMOnly)
		}
		h.clean(o, config)
		never := get(o.state, "id")
		config = config.with(values{"name": nil, "name_prefix": "ci-", "expires_in_days": 30})
		h.must(o, config, "update")
		h.must(o, config.with(values{"scim_endpoints_only": false}), "update")
		if len(retiringTokens(o)) != 2 || !h.works(never) || !h.tokenWorks(o) {
			t.Errorf("retiring %q, the first token works: %t", retiringTokens(o), h.works(never))
		}
	})
}

// Generated names sort by time. Another name or prefix rotates the token, unless its name fits
// already.
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
	for _, step := range []struct {
		config  values
		rotates bool
	}{
		{config.with(values{"name_prefix": "x-"}), true},
		{config.with(values{"name_prefix": "x"}), true},
		{config.with(values{"name_prefix": nil, "name": "its name"}), false}, // nothing changes on the server
		{config.with(values{"name_prefix": "x"}), false},
		{config.with(values{"name_prefix": nil, "name": "fixed"}), true},
		{config.with(values{"name_prefix": nil, "name": "renamed"}), true},
		{config.with(values{"name_prefix": "y-"}), true},
	} {
		if step.config["name"] == "its name" {
			step.config["name"] = get(a.state, "name")
		}
		id := get(a.state, "id")
		h.must(a, step.config, "update")
		if rotated := get(a.state, "id") != id; rotated != step.rotates || !h.works(id) || !h.tokenWorks(a) {
			t.Errorf("%v: rotated %t, want %t; the old one works: %t", step.config, rotated, step.rotates, h.works(id))
		}
		h.clean(a, step.config)
	}
}

// A name that is in use is an error that names the token and its status.
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

// An account that does not exist is named by the error.
func TestTokenAccountMissing(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		_, diags := h.run(h.none(tokenType), values{"service_account_id": "999", "name": "ci"})
		wantText(t, diags.errors(), `Service token "ci"`, "The account with ID 999 may not exist")
	})
}

// A token that someone deleted leaves the state with a warning, and a destroy of it succeeds.
func TestTokenGone(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci"}
		o := h.created(tokenType, config)
		h.server.RemoveToken(h.token().ID)
		if h.applied(h.plan(o, nil)).exists() {
			t.Error("in the state after the destroy")
		}
		diags := h.refresh(o)
		wantText(t, diags.warnings(), "Service token not found", "deleted outside of Terraform")
		h.must(o, config, "create")
		h.clean(o, config)
	})
}

// Only a complete list that lacks the token removes it from the state.
func TestTokenReadErrors(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(tokenType, values{"service_account_id": h.account(), "name": "ci"})
	for _, fault := range []qualyticstest.Fault{
		qualyticstest.JSON(401, `{"detail":"no"}`), qualyticstest.JSON(404, `{"detail":"Not Found"}`),
		qualyticstest.HTML(404), qualyticstest.HTML(200),
		qualyticstest.JSON(200, `{"items":[],"total":1}`), qualyticstest.JSON(200, `null`),
		qualyticstest.JSON(200, `{}`), qualyticstest.HTML(503),
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

// A destroy deletes the record or keeps it, as the policy says.
func TestTokenDeletionPolicy(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		for policy, want := range map[string]string{"delete": "gone", "revoke": "revoked"} {
			o := h.created(tokenType, h.expiring(values{"deletion_policy": policy}))
			id := get(o.state, "id")
			h.must(o, nil, "delete")
			got := "gone"
			if token, ok := h.tokenByID(id); ok {
				got = map[bool]string{true: "active", false: "revoked"}[token.Active]
			}
			if got != want {
				t.Errorf("%s: the token is %s, want %s", policy, got, want)
			}
		}
	})
}

// A token that cannot be restored is an error, and the next plan replaces it.
func TestTokenRestoreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30}
	o := h.created(tokenType, config.with(values{"revoked": true}))
	p := h.plan(o, config)
	h.clock.Advance(31 * day)
	after, diags := h.apply(p)
	wantText(t, diags.errors(), "Unable to restore", "Token is expired", "The next plan rotates it")
	h.must(after, config, "replace")
	h.clean(after, config)
}

// A failed deletion keeps the token in the state, and the next destroy succeeds.
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

// Invalid arguments are refused, unknown ones are not.
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
		{values{"deletion_policy": "abandon"}, `must be one of "delete", "revoke"`},
		{values{"overlap_days": -1}, "between 0 and 364"},
		{values{"overlap_days": 365}, "between 0 and 364"},
		{values{"service_account_id": "api_access@service"}, "numeric ID"},
	} {
		wantText(t, h.validate(tokenType, base.with(tc.change)).errors(), tc.want)
	}
	for _, ok := range []values{
		{},
		{"expires_in_days": unknown{}, "rotate_before_days": 7},
		{"deletion_policy": "revoke", "name": nil, "name_prefix": "ci-"},
		{"overlap_days": 0},
		{"name": unknown{}},
		{"rotate_before_days": 29},
		{"expires_in_days": 365},
		{"service_account_id": unknown{}},
	} {
		if diags := h.validate(tokenType, base.with(ok)); diags.errors() != "" {
			t.Errorf("%v is refused: %s", ok, diags.errors())
		}
	}
}

// A revocation whose response is lost, on deployments that refuse to revoke twice.
func TestRevocationResponseLost(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci"}
		lost := qualyticstest.Fault{Method: http.MethodPut, Kind: qualyticstest.CloseAfter}
		o := h.created(tokenType, config)
		h.server.Fail(lost)
		h.must(o, config.with(values{"revoked": true}), "update")
		h.must(o, config, "update") // revoked here, so it is restored
		if !h.tokenWorks(o) {
			t.Error("the restored token does not work")
		}
		h.server.Fail(lost)
		h.created(tokenType, config.with(values{"name": "other", "revoked": true}))
		account := h.created(accountType, values{"name": "x", "role": "Member", "revoke_tokens_on_destroy": true})
		h.server.AddToken(qualyticstest.Token{Name: "by hand", UserID: h.named("x")[0].ID})
		h.server.Fail(lost)
		h.must(account, nil, "delete")
	})
}

// A deployment that refuses to revoke an expired token.
func TestRevokingTheExpired(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 1}
	o := h.created(tokenType, config)
	h.clock.Advance(2 * day)
	h.server.Fail(
		qualyticstest.JSON(400, `{"detail":"Token is expired"}`).On(http.MethodPut, "").Repeat(qualyticstest.Forever))
	h.must(o, config.with(values{"revoked": true}), "update")
	h.clean(o, config.with(values{"revoked": true}))
	h.server.Heal()
	h.must(o, config, "replace")
}

// What is not an ID is an error of the apply, and of a plan at most a warning, because a mock
// may have made it up.
func TestOddIDs(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := func(id string) values { return values{"service_account_id": id, "name": "x"} }
	if p := h.plan(h.none(tokenType), config("7")); len(p.diags) > 0 {
		t.Errorf("a valid ID: %s %s", p.diags.errors(), p.diags.warnings())
	}
	for _, id := range []string{"abc", "007", "0103", "0102"} {
		p := h.plan(h.none(tokenType), config(id))
		wantOK(t, p.diags)
		wantText(t, p.diags.warnings(), "Invalid ID")
	}
	for _, id := range []string{"0103", "+5", "0102", "9999999999999999999", "", " 5", "5.0"} {
		_, diags := h.run(h.none(tokenType), config(id))
		wantText(t, diags.errors(), "Invalid ID")
	}
	for _, kind := range []string{accountType, tokenType} {
		_, diags := h.load(kind, "")
		wantText(t, diags.errors(), "Import ID is empty")
	}
}

// A record that stays keeps its name, so a fixed name could never be replaced.
func TestFixedNameAndRecordThatStays(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	prefixed := h.expiring(values{"deletion_policy": "revoke"})
	config := prefixed.with(values{"name_prefix": nil})
	for _, name := range []any{"ci", unknown{}} {
		wantText(t, h.validate(tokenType, config.with(values{"name": name})).errors(),
			"Deletion policy requires name_prefix", "revoke")
	}
	o := h.created(tokenType, prefixed)
	// A configuration that fixes the generated name in the same change as a replacement.
	named := config.with(values{"name": get(o.state, "name"), "deletion_policy": "delete", "expires_in_days": 60})
	wantText(t, h.planned(o, named).diags.errors(), "Service token name stays in use", "revoke")
	h.must(o, prefixed.with(values{"expires_in_days": 60}), "update")
	h.clean(o, prefixed.with(values{"expires_in_days": 60}))
}

// The next refresh finds what the apply stored, on every deployment.
func TestRefreshAfterApplyChangesNothing(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		account := h.created(accountType, values{"name": "x", "role": "Member", "teams": []string{"Data Quality"}})
		config := values{"service_account_id": get(account.state, "id"), "name": "ci", "expires_in_days": 5}
		for _, o := range []*object{account, h.created(tokenType, config)} {
			before := o.state
			wantOK(t, h.refresh(o))
			if !o.state.Equal(before) {
				t.Errorf("the refresh changed %s", difference(before, o.state))
			}
		}
	})
}

// A revocation that the server ignores is an error, and the token stays in the
// state.
func TestIgnoredRevocation(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := h.expiring(values{"deletion_policy": "revoke"})
		o := h.created(tokenType, config)
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreRevoke = true })
		_, diags := h.run(o, config.with(values{"revoked": true}))
		wantText(t, diags.errors(), "Unable to revoke service token", "still active")
		_, diags = h.run(o, nil)
		wantText(t, diags.errors(), "Unable to delete service token", "still active")
		if !o.exists() || get(o.state, "revoked") != "false" {
			t.Errorf("in state: %t, revoked: %s", o.exists(), get(o.state, "revoked"))
		}
		_, diags = h.invoke(values{"service_account_id": config["service_account_id"]})
		wantText(t, diags.errors(), "Unable to revoke all service tokens", "still active")
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreRevoke = false })
		h.must(o, nil, "delete")
	})
}
