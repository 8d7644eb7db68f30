// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-exec/tfexec"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The tests of this file drive a real Terraform or OpenTofu. They run when
// TF_ACC is set.

const (
	accountAddress = accountType + ".test"
	tokenAddress   = tokenType + ".test"
)

// onEveryServer runs an acceptance test against each profile.
func onEveryServer(t *testing.T, test func(t *testing.T, s *qualyticstest.Server)) {
	t.Helper()
	for _, profile := range qualyticstest.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			requireCLI(t)
			test(t, newServer(t, qualyticstest.Options{Profile: &profile}))
		})
	}
}

// onEveryProfileWithCLI runs a test of the testing framework against each profile; the provider
// runs in this process and shares the server's clock.
func onEveryProfileWithCLI(t *testing.T, test func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase)) {
	t.Helper()
	onEveryServer(t, func(t *testing.T, s *qualyticstest.Server) {
		test(t, s, resource.TestCase{
			ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){
				"qualytics": inProcess(s, nil),
			},
			CheckDestroy: func(*terraform.State) error { return nothingLeft(s) },
		})
	})
}

// inProcess returns the provider of this process, which shares the clock of a server and does
// not wait.
func inProcess(s *qualyticstest.Server, environment map[string]string) func() (tfprotov6.ProviderServer, error) {
	return func() (tfprotov6.ProviderServer, error) {
		return provider.NewServer("test", provider.Environment{
			LookupEnv: func(name string) (string, bool) { value, ok := environment[name]; return value, ok },
			HomeDir:   func() (string, error) { return "", errors.New("none") },
			Now:       s.Clock.Now,
			Sleep:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		})
	}
}

// nothingLeft reports what Terraform left on the server.
func nothingLeft(s *qualyticstest.Server) error {
	if accounts, tokens := s.ServiceAccounts(), s.Tokens(); len(accounts)+len(tokens) > 0 {
		return fmt.Errorf("left on the server: accounts %+v, tokens %+v", accounts, tokens)
	}
	return nil
}

func providerBlock(s *qualyticstest.Server) string {
	return fmt.Sprintf("provider \"qualytics\" {\n  url = %q\n  token = %q\n  api_path = %q\n}\n", s.URL,
		s.AdminToken(), s.APIPath())
}

const accountConfig = `
resource "qualytics_service_account" "test" {
  name = %q
  role = %q
  %s
}
`

const tokenConfig = `
resource "qualytics_service_token" "test" {
  service_account_id = qualytics_service_account.test.id
  %s
}
`

const consumerConfig = `
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.test.token)
}
`

const outputConfig = `
output "token" {
  value     = qualytics_service_token.test.token
  sensitive = true
}
`

func attribute(address, name string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(name), check)
}

func actions(pairs ...any) resource.ConfigPlanChecks {
	var checks []plancheck.PlanCheck
	for i := 0; i < len(pairs); i += 2 {
		address, _ := pairs[i].(string)
		action, _ := pairs[i+1].(plancheck.ResourceActionType)
		checks = append(checks, plancheck.ExpectResourceAction(address, action))
	}
	return resource.ConfigPlanChecks{
		PreApply:             checks,
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

// An account and its token are created, imported in every way, updated, and destroyed, and each
// plan after an apply is clean.
func TestAccLifecycle(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		config := func(role, teams, token string) string {
			return providerBlock(s) + fmt.Sprintf(accountConfig, "API Access", role,
				teams) + fmt.Sprintf(tokenConfig, token)
		}
		const token = "name = \"ci\"\n  expires_in_days = 90"
		importID := func(format string) resource.ImportStateIdFunc {
			return func(*terraform.State) (string, error) {
				return fmt.Sprintf(format, s.ServiceAccounts()[0].ID, s.Tokens()[0].ID), nil
			}
		}
		created := config("Member", `teams = ["data engineering"]`, token)
		tc.Steps = []resource.TestStep{
			{
				Config: created,
				ConfigPlanChecks: actions(accountAddress, plancheck.ResourceActionCreate, tokenAddress,
					plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					attribute(accountAddress, "user_id", knownvalue.StringExact("api_access@service")),
					attribute(accountAddress, "role", knownvalue.StringExact("Member")),
					attribute(accountAddress, "teams",
						knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("data engineering")})),
					attribute(accountAddress, "revoke_tokens_on_destroy", knownvalue.Bool(false)),
					attribute(tokenAddress, "token", knownvalue.StringRegexp(regexp.MustCompile(`^eyJ`))),
					attribute(tokenAddress, "status", knownvalue.StringExact("active")),
					attribute(tokenAddress, "scim_endpoints_only", knownvalue.Bool(false)),
					attribute(tokenAddress, "deletion_policy", knownvalue.StringExact("delete")),
				},
			},
			{
				ResourceName:            accountAddress,
				ImportState:             true,
				ImportStateVerify:       true,
				ImportStateVerifyIgnore: []string{"teams"},
				ImportStateIdFunc:       importID("%[1]d"),
			},
			{
				ResourceName:            accountAddress,
				ImportState:             true,
				ImportStateVerify:       true,
				ImportStateVerifyIgnore: []string{"teams"},
				ImportStateId:           "api_access@service",
			},
			{
				ResourceName:            tokenAddress,
				ImportState:             true,
				ImportStateVerify:       true,
				ImportStateVerifyIgnore: []string{"token", "created_at"},
				ImportStateIdFunc:       importID("%[2]d"),
			},
			{
				ResourceName:            tokenAddress,
				ImportState:             true,
				ImportStateVerify:       true,
				ImportStateVerifyIgnore: []string{"token", "created_at"},
				ImportStateIdFunc:       importID("%[1]d/ci"),
			},
			{
				ResourceName:            tokenAddress,
				ImportState:             true,
				ImportStateVerify:       true,
				ImportStateVerifyIgnore: []string{"token", "created_at"},
				ImportStateId:           "api_access@service/ci",
			},
			{
				Config:           config("Member", `teams = ["Public", "DATA ENGINEERING"]`, token),
				ConfigPlanChecks: actions(accountAddress, plancheck.ResourceActionNoop),
			},
			{
				Config: config("Manager", `teams = []`, token),
				ConfigPlanChecks: actions(accountAddress, plancheck.ResourceActionUpdate, tokenAddress,
					plancheck.ResourceActionNoop),
			},
			{
				Config:           config("Manager", "", token),
				ConfigPlanChecks: actions(accountAddress, plancheck.ResourceActionNoop),
			},
			{
				Config:           config("Manager", "", `name = "other"`),
				ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					attribute(tokenAddress, "expires_at", knownvalue.Null()),
				},
			},
		}
		resource.Test(t, tc)
	})
}

// What someone changes in Qualytics is found and set back; a token that someone revoked is
// rotated.
func TestAccDrift(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		config := providerBlock(s) + fmt.Sprintf(accountConfig, "API Access", "Member",
			`teams = ["Data Quality"]`) + fmt.Sprintf(tokenConfig, `name_prefix = "ci-"`) + outputConfig
		account := func(edit func(*qualyticstest.User)) func() {
			return func() { s.EditUser(s.ServiceAccounts()[0].ID, edit) }
		}
		tc.Steps = []resource.TestStep{
			{Config: config},
			{
				PreConfig: account(func(u *qualyticstest.User) { u.Role, u.Teams = "Admin", nil }),
				Config:    config,
				ConfigPlanChecks: actions(accountAddress, plancheck.ResourceActionUpdate, tokenAddress,
					plancheck.ResourceActionNoop),
			},
			{
				PreConfig: func() {
					s.EditToken(s.Tokens()[0].ID, func(t *qualyticstest.Token) { t.Active = false })
				},
				Config: config, ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionUpdate),
			},
			{
				PreConfig: func() { s.RemoveToken(s.Tokens()[0].ID) },
				Config:    config,
				ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionCreate, accountAddress,
					plancheck.ResourceActionNoop),
			},
			{
				PreConfig: func() {
					now := s.Clock.Now()
					s.RemoveToken(s.Tokens()[0].ID)
					s.EditUser(s.ServiceAccounts()[0].ID, func(u *qualyticstest.User) { u.Deleted = &now })
				},
				Config:      config,
				ExpectError: regexp.MustCompile(`Reactivate it\s+in\s+Qualytics`),
			},
		}
		resource.Test(t, tc)
	})
}

// What cannot be applied is an error that says what to do, and nothing is created.
func TestAccErrors(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		taken := s.AddUser(qualyticstest.User{Name: "Taken"})
		account := func(name, role, teams string) string {
			return providerBlock(s) + fmt.Sprintf(accountConfig, name, role, teams)
		}
		step := func(config, want string) resource.TestStep {
			return resource.TestStep{
				Config:      config,
				ExpectError: regexp.MustCompile(strings.ReplaceAll(want, " ", `\s+`)),
			}
		}
		tc.CheckDestroy = func(*terraform.State) error {
			if n := len(s.ServiceAccounts()); n != 1 {
				return fmt.Errorf("%d accounts, want the one that was there", n)
			}
			return nil
		}
		tc.Steps = []resource.TestStep{
			step(account("", "Member", ""), "between 1 and 255"),
			step(account("x", "Boss", ""), "must be one of"),
			step(account("x", "Member", `teams = [""]`), "at least 1"),
			step(account("x", "Member", `teams = ["Data Qality"]`), `There is no team "Data Qality"`),
			step(account("Taken", "Member", ""),
				fmt.Sprintf("terraform import qualytics_service_account.NAME %d", taken.ID)),
			{
				Config:        account("x", "Member", ""),
				ResourceName:  accountAddress,
				ImportState:   true,
				ImportStateId: "missing@service",
				ExpectError:   regexp.MustCompile(`No\s+service\s+account\s+has`),
			},
		}
		resource.Test(t, tc)
	})
}

// A rotation without an outage: the new token is created beside the old one, everything that
// depends on it is updated, and the old token is deleted after the overlap.
func TestAccZeroDowntime(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		config := providerBlock(s) + fmt.Sprintf(accountConfig, "API Access", "Member", "") + fmt.Sprintf(tokenConfig,
			"name_prefix = \"ci-\"\n  expires_in_days = 90\n  rotate_before_days = 14") + consumerConfig
		writes := func(want ...string) resource.TestCheckFunc {
			return func(*terraform.State) error {
				if diff := cmp.Diff(want, s.Writes()); diff != "" {
					return fmt.Errorf("writes, want -, got +:\n%s", diff)
				}
				return nil
			}
		}
		after := func(days int, more func()) func() {
			return func() {
				s.Clock.Advance(time.Duration(days) * day)
				s.ClearRequests()
				if more != nil {
					more()
				}
			}
		}
		updated := actions(tokenAddress, plancheck.ResourceActionUpdate)
		tc.Steps = []resource.TestStep{
			{Config: config, ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionCreate)},
			{
				PreConfig: after(77, nil),
				Config:    config,
				ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionUpdate,
					"terraform_data.consumer", plancheck.ResourceActionUpdate),
				Check: writes("POST /user-tokens"),
			},
			{Config: config, ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionNoop)},
			{
				PreConfig: after(8, nil), Config: config,
				ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionUpdate,
					"terraform_data.consumer", plancheck.ResourceActionNoop),
				Check: func(*terraform.State) error {
					if n := len(s.Tokens()); n != 1 {
						return fmt.Errorf("%d tokens, want one", n)
					}
					return nil
				},
			},
			{
				PreConfig: after(80, func() {
					s.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On("POST", "/user-tokens"))
				}),
				Config: config, ExpectError: regexp.MustCompile(`Unable to create service token`),
			},
			{Config: config, ConfigPlanChecks: updated},
			{
				PreConfig: after(8, func() { s.Fail(qualyticstest.HTML(500).On("PUT", "/user-tokens/*")) }),
				Config:    config, ExpectError: regexp.MustCompile("Unable to remove retiring service token"),
			},
			{
				Config: config, ConfigPlanChecks: updated,
				Check: func(*terraform.State) error {
					if n := len(s.Tokens()); n != 1 {
						return fmt.Errorf("%d tokens, want one", n)
					}
					return nil
				},
			},
		}
		resource.Test(t, tc)
	})
}

// The update of a consumer fails, and its state has the planned values all the same, so the
// next plan is clean. The old token, which is all that the consumer has, stays valid while it
// is in use. -replace of the consumer ends that.
func TestAccFailedConsumer(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		const consumer = "kubernetes_secret_v1"
		vault := newStubVault(t)
		tc.ProtoV6ProviderFactories["kubernetes"] = vault.stub("kubernetes")
		config := providerBlock(s) + fmt.Sprintf(accountConfig, "API Access", "Member", "") + fmt.Sprintf(tokenConfig,
			"name_prefix = \"ci-\"\n  expires_in_days = 90\n  rotate_before_days = 14") + `
resource "kubernetes_secret_v1" "test" {
  metadata {
    name = "qualytics"
  }
  data_wo          = { token = qualytics_service_token.test.token }
  data_wo_revision = tonumber(qualytics_service_token.test.id)
}
`
		working := func(old bool, tokens int) resource.TestCheckFunc {
			return func(*terraform.State) error {
				all, secret := s.Tokens(), vault.stored(consumer)
				for i, token := range all {
					if s.Bearer(token.ID) == secret && token.Active && len(all) == tokens && old == (i < len(all)-1) {
						return nil
					}
				}
				return fmt.Errorf("the token of the consumer does not work, or is not the expected one: %+v", all)
			}
		}
		use := func(days int) func() {
			return func() {
				s.Clock.Advance(time.Duration(days) * day)
				now := s.Clock.Now()
				for _, token := range s.Tokens() {
					if s.Bearer(token.ID) == vault.stored(consumer) {
						s.EditToken(token.ID, func(t *qualyticstest.Token) { t.LastUsed = &now })
					}
				}
			}
		}
		unchanged := actions(tokenAddress, plancheck.ResourceActionNoop, consumer+".test", plancheck.ResourceActionNoop)
		tc.Steps = []resource.TestStep{
			{Config: config, Check: working(false, 1)},
			{
				PreConfig: func() { s.Clock.Advance(77 * day); vault.fail(true) },
				Config:    config, ExpectError: regexp.MustCompile("Stubbed update failed"),
			},
			{
				PreConfig: func() { vault.fail(false); use(1)() }, Config: config, ConfigPlanChecks: unchanged,
				Check: working(true, 2),
			},
			{PreConfig: use(7), Config: config, ConfigPlanChecks: unchanged, Check: working(true, 2)},
			{ // the old token expires in 4 days
				PreConfig: use(1), Config: config, Taint: []string{consumer + ".test"}, Check: working(false, 2),
			},
			{
				PreConfig: func() { s.Clock.Advance(3 * day) }, Config: config, ConfigPlanChecks: unchanged,
				Check: working(false, 2),
			},
			{
				PreConfig: func() { s.Clock.Advance(2 * day) }, Config: config,
				ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionUpdate), Check: working(false, 1),
			},
		}
		resource.Test(t, tc)
	})
}

// A fixed name that stays the same is a replacement, which cannot create the new token first.
func TestAccFixedNameCreateBeforeDestroy(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		config := func(name string, days int) string {
			return providerBlock(s) + fmt.Sprintf(accountConfig, "API Access", "Member", "") +
				fmt.Sprintf(tokenConfig, fmt.Sprintf("name = %q\n  expires_in_days = %d\n  lifecycle {\n    "+
					"create_before_destroy = true\n  }", name, days))
		}
		tc.Steps = []resource.TestStep{
			{Config: config("ci", 30)},
			{Config: config("ci", 60), ExpectError: regexp.MustCompile(`use\s+name_prefix\s+instead\s+of\s+name`)},
			{Config: config("ci", 30), ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionNoop)},
			{Config: config("renamed", 60), ConfigPlanChecks: actions(tokenAddress, plancheck.ResourceActionUpdate)},
		}
		resource.Test(t, tc)
	})
}

// An ephemeral token exists during the run, and nothing is left of it.
func TestAccEphemeral(t *testing.T) {
	t.Parallel()
	onEveryProfileWithCLI(t, func(t *testing.T, s *qualyticstest.Server, tc resource.TestCase) {
		tc.ProtoV6ProviderFactories["echo"] = echoprovider.NewProviderServer()
		owner := s.AddUser(qualyticstest.User{Name: "Owner"})
		tc.CheckDestroy = func(*terraform.State) error {
			if n := len(s.Tokens()); n != 0 {
				return fmt.Errorf("%d tokens are left", n)
			}
			return nil
		}
		tc.Steps = []resource.TestStep{{
			Config: providerBlock(s) + fmt.Sprintf(`
ephemeral "qualytics_service_token" "test" {
  service_account_id = %q
}

provider "echo" {
  data = ephemeral.qualytics_service_token.test
}

resource "echo" "test" {}
`, fmt.Sprint(owner.ID)),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("echo.test", tfjsonpath.New("data").AtMapKey("name"),
					knownvalue.StringRegexp(regexp.MustCompile(`^terraform-\d{17}`))),
				statecheck.ExpectKnownValue("echo.test", tfjsonpath.New("data").AtMapKey("token"),
					knownvalue.StringRegexp(regexp.MustCompile(`^eyJ`))),
			},
			Check: func(*terraform.State) error {
				if !slices.Contains(s.Writes(), "POST /user-tokens") || len(s.Tokens()) != 0 {
					return fmt.Errorf("writes %v, tokens %+v", s.Writes(), s.Tokens())
				}
				return nil
			},
		}}
		resource.Test(t, tc)
	})
}

// An apply with -target on a consumer of the token rotates the token in place. The old one
// stays for the overlap.
func TestAccRotationWithTarget(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Build202609()
	clock := &qualyticstest.Clock{}
	clock.Advance(-2 * day) // the provider uses the real clock, so a token created now is two days old for it
	s := newServer(t, qualyticstest.Options{Profile: &profile, Clock: clock})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), `
variable "window" { default = 14 }
resource "qualytics_service_account" "test" {
  name = "Target"
  role = "Member"
}
resource "qualytics_service_token" "test" {
  service_account_id = qualytics_service_account.test.id
  name_prefix        = "ci-"
  expires_in_days    = 30
  rotate_before_days = var.window
}
resource "terraform_data" "consumer" {
  input = qualytics_service_token.test.id
}
resource "terraform_data" "bystander" {
  input = "not targeted"
}
`)
	due := tfexec.Var("window=29")
	if err := tf.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * day) // the window covers today, and a new token is not due
	if err := tf.Apply(t.Context(), due, tfexec.Target("terraform_data.consumer")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := s.Tokens(); len(got) != 2 || !got[0].Active || !got[1].Active {
			t.Errorf("tokens %+v, want two that work", got)
		}
		if err := tf.Apply(t.Context(), due); err != nil {
			t.Fatal(err)
		}
	}
	if changes, err := tf.Plan(t.Context(), due); err != nil || changes {
		t.Errorf("the plan after it: changes %v, error %v", changes, err)
	}
}

// Without a refresh, the rotation goes by the clock.
func TestAccRotationWithoutRefresh(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Build202609()
	clock := &qualyticstest.Clock{}
	clock.Advance(-25 * day)
	s := newServer(t, qualyticstest.Options{Profile: &profile, Clock: clock})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), fmt.Sprintf(`
resource "qualytics_service_token" "test" {
  service_account_id = "%d"
  name_prefix        = "ci-"
  expires_in_days    = 30
  rotate_before_days = 7
}
`, s.AddUser(qualyticstest.User{Name: "Owner"}).ID))
	if err := tf.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.Advance(25 * day)
	noRefresh := tfexec.Refresh(false)
	if changes, err := tf.Plan(t.Context(), noRefresh, tfexec.Out("saved")); err != nil || !changes {
		t.Fatalf("changes %v, error %v", changes, err)
	}
	if err := tf.Apply(t.Context(), tfexec.DirOrPlan("saved")); err != nil {
		t.Fatal(err)
	}
	if got := s.Tokens(); len(got) != 2 || !got[0].Active || !got[1].Active {
		t.Errorf("tokens %+v, want two that work", got)
	}
	s.ClearRequests()
	if changes, err := tf.Plan(t.Context(), noRefresh); err != nil || changes || len(s.Requests()) > 0 {
		t.Errorf("the next plan: changes %v, %d requests, error %v", changes, len(s.Requests()), err)
	}
}
