// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command demo creates, uses, and destroys a service account and its token: it builds
// the provider, starts an emulated deployment, and runs Terraform or OpenTofu.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const configuration = `terraform {
  required_providers {
    qualytics = { source = "qualytics/qualytics" }
  }
}

variable "role" { default = "Member" }

resource "qualytics_service_account" "airflow" {
  name  = "Airflow"
  role  = var.role
  teams = ["Data Engineering"]
}

resource "qualytics_service_token" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  name_prefix        = "airflow-"
  expires_in_days    = 90
}

# Represents a secret manager that uses the token. An output works with every version of
# Terraform, and built-in resources do not.
output "fingerprint" {
  value = nonsensitive(sha256(qualytics_service_token.airflow.token))
}

output "token" {
  value     = qualytics_service_token.airflow.token
  sensitive = true
}
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	switch {
	case ctx.Err() != nil:
		fmt.Println("\nInterrupted. Everything that the demo created is gone.")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

// demo is one run of the command.
type demo struct {
	dir    string
	server *qualyticstest.Server
	tf     *tfexec.Terraform
	step   int
}

func run(ctx context.Context) error {
	cli, err := findCLI()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "qualytics-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d := &demo{dir: dir}
	if d.server, err = qualyticstest.NewServer(qualyticstest.Options{}); err != nil {
		return err
	}
	defer d.server.Close()

	d.say("Building the provider")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o",
		filepath.Join(dir, "plugins", "terraform-provider-qualytics"),
		".") // #nosec G204 -- a directory of our own making.
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := d.prepare(ctx, cli); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.create, d.use, d.planAgain, d.changeRole, d.destroy} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Println("\nDone. The token is deleted, and the account is deactivated: the API does not erase accounts.")
	return nil
}

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

// prepare writes the configuration and the settings of Terraform and the provider.
func (d *demo) prepare(ctx context.Context, cli string) error {
	rc := filepath.Join(d.dir, "terraform.rc")
	for name, text := range map[string]string{
		filepath.Join(d.dir, "main.tf"): configuration,
		rc: fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"qualytics/qualytics\" = %q\n  }\n  direct "+
			"{}\n}\n", filepath.Join(d.dir, "plugins")),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	var err error
	if d.tf, err = tfexec.NewTerraform(d.dir, cli); err != nil {
		return err
	}
	env := map[string]string{}
	for _, pair := range os.Environ() {
		if key, value, ok := strings.Cut(pair, "="); ok && !strings.HasPrefix(key, "TF_") &&
			!strings.HasPrefix(key, "QUALYTICS_") {
			env[key] = value
		}
	}
	env["TF_CLI_CONFIG_FILE"] = rc
	env["QUALYTICS_URL"] = d.server.URL
	env["QUALYTICS_TOKEN"] = d.server.AdminToken()
	env["QUALYTICS_CONFIG_HOME"] = d.dir
	if err := d.tf.SetEnv(env); err != nil {
		return err
	}
	version, _, err := d.tf.Version(ctx, true)
	if err != nil {
		return err
	}
	d.tell("%s %s against an emulated deployment at %s", filepath.Base(cli), version, d.server.URL)
	return nil
}

func (d *demo) create(ctx context.Context) error {
	d.say("Applying a service account, its token, and something that uses the token")
	if err := d.tf.Apply(ctx); err != nil {
		return err
	}
	accounts, tokens := d.server.ServiceAccounts(), d.server.Tokens()
	if len(accounts) != 1 || len(tokens) != 1 || !tokens[0].Active {
		return fmt.Errorf("the server has %d accounts and %d tokens, want one of each", len(accounts), len(tokens))
	}
	d.checked("the server has the account %q (%s), %s, teams %v", accounts[0].Name, accounts[0].UserID,
		accounts[0].Role, accounts[0].Teams)
	d.checked("and the active token %q, which expires %s", tokens[0].Name, tokens[0].Expiration.Format(time.DateOnly))
	return nil
}

func (d *demo) use(ctx context.Context) error {
	d.say("Calling the API with the new token")
	status, name, err := d.whoAmI(ctx)
	if err != nil {
		return err
	}
	if status != http.StatusOK || name != "Airflow" {
		return fmt.Errorf("GET /users/me returned %d, %q", status, name)
	}
	d.checked("GET /users/me returns %d: the token is that of %q", status, name)
	return nil
}

func (d *demo) planAgain(ctx context.Context) error {
	d.say("Planning again")
	changes, err := d.tf.Plan(ctx)
	if err != nil {
		return err
	}
	if changes {
		return errors.New("the second plan is not empty")
	}
	d.checked("no changes")
	return nil
}

func (d *demo) changeRole(ctx context.Context) error {
	d.say("Changing the role to Manager")
	if err := d.tf.Apply(ctx, tfexec.Var("role=Manager")); err != nil {
		return err
	}
	account := d.server.ServiceAccounts()[0]
	if account.Role != "Manager" || len(account.Teams) != 1 {
		return fmt.Errorf("the server has the role %s and the teams %v", account.Role, account.Teams)
	}
	d.checked("the server has the role %s, the teams are still %v, the token is the same", account.Role, account.Teams)
	return nil
}

func (d *demo) destroy(ctx context.Context) error {
	d.say("Destroying")
	token, err := d.token(ctx)
	if err != nil {
		return err
	}
	if err := d.tf.Destroy(ctx, tfexec.Var("role=Manager")); err != nil {
		return err
	}
	if accounts, tokens := d.server.ServiceAccounts(), d.server.Tokens(); len(accounts)+len(tokens) > 0 {
		return fmt.Errorf("left on the server: %+v %+v", accounts, tokens)
	}
	status, _, err := d.ask(ctx, token)
	if err != nil {
		return err
	}
	if status != http.StatusUnauthorized {
		return fmt.Errorf("the destroyed token still gets %d", status)
	}
	d.checked("the account is deactivated, the token is erased, and the API returns %d for it", status)
	return nil
}

// token returns the sensitive output of the configuration.
func (d *demo) token(ctx context.Context) (string, error) {
	outputs, err := d.tf.Output(ctx)
	if err != nil {
		return "", err
	}
	var token string
	if err := json.Unmarshal(outputs["token"].Value, &token); err != nil {
		return "", fmt.Errorf("the output token: %w", err)
	}
	return token, nil
}

func (d *demo) whoAmI(ctx context.Context) (int, string, error) {
	token, err := d.token(ctx)
	if err != nil {
		return 0, "", err
	}
	return d.ask(ctx, token)
}

// ask calls GET /users/me with a token.
func (d *demo) ask(ctx context.Context, token string) (status int, name string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.server.URL+d.server.Profile.Prefix+"/users/me",
		http.NoBody)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var me struct {
		Name string `json:"name"`
	}
	err = json.NewDecoder(resp.Body).Decode(&me)
	return resp.StatusCode, me.Name, err
}

func (d *demo) say(step string) {
	d.step++
	fmt.Printf("\n%d. %s …\n", d.step, step)
}

func (d *demo) tell(format string, args ...any) { fmt.Printf("   %s\n", fmt.Sprintf(format, args...)) }

func (d *demo) checked(format string, args ...any) {
	fmt.Printf("   ✓ %s\n", fmt.Sprintf(format, args...))
}
