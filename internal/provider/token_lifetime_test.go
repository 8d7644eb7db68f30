// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The window of the configuration counts, measured at the time of the refresh: a
// shorter one, or none, ends a rotation that was due; a longer one starts one.
func TestChangedRotationWindow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		window any
		action string
		status string
	}{
		{"unchanged", 10, "replace", "active"},
		{"shorter, still due", 9, "replace", "active"},
		{"shorter", 8, "update", "active"},
		{"removed", nil, "update", "active"},
		{"longer", 20, "replace", "active"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				config := values{
					"service_account_id": h.account(),
					"name_prefix":        "ci-",
					"expires_in_days":    30,
					"rotate_before_days": 10,
				}
				o := h.created(tokenType, config)
				h.clock.Advance(21*day + day/2) // 8.5 days left
				if diags := h.refresh(o); diags.errors() != "" || get(o.state, "status") != "rotation_due" {
					t.Fatalf("status %s, %s", get(o.state, "status"), diags.errors())
				}
				h.clock.Advance(5 * day) // the plan does not look at the clock
				p := h.plan(o, config.with(values{"rotate_before_days": tc.window}))
				if p.action != tc.action {
					t.Fatalf("planned %s %v, want %s", p.action, p.replace, tc.action)
				}
				after, diags := h.apply(p)
				if diags.errors() != "" || get(after.state, "status") != tc.status {
					t.Errorf("status %s, want %s: %s", get(after.state, "status"), tc.status, diags.errors())
				}
			})
		})
	}
}

// A lifetime that the server limits to the window, or below it, does not rotate in
// every run.
func TestLifetimeLimitedByTheServer(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.MaxExpiryDays = 7 })
		o := h.none(tokenType)
		config := values{
			"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 30, "rotate_before_days": 7,
		}
		diags := h.must(o, config, "create")
		wantText(t, diags.warnings(), "Lifetime not applied", "Rotation window covers the whole lifetime")
		h.clean(o, config)
		h.clock.Advance(6 * day)
		h.clean(o, config)
		h.clock.Advance(day)
		h.must(o, config, "replace")

		// A lifetime that the server imposed on a token without one.
		other := h.none(tokenType)
		config = values{"service_account_id": h.account(), "name_prefix": "ci-"}
		diags = h.must(other, config, "create")
		wantText(t, diags.warnings(), "Lifetime not applied", "with no expiry")
		diags = h.must(other, config.with(values{"expires_in_days": 7}), "update")
		wantText(t, diags.warnings(), "Lifetime applies from the next rotation on")
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
