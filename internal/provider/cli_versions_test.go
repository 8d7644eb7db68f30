// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-version"
)

// need is what a test and its subtests require.
type need struct {
	test      string
	terraform string // first version
	openTofu  string // first version, or none
	reason    string
	variable  string // of the environment, which must be set
}

const none = "" // no version of OpenTofu

// The reasons that several tests have.
const (
	checkBlocks    = "check blocks"
	dataResource   = "terraform_data"
	ephemeralToken = "ephemeral resources"
	writeOnly      = "write-only arguments"
)

// needs are the tests that do not run with every CLI. All others run with Terraform 1.0
// and OpenTofu 1.6.
var needs = []need{
	{"TestAccAdoptWithImportBlocks", "1.5", "1.6", "generated configuration", ""},
	{"TestAccAdoptWithQuery", "1.14", none, "list resources", ""},
	{"TestAccAudit", "1.5", "1.6", checkBlocks, ""},
	{"TestAccConsumers", "1.11", "1.11", "the providers of the scenarios: make test-consumers", "CONSUMER_PLUGINS"},
	{"TestAccDataSourceExamples", "1.5", "1.6", checkBlocks, ""},
	{"TestAccEphemeral", "1.10", "1.11", ephemeralToken, ""},
	{"TestAccEphemeralExample", "1.10", "1.11", ephemeralToken, ""},
	{"TestAccEphemeralTokenOfFailedRun", "1.10", "1.11", ephemeralToken, ""},
	{"TestAccFailedConsumer", "1.11", "1.11", writeOnly, ""},
	{"TestAccImportByIdentity", "1.12", "1.12", "import by identity", ""},
	{"TestAccMockProvider", "1.7", "1.8", "mock_provider", ""},
	{"TestAccModule", "1.6", "1.6", "terraform test", ""},
	{"TestAccModule/mocked", "1.7", "1.8", "mock_provider", ""},
	{"TestAccModuleForEach", "1.11", "1.11", writeOnly, ""},
	{"TestAccPolicyPlans", "1.11", "1.11", "plans that are comparable with the stored ones", ""},
	{"TestAccRealDeployment", "1.0", "1.6", "a real deployment, which it changes: make testacc-real", "QUALYTICS_REAL"},
	{"TestAccRevokeAction", "1.14", none, "actions", ""},
	{"TestAccRotationRoutines", "1.4", "1.6", dataResource, ""},
	{"TestAccRotationWithTarget", "1.4", "1.6", dataResource, ""},
	{"TestAccScenarios/aws-secrets-manager", "1.11", "1.11", writeOnly, ""},
	{"TestAccScenarios/hcp-terraform", "1.5", "1.6", checkBlocks, ""},
	{"TestAccScenarios/hcp-terraform-variable", "1.11", "1.11", writeOnly, ""},
	{"TestAccScenarios/kubernetes", "1.11", "1.11", writeOnly, ""},
	{"TestAccScenarios/vault", "1.11", "1.11", writeOnly, ""},
	{"TestAccVaultProviderToken", "1.11", "1.11", writeOnly, ""},
	{"TestAccZeroDowntime", "1.4", "1.6", dataResource, ""},
}

// requireCLI skips an acceptance test that cannot run here, and says why.
func requireCLI(t *testing.T) {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance test: it runs a Terraform CLI, so it requires TF_ACC=1, which make test sets")
	}
	if missing := lacking(t, t.Name()); missing != "" {
		t.Skip(missing)
	}
}

// lacking returns what a test or a part of one requires and lacks here, or "".
func lacking(t *testing.T, name string) string {
	t.Helper()
	cli, err := theCLI()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range needs {
		if name == n.test || strings.HasPrefix(name, n.test+"/") {
			if missing := n.lacking(cli); missing != "" {
				return missing
			}
		}
	}
	return ""
}

// lacking returns what is missing of a need, or "".
func (n need) lacking(cli installedCLI) string {
	floor, product := n.terraform, "Terraform"
	if cli.openTofu {
		floor, product = n.openTofu, "OpenTofu"
	}
	switch {
	case n.variable != "" && os.Getenv(n.variable) == "":
		return fmt.Sprintf("requires %s: %s is not set", n.reason, n.variable)
	case floor == none:
		return fmt.Sprintf("requires %s, which %s does not have", n.reason, product)
	case cli.version.Core().LessThan(version.Must(version.NewVersion(floor))):
		return fmt.Sprintf("requires %s: %s %s, and this is %s", n.reason, product, floor, cli.version)
	}
	return ""
}

// installedCLI is the Terraform or OpenTofu that runs the acceptance tests.
type installedCLI struct {
	path     string
	version  *version.Version
	openTofu bool
}

var cliVersion = regexp.MustCompile(`(?m)^(Terraform|OpenTofu) v(\S+)`)

// theCLI returns the CLI that TF_ACC_TERRAFORM_PATH names, or the one on PATH.
var theCLI = sync.OnceValues(func() (installedCLI, error) {
	cli := installedCLI{path: os.Getenv("TF_ACC_TERRAFORM_PATH")}
	if cli.path == "" {
		found, err := exec.LookPath("terraform")
		if err != nil {
			return cli, err
		}
		cli.path = found
	}
	cmd := exec.CommandContext(context.Background(), cli.path, "version")
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
	out, err := cmd.Output()
	found := cliVersion.FindStringSubmatch(string(out))
	if err != nil || found == nil {
		return cli, fmt.Errorf("%s version: %w\n%s", cli.path, err, out)
	}
	cli.openTofu = found[1] == "OpenTofu"
	cli.version, err = version.NewVersion(found[2])
	return cli, err
})

// Each need is that of a test that exists, and the reason of a skip names the version.
func TestNeeds(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, n := range needs {
		test, _, _ := strings.Cut(n.test, "/")
		if !strings.Contains(source.String(), "func "+test+"(") || n.reason == "" {
			t.Errorf("there is no test %s, or no reason: %q", test, n.reason)
		}
	}
	actions := need{test: "x", terraform: "1.14", openTofu: none, reason: "actions"}
	for text, want := range map[string]string{
		"Terraform 1.14.0-beta1": "",
		"Terraform 1.13.5":       "requires actions: Terraform 1.14, and this is 1.13.5",
		"OpenTofu 1.15.0":        "requires actions, which OpenTofu does not have",
	} {
		product, number, _ := strings.Cut(text, " ")
		cli := installedCLI{version: version.Must(version.NewVersion(number)), openTofu: product == "OpenTofu"}
		if got := actions.lacking(cli); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
