// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// emulator is a running command.
type emulator struct {
	t    *testing.T
	text string // printed before it served
	stop func() (rest string, err error)
}

func start(t *testing.T, args ...string) *emulator {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, args, write)
		_ = write.Close()
	}()
	e := &emulator{t: t}
	buf := make([]byte, 4096)
	for !strings.Contains(e.text, qualyticstest.ClockPath) {
		n, err := read.Read(buf)
		if err != nil {
			t.Fatal(err, <-done)
		}
		e.text += string(buf[:n])
	}
	e.stop = func() (string, error) {
		stop()
		rest, _ := io.ReadAll(read)
		return string(rest), <-done
	}
	return e
}

// value returns the value of an export line.
func (e *emulator) value(name string) string {
	e.t.Helper()
	m := regexp.MustCompile(`export ` + name + `="?([^"\n]*)`).FindStringSubmatch(e.text)
	if m == nil {
		e.t.Fatalf("no %s in %q", name, e.text)
	}
	return m[1]
}

// ask sends a request, and returns status and body.
func (e *emulator) ask(method, path, body string) (int, string) {
	e.t.Helper()
	url := e.value("QUALYTICS_URL") + path
	req, err := http.NewRequestWithContext(e.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+e.value("QUALYTICS_TOKEN"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// clock returns how far the emulator's clock is ahead, in whole days.
func (e *emulator) clock() int {
	e.t.Helper()
	_, text := e.ask(http.MethodGet, qualyticstest.ClockPath, "")
	now, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil {
		e.t.Fatal(err)
	}
	return int(time.Until(now).Round(time.Hour).Hours()) / 24
}

// The printed lines are sufficient to use the emulator, requests do not follow them, and an
// interrupt stops it.
func TestEmulator(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "requests.log")
	e := start(t, "-profile", "seed-2025-11", "-accounts", "2", "-tokens", "1", "-log", file)
	if status, text := e.ask(http.MethodGet, e.value("QUALYTICS_API_PATH")+"/users/me", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	rest, err := e.stop()
	if err != nil || rest != "# stopped\n" {
		t.Errorf("it ended with %q, %v", rest, err)
	}
	if log, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(log), " 200 GET /users/me\n") {
		t.Errorf("the log is %q, %v", log, err)
	}
}

// The clock starts in the past and can be moved, and the next start goes on with it and with
// the last use of the tokens.
func TestEmulatorClock(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "data.json")
	e := start(t, "-age", "77d", "-data", file)
	if got := e.clock(); got != -77 {
		t.Errorf("the clock is %d days ahead", got)
	}
	if status, text := e.ask(http.MethodPost, qualyticstest.ClockPath, "76d\n"); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := e.ask(http.MethodGet, "/api/users/me", ""); status != http.StatusOK {
		t.Errorf("GET /users/me: %d", status)
	}
	if _, err := e.stop(); err != nil {
		t.Fatal(err)
	}
	e = start(t, "-age", "5d", "-data", file)
	if got := e.clock(); got != -1 {
		t.Errorf("after a restart the clock is %d days ahead", got)
	}
	if _, text := e.ask(http.MethodGet, "/api/user-tokens", ""); !strings.Contains(text, `"last_used":"2`) {
		t.Errorf("after a restart: %s", text)
	}
	saved, err := os.ReadFile(file)
	if err != nil || !regexp.MustCompile(`"LastUsed":"2`).Match(saved) {
		t.Errorf("the data file has no last use: %s, %v", saved, err)
	}
}

func TestEmulatorUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-profile", "1999"},
		{"-address", "nowhere:0:0"},
		{"-log", filepath.Join(t.TempDir(), "missing", "file")},
	} {
		if run(t.Context(), args, io.Discard) == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
