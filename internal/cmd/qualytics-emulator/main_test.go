// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The printed lines are sufficient to use the emulator, and an interrupt stops it.
func TestEmulator(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-profile", "seed-2025-11", "-accounts", "2", "-tokens", "1"}, write)
		_ = write.Close()
	}()
	var text string
	buf := make([]byte, 4096)
	for !strings.Contains(text, "QUALYTICS_TOKEN=") {
		n, err := read.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		text += string(buf[:n])
	}
	value := func(name string) string {
		m := regexp.MustCompile(`export ` + name + `="?([^"\n]*)`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in %q", name, text)
		}
		return m[1]
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		value("QUALYTICS_URL")+value("QUALYTICS_API_PATH")+"/users/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+value("QUALYTICS_TOKEN"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	rest := make(chan []byte)
	go func() {
		more, _ := io.ReadAll(read)
		rest <- more
	}()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if more := <-rest; !bytes.Contains(more, []byte("# stopped")) {
		t.Errorf("it ended with %q", more)
	}
}

func TestEmulatorUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-profile", "1999"}, {"-address", "nowhere:0:0"}} {
		if run(t.Context(), args, io.Discard) == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
