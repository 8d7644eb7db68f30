// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command recording runs the demo and draws what it prints, line by line as it
// came, as an SVG that plays in a browser and stands still elsewhere.
package main

import (
	"bufio"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

// maxPause is how long the recording waits for a line, at most: building takes
// longer than anybody wants to watch.
const maxPause = 1500 * time.Millisecond

// line is a line of the recording, and when it appears.
type line struct {
	at   time.Duration
	text string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: recording <file.svg>")
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./internal/cmd/demo")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines, err := record(io.TeeReader(out, os.Stdout), time.Now)
	if err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	return os.WriteFile(args[0], []byte(draw(lines)), 0o644) // #nosec G306 G703 -- part of the repository.
}

// record notes when each line came, without the long pauses.
func record(in io.Reader, now func() time.Time) ([]line, error) {
	lines := []line{{0, "$ make demo"}}
	at, last := maxPause, now()
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		came := now()
		at += min(came.Sub(last), maxPause)
		last = came
		lines = append(lines, line{at, scanner.Text()})
	}
	return lines, scanner.Err()
}

// draw makes the picture. A line is there from the start where nothing moves.
func draw(lines []line) string {
	const charWidth, lineHeight, margin = 7.3, 18, 16
	width := 0
	for _, l := range lines {
		width = max(width, len([]rune(l.text)))
	}
	total := lines[len(lines)-1].at + 4*time.Second
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">`+"\n",
		float64(width)*charWidth+2*margin, len(lines)*lineHeight+2*margin)
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#161b22"/>` + "\n")
	for i, l := range lines {
		if strings.TrimSpace(l.text) == "" {
			continue
		}
		colour := "#e6edf3"
		if strings.Contains(l.text, "✓") {
			colour = "#7ee787"
		}
		var text strings.Builder
		_ = xml.EscapeText(&text, []byte(l.text))
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s" xml:space="preserve">%s<animate attributeName="opacity" values="0;1;1" keyTimes="0;%.4f;1" calcMode="discrete" dur="%.1fs" repeatCount="indefinite"/></text>`+"\n",
			margin, margin+12+i*lineHeight, colour, text.String(), max(l.at.Seconds()/total.Seconds(), 0.0001), total.Seconds())
	}
	b.WriteString("</svg>\n")
	return b.String()
}
