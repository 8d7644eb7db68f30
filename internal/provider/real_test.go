// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// An account and its tokens on a real deployment: make testacc-real. make sweep removes
// what an interrupted test leaves.
func TestAccRealDeployment(t *testing.T) {
	t.Parallel()
	requireCLI(t)
	name := fmt.Sprintf("tfacc-%d", time.Now().Unix())
	apiPath, ok := os.LookupEnv("QUALYTICS_API_PATH")
	if !ok {
		apiPath = "api"
	}
	tf := cli(t, os.Getenv("QUALYTICS_URL"), os.Getenv("QUALYTICS_TOKEN"), apiPath, fmt.Sprintf(`
variable "generation" { default = 1 }
variable "overlap" { default = 7 }
resource "qualytics_service_account" "test" {
  name                     = %q
  role                     = "Member"
  teams                    = []
  revoke_tokens_on_destroy = true
}
resource "qualytics_service_token" "test" {
  service_account_id  = qualytics_service_account.test.id
  name_prefix         = "tfacc-"
  expires_in_days     = 1
  overlap_days        = var.overlap
  rotate_when_changed = { generation = var.generation }
}
data "qualytics_service_tokens" "test" {
  service_account_id = qualytics_service_account.test.id
  status             = "active"
  depends_on         = [qualytics_service_token.test]
}
data "qualytics_current_user" "test" {}
output "active" { value = length(data.qualytics_service_tokens.test.service_tokens) }
`, name))
	defer func() { // not Cleanup, when the context is over
		if err := tf.Destroy(t.Context()); err != nil {
			t.Errorf("left behind: %v; make sweep", err)
		}
	}()
	for generation := 1; generation <= 2; generation++ {
		vars := tfexec.Var(fmt.Sprintf("generation=%d", generation))
		if err := tf.Apply(t.Context(), vars); err != nil {
			t.Fatal(err)
		}
		if changes, err := tf.Plan(t.Context(), vars); err != nil || changes {
			t.Errorf("the plan after generation %d: changes %t, error %v", generation, changes, err)
		}
		wantActive(t, tf, generation)
	}
	if err := tf.Apply(t.Context(), tfexec.Var("generation=2"), tfexec.Var("overlap=0")); err != nil {
		t.Fatal(err)
	}
	wantActive(t, tf, 1)
}

// wantActive checks how many tokens of the account are active.
func wantActive(t *testing.T, tf *terraformCLI, want int) {
	t.Helper()
	outputs, err := tf.Output(t.Context())
	if err != nil || string(outputs["active"].Value) != strconv.Itoa(want) {
		t.Errorf("%s active tokens, %v; want %d", outputs["active"].Value, err, want)
	}
}
