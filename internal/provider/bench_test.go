// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A plan without changes of 300 accounts and 300 tokens, one after the other.
func BenchmarkPlan(b *testing.B) {
	const n = 300
	h := newHarness(b, qualyticstest.Build202609())
	type managed struct {
		object *object
		config values
	}
	var all []managed
	for i := range n {
		account := managed{h.none(accountType), values{"name": fmt.Sprintf("account %d", i), "role": "Member"}}
		h.must(account.object, account.config, "create")
		token := managed{
			h.none(tokenType),
			values{"service_account_id": get(account.object.state, "id"), "name": "ci", "expires_in_days": 90},
		}
		h.must(token.object, token.config, "create")
		all = append(all, account, token)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.connect(h.config)
		for _, m := range all {
			if diags := h.reread(m.object); len(diags) > 0 {
				b.Fatal(diags.errors(), diags.warnings())
			}
			if p := h.plan(m.object, m.config); p.action != "no-op" {
				b.Fatal(p.action, p.diags.errors())
			}
		}
	}
}
