// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func FuzzImportID(f *testing.F) {
	h := newHarness(f, qualyticstest.Build202609())
	owner := h.server.AddUser(qualyticstest.User{Name: "API Access"})
	token := h.server.AddToken(qualyticstest.Token{Name: "team/ci", UserID: owner.ID})
	for _, id := range []string{
		"", "/", "1/", "a@service/b/c", "9223372036854775808", "-1", "../users/1", "1?x=y",
		fmt.Sprint(owner.ID), fmt.Sprint(owner.ID, "/team/ci"),
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		h.t, h.ctx = t, t.Context()
		h.server.ClearRequests()
		for _, kind := range []string{accountType, tokenType} {
			o, diags := h.load(kind, id)
			if diags.errors() == "" && get(o.state, "id") != fmt.Sprint(owner.ID) &&
				get(o.state, "id") != fmt.Sprint(token.ID) {
				t.Errorf("%q imports %s", id, get(o.state, "id"))
			}
		}
		for _, r := range h.server.Requests() {
			if r.Write() || strings.Contains(r.Path, "..") {
				t.Errorf("%q leads to %s", id, r)
			}
		}
	})
}
