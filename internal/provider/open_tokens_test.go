// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// Ephemeral tokens that Terraform does not close are removed when it stops the
// provider, or when the process ends.
func TestUnclosedEphemeralTokens(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, h *harness){
		"stopped": func(t *testing.T, h *harness) {
			if _, err := h.p.StopProvider(t.Context(), &tfprotov6.StopProviderRequest{}); err != nil {
				t.Fatal(err)
			}
		},
		"ended": func(t *testing.T, h *harness) { h.p.(*provider.Server).Close(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				account := h.account()
				var private []byte
				for range 5 {
					var diags diagnostics
					if _, private, diags = h.open(values{"service_account_id": account}); len(diags) > 0 {
						t.Fatal(diags.errors(), diags.warnings())
					}
				}
				if diags := h.shut(t.Context(), private); len(diags) > 0 { // one is closed
					t.Fatal(diags.warnings())
				}
				end(t, h)
				if tokens := h.server.Tokens(); len(tokens) != 0 {
					t.Errorf("%d tokens are left: %+v", len(tokens), tokens)
				}
			})
		})
	}
}

// What cannot be removed stays, and the next run on the account says so.
func TestEphemeralTokensThatStay(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	account := h.account()
	for range 2 {
		if _, _, diags := h.open(values{"service_account_id": account}); len(diags) > 0 {
			t.Fatal(diags.errors(), diags.warnings())
		}
	}
	h.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodPut, "/user-tokens/*"))
	h.p.(*provider.Server).Close(t.Context())
	left := h.server.Tokens()
	if len(left) != 1 || !left[0].Active {
		t.Fatalf("left %+v, want one active token", left)
	}
	h.connect(h.config)
	_, _, diags := h.open(values{"service_account_id": account})
	wantText(t, diags.warnings(), "Ephemeral service tokens of another run are active", fmt.Sprint(left[0].ID),
		left[0].Name)
	_, _, diags = h.open(values{"service_account_id": h.account()})
	if diags.warnings() != "" {
		t.Errorf("another account: %s", diags.warnings())
	}
}

// Terraform and OpenTofu do not close an ephemeral token if what uses it fails.
// The provider removes it when its process ends, also after an interrupt.
func TestAccEphemeralTokenOfFailedRun(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Options{})
	admin := s.AddUser(qualyticstest.User{Name: "Runner", Role: "Admin"})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), fmt.Sprintf(`
provider "qualytics" {}
ephemeral "qualytics_service_token" "run" {
  service_account_id = %q
}
provider "qualytics" {
  alias = "run"
  token = ephemeral.qualytics_service_token.run.token
}
data "qualytics_service_account" "missing" {
  provider = qualytics.run
  id       = "99999"
}
`, fmt.Sprint(admin.ID)))
	for range 3 {
		out, err := tf.raw(t, "plan", "-no-color", "-input=false")
		if err == nil {
			t.Fatalf("the plan succeeded: %s", out)
		}
		wantText(t, out, "Object not found")
	}
	if posts := s.Writes(); len(posts) == 0 {
		t.Fatal("no token was created")
	}
	if tokens := s.Tokens(); len(tokens) != 0 {
		t.Errorf("%d tokens are left after three failed plans: %+v", len(tokens), tokens)
	}
}
