// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

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
			h.connect(h.config)
			p := h.plan(o, config(name))
			wantText(t, p.diags.errors(), "New service account name is in use", holder, "would have deactivated",
				"for_each")
			if w := p.diags.warnings(); w != "" {
				t.Errorf("%s: the refused plan also warns: %s", name, w)
			}
		}
		wantWrites(t, h)
		h.connect(h.config)
		p := h.plan(o, config("Brand new"))
		if p.diags.errors() != "" || p.action != "replace" {
			t.Fatalf("planned %s: %s", p.action, p.diags.errors())
		}
		wantText(t, p.diags.warnings(), "Service account will be replaced", "moved block")
	})
}

// A new account whose name is in use is a warning with the way to import it.
func TestCreateWithANameInUse(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "API Access"})
		p := h.plan(h.none(accountType), values{"name": "api-access", "role": "Member"})
		wantText(t, p.diags.warnings(), "Service account name is in use",
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

// A forced replacement is planned in two steps, first without a change: it would
// destroy the account and fail to create it again.
func TestForcedReplacementOfAnAccount(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "API Access", "role": "Member"}
		o := h.created(accountType, config)
		h.connect(h.config)
		if p := h.plan(o, config); p.action != "no-op" {
			t.Fatalf("planned %s", p.action)
		}
		p := h.plan(h.none(accountType), config)
		wantText(t, p.diags.errors(), "New service account name is in use", "forced replacement", get(o.state, "id"))
		if w := p.diags.warnings(); w != "" {
			t.Errorf("the refused plan also warns: %s", w)
		}
	})
}

// A new name may consist of other characters than letters and digits only.
func TestRenameWithoutLetters(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "!!!", "role": "Member"})
	if p := h.plan(o, values{"name": "???", "role": "Member"}); p.action != "replace" || p.diags.errors() != "" {
		t.Errorf("planned %s %s", p.action, p.diags.errors())
	}
}

// Teams are looked up only if some are added, and a failed look-up is left to the apply.
func TestTeamsWhilePlanning(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"name": "x", "role": "Member", "teams": []string{"Data Quality"}}
	o := h.created(accountType, config)
	h.connect(h.config)
	h.server.ClearRequests()
	if p := h.plan(o, config.with(values{"role": "Manager"})); p.action != "update" || h.routes()["GET /teams"] != 0 {
		t.Errorf("planned %s with %v", p.action, h.routes())
	}
	h.server.Fail(qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/teams"))
	p := h.plan(o, config.with(values{"teams": []string{"Data Quality", "Missing"}}))
	if w := p.diags.warnings(); w != "" || p.diags.errors() != "" {
		t.Errorf("a failed look-up: %s %s", w, p.diags.errors())
	}
}

// Terraform configures a provider before it plans. Without that, a plan checks nothing.
func TestPlanWithoutConfiguration(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	var err error
	if h.p, err = provider.NewServer("test", h.environment()); err != nil {
		t.Fatal(err)
	}
	for resourceType, config := range map[string]values{
		accountType:   {"name": "x", "role": "Member"},
		tokenType:     {"service_account_id": "7", "name": "x"},
		exclusiveType: {"service_account_id": "7", "token_ids": []string{"8"}},
	} {
		if p := h.plan(h.none(resourceType), config); p.action != "create" || p.diags.errors() != "" {
			t.Errorf("%s: planned %s %s", resourceType, p.action, p.diags.errors())
		}
	}
}

// A service account ID that is not an ID is a warning in a plan, because it may be mocked.
func TestInvalidAccountIDWhilePlanning(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for id, want := range map[string]string{"7": "", "abc": "Invalid ID", "007": "Invalid ID"} {
		p := h.plan(h.none(tokenType), values{"service_account_id": id, "name": "x"})
		if w := p.diags.warnings(); (w == "") != (want == "") || !strings.Contains(w, want) || p.diags.errors() != "" {
			t.Errorf("%s: %q %s, want %q", id, w, p.diags.errors(), want)
		}
	}
}

// A forced replacement together with another change is planned in two steps as well: first
// an update.
func TestForcedReplacementWithAnUpdate(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "API Access", "role": "Member"})
	h.connect(h.config)
	config := values{"name": "API Access", "role": "Manager"}
	if p := h.plan(o, config); p.action != "update" || p.diags.errors() != "" {
		t.Fatalf("planned %s %s", p.action, p.diags.errors())
	}
	wantText(t, h.plan(h.none(accountType), config).diags.errors(), "New service account name is in use")
	// Another account with a name of the same letters is a warning, in any order.
	p := h.plan(h.none(accountType), values{"name": "api-access", "role": "Member"})
	wantText(t, p.diags.warnings(), "Service account name is in use", "terraform import")
	if p.diags.errors() != "" {
		t.Error(p.diags.errors())
	}
}

// A used name with other separators is found, and names that share a common word do
// not use up the requests of a replacement.
func TestUsedNamesWithOtherSeparators(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "Etl", "role": "Member"})
	h.server.AddUser(qualyticstest.User{Name: "data-loader"})
	h.connect(h.config)
	p := h.plan(o, values{"name": "dataloader", "role": "Member"})
	wantText(t, p.diags.errors(), `the account "data-loader"`)

	h.server.Seed(20_000, 0)
	h.connect(h.config)
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
					if p.diags.errors() != "" {
						t.Fatal(p.diags.errors())
					}
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
			if n := len(h.server.Requests()); n != 1 {
				t.Errorf("%d requests after a failure, want 1", n)
			}
		})
	}
}

// A plan that takes something away from tokens in use says so, once per object.
func TestTokensInUse(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Manager", "teams": []string{"Data Quality"}}
		account := h.created(accountType, config)
		tokenConfig := values{
			"service_account_id": get(account.state, "id"),
			"name":               "api-production",
			"expires_in_days":    90,
		}
		token := h.created(tokenType, tokenConfig)
		changes := []struct {
			name    string
			object  *object
			config  values
			summary string
		}{
			{
				"demotion", account, config.with(values{"role": "Member"}),
				"Service account to be demoted is in use",
			},
			{
				"team",
				account,
				config.with(values{"teams": []string{}}),
				"Service account to be removed from teams is in use",
			},
			{"destroy", account, nil, "Service account to be destroyed is in use"},
			{"rename", account, config.with(values{"name": "y"}), "Service account to be replaced is in use"},
			{"revoke", token, tokenConfig.with(values{"revoked": true}), "Service token is in use"},
			{"replace", token, tokenConfig.with(values{"expires_in_days": 60}), "Service token is in use"},
			{"delete", token, nil, "Service token is in use"},
		}
		use := func(ago time.Duration) {
			h.use(h.token().ID, ago)
		}
		for _, tc := range changes {
			h.connect(h.config)
			quiet := "Service account will be replaced"
			if w := h.plan(tc.object, tc.config).diags.warnings(); w != "" && tc.name != "rename" {
				t.Errorf("%s, never used: %s", tc.name, w)
			} else if tc.name == "rename" {
				wantText(t, w, quiet)
			}
			use(2*time.Hour + time.Minute)
			h.connect(h.config)
			h.server.ClearRequests()
			wantText(t, h.plan(tc.object, tc.config).diags.warnings(), tc.summary, "2 hours ago", `"api-production"`)
			if n := h.routes()["GET /user-tokens/service"]; n != 1 {
				t.Errorf("%s: %d token lists, want 1", tc.name, n)
			}
			use(8 * day)
			h.connect(h.config)
			if w := h.plan(tc.object, tc.config).diags.warnings(); w != "" && tc.name != "rename" {
				t.Errorf("%s, used 8 days ago: %s", tc.name, w)
			}
			h.server.EditToken(h.token().ID, func(t *qualyticstest.Token) { t.LastUsed = nil })
		}
		h.connect(h.config)
		use(time.Hour)
		both := h.plan(account, config.with(values{"role": "Member", "teams": []string{}})).diags.warnings()
		wantText(t, both, `loses the role "Manager" immediately and continues with "Member"`, `"Data Quality"`,
			"has 1 active token.")
		h.server.EditUser(parseInt(t, get(account.state, "id")), func(u *qualyticstest.User) { u.Role = "Admin" })
		wantOK(t, h.refresh(account))
		use(time.Hour)
		wantText(t, h.plan(account, config).diags.warnings(), `loses the role "Admin" immediately`)
		h.server.EditUser(parseInt(t, get(account.state, "id")), func(u *qualyticstest.User) { u.Role = "Manager" })
		wantOK(t, h.refresh(account))
		// A promotion and an added team take nothing away.
		use(time.Hour)
		for _, config := range []values{
			config.with(values{"role": "Admin"}), config.with(values{"teams": []string{
				"Data Quality",
				"Data Engineering",
			}}),
		} {
			h.connect(h.config)
			if w := h.plan(account, config).diags.warnings(); w != "" {
				t.Errorf("%v: %s", config, w)
			}
		}
	})
}

// Guardrails refuse what a plan creates or changes, and leave the rest alone.
func TestGuardrails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	admin := values{"name": "x", "role": "Admin"}
	account := h.created(accountType, admin)
	forever := values{"service_account_id": get(account.state, "id"), "name": "ci"}
	token := h.created(tokenType, forever)
	plain := h.config
	limited := func(roles any, days any) {
		h.connect(plain.with(values{"guardrails": guardrails(h, roles, days)}))
	}
	limited([]string{"Manager", "Member"}, 90)
	h.clean(account, admin)
	h.clean(token, forever)
	role, lifetime := "Role not allowed by guardrails", "Lifetime not allowed by guardrails"
	for _, tc := range []struct {
		name   string
		object *object
		config values
		want   string
	}{
		{"new account", h.none(accountType), values{"name": "y", "role": "Admin"}, role},
		{"renamed account", account, values{"name": "z", "role": "Admin"}, role},
		{"allowed role", account, values{"name": "x", "role": "Member"}, ""},
		{"other role", account, values{"name": "x", "role": "Editor"}, role},
		{
			"same role, other teams", account,
			admin.with(values{"teams": []string{"Data Quality"}}), role,
		},
		{"new token", h.none(tokenType), forever.with(values{"name": "n", "expires_in_days": 91}), lifetime},
		{"new token without expiry", h.none(tokenType), forever.with(values{"name": "n"}), lifetime},
		{"new token, unknown expiry", h.none(tokenType), forever.with(values{
			"name":            "n",
			"expires_in_days": unknown{},
		}), ""},
		{"new token, allowed", h.none(tokenType), forever.with(values{"name": "n", "expires_in_days": 90}), ""},
		{"replaced token", token, forever.with(values{"name": "n"}), lifetime},
		{"revoked token", token, forever.with(values{"revoked": true}), ""},
		{"other trigger", token, forever.with(values{"rotate_when_changed": map[string]string{"n": "1"}}), lifetime},
		{"other argument of an account", account, admin.with(values{"revoke_tokens_on_destroy": true}), role},
	} {
		if p := h.plan(tc.object, tc.config); tc.want == "" && p.diags.errors() != "" {
			t.Errorf("%s: %s", tc.name, p.diags.errors())
		} else {
			wantText(t, p.diags.errors(), tc.want)
		}
	}
	_, _, diags := h.open(values{"service_account_id": get(account.state, "id"), "expires_in_days": 100})
	wantText(t, diags.errors(), lifetime)
	limited(unknown{}, unknown{})
	if p := h.plan(h.none(accountType), values{"name": "y", "role": "Admin"}); p.diags.errors() != "" {
		t.Errorf("unknown guardrails: %s", p.diags.errors())
	}
}

// Common mistakes in the provider configuration are named without a request.
func TestTokenCopiedWithOtherText(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for _, tc := range []struct {
		name   string
		change values
		env    map[string]string
		want   string
	}{
		{"quotation marks", values{"token": `"` + h.server.AdminToken() + `"`}, nil, "quotation mark"},
		{"bearer", values{"token": "Bearer " + h.server.AdminToken()}, nil, `starts with "Bearer "`},
		{
			"empty variable",
			values{"token": nil},
			map[string]string{"QUALYTICS_TOKEN": ""},
			"set, but its value is empty",
		},
		{"empty argument", values{"token": ""}, nil, "The argument is set, but its value is empty"},
		{"path", values{"url": "https://example.qualytics.io/api/v1"}, nil, "use only https://example.qualytics.io"},
	} {
		h.env = tc.env
		wantText(t, diagnostics(h.configure(h.config.with(tc.change))).errors()+
			validated(h, h.config.with(tc.change)), tc.want)
	}
	wantWrites(t, h)
}

// A token in use that a plan abandons keeps working, so nothing is warned about. With the
// policy "delete", the same plans warn.
func TestAbandonedTokenInUse(t *testing.T) {
	t.Parallel()
	for policy, warned := range map[string]bool{"abandon": false, "delete": true} {
		h := newHarness(t, qualyticstest.Build202609())
		config := values{
			"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 90,
			"deletion_policy": policy,
		}
		o := h.created(tokenType, config)
		h.use(h.token().ID, 0)
		h.connect(h.config)
		w := h.plan(o, nil).diags.warnings()
		if got := strings.Contains(w, "Service token is in use"); got != warned {
			t.Errorf("%s, destroyed: warned %t, want %t: %s", policy, got, warned, w)
		}
		// With a prefix, the order of a replacement is that of create_before_destroy or not,
		// which the provider does not know.
		if w := h.plan(o, config.with(values{"expires_in_days": 60})).diags.warnings(); strings.Contains(w, "in use") {
			t.Errorf("%s, replaced: %s", policy, w)
		}
	}
}

// If the provider's own account is unknown while planning, a plan warns like any other.
func TestWarningsWithoutOwnAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	account := h.created(accountType, values{"name": "x", "role": "Member"})
	h.created(tokenType, values{"service_account_id": get(account.state, "id"), "name": "ci"})
	h.use(h.token().ID, 0)
	h.connect(h.config)
	h.server.Fail(qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/users/me").
		Repeat(qualyticstest.Forever))
	p := h.plan(account, nil)
	wantText(t, p.diags.warnings(), "Service account to be destroyed is in use")
	if p.diags.errors() != "" {
		t.Errorf("the plan fails: %s", p.diags.errors())
	}
}
