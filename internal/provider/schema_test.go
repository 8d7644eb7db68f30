// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The pages of list resources and actions are not generated, because older versions of
// Terraform do not report their schemas. They contain the descriptions of the schemas.
func TestPagesByHand(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	schemas := map[string]*tfprotov6.Schema{}
	for name, s := range h.schemas.ListResourceSchemas {
		schemas["list-resources/"+strings.TrimPrefix(name, "qualytics_")] = s
	}
	for name, s := range h.schemas.ActionSchemas {
		schemas["actions/"+strings.TrimPrefix(name, "qualytics_")] = s.Schema
	}
	if len(schemas) != 3 {
		t.Fatalf("%d schemas, want two lists and an action", len(schemas))
	}
	for page, s := range schemas {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", page+".md"))
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, string(text), s.Block.Description)
		for _, a := range s.Block.Attributes {
			wantText(t, string(text), "- `"+a.Name+"` (", a.Description)
		}
	}
}

// Rules for every schema.
func TestSchemas(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	schemas := map[string]*tfprotov6.Schema{"provider": h.schemas.Provider}
	for kind, set := range map[string]map[string]*tfprotov6.Schema{
		"resource ": h.schemas.ResourceSchemas, "data ": h.schemas.DataSourceSchemas,
		"ephemeral ": h.schemas.EphemeralResourceSchemas,
	} {
		for name, s := range set {
			schemas[kind+name] = s
		}
	}
	for name, s := range schemas {
		if s.Block.Description == "" || !strings.HasSuffix(s.Block.Description, ".") {
			t.Errorf("%s has no description that ends with a full stop", name)
		}
		for _, a := range s.Block.Attributes {
			if a.Description == "" || !strings.HasSuffix(a.Description, ".") {
				t.Errorf("%s.%s has no description that ends with a full stop", name, a.Name)
			}
			secret := a.Name == "token" || a.Name == "headers"
			if a.Sensitive != secret {
				t.Errorf("%s.%s is sensitive: %t", name, a.Name, a.Sensitive)
			}
			if strings.HasPrefix(name, "resource ") && a.Optional && a.Computed && a.Name != "name" &&
				a.Name != "teams" &&
				!strings.Contains(a.Description, "Defaults to") {
				t.Errorf("%s.%s does not name its default", name, a.Name)
			}
		}
	}
	for kind := range h.schemas.ResourceSchemas {
		id := h.ids.IdentitySchemas[kind]
		required := map[string]bool{}
		for _, a := range id.IdentityAttributes {
			required[a.Name] = a.RequiredForImport
		}
		if diff := cmp.Diff(map[string]bool{"id": true, "host": false}, required); diff != "" {
			t.Errorf("identity of %s, whether required for import, want -, got +:\n%s", kind, diff)
		}
	}
}
