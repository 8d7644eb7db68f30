// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The pages of list resources and actions are written by hand, because an older
// Terraform tells the generator nothing of them: each attribute is on its page,
// in the schema's words.
func TestPagesByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	schemas := map[string]*tfprotov6.Schema{}
	for name, s := range w.schemas.ListResourceSchemas {
		schemas["list-resources/"+strings.TrimPrefix(name, "qualytics_")] = s
	}
	for name, s := range w.schemas.ActionSchemas {
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

// House rules over every schema.
func TestSchemas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	schemas := map[string]*tfprotov6.Schema{"provider": w.schemas.Provider}
	for kind, set := range map[string]map[string]*tfprotov6.Schema{
		"resource ": w.schemas.ResourceSchemas, "data ": w.schemas.DataSourceSchemas, "ephemeral ": w.schemas.EphemeralResourceSchemas,
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
			if strings.HasPrefix(name, "resource ") && a.Optional && a.Computed && a.Name != "name" && a.Name != "teams" && !strings.Contains(a.Description, "Defaults to") {
				t.Errorf("%s.%s does not name its default", name, a.Name)
			}
		}
	}
	for kind := range w.schemas.ResourceSchemas {
		id := w.ids.IdentitySchemas[kind]
		if id == nil || len(id.IdentityAttributes) != 1 || id.IdentityAttributes[0].Name != "id" || !id.IdentityAttributes[0].RequiredForImport {
			t.Errorf("%s has the identity %+v, want { id }", kind, id)
		}
	}
}
