// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const (
	adoptAccounts = 130 // with two tokens each
	adoptTokens   = 2 * adoptAccounts
)

// addOfEveryShape adds accounts with every kind of name and tokens in every state, as
// if they had been created by hand over years.
func addOfEveryShape(s *qualyticstest.Server) {
	names := []string{
		"Plain",
		`Quotes " and \ backslash`,
		"Dollar ${var.x}",
		"Percent %{if true}",
		"Two\nlines",
		"A\ttab",
		"Ünïcödé 数据 🚀",
		"With/a slash",
		"a@b",
		"spaces  inside",
		strings.Repeat("long ", 49),
		"EOT",
		"# no comment",
	}
	roles := s.Profile.Roles
	teams := [][]string{nil, {"Data Quality"}, {"Data Engineering", "Data Quality"}}
	now := s.Clock.Now()
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	states := []qualyticstest.Token{
		{},                               // never expires
		{Expiration: at(30 * day)},       // a whole number of days
		{Expiration: at(36 * time.Hour)}, // not one
		{Expiration: at(400 * day)},      // longer than can be asked for
		{Expiration: at(-day), Created: *at(-31 * day)},
		{Expiration: at(time.Hour), LastUsed: at(-time.Minute)},
	}
	for i := range adoptAccounts {
		u := s.AddUser(qualyticstest.User{
			Name:      fmt.Sprintf("%s%d", names[i%len(names)], i),
			Role:      roles[i%len(roles)],
			Teams:     teams[(i/5)%len(teams)],
			LastLogin: at(-time.Duration(i) * day),
		})
		for j := range 2 {
			token := states[(2*i+j)%len(states)]
			token.Name, token.UserID = fmt.Sprintf("%s%d", names[(i+j)%len(names)], j), u.ID
			made := s.AddToken(token)
			if (i+j)%4 == 0 {
				s.EditToken(made.ID, func(t *qualyticstest.Token) { t.Active = false })
			}
		}
	}
}

// newAdoption adds objects that were created by hand to a deployment, and returns a Terraform
// with an empty state.
func newAdoption(t *testing.T, s *qualyticstest.Server) *terraformCLI {
	t.Helper()
	addOfEveryShape(s)
	return cli(t, s.URL, s.AdminToken(), s.APIPath(), "")
}

// Import blocks for all objects and a generated configuration import everything
// without a change.
func TestAccAdoptWithImportBlocks(t *testing.T) {
	t.Parallel()
	onEveryServer(t, func(t *testing.T, s *qualyticstest.Server) {
		tf := newAdoption(t, s)
		var blocks strings.Builder
		for i, u := range s.ServiceAccounts() {
			fmt.Fprintf(&blocks, "import {\n  to = qualytics_service_account.a%d\n  id = \"%d\"\n}\n", i, u.ID)
		}
		for i, token := range s.Tokens() {
			fmt.Fprintf(&blocks, "import {\n  to = qualytics_service_token.t%d\n  id = \"%d\"\n}\n", i, token.ID)
		}
		imports, text := filepath.Join(tf.WorkingDir(), "imports.tf"), blocks.String()
		if v, _, err := tf.Version(t.Context(), true); err == nil && v.Core().String() == "1.16.0" {
			// Its release candidates take hashicorp/qualytics for the provider of an import block
			// without a resource.
			writeFile(t, imports, strings.ReplaceAll(text, "import {\n", "import {\n  provider = qualytics\n"))
		} else {
			writeFile(t, imports, text)
		}
		if _, err := tf.Plan(t.Context(), tfexec.GenerateConfigOut("generated.tf")); err != nil {
			t.Fatal(err)
		}
		writeFile(t, imports, text)
		adopted(t, s, tf, adoptAccounts+adoptTokens)
	})
}

// The same through terraform query.
func TestAccAdoptWithQuery(t *testing.T) {
	t.Parallel()
	onEveryServer(t, func(t *testing.T, s *qualyticstest.Server) {
		tf := newAdoption(t, s)
		var query strings.Builder
		query.WriteString("list \"qualytics_service_account\" \"all\" {\n  provider = qualytics\n  " +
			"include_resource = true\n  limit = 1000\n}\n")
		for _, status := range []string{"active", "expired", "revoked"} {
			fmt.Fprintf(&query,
				"list \"qualytics_service_token\" %q {\n  provider = qualytics\n  include_resource = true\n  "+
					"limit = 1000\n  config {\n    status = %q\n  }\n}\n", status, status)
		}
		writeFile(t, filepath.Join(tf.WorkingDir(), "adopt.tfquery.hcl"), query.String())
		if out, err := tf.raw(t, "query", "-no-color", "-generate-config-out=generated.tf"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		adopted(t, s, tf, adoptAccounts+adoptTokens)
	})
}

// The examples of an import by identity, with the IDs of the test.
func TestAccImportByIdentity(t *testing.T) {
	t.Parallel()
	onEveryServer(t, func(t *testing.T, s *qualyticstest.Server) {
		account := s.AddUser(qualyticstest.User{Name: "Airflow", Role: "Member"})
		token := s.AddToken(qualyticstest.Token{Name: "nightly", UserID: account.ID})
		tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), fmt.Sprintf(`
resource "qualytics_service_account" "airflow" {
  name = "Airflow"
  role = "Member"
}

resource "qualytics_service_token" "airflow" {
  service_account_id = "%d"
  name               = "nightly"
}
`, account.ID))
		for kind, ids := range map[string][2]string{
			"qualytics_service_account": {`"123"`, fmt.Sprintf("%q", fmt.Sprint(account.ID))},
			"qualytics_service_token":   {`"456"`, fmt.Sprintf("%q", fmt.Sprint(token.ID))},
		} {
			text, err := os.ReadFile(filepath.Join("../../examples/resources", kind, "by-identity.tf"))
			if err != nil {
				t.Fatal(err)
			}
			example := string(text)
			if !strings.Contains(example, ids[0]) {
				t.Fatalf("the example of %s does not have the ID %s", kind, ids[0])
			}
			writeFile(t, filepath.Join(tf.WorkingDir(), kind+".tf"), strings.Replace(example, ids[0], ids[1], 1))
		}
		adopted(t, s, tf, 2)
	})
}

// adopted applies a configuration that imports a number of objects without a change.
func adopted(t *testing.T, s *qualyticstest.Server, tf *terraformCLI, imported int) {
	t.Helper()
	var out bytes.Buffer
	tf.SetStdout(&out)
	if err := tf.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("Apply complete! Resources: %d imported, 0 added, 0 changed, 0 destroyed.", imported)
	if !strings.Contains(out.String(), want) {
		t.Errorf("it ended with %q, want %q", out.String()[max(0, out.Len()-300):], want)
	}
	if changes, err := tf.Plan(t.Context()); err != nil || changes {
		t.Errorf("the next plan: changes %v, error %v: %s", changes, err, out.String()[max(0, out.Len()-2000):])
	}
	if writes := s.Writes(); len(writes) > 0 {
		t.Errorf("adopting wrote %q", writes)
	}
}

// The generated configuration of an imported object plans no change, for every kind of
// account and token.
func TestAdoptEverything(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		now := h.server.Clock.Now()
		for i, name := range []string{
			"plain", `"quoted"`, "${interpolated}", "%{directive}", "line\nbreak",
			"Ünïcödé 🚀", strings.Repeat("x", 255), "back\\slash", "in  between",
		} {
			role := h.server.Profile.Roles[i%len(h.server.Profile.Roles)]
			u := h.server.AddUser(qualyticstest.User{Name: name, UserID: fmt.Sprintf("u%d@service", i), Role: role})
			for j, lifetime := range []time.Duration{0, day, 90 * day, 36 * time.Hour, 400 * day} {
				token := qualyticstest.Token{Name: fmt.Sprint(name[:min(len(name), 200)], j), UserID: u.ID}
				if lifetime > 0 {
					until := now.Add(lifetime)
					token.Expiration = &until
				}
				made := h.server.AddToken(token)
				h.server.EditToken(made.ID, func(t *qualyticstest.Token) { t.Active = (i+j)%3 != 0 })
			}
		}
		h.clock.Advance(2 * day) // some have expired
		h.server.ClearRequests()
		adopted := 0
		for kind, filters := range map[string][]values{accountType: {{}}, tokenType: {
			{},
			{"status": "expired"},
			{"status": "revoked"},
		}} {
			for _, filter := range filters {
				results, diags := h.query(kind, filter, 1000)
				wantOK(t, diags)
				for _, r := range results {
					listed := h.read(kind, r.Resource)
					o := h.loaded(kind, get(listed, "id"))
					p := h.plan(o, h.generated(kind, o))
					if p.diags.errors() != "" || p.action != "no-op" {
						t.Errorf("%s: %s %v %s %s", r.DisplayName, p.action, p.replace, p.diags.errors(),
							difference(o.state, p.planned))
					}
					adopted++
				}
			}
		}
		if adopted != 9+45 {
			t.Errorf("%d objects adopted, want 54", adopted)
		}
		wantWrites(t, h)
	})
}

// generated returns the configuration that Terraform generates for an object: every
// configurable attribute with its value in the state.
func (h *harness) generated(kind string, o *object) values {
	config := values{}
	for _, a := range h.schema(kind).Block.Attributes {
		if v := attributes(o.state)[a.Name]; (a.Optional || a.Required) && !v.IsNull() {
			config[a.Name] = v
		}
	}
	return config
}
