// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// host returns the host and port of the harness's server.
func (h *harness) host() string { return strings.TrimPrefix(h.server.URL, "http://") }

// A state that is used with another deployment, where other objects have the same IDs: no
// operation reaches these, also without a refresh, and the state stays.
func TestAnotherDeployment(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Member", "revoke_tokens_on_destroy": true}
		account := h.created(accountType, config)
		tokenConfig := values{"service_account_id": get(account.state, "id"), "name": "ci"}
		token := h.created(tokenType, tokenConfig)
		other := newHarness(t, h.server.Profile)
		stranger := other.server.AddUser(qualyticstest.User{Name: "Stranger"})
		other.server.AddToken(qualyticstest.Token{Name: "foreign", UserID: stranger.ID})
		wantText(t, other.refresh(account).errors(), "another deployment", "stranger@service", other.server.URL)
		wantText(t, other.refresh(token).errors(), "another deployment", `has the name "foreign"`)
		for _, change := range []struct {
			o      *object
			config values
		}{
			{account, nil},
			{account, config.with(values{"role": "Manager"})},
			{token, nil},
			{token, tokenConfig.with(values{"revoked": true})},
		} {
			other.connect(other.config)
			after, diags := other.apply(other.plan(change.o, change.config))
			wantText(t, diags.errors(), "Object was read from another deployment", h.host(), other.host())
			if !after.exists() {
				t.Error("the state was emptied")
			}
		}
		wantWrites(t, other)
	})
}

// An object that is missing, or deactivated, on another deployment stays in the
// state; one that moved with its deployment is read from the new host.
func TestMissingOnAnotherDeployment(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Member"}
		account := h.created(accountType, config)
		tokenConfig := values{"service_account_id": get(account.state, "id"), "name": "ci"}
		token := h.created(tokenType, tokenConfig)
		other := newHarness(t, h.server.Profile)
		for _, o := range []*object{account, token} {
			wantText(t, other.refresh(o).errors(), "State is of another deployment", h.host(), other.host())
			if !o.exists() {
				t.Fatalf("%s was removed from the state", o.kind)
			}
		}
		// The same ID and user_id, deactivated there.
		now := other.server.Clock.Now()
		for {
			u := other.server.AddUser(qualyticstest.User{Name: "x", Deleted: &now})
			if fmt.Sprint(u.ID) >= get(account.state, "id") {
				break
			}
		}
		wantText(t, other.refresh(account).errors(), "another deployment")
		// The deployment moved: the objects are on the new host, and gone later.
		moved := newHarness(t, h.server.Profile)
		moved.created(accountType, config)
		moved.created(tokenType, tokenConfig)
		for _, o := range []*object{account, token} {
			if diags := moved.refresh(o); diags.errors() != "" || !o.exists() {
				t.Fatalf("on the new host: %s", diags.errors())
			}
		}
		moved.server.RemoveToken(moved.token().ID)
		moved.deactivate(moved.server.ServiceAccounts()[0].ID)
		for _, o := range []*object{account, token} {
			if diags := moved.refresh(o); diags.errors() != "" || o.exists() {
				t.Errorf("gone from the new host: %s", diags.errors())
			}
		}
	})
}
