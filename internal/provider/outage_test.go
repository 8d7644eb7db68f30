// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A deployment is killed during an apply and starts again with its data: what was
// created is in the state, and the next apply creates the rest.
func TestAccServerKilledDuringApply(t *testing.T) {
	t.Parallel()
	requireCLI(t)
	dir := t.TempDir()
	program, data := filepath.Join(dir, "qualytics-emulator"), filepath.Join(dir, "data.json")
	buildProgram(t, "../cmd/qualytics-emulator", program)
	address := freeAddress(t)
	server, token := startEmulator(t, program, "-address", address, "-data", data, "-latency", "200ms")
	tf := cli(t, "http://"+address, token, "api", `
resource "qualytics_service_account" "test" {
  name = "Killed"
  role = "Member"
}
resource "qualytics_service_token" "test" {
  count              = 12
  service_account_id = qualytics_service_account.test.id
  name               = "ci-${count.index}"
  expires_in_days    = 30
}
output "tokens" {
  value     = qualytics_service_token.test[*].token
  sensitive = true
}
`)
	applied := make(chan error, 1)
	go func() { applied <- tf.Apply(t.Context()) }()
	for len(savedTokens(t, data)) < 3 {
		select {
		case err := <-applied:
			t.Fatalf("the apply ended before the server was killed: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if made := len(savedTokens(t, data)); made >= 12 {
		t.Fatalf("all %d tokens were created before the kill", made)
	}
	startEmulator(t, program, "-address", address, "-data", data)
	t.Log("the apply ended with:", <-applied)

	if err := tf.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if changes, err := tf.Plan(t.Context()); err != nil || changes {
		t.Errorf("the plan after it: changes %v, error %v", changes, err)
	}
	saved := savedTokens(t, data)
	if len(saved) != 12 {
		t.Errorf("%d tokens on the server, want 12: %+v", len(saved), saved)
	}
	outputs, err := tf.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var secrets []string
	if err := json.Unmarshal(outputs["tokens"].Value, &secrets); err != nil || len(secrets) != 12 {
		t.Fatalf("%d secrets in state, %v", len(secrets), err)
	}
	for i, secret := range secrets {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/users/me",
			http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("secret %d does not work: %v, %v", i, resp, err)
		}
		_ = resp.Body.Close()
	}
	if err := tf.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
	if left := savedTokens(t, data); len(left) != 0 {
		t.Errorf("left on the server: %+v", left)
	}
}

// freeAddress returns an unused loopback address.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// startEmulator starts the emulator until the end of the test, and returns the Admin's
// token that it prints.
func startEmulator(t *testing.T, program string, args ...string) (*os.Process, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if token, ok := strings.CutPrefix(lines.Text(), "export QUALYTICS_TOKEN="); ok {
			go func() {
				for lines.Scan() { // it must not wait for a reader of its log
				}
			}()
			return cmd.Process, token
		}
	}
	t.Fatalf("the emulator ended without a token: %v", lines.Err())
	return nil, ""
}

// savedTokens returns the service tokens in the data file of an emulator.
func savedTokens(t *testing.T, file string) []qualyticstest.Token {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var data struct{ Tokens []qualyticstest.Token }
	if err := json.Unmarshal(text, &data); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return data.Tokens[1:] // the first is the Admin's
}
