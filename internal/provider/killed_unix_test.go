// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"bytes"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// Terraform and the provider are killed (kill -9) while a token is being created: no state
// knows that token, and the exclusive resource finds and revokes it.
func TestAccExclusiveAfterKill(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Build202609()
	s := newServer(t, qualyticstest.Options{Profile: &profile})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), example(t, "resources/qualytics_service_tokens_exclusive"))
	// The account is in the state before: a kill may lose what the CLI has not saved yet.
	if err := tf.Apply(t.Context(), tfexec.Target("qualytics_service_account.airflow")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tf.ExecPath(), "apply", "-auto-approve", "-input=false")
	cmd.Dir, cmd.SysProcAttr = tf.WorkingDir(), &syscall.SysProcAttr{Setpgid: true}
	for key, value := range tf.env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	pid := make(chan int, 1)
	s.Fail(qualyticstest.Fault{
		Method: "POST", Path: "/user-tokens", Kind: qualyticstest.CloseAfter,
		Do: func() { _ = syscall.Kill(-<-pid, syscall.SIGKILL) },
	})
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid <- cmd.Process.Pid
	if err := cmd.Wait(); err == nil {
		t.Fatalf("the killed apply succeeded: %s", out.String())
	}
	tokens := s.Tokens()
	if len(tokens) != 1 || !tokens[0].Active {
		t.Fatalf("after the kill, the server has %+v, want one active token", tokens)
	}
	lost := tokens[0].ID

	for _, want := range []int{2, 1, 1} { // creates a token, revokes the lost one, nothing
		if err := tf.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		active := slices.DeleteFunc(s.Tokens(), func(t qualyticstest.Token) bool { return !t.Active })
		if len(active) != want {
			t.Errorf("%d active tokens, want %d: %+v", len(active), want, active)
		}
	}
	if i := slices.IndexFunc(s.Tokens(), func(t qualyticstest.Token) bool { return t.ID == lost && t.Active }); i >= 0 {
		t.Error("the lost token is still active")
	}
	if changes, err := tf.Plan(t.Context()); err != nil || changes {
		t.Errorf("the next plan: changes %v, error %v", changes, err)
	}
}
