// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

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
