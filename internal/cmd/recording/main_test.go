// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// Long pauses are cut, lines come in order, and the picture is XML that holds
// every line.
func TestRecording(t *testing.T) {
	t.Parallel()
	clock := time.Unix(0, 0)
	now := func() time.Time { clock = clock.Add(time.Minute); return clock }
	lines, err := record(strings.NewReader("1. Building …\n   ✓ a < b & \"c\"\n"), now)
	if err != nil || len(lines) != 3 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if lines[1].at != 2*maxPause || lines[2].at != 3*maxPause {
		t.Errorf("the lines come at %v and %v", lines[1].at, lines[2].at)
	}
	var text strings.Builder
	dec := xml.NewDecoder(strings.NewReader(draw(lines)))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	if !strings.Contains(text.String(), `✓ a < b & "c"`) {
		t.Errorf("the picture holds %q", text.String())
	}
}
