// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

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
