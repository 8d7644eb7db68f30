// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

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
		{
			"new token, unknown expiry", h.none(tokenType),
			forever.with(values{"name": "n", "expires_in_days": unknown{}}), "",
		},
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
