// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"os"
	"strings"
	"testing"
)

// The demo runs a real CLI from the repository's root, as make does.
func TestAccDemo(t *testing.T) {
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance test: it runs a Terraform CLI, so it requires TF_ACC=1, which make test sets")
	}
	t.Chdir("../../..")
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := run(stopped); err == nil {
		t.Error("it goes on after an interrupt")
	}
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

func TestDemoWithoutCLI(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("TF_ACC_TERRAFORM_PATH", "")
	err := run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "Install Terraform 1.0 or newer") ||
		!strings.Contains(err.Error(), "OpenTofu 1.6") {
		t.Errorf("got %v", err)
	}
}
