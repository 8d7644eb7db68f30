// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func TestImportWithItsSecret(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "x"})
		token := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: u.ID})
		sibling := h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: u.ID})
		stranger := h.server.AddToken(
			qualyticstest.Token{Name: "ci", UserID: h.server.AddUser(qualyticstest.User{Name: "y"}).ID})
		config := values{"service_account_id": fmt.Sprint(u.ID), "name": "ci"}
		for _, tc := range []struct {
			name, secret   string
			stored         bool
			error, warning string
		}{
			{"its own", h.server.Bearer(token.ID), true, "", ""},
			{"with a line break", h.server.Bearer(token.ID) + "\n", true, "", ""},
			{"none", "", false, "", "QUALYTICS_IMPORT_TOKEN"},
			{"a sibling's", h.server.Bearer(sibling.ID), false, "", "another token of the same account"},
			{"a stranger's", h.server.Bearer(stranger.ID), false, "belongs to another account", ""},
			{"an Admin's", h.server.AdminToken(), false, "belongs to another account", ""},
			{"nonsense", "canary-nonsense-of-an-import", false, "401", ""},
			{"not a header", "canary nonsense", false, "space or a control character", ""},
		} {
			h.env["QUALYTICS_IMPORT_TOKEN"] = tc.secret
			o, diags := h.load(tokenType, fmt.Sprint(token.ID))
			wantText(t, diags.errors(), tc.error)
			wantText(t, diags.warnings(), tc.warning)
			if (diags.errors() != "") != (tc.error != "") {
				t.Errorf("%s: %s", tc.name, diags.errors())
			}
			if said := diags.errors() + diags.warnings(); tc.secret != "" &&
				strings.Contains(said, strings.TrimSpace(tc.secret)) {
				t.Errorf("%s: a diagnostic shows the secret: %s", tc.name, said)
			}
			if tc.error != "" {
				continue
			}
			if (get(o.state, "token") != "") != tc.stored || (tc.stored && !h.tokenWorks(o)) {
				t.Errorf("%s: stored %q", tc.name, get(o.state, "token"))
			}
			h.env["QUALYTICS_IMPORT_TOKEN"] = ""
			if w := h.plan(o, config).diags.warnings(); w != "" {
				t.Errorf("%s: the plan of the same run repeats the warning: %s", tc.name, w)
			}
			h.connect(h.config) // the next run
			p := h.plan(o, config)
			if p.action != "no-op" || (p.diags.warnings() != "") == tc.stored {
				t.Errorf("%s: the next plan is %s and warns %q", tc.name, p.action, p.diags.warnings())
			}
		}
		wantWrites(t, h)
	})
}
