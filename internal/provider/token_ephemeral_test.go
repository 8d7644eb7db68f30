// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// open opens an ephemeral token, and returns its values and private data.
func (h *harness) open(config values) (tftypes.Value, []byte, diagnostics) {
	h.t.Helper()
	schema := h.schemas.EphemeralResourceSchemas[tokenType]
	resp, err := h.p.OpenEphemeralResource(h.ctx, &tfprotov6.OpenEphemeralResourceRequest{
		TypeName: tokenType, Config: h.dynamic(schema.ValueType(), h.value(schema, config)),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if diagnostics(resp.Diagnostics).errors() != "" {
		return tftypes.Value{}, resp.Private, resp.Diagnostics
	}
	v, err := resp.Result.Unmarshal(schema.ValueType())
	if err != nil {
		h.t.Fatal(err)
	}
	return v, resp.Private, resp.Diagnostics
}

func (h *harness) shut(ctx context.Context, private []byte) diagnostics {
	h.t.Helper()
	resp, err := h.p.CloseEphemeralResource(ctx,
		&tfprotov6.CloseEphemeralResourceRequest{TypeName: tokenType, Private: private})
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.Diagnostics
}

// An ephemeral token works until it is closed, which can be repeated and interrupted.
func TestEphemeralToken(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account()}
		v, private, diags := h.open(config)
		wantOK(t, diags)
		if !regexp.MustCompile(`^terraform-\d{17}[0-9a-f]{8}$`).MatchString(get(v, "name")) ||
			get(v, "expires_in_days") != "1" ||
			get(v, "expires_at") == "" {
			t.Errorf("opened %s", v)
		}
		if !h.tokenWorks(&object{state: v}) {
			t.Error("the token does not work")
		}
		if strings.Contains(string(private), get(v, "token")) || strings.Contains(string(private), get(v, "name")) {
			t.Errorf("the private data holds more than the id: %s", private)
		}
		second, other, _ := h.open(
			config.with(values{"name_prefix": "ci-", "expires_in_days": 7, "scim_endpoints_only": true}))
		if get(second, "name") == get(v, "name") || !strings.HasPrefix(get(second, "name"), "ci-") {
			t.Errorf("the second is called %s", get(second, "name"))
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		for _, d := range []diagnostics{h.shut(t.Context(), private), h.shut(cancelled, other), h.shut(t.Context(),
			private)} {
			if len(d) > 0 {
				t.Errorf("closing: %s%s", d.errors(), d.warnings())
			}
		}
		if n := len(h.server.Tokens()); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

// A token that cannot be removed is a warning that names it.
func TestEphemeralTokenCloseFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	_, private, _ := h.open(values{"service_account_id": h.account()})
	h.server.Fail(qualyticstest.HTML(500).Repeat(qualyticstest.Forever))
	d := h.shut(t.Context(), private)
	if d.errors() != "" {
		t.Errorf("a failed close is an error: %s", d.errors())
	}
	wantText(t, d.warnings(), fmt.Sprintf("Ephemeral service token ID %d", h.token().ID), "until it expires")
}

// A token that cannot be created is an error, and leaves nothing.
func TestEphemeralTokenOpenFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	_, _, d := h.open(values{"service_account_id": "999"})
	wantText(t, d.errors(), "Unable to create service token", "The account with ID 999 may not exist")
	if n := len(h.server.Tokens()); n != 0 {
		t.Errorf("%d tokens were created", n)
	}
}

// Without an account, no token is created and nothing fails.
func TestEphemeralTokenOfNobody(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	v, private, diags := h.open(values{})
	if diags.errors() != "" || get(v, "token") != "" {
		t.Errorf("opened %s %s", v, diags.errors())
	}
	if d := h.shut(t.Context(), private); len(d) > 0 {
		t.Errorf("closing: %s%s", d.errors(), d.warnings())
	}
	wantWrites(t, h)
}

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
