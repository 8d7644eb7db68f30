// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-exec/tfexec"
)

func requireAcceptance(t *testing.T) {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance test: it runs a Terraform CLI, so it requires TF_ACC=1, which make test sets")
	}
}

// The demo shows what it promises, its picture is a part of that, and it leaves nothing.
func TestAccDemo(t *testing.T) {
	requireAcceptance(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var out bytes.Buffer
	if err := run(t.Context(), &out, false); err != nil {
		t.Fatalf("%v after\n%s", err, &out)
	}
	rest := out.String()
	for _, want := range []string{
		"expires_in_days    = 90", "Resources: 2 added", "with the token: 200",
		"Day 76", "1 to change, 0 to destroy", "will be rotated", "the old token: 200", "the new token: 200",
		"Day 84", "No changes.", "is still in use",
		"Day 88", "1 to change, 0 to destroy", "will be removed", "the old token: 401", "the new token: 200",
		"Foreign service tokens of account ID 103 will be revoked", "\"by-hand\": 401",
		"no response", "No changes.", "1 token more",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("the output has no %q in\n%s", want, rest)
		}
		rest = after
	}
	if text := picture(t); !strings.Contains(normalized(out.String()), text) {
		if unlike := differentOutput(t); unlike != "" {
			t.Logf("the picture is not compared with the output of %s", unlike)
		} else {
			t.Errorf("the picture is out of date (make demo-recording):\n%s\nthe output is\n%s", text, &out)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := run(stopped, io.Discard, false); err == nil {
		t.Error("it goes on after an interrupt")
	}
	nothingLeft(t, dir)
}

// Another shell can use the folder and move the clock until an interrupt.
func TestAccDemoKeep(t *testing.T) {
	requireAcceptance(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, write, true); _ = write.Close() }()
	var text string
	for buf := make([]byte, 4096); !strings.Contains(text, "Ctrl-C"); {
		n, err := read.Read(buf)
		if err != nil {
			t.Fatal(err, <-done)
		}
		text += string(buf[:n])
	}
	commands := regexp.MustCompile(`cd (\S+)\n  export TF_REATTACH_PROVIDERS='(.*)'\n(?s:.*)curl -d 8d (\S+)`)
	shown := commands.FindStringSubmatch(text)
	if shown == nil {
		t.Fatalf("no commands in\n%s", text)
	}
	cli, err := findCLI()
	if err != nil {
		t.Fatal(err)
	}
	plan := func() string {
		cmd := exec.CommandContext(t.Context(), cli, "plan", "-no-color")
		cmd.Dir, cmd.Env = shown[1], append(os.Environ(), "TF_REATTACH_PROVIDERS="+shown[2])
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("plan: %v", err)
		}
		return string(output)
	}
	if got := plan(); !strings.Contains(got, "No changes.") {
		t.Errorf("the first plan is\n%s", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, shown[3], strings.NewReader("70d"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := plan(); resp.StatusCode != http.StatusOK || !strings.Contains(got, "will be rotated") {
		t.Errorf("the clock was moved (%s), and the plan is\n%s", resp.Status, got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	nothingLeft(t, dir)
}

func TestDemoWithoutCLI(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("TF_ACC_TERRAFORM_PATH", "")
	err := run(t.Context(), io.Discard, false)
	if err == nil || !strings.Contains(err.Error(), "Install Terraform 1.0 or newer") ||
		!strings.Contains(err.Error(), "OpenTofu 1.6") {
		t.Errorf("got %v", err)
	}
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), "qualytics-demo-") {
			t.Errorf("%s is left behind", entry.Name())
		}
	}
}

// normalized returns output without what differs between two runs.
func normalized(text string) string {
	for pattern, name := range map[string]string{
		`\d{4}-\d\d-\d\dT[\d:]+Z`: "TIME",
		`airflow-[0-9a-f]{20,}`:   "airflow-NAME",
		`after \ds`:               "after TIME",
		`(?m)^\$ \S+ `:            "$$ terraform ",
		`(?m)[ \t]+$`:             "",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, name)
	}
	return text
}

// picture returns the text of the picture in the README, normalized.
func picture(t *testing.T) string {
	t.Helper()
	svg, err := os.ReadFile("demo.svg")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range regexp.MustCompile(`(?s)<text[^>]*>(.*?)\n?</text>`).FindAllSubmatch(svg, -1) {
		lines = append(lines, html.UnescapeString(string(m[1])))
	}
	text := strings.ReplaceAll(strings.Join(lines, "\n"), "\u00a0", " ")
	text = strings.TrimSpace(normalized(text))
	if strings.Count(text, "\n") < 30 || !strings.Contains(text, "airflow-NAME") {
		t.Fatalf("the picture has the text %q", text)
	}
	return text
}

// differentOutput returns the version of a CLI that prints plans in other words than the one
// of the picture, or "".
func differentOutput(t *testing.T) string {
	t.Helper()
	cli, err := findCLI()
	if err != nil {
		t.Fatal(err)
	}
	tf, err := tfexec.NewTerraform(t.TempDir(), cli)
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := tf.Version(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	tofu := exec.CommandContext(t.Context(), cli, "version")
	if name, _ := tofu.Output(); bytes.HasPrefix(name, []byte("OpenTofu")) {
		return "OpenTofu " + v.String()
	}
	if v.LessThan(version.Must(version.NewVersion("1.11.0"))) {
		return "Terraform " + v.String()
	}
	return ""
}
