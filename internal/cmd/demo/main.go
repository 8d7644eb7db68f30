// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command demo shows three months in the life of a service token: it runs Terraform or
// OpenTofu with the provider against an emulated deployment, and moves the clock.
package main

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

//go:embed *.tf
var configuration embed.FS

func main() {
	keep := flag.Bool("keep", false, "after the demo, keep the folder and the deployment until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Stdout, *keep)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		fmt.Println("\nInterrupted. Everything that the demo created is gone.")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

// demo is one run of the command. After an error, its methods do nothing.
type demo struct {
	dir        string
	out        io.Writer
	cli        string // terraform or tofu
	deployment *qualyticstest.Server
	tf         *tfexec.Terraform
	provider   tfexec.ReattachInfo
	err        error
}

func run(ctx context.Context, out io.Writer, keep bool) error {
	cli, err := findCLI()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "qualytics-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d := &demo{dir: dir, out: out, cli: filepath.Base(cli)}
	if d.deployment, err = qualyticstest.NewServer(qualyticstest.Options{}); err != nil {
		return err
	}
	defer d.deployment.Close()
	if d.provider, err = serveProvider(ctx, d.deployment); err != nil {
		return err
	}
	if d.tf, err = tfexec.NewTerraform(dir, cli); err != nil {
		return err
	}
	if err := d.tf.SetEnv(map[string]string{"PATH": os.Getenv("PATH"), "HOME": dir}); err != nil {
		return err
	}
	d.rotation(ctx)
	d.foreignToken(ctx)
	d.lostResponse(ctx)
	if d.err != nil || !keep {
		d.tell("\nDone. To try it yourself with this folder and this deployment: make demo ARGS=-keep")
		return d.err
	}
	reattach, err := json.Marshal(d.provider)
	d.tell(keepText, dir, reattach, d.cli, d.deployment.URL+qualyticstest.ClockPath)
	<-ctx.Done()
	return err
}

const keepText = `
In another shell:

  cd %s
  export TF_REATTACH_PROVIDERS='%s'
  %s plan
  curl -d 8d %s   # moves the clock of the deployment and of the provider

Ctrl-C ends the demo and removes the folder.`

// findCLI finds Terraform, or else OpenTofu.
func findCLI() (string, error) {
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path, nil
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("neither terraform nor tofu is on PATH\nInstall Terraform 1.0 or newer " +
		"(https://developer.hashicorp.com/terraform/install)\nor OpenTofu 1.6 or newer " +
		"(https://opentofu.org/docs/intro/install), then run make demo again")
}

func (d *demo) rotation(ctx context.Context) {
	d.chapter(0, "Day 0: a service account and its token")
	d.add("versions.tf")
	d.add("main.tf")
	d.err = cmp.Or(d.err, d.tf.Init(ctx, tfexec.Reattach(d.provider)))
	d.apply(ctx)
	old := d.newestToken()
	d.call(ctx, "the token", old, http.StatusOK)

	d.chapter(76, "Day 76: a rotation without an outage")
	d.plan(ctx)
	d.apply(ctx)
	current := d.newestToken()
	d.call(ctx, "the old token", old, http.StatusOK)
	d.call(ctx, "the new token", current, http.StatusOK)

	d.chapter(4, "Day 80: a client that no one remembers still uses the old token")
	d.call(ctx, "the old token", old, http.StatusOK)

	d.chapter(4, "Day 84: the overlap is over, but the old token stays, because it is in use")
	d.plan(ctx)
	d.tell("→ The deployment has %d tokens", d.tokens(2))

	d.chapter(4, "Day 88: the old token has not been used for 8 days, so it ends")
	d.plan(ctx)
	d.apply(ctx)
	d.call(ctx, "the old token", old, http.StatusUnauthorized)
	d.call(ctx, "the new token", current, http.StatusOK)
}

func (d *demo) foreignToken(ctx context.Context) {
	d.chapter(0, "Someone creates a token by hand")
	d.add("exclusive.tf")
	d.apply(ctx)
	if d.err == nil {
		d.deployment.AddToken(qualyticstest.Token{Name: "by-hand", UserID: d.deployment.ServiceAccounts()[0].ID})
	}
	byHand := d.newestToken()
	d.tell("→ Someone creates the token \"by-hand\" for the account in Qualytics")
	d.plan(ctx)
	d.apply(ctx)
	d.call(ctx, "the token \"by-hand\"", byHand, http.StatusUnauthorized)
}

func (d *demo) lostResponse(ctx context.Context) {
	d.chapter(0, "The response to the creation of a token is lost")
	d.add("dbt.tf")
	before := len(d.deployment.Tokens())
	d.deployment.ClearRequests()
	d.deployment.Fail(qualyticstest.Fault{Method: "POST", Path: "/user-tokens", Kind: qualyticstest.CloseAfter})
	d.apply(ctx)
	for _, r := range d.deployment.Requests() {
		if r.Write() {
			d.tell("→ %s by the provider: %s", r, cmp.Or(http.StatusText(r.Status), "no response"))
		}
	}
	d.plan(ctx)
	d.tell("→ The deployment has %d token more than before", d.tokens(before+1)-before)
}

// chapter moves the clock of the deployment and of the provider, and prints a title.
func (d *demo) chapter(days int, title string) {
	d.deployment.Clock.Advance(time.Duration(days) * 24 * time.Hour)
	d.tell("\n━━ %s", title)
}

func (d *demo) tell(format string, args ...any) {
	if d.err == nil {
		fmt.Fprintf(d.out, format+"\n", args...)
	}
}

// add adds a file to the configuration, and prints it.
func (d *demo) add(file string) {
	text, err := configuration.ReadFile(file)
	d.tell("\n$ cat %s\n%s", file, bytes.TrimSpace(text))
	d.err = cmp.Or(d.err, err, os.WriteFile(filepath.Join(d.dir, file), text, 0o600))
}

// The parts of Terraform's output that are about this provider: a plan without its
// introduction and the note at its end, and the results of an apply.
var (
	partOfPlan  = regexp.MustCompile(`(?ms)^(\w+ will perform the following actions:|No changes\.).*?^(─|\z)`)
	partOfApply = regexp.MustCompile(`(?m)^.* complete.*$`)
)

func (d *demo) plan(ctx context.Context) {
	d.terraform("plan", partOfPlan, func() error { _, err := d.tf.Plan(ctx, tfexec.Reattach(d.provider)); return err })
}

func (d *demo) apply(ctx context.Context) {
	d.terraform("apply", partOfApply, func() error { return d.tf.Apply(ctx, tfexec.Reattach(d.provider)) })
}

// terraform runs a command, and prints a part of its output.
func (d *demo) terraform(command string, part *regexp.Regexp, run func() error) {
	if d.err != nil {
		return
	}
	output := &bytes.Buffer{}
	d.tf.SetStdout(output)
	d.err = run()
	d.tf.SetStdout(io.Discard)
	text := strings.Join(part.FindAllString(output.String(), -1), "\n")
	d.tell("\n$ %s %s\n%s", d.cli, command, strings.Trim(text, "─\n"))
}

// newestToken returns the secret of the token that was created last.
func (d *demo) newestToken() string {
	tokens := d.deployment.Tokens()
	if len(tokens) == 0 {
		return ""
	}
	return d.deployment.Bearer(tokens[len(tokens)-1].ID)
}

// tokens returns the number of tokens, and expects it to be want.
func (d *demo) tokens(want int) int {
	n := len(d.deployment.Tokens())
	if n != want {
		d.err = cmp.Or(d.err, fmt.Errorf("the deployment has %d tokens, not %d", n, want))
	}
	return n
}

// call sends a request with a token, and expects a status.
func (d *demo) call(ctx context.Context, name, token string, want int) {
	url := d.deployment.URL + d.deployment.Profile.Prefix + "/users/me"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if d.err = cmp.Or(d.err, err); d.err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.err = err
		return
	}
	_ = resp.Body.Close()
	d.tell("→ GET /users/me with %s: %s", name, resp.Status)
	if resp.StatusCode != want {
		d.err = fmt.Errorf("GET /users/me with %s returned %d, not %d", name, resp.StatusCode, want)
	}
}
