// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A lifetime that the server ignored is reported.
func TestIgnoredLifetime(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreExpiry = true })
	o := h.none(tokenType)
	diags := h.must(o, h.expiring(nil), "create")
	wantText(t, diags.warnings(), "Lifetime not applied", "a lifetime of 30 days", "never expires")
}

// A restriction that the server does not report is verified.
func TestIgnoredSCIMFlag(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "scim", "scim_endpoints_only": true}
		if diags := h.must(h.none(tokenType), config, "create"); diags.warnings() != "" {
			t.Errorf("warned: %s", diags.warnings())
		}
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreSCIM = true })
		diags := h.must(h.none(tokenType), config.with(values{"name": "ignored"}), "create")
		wantText(t, diags.warnings(), "not limited to SCIM")
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreSCIM = false })
		fault := qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodGet, "/users/me")
		fault.Skip = 1 // the plan during apply
		h.server.Fail(fault)
		o := h.none(tokenType)
		p := h.plan(o, config.with(values{"name": "untold"}))
		after, diags := h.apply(p)
		h.server.Heal()
		wantText(t, diags.warnings(), "Unable to verify SCIM restriction", "boom")
		if !after.exists() {
			t.Error("the token is not in the state")
		}
	})
}

// The secret is stored even if the other fields of the response are invalid.
func TestPartlyReadableResponse(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	owner := h.account()
	config := values{"service_account_id": owner, "name": "ci", "expires_in_days": 30}
	until := h.server.Clock.Now().Add(30 * day)
	var id int64
	_, _ = fmt.Sscan(owner, &id)
	made := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: id, Expiration: &until})
	h.server.Fail(
		qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"name":["ci"],"active":"yes","last_used":5,"bearer_token":%q}`,
			made.ID, h.server.Bearer(made.ID))).
			On(http.MethodPost, "/user-tokens"),
	)
	o := h.none(tokenType)
	diags := h.must(o, config, "create")
	wantText(t, diags.warnings(), "only partly readable")
	if !h.tokenWorks(o) || get(o.state, "expires_at") == "" {
		t.Error("the secret or the expiry is lost")
	}
	h.clean(o, config)
}

// A lifetime that the server limits to the window, or below it, does not rotate in
// every run.
func TestLifetimeLimitedByTheServer(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.MaxExpiryDays = 7 })
		o := h.none(tokenType)
		config := h.expiring(values{"rotate_before_days": 7})
		diags := h.must(o, config, "create")
		wantText(t, diags.warnings(), "Lifetime not applied", "Rotation window covers the whole lifetime")
		h.clean(o, config)
		h.clock.Advance(6 * day)
		h.clean(o, config)
		h.clock.Advance(day)
		id := get(o.state, "id")
		h.must(o, config, "update")
		if get(o.state, "id") == id {
			t.Error("the expired token was not rotated")
		}
		h.clean(o, config)

		// A lifetime that the server imposed on a token without one.
		other := h.none(tokenType)
		config = values{"service_account_id": h.account(), "name_prefix": "ci-"}
		diags = h.must(other, config, "create")
		wantText(t, diags.warnings(), "Lifetime not applied", "with no expiry")
		diags = h.must(other, config.with(values{"expires_in_days": 7}), "update")
		wantText(t, diags.warnings(), "applies from the next rotation on")
		h.clean(other, config.with(values{"expires_in_days": 7}))
	})
}

// A new token that is revoked in the response is stored, and replaced by the next
// apply.
func TestCreatedRevoked(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.CreatedRevoked = true })
		o := h.none(tokenType)
		config := values{"service_account_id": h.account(), "name_prefix": "ci-"}
		diags := h.must(o, config, "create")
		wantText(t, diags.warnings(), "New service token is revoked")
		if get(o.state, "token") == "" {
			t.Error("the secret is not in the state")
		}
	})
}

// With a fixed name, a token that another run creates while a gateway returns 502
// is named, not deleted.
func TestTokenOfAnotherRunIsNamed(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.server.AddUser(qualyticstest.User{Name: "Owner"})
		fault := qualyticstest.HTML(502).On("POST", "/user-tokens")
		fault.Do = func() {
			until := h.server.Clock.Now().AddDate(0, 0, 30)
			h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: owner.ID, Expiration: &until})
		}
		h.server.Fail(fault)
		_, diags := h.run(h.none(tokenType),
			values{"service_account_id": fmt.Sprint(owner.ID), "name": "ci", "expires_in_days": 30})
		wantText(t, diags.errors(), "This attempt or someone else may have created", `"ci", ID`)
		if !h.token().Active {
			t.Error("the token of the other run was revoked")
		}
	})
}
