// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// policyConfig is planned with different variables.
const policyConfig = `
variable "account" {
  type = object({ name = string, role = string })
}
variable "expires_in_days" {
  type = number
}
variable "rotate_before_days" {
  type = number
}
variable "encrypted" {
  type = bool
}
variable "overlap_days" {
  type = number
}
variable "revoked" {
  type = bool
}
variable "generation" {
  type = number
}
variable "unknown" {
  type = bool
}
resource "terraform_data" "trigger" {
  input = var.generation
}
resource "qualytics_service_account" "airflow" {
  name                     = var.account.name
  role                     = var.account.role
  revoke_tokens_on_destroy = true
}
resource "qualytics_service_token" "airflow" {
  service_account_id  = qualytics_service_account.airflow.id
  name_prefix         = "airflow-"
  expires_in_days     = var.expires_in_days
  rotate_before_days  = var.rotate_before_days
  overlap_days        = var.overlap_days
  revoked             = var.revoked
  rotate_when_changed = { generation = var.unknown ? terraform_data.trigger.output : var.generation }
  encryption = !var.encrypted ? null : {
    algorithm  = "age"
    public_key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
  }
}
`

// policyPlans contains the plans with which the policies are tested, in this order. A plan is
// made from the state that the one before left.
var policyPlans = []struct {
	name    string
	days    int            // that have passed
	change  map[string]any // of the variables, for this plan and the following ones
	options []tfexec.PlanOption
	apply   bool
}{
	{
		name: "creation_below_standards",
		change: map[string]any{
			"account": map[string]string{"name": "airflow", "role": "Admin"}, "expires_in_days": nil,
			"rotate_before_days": nil, "encrypted": false, "overlap_days": 7, "revoked": false, "generation": 1,
			"unknown": false,
		},
	},
	{
		name: "creation",
		change: map[string]any{
			"account":         map[string]string{"name": "airflow-production", "role": "Member"},
			"expires_in_days": 90, "rotate_before_days": 14, "encrypted": true,
		},
		apply: true,
	},
	{name: "lifetime_above_standards", change: map[string]any{"expires_in_days": 365}},
	{name: "change_in_place", change: map[string]any{"expires_in_days": 90, "overlap_days": 10}},
	{name: "rotation_without_overlap", change: map[string]any{"overlap_days": 0, "generation": 2}},
	{name: "rotation_that_may_not_happen", change: map[string]any{"overlap_days": 7, "unknown": true}},
	{name: "revocation", change: map[string]any{"unknown": false, "generation": 1, "revoked": true}},
	{name: "rotation", change: map[string]any{"revoked": false, "generation": 2}, apply: true},
	{name: "second_rotation", change: map[string]any{"generation": 3}},
	{name: "end_of_overlap", days: 8, change: map[string]any{"generation": 2}},
	{name: "replacement", options: []tfexec.PlanOption{tfexec.Replace("qualytics_service_token.airflow")}},
	{
		name:   "another_account_name",
		change: map[string]any{"account": map[string]string{"name": "spark-production", "role": "Member"}},
	},
	{
		name:    "destruction",
		change:  map[string]any{"account": map[string]string{"name": "airflow-production", "role": "Member"}},
		options: []tfexec.PlanOption{tfexec.Destroy(true)},
	},
}

// The plans with which the policies are tested are those of this provider.
// POLICY_PLANS=write stores them.
func TestAccPolicyPlans(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Options{})
	tf := cli(t, "", "", "", "")
	writeFile(t, filepath.Join(tf.WorkingDir(), "main.tf"), "terraform {\n  required_providers {\n    qualytics = {\n"+
		"      source = \"qualytics/qualytics\"\n    }\n  }\n}\n"+providerBlock(s)+policyConfig)
	attached := tfexec.Reattach(tfexec.ReattachInfo{
		"qualytics/qualytics": attach(t, inProcess(s, nil)),
	})
	variables, plans := map[string]any{}, map[string]any{}
	for _, p := range policyPlans {
		s.Clock.Advance(time.Duration(p.days) * day)
		for name, value := range p.change {
			variables[name] = value
		}
		text, err := json.Marshal(variables)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(tf.WorkingDir(), "terraform.tfvars.json"), string(text))
		if _, err := tf.Plan(t.Context(), append(p.options, attached, tfexec.Out("plan"))...); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		plan, err := tf.ShowPlanFile(t.Context(), "plan", attached)
		if err != nil {
			t.Fatal(err)
		}
		var changes []any
		for _, c := range plan.ResourceChanges {
			if !strings.HasPrefix(c.Type, "qualytics_") || c.Change.Actions.NoOp() {
				continue
			}
			changes = append(changes, map[string]any{"address": c.Address, "type": c.Type, "change": map[string]any{
				"actions": c.Change.Actions, "before": c.Change.Before, "after": c.Change.After,
				"after_unknown": c.Change.AfterUnknown,
			}})
		}
		plans[p.name] = map[string]any{"resource_changes": changes}
		if p.apply {
			if err := tf.Apply(t.Context(), tfexec.DirOrPlan("plan"), attached); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := json.MarshalIndent(map[string]any{"plans": plans}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for expression, replacement := range map[string]string{
		`"\d{4}-\d\d-\d\dT[^"]+"`: `"2026-01-01T00:00:00Z"`,
		`"airflow-\d{14}\w+"`:     `"airflow-20260101000000000000000000"`,
		`"-----BEGIN AGE[^"]+"`:   `"-----BEGIN AGE ENCRYPTED FILE-----"`,
		`"eyJ[^"]+"`:              `"(sensitive)"`,
	} {
		got = regexp.MustCompile(expression).ReplaceAll(got, []byte(replacement))
	}
	got = append(got, '\n')
	file := filepath.Join(root, "examples", "policies", "fixtures", "plans.json")
	if os.Getenv("POLICY_PLANS") == "write" {
		writeFile(t, file, string(got))
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the plans differ from %s:\n%s", file, cmp.Diff(string(want), string(got)))
	}
}
