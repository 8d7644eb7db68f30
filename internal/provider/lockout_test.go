// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// onEveryBearer runs a test with every format of bearer tokens. The provider uses
// the token "own" of an account that also has the tokens that the test adds.
func onEveryBearer(t *testing.T,
	test func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token),
) {
	t.Helper()
	for _, bearer := range []string{"", "bare", "skewed", "opaque"} {
		t.Run(fmt.Sprintf("bearer %q", bearer), func(t *testing.T) {
			t.Parallel()
			profile := qualyticstest.Build202609()
			profile.Bearer = bearer
			h := newHarness(t, profile)
			self := h.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
			month := h.server.Clock.Now().AddDate(0, 1, 0)
			own := h.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID, Expiration: &month})
			h.connectAs(own.ID)
			test(t, h, self, own)
		})
	}
}

// connectAs starts a new provider process with the token with an ID.
func (h *harness) connectAs(id int64) {
	h.t.Helper()
	h.connect(values{"url": h.server.URL, "api_path": h.server.APIPath(), "token": h.server.Bearer(id)})
}

// active reports whether a token is active on the server.
func (h *harness) active(id string) bool {
	for _, token := range h.server.Tokens() {
		if fmt.Sprint(token.ID) == id {
			return token.Active
		}
	}
	return false
}

// The provider never revokes its own token, and does not refuse a sibling whose
// secret is in the state, whatever the format of bearer tokens.
func TestOwnAndSiblingToken(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		sibling := h.none(tokenType)
		config := values{"service_account_id": fmt.Sprint(self.ID), "name_prefix": "sibling-", "expires_in_days": 30}
		h.must(sibling, config, "create")
		h.must(sibling, config.with(values{"revoked": true}), "update")
		h.must(sibling, config, "update")
		h.must(sibling, config.with(values{"expires_in_days": 60}), "replace")
		h.must(sibling, nil, "delete")

		// The own token, with its secret in the state.
		h.env["QUALYTICS_IMPORT_TOKEN"] = h.server.Bearer(own.ID)
		imported := h.loaded(tokenType, fmt.Sprint(own.ID))
		ownConfig := values{"service_account_id": fmt.Sprint(self.ID), "name": "own", "expires_in_days": 30}
		for _, config := range []values{nil, ownConfig.with(values{"revoked": true})} {
			if p := h.plan(imported, config); p.diags.errors() == "" {
				_, diags := h.apply(p)
				wantText(t, diags.errors(), "lock out the provider")
			} else {
				wantText(t, p.diags.errors(), "lock out the provider")
			}
		}
		if !h.active(fmt.Sprint(own.ID)) {
			t.Error("the provider revoked its own token")
		}
	})
}

// The action revokes the tokens of other accounts, and never its own.
func TestActionSparesOwnToken(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
		progress, diags := h.invoke(values{"service_account_id": fmt.Sprint(self.ID)})
		if diags.errors() != "" || !h.active(fmt.Sprint(own.ID)) {
			t.Errorf("own token active: %t, %s %s", h.active(fmt.Sprint(own.ID)), progress, diags.errors())
		}
		wantText(t, progress, `Service token "own"`, "was skipped")
	})
}

// A different account's lost list, an account that does not exist, and one without
// active tokens have different outcomes.
func TestActionWithoutTokens(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		_, diags := h.invoke(values{"service_account_id": "99999"})
		wantText(t, diags.errors(), "Object not found", "No service account has the ID 99999")
		_, diags = h.invoke(values{"service_account_id": h.account()})
		wantText(t, diags.warnings(), "No active service tokens")
		if diags.errors() != "" {
			t.Errorf("an account without active tokens is an error: %s", diags.errors())
		}
	})
	h := newHarness(t, qualyticstest.Build202609())
	self := h.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
	profile := func(p *qualyticstest.Profile) { p.Bearer = "opaque" }
	h.server.EditProfile(profile)
	own := h.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
	h.connectAs(own.ID)
	h.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On("GET", "/user-tokens").Repeat(qualyticstest.Forever))
	_, diags := h.invoke(values{"service_account_id": fmt.Sprint(self.ID)})
	wantText(t, diags.errors(), "Unable to revoke all service tokens", "could not be determined", "boom")
}

// The role on the server counts, not the one in a state that was not refreshed.
func TestDemotionWithAnOldState(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		self := h.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Manager"})
		o := h.loaded(accountType, fmt.Sprint(self.ID))
		saved := h.plan(o, values{"name": "Terraform", "role": "Member"})
		h.server.EditUser(self.ID, func(u *qualyticstest.User) { u.Role = "Admin" })
		own := h.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
		h.connectAs(own.ID)
		p := h.plan(o, values{"name": "Terraform", "role": "Member"})
		wantText(t, p.diags.errors(), "Operation would lock out the provider")
		_, diags := h.apply(saved)
		wantText(t, diags.errors(), "Operation would lock out the provider")
		wantWrites(t, h)
	})
}

// A revocation that the server ignores is an error, and the token stays in the
// state.
func TestIgnoredRevocation(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{
			"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 30, "deletion_policy": "revoke",
		}
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

// A response without teams says nothing about them, so an update cannot keep them.
func TestUpdateWithoutKnownTeams(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.created(accountType, values{"name": "x", "role": "Member"})
		id := h.server.ServiceAccounts()[0].ID
		h.server.EditUser(id, func(u *qualyticstest.User) { u.Teams = []string{"Data Quality"} })
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.OmitTeams = true })
		h.server.ClearRequests()
		_, diags := h.run(o, values{"name": "x", "role": "Manager"})
		wantText(t, diags.errors(), "Unable to determine current teams", "Set teams")
		wantWrites(t, h)
		h.must(o, values{"name": "x", "role": "Manager", "teams": []string{"Data Quality"}}, "update")
	})
}
