// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-version"
)

// The scenarios use providers of others. testdata/consumers.json is an excerpt of their
// schemas, which the stubs have. If CONSUMER_PLUGINS names a filesystem mirror with these
// providers, the excerpt and the scenarios are compared with their real schemas.

// consumerSchemas contains schemas of a provider, in the format of "terraform providers
// schema -json".
type consumerSchemas struct {
	// Version is the version of the provider that the excerpt was taken from.
	Version     string                    `json:"version"`
	Resources   map[string]consumerSchema `json:"resource_schemas"`
	DataSources map[string]consumerSchema `json:"data_source_schemas"`
	Ephemeral   map[string]consumerSchema `json:"ephemeral_resource_schemas"`
}

type consumerSchema struct {
	Block consumerBlock `json:"block"`
}

type consumerBlock struct {
	Attributes map[string]consumerAttribute `json:"attributes"`
	Blocks     map[string]struct {
		NestingMode string        `json:"nesting_mode"`
		Block       consumerBlock `json:"block"`
	} `json:"block_types"`
}

type consumerAttribute struct {
	Type      any  `json:"type"`
	Required  bool `json:"required"`
	Optional  bool `json:"optional"`
	Computed  bool `json:"computed"`
	Sensitive bool `json:"sensitive"`
	WriteOnly bool `json:"write_only"`
	// Replaces means that a change replaces the object. It is known from the source of the
	// provider: the schema does not say it.
	Replaces bool `json:"replaces"`
}

//go:embed testdata/consumers.json
var consumersJSON []byte

// consumers returns the excerpt, by the address of the provider.
var consumers = sync.OnceValue(func() map[string]consumerSchemas {
	var excerpt struct {
		Providers map[string]consumerSchemas `json:"provider_schemas"`
	}
	if err := json.Unmarshal(consumersJSON, &excerpt); err != nil {
		panic(err)
	}
	return excerpt.Providers
})

const scenarios = "../../examples/scenarios"

// requirement matches a provider in a required_providers block.
var requirement = regexp.MustCompile(`source\s*= "([^"]+)"\n\s*version\s*= "([^"]+)"`)

// requirements returns the version constraints of the providers of a scenario, by address.
func requirements(t *testing.T, folder string) map[string]version.Constraints {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(scenarios, folder, "versions.tf"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]version.Constraints{}
	for _, m := range requirement.FindAllStringSubmatch(string(text), -1) {
		constraints, err := version.NewConstraint(m[2])
		if err != nil {
			t.Fatal(err)
		}
		out[path.Join("registry.terraform.io", m[1])] = constraints
	}
	return out
}

// scenarioFolders returns the names of the scenarios.
func scenarioFolders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(scenarios)
	if err != nil || len(entries) < 12 {
		t.Fatalf("%d scenarios: %v", len(entries), err)
	}
	var out []string
	for _, entry := range entries {
		out = append(out, entry.Name())
	}
	return out
}

const ownSource = "registry.terraform.io/qualytics/qualytics"

// The excerpt contains each provider of the scenarios, with the version that it was taken from.
func TestConsumerExcerpt(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, folder := range scenarioFolders(t) {
		for address := range requirements(t, folder) {
			used[address] = true
		}
	}
	delete(used, ownSource)
	if got, want := slices.Sorted(maps.Keys(consumers())), slices.Sorted(maps.Keys(used)); !slices.Equal(got, want) {
		t.Errorf("the excerpt contains %q, and the scenarios use %q", got, want)
	}
	for address, s := range consumers() {
		if _, err := version.NewVersion(s.Version); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// differences returns where a real schema differs from the excerpt. An argument may have become
// computed as well.
func (b consumerBlock) differences(at string, theirs consumerBlock) []string {
	var out []string
	for name, want := range b.Attributes {
		got, ok := theirs.Attributes[name]
		if !ok {
			out = append(out, fmt.Sprintf("%s.%s does not exist", at, name))
			continue
		}
		got.Replaces = want.Replaces
		if want.Required || want.Optional {
			got.Computed = want.Computed
		}
		if !reflect.DeepEqual(got, want) {
			out = append(out, fmt.Sprintf("%s.%s is %+v, the excerpt has %+v", at, name, got, want))
		}
	}
	for name, want := range b.Blocks {
		got, ok := theirs.Blocks[name]
		if !ok || got.NestingMode != want.NestingMode {
			out = append(out, fmt.Sprintf("the block %s.%s is %q, the excerpt has %q", at, name,
				got.NestingMode, want.NestingMode))
			continue
		}
		out = append(out, want.Block.differences(at+"."+name, got.Block)...)
	}
	return out
}

// A changed schema is noticed.
func TestConsumerDifferences(t *testing.T) {
	t.Parallel()
	excerpt := consumers()["registry.terraform.io/hashicorp/kubernetes"].Resources["kubernetes_secret_v1"].Block
	if got := excerpt.differences("x", excerpt); len(got) > 0 {
		t.Errorf("a schema differs from itself: %q", got)
	}
	for name, change := range map[string]func(*consumerAttribute){
		"another type":   func(a *consumerAttribute) { a.Type = "string" },
		"not write-only": func(a *consumerAttribute) { a.WriteOnly = false },
		"required":       func(a *consumerAttribute) { a.Required, a.Optional = true, false },
	} {
		changed := excerpt
		changed.Attributes = maps.Clone(excerpt.Attributes)
		attribute := changed.Attributes["data_wo"]
		change(&attribute)
		changed.Attributes["data_wo"] = attribute
		if got := excerpt.differences("x", changed); len(got) != 1 {
			t.Errorf("%s: differences %q", name, got)
		}
	}
	if got := excerpt.differences("x", consumerBlock{}); len(got) != 4 {
		t.Errorf("an empty schema: differences %q", got)
	}
}

// Each scenario is valid with the real schemas of its providers, and the excerpt agrees with
// them. CONSUMER_PLUGINS names a filesystem mirror, packed or unpacked, such as one that
// "terraform providers mirror" writes.
func TestAccConsumers(t *testing.T) {
	t.Parallel()
	requireCLI(t)
	mirror, err := filepath.Abs(os.Getenv("CONSUMER_PLUGINS"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, folder := range scenarioFolders(t) {
		t.Run(folder, func(t *testing.T) {
			required := requirements(t, folder)
			delete(required, ownSource)
			if len(required) == 0 {
				t.Skip("uses no other provider")
			}
			for address := range required {
				found, err := filepath.Glob(filepath.Join(mirror, filepath.FromSlash(address), "*"))
				if err != nil || len(found) == 0 {
					t.Skipf("the folder has no %s", address)
				}
			}
			checked++
			validateScenario(t, folder, mirror, required)
		})
	}
	if checked == 0 {
		t.Errorf("%s contains the providers of no scenario", mirror)
	}
}

// validateScenario validates a scenario with the newest providers of a mirror. Their versions may
// be older than the scenario requires: then the test says so at its end.
func validateScenario(t *testing.T, folder, mirror string, required map[string]version.Constraints) {
	t.Helper()
	tf := cli(t, "", "", "", "")
	examples := t.TempDir()
	if err := os.CopyFS(examples, os.DirFS(filepath.Dir(scenarios))); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(examples, "scenarios", folder)
	versions := filepath.Join(dir, "versions.tf")
	text, err := os.ReadFile(versions)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, versions, requirement.ReplaceAllString(string(text), `source = "$1"`))
	writeFile(t, filepath.Join(tf.WorkingDir(), "rc"), fmt.Sprintf(`provider_installation {
  filesystem_mirror {
    path    = %q
    include = ["qualytics/*"]
  }
  filesystem_mirror {
    path    = %q
    exclude = ["qualytics/*"]
  }
}
`, ownMirror(t), mirror))
	for _, args := range [][]string{{"init", "-backend=false"}, {"validate"}} {
		if out, err := tf.raw(t, append([]string{"-chdir=" + dir}, append(args, "-no-color")...)...); err != nil {
			t.Fatalf("terraform %s: %v\n%s", args[0], err, out)
		}
	}
	out, err := tf.raw(t, "-chdir="+dir, "providers", "schema", "-json")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var theirs struct {
		Providers map[string]consumerSchemas `json:"provider_schemas"`
	}
	if err := json.Unmarshal([]byte(out), &theirs); err != nil {
		t.Fatal(err)
	}
	for address := range required {
		for _, difference := range consumers()[address].differences(theirs.Providers[address]) {
			t.Error(difference)
		}
	}
	installed, err := tf.raw(t, "-chdir="+dir, "version", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var selected struct {
		Providers map[string]string `json:"provider_selections"`
	}
	if err := json.Unmarshal([]byte(installed), &selected); err != nil {
		t.Fatal(err)
	}
	var old []string
	for address, constraints := range required {
		t.Logf("valid with %s %s", address, selected.Providers[address])
		if !constraints.Check(version.Must(version.NewVersion(selected.Providers[address]))) {
			old = append(old, fmt.Sprintf("%s %s, which the scenario does not allow: it requires %s", address,
				selected.Providers[address], constraints))
		}
	}
	if len(old) > 0 {
		t.Skipf("valid, but with %s", strings.Join(old, ", "))
	}
}

// differences returns where the schemas of a provider differ from the excerpt.
func (s consumerSchemas) differences(theirs consumerSchemas) []string {
	var out []string
	for _, kind := range []struct{ excerpt, theirs map[string]consumerSchema }{
		{s.Resources, theirs.Resources},
		{s.DataSources, theirs.DataSources},
		{s.Ephemeral, theirs.Ephemeral},
	} {
		for name, want := range kind.excerpt {
			out = append(out, want.Block.differences(name, kind.theirs[name].Block)...)
		}
	}
	return out
}

// ownMirror returns a filesystem mirror with the provider of this repository.
func ownMirror(t *testing.T) string {
	t.Helper()
	mirror := t.TempDir()
	const release = "0.1.0"
	folder := filepath.Join(mirror, filepath.FromSlash(ownSource), release, runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(providerFolder(t), "terraform-provider-qualytics"),
		filepath.Join(folder, "terraform-provider-qualytics_v"+release)); err != nil {
		t.Fatal(err)
	}
	return mirror
}
