// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// If the tokens cannot be listed, a plan that ends some says once that their use is unknown.
func TestUseOfTokensIsUnknown(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	account := h.created(accountType, values{"name": "x", "role": "Member", "revoke_tokens_on_destroy": true})
	h.connect(h.config)
	wantOK(t, h.reread(account))
	h.server.Fail(qualyticstest.JSON(400, `{"detail":"no"}`).On(http.MethodGet, "/user-tokens/service").
		Repeat(qualyticstest.Forever))
	wantText(t, h.plan(account, nil).diags.warnings(), "Use of service tokens is unknown", "400")
	if w := h.plan(account, nil).diags.warnings(); w != "" {
		t.Errorf("the same run warns again: %s", w)
	}
}

// A plan that takes something away from tokens in use says so, once per object.
func TestTokensInUse(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Manager", "teams": []string{"Data Quality"}}
		account := h.created(accountType, config)
		tokenConfig := values{
			"service_account_id": get(account.state, "id"), "name": "api-production", "expires_in_days": 90,
		}
		token := h.created(tokenType, tokenConfig)
		changes := []struct {
			name    string
			object  *object
			config  values
			summary string
		}{
			{"demotion", account, config.with(values{"role": "Member"}), "to be demoted is in use"},
			{
				"team", account, config.with(values{"teams": []string{}}),
				"to be removed from teams is in use",
			},
			{"destroy", account, nil, "to be destroyed is in use"},
			{"rename", account, config.with(values{"name": "y"}), "The account is in use: it has"},
			{"revoke", token, tokenConfig.with(values{"revoked": true}), "is in use"},
			{"delete", token, nil, "is in use"},
		}
		use := func(ago time.Duration) { h.use(h.token().ID, ago) }
		for _, tc := range changes {
			warnings := func() string {
				h.connect(h.config)
				wantOK(t, h.reread(account))
				h.server.ClearRequests()
				return h.plan(tc.object, tc.config).diags.warnings()
			}
			renamed := tc.name == "rename" // which warns for another reason, too
			if w := warnings(); !renamed && w != "" || strings.Contains(w, tc.summary) {
				t.Errorf("%s, never used: %s", tc.name, w)
			}
			use(2*time.Hour + time.Minute)
			wantText(t, warnings(), tc.summary, "2 hours ago", `"api-production"`)
			if n := h.routes()["GET /user-tokens/service"]; n != 1 {
				t.Errorf("%s: %d token lists, want 1", tc.name, n)
			}
			use(8 * day)
			if w := warnings(); !renamed && w != "" || strings.Contains(w, tc.summary) {
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
			config.with(values{"role": "Admin"}),
			config.with(values{"teams": []string{"Data Quality", "Data Engineering"}}),
		} {
			h.connect(h.config)
			if w := h.plan(account, config).diags.warnings(); w != "" {
				t.Errorf("%v: %s", config, w)
			}
		}
	})
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
	wantText(t, p.diags.warnings(), "to be destroyed is in use")
	if p.diags.errors() != "" {
		t.Errorf("the plan fails: %s", p.diags.errors())
	}
}
