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

// invoke runs the emergency brake, and gives its progress.
func (w *world) invoke(config values) (string, diagnostics) {
	w.t.Helper()
	const kind = "qualytics_revoke_service_tokens"
	server, ok := w.p.(tfprotov6.ActionServer)
	if !ok {
		w.t.Fatal("the server has no actions")
	}
	schema := w.schemas.ActionSchemas[kind].Schema
	dv := w.dynamic(schema.ValueType(), w.value(schema, config))
	valid, err := server.ValidateActionConfig(w.ctx, &tfprotov6.ValidateActionConfigRequest{ActionType: kind, Config: dv})
	if err != nil {
		w.t.Fatal(err)
	}
	if diags := diagnostics(valid.Diagnostics); diags.errors() != "" {
		return "", diags
	}
	stream, err := server.InvokeAction(w.ctx, &tfprotov6.InvokeActionRequest{ActionType: kind, Config: dv})
	if err != nil {
		w.t.Fatal(err)
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

func TestRevokeTokensOfAnAccount(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		u := w.server.AddUser(qualyticstest.User{Name: "x"})
		foreign := w.server.AddToken(qualyticstest.Token{Name: "foreign", UserID: w.server.AddUser(qualyticstest.User{Name: "y"}).ID})
		a := w.server.AddToken(qualyticstest.Token{Name: "a", UserID: u.ID})
		b := w.server.AddToken(qualyticstest.Token{Name: "b", UserID: u.ID})
		w.server.AddToken(qualyticstest.Token{Name: "c", UserID: u.ID})
		config := values{"service_account_id": fmt.Sprint(u.ID)}
		w.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodPut, fmt.Sprint("/user-tokens/", b.ID)))
		progress, diags := w.invoke(config)
		wantText(t, progress, fmt.Sprintf(`Token "a" (id %d) is revoked.`, a.ID), `Token "b"`, "could not be revoked", `Token "c"`, "Revoked 2, spared 0, failed 1.")
		wantText(t, diags.errors(), "1 of 3 tokens could not be revoked", "boom", "Run it again")
		progress, diags = w.invoke(config)
		wantText(t, progress, "Revoked 1, spared 0, failed 0.")
		if diags.errors() != "" {
			t.Error(diags.errors())
		}
		progress, diags = w.invoke(config)
		wantText(t, progress, "Revoked 0, spared 0, failed 0.")
		for _, token := range w.server.Tokens() {
			if token.Active != (token.ID == foreign.ID) {
				t.Errorf("%s is active: %t %s", token.Name, token.Active, diags.errors())
			}
		}
	})
}

func TestRevokeTokensByID(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		self := w.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
		own := w.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
		sibling := w.server.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
		w.connect(values{"url": w.server.URL, "api_path": w.server.APIPath(), "token": w.server.Bearer(own.ID)})
		progress, diags := w.invoke(values{"token_ids": []string{fmt.Sprint(own.ID), fmt.Sprint(sibling.ID), "9999"}})
		wantText(t, progress, `"own"`, "is spared", fmt.Sprintf(`Token "sibling" (id %d) is revoked.`, sibling.ID))
		wantText(t, diags.errors(), "token 9999: there is no such service token", "1 are revoked, 1 spared")
		progress, _ = w.invoke(values{"token_ids": []string{fmt.Sprint(sibling.ID)}})
		wantText(t, progress, "was revoked already")
		for _, config := range []values{{}, {"token_ids": []string{}}, {"token_ids": []string{"1"}, "service_account_id": "1"}} {
			if _, diags := w.invoke(config); diags.errors() == "" {
				t.Errorf("%v is taken", config)
			}
		}
	})
}

// The page's example through the CLI: also what Terraform does not manage is
// revoked, and each token is reported.
func TestAccRevokeAction(t *testing.T) {
	t.Parallel()
	for _, profile := range qualyticstest.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			s, err := qualyticstest.NewServer(qualyticstest.Options{Profile: &profile})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			example, err := os.ReadFile("../../examples/actions/qualytics_revoke_service_tokens/action.tf")
			if err != nil {
				t.Fatal(err)
			}
			tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), string(example))
			skipBelow(t, tf, "1.14.0")
			if err := tf.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"one", "two"} {
				s.AddToken(qualyticstest.Token{Name: name, UserID: s.ServiceAccounts()[0].ID})
			}
			out, err := tf.raw(t, "apply", "-no-color", "-auto-approve", "-invoke=action.qualytics_revoke_service_tokens.airflow")
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, token := range s.Tokens() {
				wantText(t, out, fmt.Sprintf("Token %q (id %d) is revoked.", token.Name, token.ID))
				if token.Active {
					t.Errorf("%q still works", token.Name)
				}
			}
			wantText(t, out, "Revoked 2, spared 0, failed 0.")
		})
	}
}
