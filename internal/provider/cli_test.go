// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// buildProgram builds a main package of this repository.
func buildProgram(t *testing.T, pkg, to string, flags ...string) {
	t.Helper()
	args := slices.Concat([]string{"build", "-o", to}, flags, []string{pkg})
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// providerFolder returns a folder with the provider, which is built once for all tests.
func providerFolder(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "qualytics-provider-") //nolint:usetesting // It outlives the test that builds it.
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
		buildProgram(t, "../..", filepath.Join(dir, "terraform-provider-qualytics"))
	})
	return built.dir
}

// TestMain removes that folder in the end.
func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

var built struct {
	once sync.Once
	dir  string
}

// terraformCLI is a Terraform CLI with its own working directory.
type terraformCLI struct {
	*tfexec.Terraform

	env map[string]string
}

func (c *terraformCLI) setenv(t *testing.T, name, value string) {
	t.Helper()
	c.env[name] = value
	if err := c.SetEnv(c.env); err != nil {
		t.Fatal(err)
	}
}

// raw runs a command that tfexec does not support, and returns its output.
func (c *terraformCLI) raw(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.ExecPath(), args...)
	cmd.Dir = c.WorkingDir()
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// cli returns a Terraform with the provider of this repository and a configuration.
func cli(t *testing.T, url, token, apiPath, config string) *terraformCLI {
	t.Helper()
	requireCLI(t)
	installed, err := theCLI()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // Terraform's working directory and home
	plugins := providerFolder(t)
	writeFile(t, filepath.Join(dir, "rc"), fmt.Sprintf(
		"provider_installation {\n dev_overrides {\n \"qualytics/qualytics\" = %q\n }\n direct {}\n}\n", plugins))
	writeFile(t, filepath.Join(dir, "main.tf"), "terraform {\n  required_providers {\n    qualytics = {\n      "+
		"source = \"qualytics/qualytics\"\n    }\n  }\n}\n"+config)
	tf, err := tfexec.NewTerraform(dir, installed.path)
	if err != nil {
		t.Fatal(err)
	}
	c := &terraformCLI{Terraform: tf, env: map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": dir, "TF_CLI_CONFIG_FILE": filepath.Join(dir, "rc"),
		"QUALYTICS_URL": url, "QUALYTICS_TOKEN": token,
	}}
	c.setenv(t, "QUALYTICS_API_PATH", apiPath)
	return c
}
