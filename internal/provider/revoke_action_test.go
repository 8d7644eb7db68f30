// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// invoke runs the action, and returns its progress.
func (h *harness) invoke(config values) (string, diagnostics) {
	h.t.Helper()
	const kind = "qualytics_revoke_service_tokens"
	server, ok := h.p.(tfprotov6.ActionServer)
	if !ok {
		h.t.Fatal("the server has no actions")
	}
	schema := h.schemas.ActionSchemas[kind].Schema
	dv := h.dynamic(schema.ValueType(), h.value(schema, config))
	valid, err := server.ValidateActionConfig(h.ctx,
		&tfprotov6.ValidateActionConfigRequest{ActionType: kind, Config: dv})
	if err != nil {
		h.t.Fatal(err)
	}
	if diags := diagnostics(valid.Diagnostics); diags.errors() != "" {
		return "", diags
	}
	stream, err := server.InvokeAction(h.ctx, &tfprotov6.InvokeActionRequest{ActionType: kind, Config: dv})
	if err != nil {
		h.t.Fatal(err)
	}
	var progress []string
	var diags diagnostics
	for event := range stream.Events {
		switch e := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			progress = append(progress, e.Message)
		case tfprotov6.CompletedInvokeActionEventType:
			diags = append(diags, e.Diagnostics...)
		}
	}
	return strings.Join(progress, "\n"), diags
}

// The action revokes the active tokens of an account, reports each, and can be repeated after a
// failure.
func TestRevokeTokensOfAnAccount(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "x"})
		foreign := h.server.AddToken(
			qualyticstest.Token{Name: "foreign", UserID: h.server.AddUser(qualyticstest.User{Name: "y"}).ID})
		a := h.server.AddToken(qualyticstest.Token{Name: "a", UserID: u.ID})
		b := h.server.AddToken(qualyticstest.Token{Name: "b", UserID: u.ID})
		h.server.AddToken(qualyticstest.Token{Name: "c", UserID: u.ID})
		config := values{"service_account_id": fmt.Sprint(u.ID)}
		h.server.Fail(
			qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodPut, fmt.Sprint("/user-tokens/", b.ID)))
		progress, diags := h.invoke(config)
		wantText(t, progress, fmt.Sprintf(`Service token "a" (ID %d) was revoked.`, a.ID), `Service token "b"`,
			"could not be revoked", `Service token "c"`, "Revoked 2, skipped 0, failed 1.")
		wantText(t, diags.errors(), "Unable to revoke all service tokens", "boom", "Run the action again")
		progress, diags = h.invoke(config)
		wantText(t, progress, "Revoked 1, skipped 0, failed 0.")
		if diags.errors() != "" {
			t.Error(diags.errors())
		}
		progress, diags = h.invoke(config)
		wantText(t, progress, "Revoked 0, skipped 0, failed 0.")
		for _, token := range h.server.Tokens() {
			if token.Active != (token.ID == foreign.ID) {
				t.Errorf("%s is active: %t %s", token.Name, token.Active, diags.errors())
			}
		}
	})
}

// The action revokes the tokens with these IDs, except for the provider's own.
func TestRevokeTokensByID(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		self, own := h.self(nil)
		sibling := h.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
		progress, diags := h.invoke(values{"token_ids": []string{fmt.Sprint(own.ID), fmt.Sprint(sibling.ID), "9999"}})
		wantText(t, progress, `"own"`, "was skipped",
			fmt.Sprintf(`Service token "sibling" (ID %d) was revoked.`, sibling.ID))
		wantText(t, diags.errors(), "token ID 9999: no such service token", "1 tokens were revoked and 1 skipped")
		progress, _ = h.invoke(values{"token_ids": []string{fmt.Sprint(sibling.ID)}})
		wantText(t, progress, "was already revoked")
		for _, config := range []values{{}, {"token_ids": []string{}}, {
			"token_ids":          []string{"1"},
			"service_account_id": "1",
		}} {
			if _, diags := h.invoke(config); diags.errors() == "" {
				t.Errorf("%v is taken", config)
			}
		}
	})
}

// The example of the page through the CLI: tokens that Terraform does not manage are
// revoked too, and each token is reported.
func TestAccRevokeAction(t *testing.T) {
	t.Parallel()
	onEveryServer(t, func(t *testing.T, s *qualyticstest.Server) {
		example, err := os.ReadFile("../../examples/actions/qualytics_revoke_service_tokens/action.tf")
		if err != nil {
			t.Fatal(err)
		}
		tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), string(example))
		if err := tf.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"one", "two"} {
			s.AddToken(qualyticstest.Token{Name: name, UserID: s.ServiceAccounts()[0].ID})
		}
		out, err := tf.raw(t, "apply", "-no-color", "-auto-approve",
			"-invoke=action.qualytics_revoke_service_tokens.airflow")
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, token := range s.Tokens() {
			wantText(t, out, fmt.Sprintf("Service token %q (ID %d) was revoked.", token.Name, token.ID))
			if token.Active {
				t.Errorf("%q still works", token.Name)
			}
		}
		wantText(t, out, "Revoked 2, skipped 0, failed 0.")
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
	h.server.EditProfile(func(p *qualyticstest.Profile) { p.Bearer = "opaque" })
	self, _ := h.self(nil)
	h.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On("GET", "/user-tokens").Repeat(qualyticstest.Forever))
	_, diags := h.invoke(values{"service_account_id": fmt.Sprint(self.ID)})
	wantText(t, diags.errors(), "Unable to revoke all service tokens", "could not be determined", "boom")
}
