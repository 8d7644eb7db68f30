// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A name that is in use is an error that names the account and how to import it.
func TestAccountNameTaken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		active := h.server.AddUser(qualyticstest.User{Name: "API Access"})
		_, diags := h.run(h.none(accountType), values{"name": "api access", "role": "Member"})
		wantText(t, diags.errors(), "already in use", "409",
			fmt.Sprintf("terraform import qualytics_service_account.NAME %d", active.ID))
		h.deactivate(active.ID)
		_, diags = h.run(h.none(accountType), values{"name": "API Access", "role": "Member"})
		wantText(t, diags.errors(), "deactivated account", "Reactivate it in Qualytics", fmt.Sprint("NAME ", active.ID))
		if len(h.server.ServiceAccounts()) != 0 {
			t.Error("an account was created")
		}
	})
}

// The error names the account with exactly that name, or else one that may have it.
func TestHolderOfAName(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	now := h.server.Clock.Now()
	dead := h.server.AddUser(qualyticstest.User{Name: "API Access", Deleted: &now})
	similar := h.server.AddUser(qualyticstest.User{Name: "APIAccess"})
	_, diags := h.run(h.none(accountType), values{"name": "API Access", "role": "Member"})
	wantText(t, diags.errors(), "deactivated account", fmt.Sprint("NAME ", dead.ID))
	_, diags = h.run(h.none(accountType), values{"name": "API-Access", "role": "Member"})
	wantText(t, diags.errors(), "may be the one", fmt.Sprint("NAME ", similar.ID))
}

// A replacement whose new name is in use, by any account, is refused while planning.
func TestRenameToANameInUse(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := func(name string) values { return values{"name": name, "role": "Member"} }
		o := h.created(accountType, config("API Access"))
		h.server.AddUser(qualyticstest.User{Name: "Other one"})
		now := h.server.Clock.Now()
		h.server.AddUser(qualyticstest.User{Name: "Retired", Deleted: &now})
		h.server.ClearRequests()
		for name, holder := range map[string]string{
			"Api Access": "the account that would be replaced",
			"other-one":  `the account "Other one"`,
			"RETIRED":    `the deactivated account "Retired"`,
		} {
			p := h.planned(o, config(name))
			wantText(t, p.diags.errors(), "New service account name is in use", holder, "would have deactivated",
				"for_each")
			if w := p.diags.warnings(); w != "" {
				t.Errorf("%s: the refused plan also warns: %s", name, w)
			}
		}
		wantWrites(t, h)
		p := h.planned(o, config("Brand new"))
		if p.diags.errors() != "" || p.action != "replace" {
			t.Fatalf("planned %s: %s", p.action, p.diags.errors())
		}
		wantText(t, p.diags.warnings(), "will be replaced", "moved block")
	})
}

// A new account whose name is in use is a warning with the way to import it.
func TestCreateWithANameInUse(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "API Access"})
		p := h.plan(h.none(accountType), values{"name": "api-access", "role": "Member"})
		wantText(t, p.diags.warnings(), "is in use",
			fmt.Sprint("qualytics_service_account.NAME ", u.ID))
		h.deactivate(u.ID)
		h.connect(h.config)
		p = h.plan(h.none(accountType), values{"name": "API Access", "role": "Member"})
		wantText(t, p.diags.warnings(), "deactivated account", "Reactivate it in Qualytics")
		h.connect(h.config)
		p = h.plan(h.none(accountType), values{"name": "Free", "role": "Member"})
		if p.diags.warnings() != "" {
			t.Errorf("a free name: %s", p.diags.warnings())
		}
	})
}

// A forced replacement is planned in two steps, first without a replacement: it would
// destroy the account and fail to create it again.
func TestForcedReplacementOfAnAccount(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "API Access", "role": "Member"}
		o := h.created(accountType, config)
		manager := config.with(values{"role": "Manager"})
		for action, config := range map[string]values{"no-op": config, "update": manager} {
			h.connect(h.config)
			if p := h.plan(o, config); p.action != action || p.diags.errors() != "" {
				t.Fatalf("planned %s %s, want %s", p.action, p.diags.errors(), action)
			}
			p := h.plan(h.none(accountType), config)
			wantText(t, p.diags.errors(), "New service account name is in use", "forced replacement",
				get(o.state, "id"))
			if w := p.diags.warnings(); w != "" {
				t.Errorf("the refused plan also warns: %s", w)
			}
		}
		// Another account with a name of the same letters is a warning, in any order.
		p := h.plan(h.none(accountType), config.with(values{"name": "api-access"}))
		wantText(t, p.diags.warnings(), "is in use", "terraform import")
		wantOK(t, p.diags)
	})
}

// The server may derive the same user_id from all names without letters and digits.
func TestRenameWithoutLetters(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "!!!", "role": "Member"})
	p := h.planned(o, values{"name": "???", "role": "Member"})
	wantText(t, p.diags.errors(), "New service account name is in use", "the account that would be replaced")
	wantOK(t, h.planned(o, values{"name": "??? 1", "role": "Member"}).diags)
}

// A used name with other separators is found, and names that share a common word do
// not use up the requests of a replacement.
func TestUsedNamesWithOtherSeparators(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "Etl", "role": "Member"})
	h.server.AddUser(qualyticstest.User{Name: "data-loader"})
	h.connect(h.config)
	p := h.planned(o, values{"name": "dataloader", "role": "Member"})
	wantText(t, p.diags.errors(), `the account "data-loader"`)

	h.server.Seed(20_000, 0)
	h.connect(h.config)
	wantOK(t, h.reread(o))
	h.server.ClearRequests()
	for i := range 300 {
		h.plan(h.none(accountType), values{"name": fmt.Sprintf("seed-%05d", i), "role": "Member"})
	}
	p = h.plan(o, values{"name": "Seed 19999", "role": "Member"})
	wantText(t, p.diags.errors(), `the account "Seed 19999"`)
	if n := len(h.server.Requests()); n > 30 {
		t.Errorf("%d requests, want at most 30", n)
	}
}

// 300 new names cost at most 30 requests, whatever the size of the deployment, and
// a failing request ends the checks silently.
func TestRequestsForNewNames(t *testing.T) {
	t.Parallel()
	for _, accounts := range []int{800, 20_000} {
		t.Run(fmt.Sprint(accounts), func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, qualyticstest.Build202609())
			h.server.Seed(accounts, 0)
			for _, format := range []string{"New %d", "seed %d of team", "%d", "Seed 0%04d x", "unique%d"} {
				h.connect(h.config)
				h.server.ClearRequests()
				for i := range 300 {
					p := h.plan(h.none(accountType), values{"name": fmt.Sprintf(format, i), "role": "Member"})
					wantOK(t, p.diags)
				}
				if n := len(h.server.Requests()); n > 30 {
					t.Errorf("%d requests for 300 names like %q, want at most 30", n, format)
				} else {
					t.Logf("%d requests for 300 names like %q among %d", n, format, accounts)
				}
			}
			h.connect(h.config)
			h.server.ClearRequests()
			h.server.Fail(
				qualyticstest.JSON(422, `{"detail":"no"}`).On(http.MethodGet, "/users").Repeat(qualyticstest.Forever))
			for i := range 10 {
				p := h.plan(h.none(accountType), values{"name": fmt.Sprintf("other%d", i), "role": "Member"})
				if len(p.diags) > 0 {
					t.Fatal(p.diags.errors(), p.diags.warnings())
				}
			}
			if n := h.routes()["GET /users"]; n != 1 {
				t.Errorf("%d requests for names after a failure, want 1", n)
			}
		})
	}
}
