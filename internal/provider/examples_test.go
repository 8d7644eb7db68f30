// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// example returns the .tf files of a folder in examples/, without the terraform block.
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
	return terraformBlock.ReplaceAllString(out.String(), "")
}

// terraformBlock matches the terraform block, which the tests replace.
var terraformBlock = regexp.MustCompile(`(?ms)^terraform \{.*?^\}\n`)

// Every published example can be applied, has a clean plan, and can be destroyed.
func TestAccExamples(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{
		"getting-started", "resources/qualytics_service_account", "resources/qualytics_service_token",
		"resources/qualytics_service_tokens_exclusive",
		"rotation/scheduled", "rotation/zero-downtime", "rotation/overlap", "rotation/abandon", "rotation/on-demand",
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
				if strings.HasPrefix(folder, "rotation/") { // their consumers are terraform_data
					tc.TerraformVersionChecks = []tfversion.TerraformVersionCheck{
						tfversion.SkipBelow(tfversion.Version1_4_0),
					}
				}
				if folder == "rotation/abandon" { // its token outlives it; an account with an active token cannot go
					tc.CheckDestroy = nil
					tc.Steps = append(tc.Steps, resource.TestStep{
						PreConfig: func() {
							s.EditProfile(func(p *qualyticstest.Profile) { p.ExpiredIsInactive = true })
							s.Clock.Advance(61 * day)
						},
						Config: providerBlock(s),
					})
				}
				resource.Test(t, tc)
			})
		})
	}
}

// The examples of the rotation guide: the writes of a rotation, and a clean plan
// after it.
func TestAccRotationRoutines(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{
		"rotation/scheduled":     `^PUT \S+ DELETE \S+ POST /user-tokens$`,
		"rotation/zero-downtime": `^POST /user-tokens PUT \S+ DELETE \S+$`,
		"rotation/overlap":       `^POST /user-tokens$`,
		"rotation/abandon":       `^POST /user-tokens$`,
		"rotation/on-demand":     `^POST /user-tokens PUT \S+ DELETE \S+$`,
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
				tc.TerraformVersionChecks = []tfversion.TerraformVersionCheck{
					tfversion.SkipBelow(tfversion.Version1_4_0),
				}
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
				tc.CheckDestroy = nil
				tc.Steps = []resource.TestStep{{Config: text}, rotate}
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
				if folder == "rotation/abandon" {
					tc.Steps = append(tc.Steps, resource.TestStep{
						PreConfig: func() {
							s.EditProfile(func(p *qualyticstest.Profile) { p.ExpiredIsInactive = true })
							for _, token := range s.Tokens() {
								if !token.Active {
									t.Errorf("the token %q was revoked", token.Name)
								}
							}
							s.Clock.Advance(61 * day)
						},
						Config: providerBlock(s),
					})
				}
				resource.Test(t, tc)
			})
		})
	}
}

func TestAccDataSourceExamples(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		owner := s.AddUser(qualyticstest.User{Name: "Airflow"})
		s.AddToken(qualyticstest.Token{Name: "by hand", UserID: owner.ID})
		tc.TerraformVersionChecks = []tfversion.TerraformVersionCheck{
			tfversion.SkipBelow(tfversion.Version1_5_0),
		} // check blocks
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

func TestAccAudit(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		// The configuration compares with the real time, so the server's is real as well.
		owner := s.AddUser(qualyticstest.User{Name: "Airflow", Role: "Admin"})
		until := s.Clock.Now().Add(300 * day)
		s.AddToken(qualyticstest.Token{Name: "fine", UserID: owner.ID, Expiration: &until})
		tc.TerraformVersionChecks = []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_5_0)}
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

func TestAccEphemeralExample(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Build202609()
	s := newServer(t, qualyticstest.Options{Profile: &profile})
	owner := s.AddUser(qualyticstest.User{Name: "Owner"})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), example(t, "ephemeral-resources/qualytics_service_token"))
	skipBelow(t, tf, "1.10.0")
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
		floor  *version.Version
	}{
		{"scim-connector", "", tfversion.Version1_0_0},
		{"sealed-output", "", tfversion.Version1_0_0},
		{"encrypted-file", "local_file", tfversion.Version1_0_0},
		{"hcp-terraform", "", tfversion.Version1_5_0},                   // check blocks
		{"kubernetes", "kubernetes_secret_v1", tfversion.Version1_11_0}, // write-only arguments
		{"aws-secrets-manager", "aws_secretsmanager_secret_version", tfversion.Version1_11_0},
		{"vault", "vault_kv_secret_v2", tfversion.Version1_11_0},
		{"github-actions", "github_actions_secret", tfversion.Version1_0_0},
	} {
		t.Run(tc.folder, func(t *testing.T) {
			t.Parallel()
			onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, c resource.TestCase) {
				vault := newStubVault(t)
				if tc.kind != "" {
					name := stubbed[tc.kind].provider
					c.ProtoV6ProviderFactories[name] = vault.stub(name)
				}
				c.TerraformVersionChecks = []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tc.floor)}
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
	for _, profile := range qualyticstest.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, qualyticstest.Options{Profile: &profile})
			tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), "")
			skipBelow(t, tf, "1.6.0")
			if err := os.Remove(filepath.Join(tf.WorkingDir(), "main.tf")); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(tf.WorkingDir(),
				os.DirFS(filepath.Join(root, "examples", "modules", "service-account"))); err != nil {
				t.Fatal(err)
			}
			if older(t, tf, "1.7.0") { // without mock_provider
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
	skipBelow(t, tf, "1.8.0") // OpenTofu has mock_provider from 1.8, Terraform from 1.7
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
