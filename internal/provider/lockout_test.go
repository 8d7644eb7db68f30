// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

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
			month := h.server.Clock.Now().AddDate(0, 1, 0)
			self, own := h.self(&month)
			test(t, h, self, own)
		})
	}
}

// self adds an Admin account with a token, which the provider uses. Without an expiration,
// the token never expires.
func (h *harness) self(expiration *time.Time) (self qualyticstest.User, own qualyticstest.Token) {
	h.t.Helper()
	self = h.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
	own = h.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID, Expiration: expiration})
	h.connectAs(own.ID)
	return self, own
}

// The provider never revokes its own token, and does not refuse a sibling whose
// secret is in the state, whatever the format of bearer tokens.
func TestOwnAndSiblingToken(t *testing.T) {
	t.Parallel()
	onEveryBearer(t, func(t *testing.T, h *harness, self qualyticstest.User, own qualyticstest.Token) {
		config := values{"service_account_id": fmt.Sprint(self.ID), "name_prefix": "sibling-", "expires_in_days": 30}
		sibling := h.created(tokenType, config)
		h.must(sibling, config.with(values{"revoked": true}), "update")
		h.must(sibling, config, "update")
		h.must(sibling, config.with(values{"expires_in_days": 60}), "update")
		h.must(sibling, nil, "delete")

		// The own token, with its secret in the state.
		h.env["QUALYTICS_IMPORT_TOKEN"] = h.server.Bearer(own.ID)
		imported := h.loaded(tokenType, fmt.Sprint(own.ID))
		ownConfig := values{"service_account_id": fmt.Sprint(self.ID), "name": "own", "expires_in_days": 30}
		for _, config := range []values{nil, ownConfig.with(values{"revoked": true})} {
			p := h.plan(imported, config)
			said := p.diags.errors()
			if said == "" {
				_, diags := h.apply(p)
				said = diags.errors()
			}
			wantText(t, said, "lock out the provider")
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

// The provider never deactivates or demotes its own account.
func TestAccountLockout(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	self, token := h.self(nil)
	o := h.loaded(accountType, fmt.Sprint(self.ID))
	for name, config := range map[string]values{
		"Destroying": nil,
		"Demoting":   {"name": "Terraform", "role": "Manager"},
		"Replacing":  {"name": "Other", "role": "Admin"},
	} {
		h.use(token.ID, 0) // a refused plan does not also warn about tokens in use
		h.connect(h.config)
		p := h.plan(o, config)
		wantText(t, p.diags.errors(), "lock out the provider", name, "token of another Admin")
		if w := p.diags.warnings(); w != "" {
			t.Errorf("%s: the refused plan also warns: %s", name, w)
		}
	}
	h.clean(o, values{"name": "Terraform", "role": "Admin"})
	wantWrites(t, h)
}

// The provider never revokes its own token, but does revoke a sibling.
func TestTokenLockout(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		self, own := h.self(nil)
		sibling := h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
		config := values{"service_account_id": fmt.Sprint(self.ID), "name": "own"}
		o := h.loaded(tokenType, fmt.Sprint(own.ID))
		h.clean(o, config)
		for _, refused := range []values{
			nil, config.with(values{"revoked": true}), config.with(values{"expires_in_days": 5}),
		} {
			wantText(t, h.planned(o, refused).diags.errors(), "lock out the provider",
				"this is the token that the provider uses")
		}
		id := fmt.Sprint(sibling.ID)
		other := h.loaded(tokenType, id)
		h.server.ClearRequests()
		h.applied(h.plan(other, nil))
		wantWrites(t, h, "PUT /user-tokens/"+id, "DELETE /user-tokens/"+id)
	})
}

// The apply refuses what the plan cannot see, such as a forced replacement.
func TestLockoutAtApply(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	self, own := h.self(nil)
	account := h.loaded(accountType, fmt.Sprint(self.ID))
	h.must(account, values{"name": "Terraform", "role": "Admin", "revoke_tokens_on_destroy": true}, "update")
	account.tainted = true
	h.connect(h.config)
	_, diags := h.apply(h.plan(account, values{"name": "Terraform", "role": "Admin"}))
	wantText(t, diags.errors(), "lock out the provider")
	token := h.loaded(tokenType, fmt.Sprint(own.ID))
	token.tainted = true
	_, diags = h.apply(h.plan(token, values{"service_account_id": fmt.Sprint(self.ID), "name": "own"}))
	wantText(t, diags.errors(), "lock out the provider", "this is the token")
	// Planned by another Admin, and applied with the token itself.
	for name, tc := range map[string]struct {
		object *object
		config values
	}{
		"demoted": {account, values{"name": "Terraform", "role": "Manager", "revoke_tokens_on_destroy": true}},
		"revoked": {token, values{"service_account_id": fmt.Sprint(self.ID), "name": "own", "revoked": true}},
		"deleted": {token, nil},
	} {
		tc.object.tainted = false
		h.connectAs(h.server.AdminTokenID())
		p := h.plan(tc.object, tc.config)
		h.connectAs(own.ID)
		_, diags = h.apply(p)
		wantText(t, diags.errors(), "Operation would lock out the provider")
		if me := h.server.Users(); !h.active(fmt.Sprint(own.ID)) || me[len(me)-1].Role != "Admin" {
			t.Fatalf("%s: the provider locked itself out", name)
		}
	}
	h.connectAs(own.ID)
	h.server.Fail(qualyticstest.HTML(500).On(http.MethodGet, "/users/me").Repeat(qualyticstest.Forever))
	for _, o := range []*object{account, token} {
		o.tainted = false
		p := h.plan(o, nil) // it cannot be known, so nothing is said
		wantOK(t, p.diags)
		_, diags := h.apply(p)
		wantText(t, diags.errors(), "it may be the")
	}
	wantWrites(t, h)
}

// A server that does not report the role of the provider's own account does not open
// the way to a demotion.
func TestDemotionWithUnknownRole(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	self, own := h.self(nil)
	o := h.loaded(accountType, fmt.Sprint(self.ID))
	h.server.Fail(qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"user_id":"terraform@service"}`, self.ID)).
		On("GET", "/users/me").Repeat(qualyticstest.Forever))
	h.connectAs(own.ID)
	p := h.plan(o, values{"name": "Terraform", "role": "Member"})
	wantText(t, p.diags.errors(), "Operation would lock out the provider")
}
