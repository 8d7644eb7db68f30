// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

var rotating = values{"name_prefix": "ci-", "expires_in_days": 30, "rotate_before_days": 7}

// A token of a deactivated account cannot be replaced before the account is
// reactivated.
func TestRotationOfDeactivatedAccount(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		owner := h.server.AddUser(qualyticstest.User{Name: "x"})
		config := rotating.with(values{"service_account_id": fmt.Sprint(owner.ID)})
		o := h.created(tokenType, config)
		h.clock.Advance(31 * day)
		h.deactivate(owner.ID)
		_, diags := h.run(o, config)
		wantText(t, diags.errors(), "Unable to create service token", "may be deactivated")
		h.server.EditUser(owner.ID, func(u *qualyticstest.User) { u.Deleted = nil })
		action, diags := h.run(o, config)
		if diags.errors() != "" || (action != "create" && action != "replace") {
			t.Fatalf("%s %s", action, diags.errors())
		}
		h.clean(o, config)
	})
}

// A rotation that is due and another account in the same plan: one replacement,
// without a warning about the rotation.
func TestRotationWithAnotherAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := rotating.with(values{"service_account_id": h.account()})
	o := h.created(tokenType, config)
	h.clock.Advance(25 * day)
	p := h.planned(o, config.with(values{"service_account_id": unknown{}}))
	if p.action != "replace" || !slices.Equal(p.replace, []string{"service_account_id"}) || p.diags.warnings() != "" {
		t.Errorf("planned %s %v, warned %q", p.action, p.replace, p.diags.warnings())
	}
	h.must(o, config.with(values{"service_account_id": h.account()}), "replace")
}

// Someone deletes the old token between the plan and the apply of a rotation.
func TestRotationOfDeletedToken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := rotating.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		h.clock.Advance(25 * day)
		p := h.planned(o, config)
		h.server.RemoveToken(h.token().ID)
		after, diags := h.apply(p)
		if diags.errors() != "" || !h.tokenWorks(after) {
			t.Fatal(diags.errors())
		}
		h.clean(after, config)
	})
}

// The response to the deletion of the old token is lost.
func TestDeletionResponseLost(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.created(tokenType, rotating.with(values{"service_account_id": h.account()}))
		h.server.Fail(qualyticstest.Fault{Method: http.MethodDelete, Kind: qualyticstest.CloseAfter})
		h.must(o, nil, "delete")
		if n := len(h.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

// The window consists of days of 24 hours in UTC, also across a leap day.
func TestRotationAcrossLeapDay(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.clock.Advance(time.Date(2027, 12, 1, 12, 0, 0, 0, time.FixedZone("", 5*3600)).Sub(h.clock.Now()))
	h.connectAs(h.server.AdminTokenID())
	config := rotating.with(
		values{"service_account_id": h.account(), "expires_in_days": 365, "rotate_before_days": 364})
	o := h.created(tokenType, config)
	if got := get(o.state, "expires_at"); got[:10] != "2028-11-30" {
		t.Errorf("365 days after 2027-12-01, with a leap day, is %s", got)
	}
	h.clock.Advance(day - 5*time.Second)
	h.clean(o, config)
	h.clock.Advance(10 * time.Second)
	h.must(o, config, "replace")
}

// If the local clock is an hour behind or ahead of the server's, the rotation moves by
// that hour, and nothing else changes.
func TestRotationWithSkewedClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		h := newHarness(t, qualyticstest.Build202609())
		h.clock = &qualyticstest.Clock{}
		h.clock.Advance(skew)
		h.connectAs(h.server.AdminTokenID())
		config := rotating.with(
			values{"service_account_id": h.account(), "expires_in_days": 2, "rotate_before_days": 1})
		o := h.created(tokenType, config)
		h.clean(o, config)
		advance := func(d time.Duration) { h.clock.Advance(d); h.server.Clock.Advance(d) }
		advance(day - skew - time.Minute)
		h.clean(o, config)
		advance(2 * time.Minute)
		h.must(o, config, "replace")
		h.clean(o, config)
	}
}

func TestRotationWithoutCreationTimes(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.NoTokenCreated = true })
		config := rotating.with(values{"service_account_id": h.account()})
		o := h.created(tokenType, config)
		h.clean(o, config)
		if get(o.state, "created_at") != "" {
			t.Errorf("created at %s, want null", get(o.state, "created_at"))
		}
		h.must(o, config.with(values{"deletion_policy": "revoke"}), "update")
		h.clock.Advance(24 * day)
		h.must(o, config, "replace")
		h.clean(o, config)
	})
}

// Refresh-only stores the new status and changes nothing on the server.
func TestRotationRefreshOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(tokenType, rotating.with(values{"service_account_id": h.account()}))
	h.clock.Advance(24 * day)
	h.server.ClearRequests()
	if diags := h.refresh(o); diags.errors() != "" || get(o.state, "status") != "rotation_due" {
		t.Errorf("status %s %s", get(o.state, "status"), diags.errors())
	}
	wantWrites(t, h)
}

// A token of an account whose ID is unknown while planning.
func TestTokenOfUnknownAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for _, config := range []values{
		rotating.with(values{"service_account_id": unknown{}}),
		{
			"service_account_id": unknown{}, "name": unknown{}, "expires_in_days": unknown{}, "revoked": unknown{},
			"scim_endpoints_only": unknown{},
		},
		{
			"service_account_id": "5", "name_prefix": unknown{}, "rotate_when_changed": unknown{},
			"deletion_policy": unknown{},
		},
	} {
		if p := h.plan(h.none(tokenType), config); p.action != "create" || p.diags.errors() != "" {
			t.Errorf("%v: %s %s", config, p.action, p.diags.errors())
		}
	}
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30}
	o := h.created(tokenType, config)
	for name, action := range map[string]string{
		"name": "replace", "expires_in_days": "replace", "revoked": "update", "scim_endpoints_only": "replace",
		"rotate_before_days": "update", "rotate_when_changed": "update", "deletion_policy": "update",
	} {
		if p := h.plan(o, config.with(values{name: unknown{}})); p.action != action || p.diags.errors() != "" {
			t.Errorf("unknown %s: %s %v %s, want %s", name, p.action, p.replace, p.diags.errors(), action)
		}
	}
}

// An apply with -target on a consumer of the token rotates the token. The next complete
// apply removes the old one.
func TestAccRotationWithTarget(t *testing.T) {
	t.Parallel()
	for name, lifecycle := range map[string]string{"destroy first": "false", "create first": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			profile := qualyticstest.Build202609()
			clock := &qualyticstest.Clock{}
			clock.Advance(-2 * day) // the provider uses the real clock, so a token created now is two days old for it
			s := newServer(t, qualyticstest.Options{Profile: &profile, Clock: clock})
			tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), fmt.Sprintf(`
variable "window" { default = 14 }
resource "qualytics_service_account" "test" {
  name = "Target"
  role = "Member"
}
resource "qualytics_service_token" "test" {
  service_account_id = qualytics_service_account.test.id
  name_prefix        = "ci-"
  expires_in_days    = 30
  rotate_before_days = var.window
  lifecycle {
    create_before_destroy = %s
  }
}
resource "terraform_data" "consumer" {
  input = qualytics_service_token.test.id
}
resource "terraform_data" "bystander" {
  input = "not targeted"
}
`, lifecycle))
			skipBelow(t, tf, "1.4.0") // terraform_data
			due := tfexec.Var("window=29")
			if err := tf.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			first := s.Tokens()[0].ID
			clock.Advance(2 * day) // the window covers today, and a new token is not due
			if err := tf.Apply(t.Context(), due, tfexec.Target("terraform_data.consumer")); err != nil {
				t.Fatal(err)
			}
			usable := 0
			for _, token := range s.Tokens() {
				if token.Active && token.ID != first {
					usable++
				}
			}
			if usable != 1 {
				t.Errorf("%d new tokens after the targeted apply, want one: %+v", usable, s.Tokens())
			}
			t.Logf("the targeted apply leaves %d tokens", len(s.Tokens()))
			if err := tf.Apply(t.Context(), due); err != nil {
				t.Fatal(err)
			}
			if got := s.Tokens(); len(got) != 1 || got[0].ID == first || !got[0].Active {
				t.Errorf("after the whole apply: %+v", got)
			}
			if changes, err := tf.Plan(t.Context(), due); err != nil || changes {
				t.Errorf("the plan after it: changes %v, error %v", changes, err)
			}
		})
	}
}
