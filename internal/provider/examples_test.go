// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-exec/tfexec"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// example returns the .tf files of a folder in examples/, without the terraform block and an
// empty provider block.
func example(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", folder, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no example in %s: %v", folder, err)
	}
	var out strings.Builder
	for _, file := range files {
		if name := filepath.Base(file); name == "versions.tf" || name == "by-identity.tf" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	return testBlocks.ReplaceAllString(out.String(), "")
}

// testBlocks matches the blocks that the tests replace.
var testBlocks = regexp.MustCompile(`(?ms)^terraform \{.*?^\}\n|^provider "qualytics" \{\}[^\n]*\n`)

// The examples of the pages of resources can be applied, have a clean plan, and can be destroyed.
func TestAccExamples(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{
		"getting-started", "resources/qualytics_service_account", "resources/qualytics_service_token",
		"resources/qualytics_service_tokens_exclusive",
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
				tc.Steps = []resource.TestStep{
					{
						Config: providerBlock(s) + example(t, folder),
						ConfigPlanChecks: resource.ConfigPlanChecks{
							PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
						},
					},
				}
				resource.Test(t, tc)
			})
		})
	}
}

// The examples of the rotation guide: they can be applied and destroyed, and a rotation has the
// expected writes, and a clean plan after it.
func TestAccRotationRoutines(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{
		"rotation/overlap":    `^POST /user-tokens$`,
		"rotation/on-demand":  `^POST /user-tokens$`,
		"rotation/fixed-name": `^PUT \S+ DELETE \S+ POST /user-tokens$`,
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
				text := providerBlock(s) + example(t, folder)
				rotate := resource.TestStep{
					PreConfig: func() {
						if folder != "rotation/on-demand" {
							s.Clock.Advance(s.Tokens()[0].Expiration.Sub(s.Clock.Now()) - 9*day)
						}
						s.ClearRequests()
					},
					Config: text,
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
					},
					Check: func(*terraform.State) error {
						if got := strings.Join(s.Writes(), " "); !regexp.MustCompile(want).MatchString(got) {
							return fmt.Errorf("writes %q, want %s", got, want)
						}
						return nil
					},
				}
				if folder == "rotation/on-demand" {
					rotate.ConfigVariables = config.Variables{"generation": config.IntegerVariable(2)}
				}
				create := resource.TestStep{Config: text, ConfigPlanChecks: rotate.ConfigPlanChecks}
				tc.Steps = []resource.TestStep{create, rotate}
				if folder == "rotation/overlap" { // both tokens work; after the overlap, the old one is removed
					retire := rotate
					retire.PreConfig = func() {
						if tokens := s.Tokens(); len(tokens) != 2 || !tokens[0].Active || !tokens[1].Active {
							t.Errorf("during the overlap: %+v", tokens)
						}
						s.Clock.Advance(8 * day)
						s.ClearRequests()
					}
					retire.Check = func(*terraform.State) error {
						if got := s.Writes(); len(got) != 2 || len(s.Tokens()) != 1 {
							return fmt.Errorf("writes %q, tokens %+v", got, s.Tokens())
						}
						return nil
					}
					tc.Steps = append(tc.Steps, retire)
				}
				resource.Test(t, tc)
			})
		})
	}
}

// The examples of the pages of data sources can be applied.
func TestAccDataSourceExamples(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		owner := s.AddUser(qualyticstest.User{Name: "Airflow"})
		s.AddToken(qualyticstest.Token{Name: "by hand", UserID: owner.ID})
		tc.CheckDestroy = nil
		for _, name := range []string{
			"current_user", "service_account", "service_accounts", "service_tokens", "team",
			"teams",
		} {
			tc.Steps = append(tc.Steps,
				resource.TestStep{Config: providerBlock(s) + example(t, "data-sources/qualytics_"+name)})
		}
		tc.Steps[3].ConfigStateChecks = []statecheck.StateCheck{
			statecheck.ExpectKnownOutputValue("unused",
				knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("by hand")})),
			statecheck.ExpectKnownOutputValue("never_expiring",
				knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("by hand")})),
		}
		resource.Test(t, tc)
	})
}

// The example of the audit page finds stale accounts and Admins.
func TestAccAudit(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		// The configuration compares with the real time, so the server's is real as well.
		owner := s.AddUser(qualyticstest.User{Name: "Airflow", Role: "Admin"})
		until := s.Clock.Now().Add(300 * day)
		s.AddToken(qualyticstest.Token{Name: "fine", UserID: owner.ID, Expiration: &until})
		tc.CheckDestroy = nil
		tc.Steps = []resource.TestStep{{
			Config: providerBlock(s) + example(t, "audit"),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownOutputValue("stale_accounts",
					knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("airflow@service")})),
				statecheck.ExpectKnownOutputValue("admins",
					knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("airflow@service")})),
			},
		}}
		resource.Test(t, tc)
	})
}

// The example of the page of ephemeral tokens can be applied, and leaves no token.
func TestAccEphemeralExample(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Build202609()
	s := newServer(t, qualyticstest.Options{Profile: &profile})
	owner := s.AddUser(qualyticstest.User{Name: "Owner"})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), example(t, "ephemeral-resources/qualytics_service_token"))
	if err := tf.Apply(t.Context(), tfexec.Var(fmt.Sprintf("service_account_id=%d", owner.ID))); err != nil {
		t.Fatal(err)
	}
	opened := slices.DeleteFunc(s.Writes(), func(w string) bool { return w != "POST /user-tokens" })
	if len(opened) == 0 || len(s.Tokens()) != 0 {
		t.Errorf("%d tokens were opened, left: %+v", len(opened), s.Tokens())
	}
}

// The scenarios. Stubs replace the providers that cannot be installed.
func TestAccScenarios(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		folder string
		kind   string // of the resource that takes the token, if any
	}{
		{"scim-connector", ""},
		{"sealed-output", ""},
		{"encrypted-file", "local_file"},
		{"hcp-terraform", ""},
		{"hcp-terraform-variable", "tfe_variable"},
		{"kubernetes", "kubernetes_secret_v1"},
		{"aws-secrets-manager", "aws_secretsmanager_secret_version"},
		{"vault", "vault_kv_secret_v2"},
		{"github-actions", "github_actions_secret"},
	} {
		t.Run(tc.folder, func(t *testing.T) {
			t.Parallel()
			onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, c resource.TestCase) {
				vault := newStubVault(t)
				if name, _, ok := strings.Cut(tc.kind, "_"); ok {
					c.ProtoV6ProviderFactories[name] = vault.stub(name)
				}
				text := providerBlock(s) + example(t, "scenarios/"+tc.folder)
				apply := resource.TestStep{
					Config: text,
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
					},
				}
				rotate := apply
				rotate.PreConfig = func() { s.Clock.Advance(s.Tokens()[0].Expiration.Sub(s.Clock.Now()) - 9*day) }
				if strings.Contains(text, `variable "recipient"`) {
					recipient := config.Variables{
						"recipient": config.StringVariable(matrixIdentity().Recipient().String()),
					}
					apply.ConfigVariables, rotate.ConfigVariables = recipient, recipient
				}
				c.Steps = []resource.TestStep{apply, rotate}
				resource.Test(t, c)
				if tc.kind == "" {
					return
				}
				secret := "eyJ"
				if tc.folder == "encrypted-file" {
					secret = "BEGIN AGE ENCRYPTED FILE"
				}
				if got := vault.written[tc.kind]; len(got) != 2 || got[0] == got[1] ||
					!strings.Contains(got[0], secret) {
					t.Errorf("the consumer received %d secrets, want two different ones", len(got))
				}
			})
		})
	}
}

// The provider's token comes from Vault, and Terraform rotates it there.
func TestAccVaultProviderToken(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, c resource.TestCase) {
		vault := newStubVault(t)
		c.ProtoV6ProviderFactories["vault"] = vault.stub("vault")
		const url = `"https://example.qualytics.io"`
		text := strings.Replace(example(t, "scenarios/vault-provider-token"), url,
			fmt.Sprintf("%q\n  api_path = %q", s.URL, s.APIPath()), 1)
		apply := resource.TestStep{
			Config: text,
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
		}
		first, rotate, last := apply, apply, apply
		vault.use(s.AdminToken())
		usesToken := func(n int) error {
			var data map[string]string
			if err := json.Unmarshal([]byte(vault.written["vault_kv_secret_v2"][n]), &data); err != nil {
				return err
			}
			requests := s.Requests()
			if got := requests[len(requests)-1].Header.Get("Authorization"); got != "Bearer "+data["token"] {
				return fmt.Errorf("the provider does not use token %d of Vault", n)
			}
			return nil
		}
		rotate.PreConfig = func() {
			vault.use("")
			s.Clock.Advance(s.Tokens()[0].Expiration.Sub(s.Clock.Now()) - 9*day)
		}
		rotate.Check = func(*terraform.State) error { return usesToken(0) }
		next := apply
		next.Check = func(*terraform.State) error { return usesToken(1) }
		// The provider does not destroy the account that it uses.
		last.PreConfig = func() { vault.use(s.AdminToken()) }
		c.Steps = []resource.TestStep{first, rotate, next, last}
		resource.Test(t, c)
	})
}

// The scenario with a module and three consumers.
func TestAccModuleForEach(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Options{})
	tf := cli(t, "", "", "", "")
	examples := t.TempDir()
	if err := os.CopyFS(examples, os.DirFS(filepath.Join(root, "examples"))); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(examples, "scenarios", "module-for-each")
	// The providers are in this process, so Terraform needs no init, only the module.
	vault := newStubVault(t)
	env := map[string]string{
		"QUALYTICS_URL": s.URL, "QUALYTICS_TOKEN": s.AdminToken(), "QUALYTICS_API_PATH": s.APIPath(),
	}
	attached := tfexec.Reattach(tfexec.ReattachInfo{
		"hashicorp/kubernetes": attach(t, vault.stub("kubernetes")),
		"hashicorp/vault":      attach(t, vault.stub("vault")),
		"integrations/github":  attach(t, vault.stub("github")),
		"qualytics/qualytics":  attach(t, inProcess(s, env)),
	})
	moved, err := tfexec.NewTerraform(folder, tf.ExecPath())
	if err != nil {
		t.Fatal(err)
	}
	if err := moved.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := moved.Apply(t.Context(), attached); err != nil {
			t.Fatal(err)
		}
		if changes, err := moved.Plan(t.Context(), attached); err != nil || changes {
			t.Errorf("the next plan: changes %v, error %v", changes, err)
		}
		s.Clock.Advance(80 * day)
	}
	for _, kind := range []string{"github_actions_secret", "kubernetes_secret_v1", "vault_kv_secret_v2"} {
		if got := vault.written[kind]; len(got) != 2 || got[0] == got[1] || !strings.Contains(got[1], "eyJ") {
			t.Errorf("%s received %d secrets, want two different ones", kind, len(got))
		}
	}
	if err := moved.Destroy(t.Context(), attached); err != nil {
		t.Error(err)
	}
	if err := nothingLeft(s); err != nil {
		t.Error(err)
	}
}

// attach serves a provider of this process to a CLI that the test runs.
func attach(t *testing.T, factory func() (tfprotov6.ProviderServer, error)) tfexec.ReattachConfig {
	t.Helper()
	server, err := factory()
	if err != nil {
		t.Fatal(err)
	}
	config, closed := make(chan *plugin.ReattachConfig), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		<-closed
	})
	go func() {
		if err := tf6server.Serve("test", func() tfprotov6.ProviderServer { return server },
			tf6server.WithDebug(ctx, config, closed), tf6server.WithLoggingSink(t)); err != nil {
			t.Error(err)
		}
	}()
	c := <-config
	return tfexec.ReattachConfig{
		Protocol: string(c.Protocol), ProtocolVersion: c.ProtocolVersion, Pid: c.Pid, Test: c.Test,
		Addr: tfexec.ReattachConfigAddr{Network: c.Addr.Network(), String: c.Addr.String()},
	}
}

// The scenario with for_each, which the testing framework does not support.
func TestAccInfraRepo(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Options{})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), example(t, "scenarios/infra-repo"))
	if err := tf.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if changes, err := tf.Plan(t.Context()); err != nil || changes {
		t.Errorf("the next plan: changes %v, error %v", changes, err)
	}
	if accounts, tokens := s.ServiceAccounts(), s.Tokens(); len(accounts) != 3 || len(tokens) != 3 {
		t.Errorf("%d accounts and %d tokens, want 3 of each", len(accounts), len(tokens))
	}
	if err := tf.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
	if err := nothingLeft(s); err != nil {
		t.Error(err)
	}
}

// The module's own tests, with terraform test.
func TestAccModule(t *testing.T) {
	t.Parallel()
	onEveryServer(t, func(t *testing.T, s *qualyticstest.Server) {
		tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), "")
		if err := os.Remove(filepath.Join(tf.WorkingDir(), "main.tf")); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(tf.WorkingDir(),
			os.DirFS(filepath.Join(root, "examples", "modules", "service-account"))); err != nil {
			t.Fatal(err)
		}
		if lacking(t, "TestAccModule/mocked") != "" {
			if err := os.Remove(filepath.Join(tf.WorkingDir(), "tests", "mocked.tftest.hcl")); err != nil {
				t.Fatal(err)
			}
		}
		out, err := tf.raw(t, "test", "-no-color")
		if err != nil || !strings.Contains(out, "0 failed") {
			t.Errorf("%v: %s", err, out)
		}
		if left := s.ServiceAccounts(); len(left) > 0 {
			t.Errorf("the tests leave %+v", left)
		}
	})
}

// Modules that use the provider can be tested with a bare mock, which invents IDs.
func TestAccMockProvider(t *testing.T) {
	t.Parallel()
	tf := cli(t, "", "", "", `
resource "qualytics_service_account" "test" {
  name  = "x"
  role  = "Member"
  teams = ["Data"]
}
resource "qualytics_service_token" "test" {
  service_account_id = qualytics_service_account.test.id
  name_prefix        = "ci-"
  expires_in_days    = 30
  rotate_before_days = 7
}
data "qualytics_service_account" "test" {
  id = qualytics_service_account.test.id
}
data "qualytics_service_accounts" "test" {}
data "qualytics_service_tokens" "test" {
  service_account_id = qualytics_service_account.test.id
}
data "qualytics_team" "test" {
  name = "x"
}
data "qualytics_teams" "test" {}
data "qualytics_current_user" "test" {}
`)
	if err := os.Mkdir(filepath.Join(tf.WorkingDir(), "tests"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(tf.WorkingDir(), "tests", "mock.tftest.hcl"), `
mock_provider "qualytics" {}
run "apply" {
  assert {
    condition     = qualytics_service_token.test.service_account_id == qualytics_service_account.test.id
    error_message = "The token does not belong to the account."
  }
}
`)
	if out, err := tf.raw(t, "test", "-no-color"); err != nil || !strings.Contains(out, "1 passed, 0 failed") {
		t.Errorf("%v: %s", err, out)
	}
}
