// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
	"github.com/qualytics/terraform-provider-qualytics/internal/settings"
)

// TestMain makes the clean-up impatient.
func TestMain(m *testing.M) {
	defaultTiming = timing{limit: 5 * time.Second, pause: 10 * time.Millisecond, settle: 100 * time.Millisecond}
	os.Exit(m.Run())
}

// deployment is an emulated deployment with accounts, tokens, and a person.
type deployment struct {
	*qualyticstest.Server
	t *testing.T
}

func newDeployment(t *testing.T, profile qualyticstest.Profile) deployment {
	t.Helper()
	s, err := qualyticstest.NewServer(qualyticstest.Options{Profile: &profile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Seed(3, 2)
	return deployment{s, t}
}

// probe runs the command, and returns what it prints, its findings, and its error.
func (d deployment) probe(ctx context.Context, args ...string) (string, []finding, error) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "findings.json")
	env := map[string]string{
		"QUALYTICS_URL": d.URL, "QUALYTICS_TOKEN": d.AdminToken(), "QUALYTICS_API_PATH": d.APIPath(),
	}
	var out bytes.Buffer
	err := run(ctx, append([]string{"-json", file}, args...), settings.Environment{
		LookupEnv: func(key string) (string, bool) { v, ok := env[key]; return v, ok },
		HomeDir:   func() (string, error) { return "", nil },
	}, strings.NewReader("no\n"), &out)
	var report struct{ Findings []finding }
	if text, readErr := os.ReadFile(file); readErr == nil {
		if err := json.Unmarshal(text, &report); err != nil {
			d.t.Fatal(err)
		}
	}
	return out.String(), report.Findings, err
}

// everyBuild returns the profiles of all builds, each behind nginx and behind Envoy.
func everyBuild() (all []qualyticstest.Profile) {
	for _, p := range qualyticstest.Profiles() {
		all = append(all, p, p.BehindEnvoy())
	}
	return all
}

func differing(findings []finding) []string {
	ids := []string{}
	for _, f := range findings {
		if f.Result == differs {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// active returns the names of active accounts and tokens of a probe.
func (d deployment) active() []string {
	var names []string
	for _, u := range d.Users() {
		if strings.HasPrefix(strings.TrimSpace(u.Name), namePrefix) && u.Deleted == nil {
			names = append(names, u.Name)
		}
	}
	for _, token := range d.Tokens() {
		if strings.HasPrefix(token.Name, namePrefix) && token.Active {
			names = append(names, token.Name)
		}
	}
	return names
}

// On every profile and ingress, a run sends GET requests only, finds no difference, and names the
// profile.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	for _, profile := range everyBuild() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, profile)
			out, findings, err := d.probe(t.Context())
			if err != nil || len(findings) < 30 {
				t.Fatalf("%d findings: %v\n%s", len(findings), err, out)
			}
			if got := differing(findings); len(got) > 0 {
				t.Errorf("differences: %q", got)
			}
			build := strings.TrimSuffix(profile.Name, "-envoy") // no finding depends on the ingress
			if !strings.Contains(out, "Nearest profile of the emulator: "+build+".\n") {
				t.Errorf("the verdict names another profile:\n%s", out)
			}
			for _, r := range d.Requests() {
				if r.Method != http.MethodGet {
					t.Errorf("sent %s %s", r.Method, r.Path)
				}
			}
		})
	}
}

// With -write, no difference either, nothing active is left, and nothing else is touched.
func TestWrite(t *testing.T) {
	t.Parallel()
	for _, profile := range everyBuild() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, profile)
			before := d.others()
			out, findings, err := d.probe(t.Context(), "-write", "-yes")
			if got := differing(findings); err != nil || len(got) > 0 {
				t.Errorf("differences %q: %v\n%s", got, err, out)
			}
			for _, id := range []string{
				"user_id", "unknown_team", "partial_update", "restore", "deactivated", "name_reuse",
			} {
				if !slices.ContainsFunc(findings, func(f finding) bool { return f.ID == id && f.Result == asAssumed }) {
					t.Errorf("%s was not seen", id)
				}
			}
			if left := d.active(); len(left) > 0 {
				t.Errorf("left active: %q", left)
			}
			if after := d.others(); after != before {
				t.Errorf("other objects were touched:\n%s\n%s", before, after)
			}
		})
	}
}

// others describes the service accounts and tokens that no probe created.
func (d deployment) others() string {
	d.t.Helper()
	users := slices.DeleteFunc(d.Users(), func(u qualyticstest.User) bool {
		return u.Type != "Service" || strings.HasPrefix(strings.TrimSpace(u.Name), namePrefix)
	})
	text, err := json.Marshal([]any{users, d.Tokens()})
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// The probe finds every difference of a strange build, and nothing else.
func TestStrange(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, qualyticstest.Strange())
	out, findings, err := d.probe(t.Context(), "-write", "-yes")
	want := []string{
		"deactivate_with_tokens", "delete_active_token", "documented_roles", "duplicate_token", "include_deleted",
		"lifetime_limits", "page_size", "put_required", "reactivate", "schema_token", "scim_only", "teams",
		"teams_shape", "token_expiration", "unknown_team", "update", "user_query",
	}
	if got := differing(findings); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, differences\n%q, want\n%q\n%s", err, got, want, out)
	}
	if left := d.active(); len(left) > 0 {
		t.Errorf("left active: %q", left)
	}
}

// Whatever happens to a request, a run ends with a verdict and leaves nothing active. What
// depends on the ingress happens behind nginx and behind Envoy.
func TestFaults(t *testing.T) {
	t.Parallel()
	faults := func(p qualyticstest.Profile) map[string]qualyticstest.Fault {
		return map[string]qualyticstest.Fault{
			"500": qualyticstest.JSON(500, `{"detail":"boom"}`), "401": qualyticstest.JSON(401, `{"detail":"no"}`),
			"web page": qualyticstest.HTML(200), "closed": {Kind: qualyticstest.CloseBefore},
			"response lost": {Kind: qualyticstest.CloseAfter}, "truncated": {Kind: qualyticstest.Truncate},
			"strange JSON":    qualyticstest.JSON(200, `[1,"two",null,{"id":{}}]`),
			"error page":      p.Response(504, "upstream request timeout"),
			"application cut": {Kind: qualyticstest.CloseAfter, Upstream: true},
			"application off": {Kind: qualyticstest.CloseBefore, Upstream: true, Times: 4},
			"interrupt":       {Kind: qualyticstest.Delay},
		}
	}
	for _, run := range []struct {
		profile qualyticstest.Profile
		args    []string
	}{
		{qualyticstest.Build202609(), nil},
		{qualyticstest.Build202609(), []string{"-write", "-yes"}},
		{qualyticstest.Strange().BehindEnvoy(), []string{"-write", "-yes"}},
	} {
		d := newDeployment(t, run.profile)
		if _, _, err := d.probe(t.Context(), run.args...); err != nil {
			t.Fatal(err)
		}
		for position := range len(d.Requests()) {
			for name, fault := range faults(run.profile) {
				in := fmt.Sprintf("%s/%q/request %d/", run.profile.Name, run.args, position+1)
				t.Run(in+name, func(t *testing.T) {
					t.Parallel()
					d := newDeployment(t, run.profile)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if fault.Skip = position; name == "interrupt" {
						fault.Do = cancel
					}
					d.Fail(fault)
					out, _, err := d.probe(ctx, run.args...)
					if !strings.Contains(out, "\nVerdict\n") || err != nil {
						t.Errorf("%v\n%s", err, out)
					}
					if left := d.active(); len(left) > 0 {
						t.Errorf("left active: %q\n%s", left, out)
					}
				})
			}
		}
	}
}

// A deployment that fails for the whole run is reported, and what may be left is an error.
func TestOutage(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, qualyticstest.Build202609())
	d.Fail(qualyticstest.HTML(503).Repeat(qualyticstest.Forever))
	out, findings, err := d.probe(t.Context())
	if err != nil || !strings.Contains(out, "nothing is known about this build") ||
		!slices.Contains(differing(findings), "login") {
		t.Errorf("%v\n%s", err, out)
	}
	_, _, err = d.probe(t.Context(), "-write", "-yes")
	if err == nil || !strings.Contains(err.Error(), "remove by hand") {
		t.Errorf("the error is %v", err)
	}
}

// -write asks first, and any answer other than yes sends nothing.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, qualyticstest.Build202609())
	if out, _, err := d.probe(t.Context(), "-write"); err != nil || !strings.Contains(out, "Continue?") {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(d.Requests()); n != 0 {
		t.Errorf("%d requests without a confirmation", n)
	}
}

// A document that is missing, a web page, or behind a login is a finding.
func TestDocumentIsMissing(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 404} {
		profile := qualyticstest.Build202609()
		profile.NoOpenAPI = status
		d := newDeployment(t, profile)
		_, findings, err := d.probe(t.Context())
		i := slices.IndexFunc(findings, func(f finding) bool { return f.ID == "openapi" })
		if err != nil || i < 0 || findings[i].Observed != fmt.Sprint(status) || len(differing(findings)) > 0 {
			t.Errorf("%d: %+v, %v", status, findings, err)
		}
	}
}

// A document of 10 MB is examined within two seconds.
func TestLargeDocument(t *testing.T) {
	t.Parallel()
	schemas := map[string]any{}
	for i := range 20_000 {
		schemas[fmt.Sprintf("Schema%d", i)] = map[string]any{
			"type":        "object",
			"description": strings.Repeat("x", 450),
			"properties": map[string]any{
				"a": map[string]any{"$ref": fmt.Sprintf("#/components/schemas/Schema%d", i+1)},
			},
		}
	}
	text, err := json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"version": "20300101-large"},
		"paths": map[string]any{}, "components": map[string]any{"schemas": schemas},
	})
	if err != nil || len(text) < 10<<20 {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "openapi.json") {
			_, _ = w.Write(text)
			return
		}
		_, _ = w.Write([]byte(`{"id":1,"role":"Admin","user_type":"Human"}`))
	}))
	t.Cleanup(server.Close)
	env := map[string]string{"QUALYTICS_URL": server.URL, "QUALYTICS_TOKEN": "x"}
	var out bytes.Buffer
	start := time.Now()
	err = run(t.Context(), nil, settings.Environment{
		LookupEnv: func(key string) (string, bool) { v, ok := env[key]; return v, ok },
		HomeDir:   func() (string, error) { return "", nil },
	}, strings.NewReader(""), &out)
	if took := time.Since(start); err != nil || took > 2*time.Second && !raceEnabled {
		t.Errorf("took %s: %v", took, err)
	}
	if !strings.Contains(out.String(), "20300101-large") {
		t.Errorf("the build is missing:\n%s", out.String())
	}
}

// Circular references and other nonsense end.
func TestStrangeDocument(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"paths":{"/api/users":{"get":{"$ref":"#/paths"}}}}`,
		`{"components":{"schemas":{"User":{"$ref":"#/components/schemas/User"}}}}`,
		`{"paths":{"/users":[],"/users/{x}":{"put":null}},"components":7}`,
		`{"components":{"schemas":{"User":{"allOf":[{"$ref":"#/components/schemas/User"}],"properties":[]}}}}`,
	} {
		var root map[string]any
		if err := json.Unmarshal([]byte(text), &root); err != nil {
			t.Fatal(err)
		}
		client, err := qualytics.New(qualytics.Config{URL: "http://127.0.0.1", Token: "x"})
		if err != nil {
			t.Fatal(err)
		}
		p := &prober{client: client, out: &bytes.Buffer{}, variants: map[string]string{}}
		d := document{root}
		p.operations(d)
		p.schemas(d)
		p.requests(d)
	}
}

// The file for an issue contains no secret, name, address, or host.
func TestFindingsAreRedacted(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Strange()
	d := newDeployment(t, profile)
	d.AddUser(qualyticstest.User{Name: "Jane Doe", Email: "jane@example.com", Type: "Human", Role: "Admin"})
	file := filepath.Join(t.TempDir(), "f.json")
	if _, _, err := d.probe(t.Context(), "-write", "-yes", "-v", "-json", file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	secret := d.AdminToken()
	for _, private := range []string{
		secret, secret[len(secret)-20:], "127.0.0.1", "Seed 0", "Jane", "jane@", "@service\"",
	} {
		if strings.Contains(string(text), private) {
			t.Errorf("the file contains %q", private)
		}
	}
	if _, _, err := d.probe(t.Context(), "-include-host", "-json", file); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(file); err != nil || !strings.Contains(string(text), "127.0.0.1") {
		t.Errorf("-include-host has no effect: %v", err)
	}
}

// The flags replace the environment, and the sources of the settings are named.
func TestSettings(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, qualyticstest.Build202609())
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(d.AdminToken()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"QUALYTICS_URL": "https://other.example.com", "QUALYTICS_TOKEN": "wrong"}
	var out bytes.Buffer
	err := run(t.Context(), []string{"-url", d.URL, "-token-file", file}, settings.Environment{
		LookupEnv: func(key string) (string, bool) { v, ok := env[key]; return v, ok },
		HomeDir:   func() (string, error) { return "", nil },
	}, strings.NewReader(""), &out)
	for _, want := range []string{"url            -url", "token          -token-file", "timeout        default"} {
		if err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v, %q is missing:\n%s", err, want, out.String())
		}
	}
	if strings.Contains(out.String(), d.AdminToken()) {
		t.Error("the output contains the token")
	}
}

// The provider contains neither the probe nor the emulator.
func TestImportGraph(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../..").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "/internal/provider\n") {
		t.Fatal("the list lacks the provider")
	}
	for _, unwanted := range []string{"/internal/cmd/", "/internal/qualyticstest", "openapi"} {
		if strings.Contains(string(out), unwanted) {
			t.Errorf("the provider imports %s", unwanted)
		}
	}
}

// Tokens in pages, a build that deactivates accounts with active tokens, and a write that
// takes effect after an interrupt: nothing active is left.
func TestCleanUp(t *testing.T) {
	t.Parallel()
	t.Run("pages of tokens", func(t *testing.T) {
		t.Parallel()
		profile := qualyticstest.Build202609()
		profile.TokenPages = true
		d := newDeployment(t, profile)
		d.Seed(1, 120)
		if out, findings, err := d.probe(t.Context(), "-write", "-yes"); err != nil || len(differing(findings)) > 0 {
			t.Errorf("%v %q\n%s", err, differing(findings), out)
		}
		if left := d.active(); len(left) > 0 {
			t.Errorf("left active: %q", left)
		}
	})
	t.Run("slow write and interrupt", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/users", "/user-tokens"} {
			d := newDeployment(t, qualyticstest.Build202609())
			ctx, cancel := context.WithCancel(t.Context())
			d.Fail(qualyticstest.Fault{
				Method: http.MethodPost,
				Path:   path,
				Kind:   qualyticstest.Delay,
				Wait:   300 * time.Millisecond,
				Do:     cancel,
			})
			if out, _, err := d.probe(ctx, "-write", "-yes"); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if left := d.active(); len(left) > 0 {
				t.Errorf("left active: %q", left)
			}
		}
	})
	t.Run("outage of a second", func(t *testing.T) {
		t.Parallel()
		d := newDeployment(t, qualyticstest.Build202609())
		time.AfterFunc(time.Second, d.Heal)
		outage := qualyticstest.HTML(503).Repeat(qualyticstest.Forever)
		outage.Method = http.MethodDelete
		d.Fail(outage)
		if out, _, err := d.probe(t.Context(), "-write", "-yes"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if left := d.active(); len(left) > 0 {
			t.Errorf("left active: %q", left)
		}
	})
}

// A token without permission, a limit, and an ignored revocation are told apart from a
// build that differs.
func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, qualyticstest.Build202609())
	manager := d.AddUser(qualyticstest.User{Name: "Manager", Role: "Manager"})
	file := filepath.Join(t.TempDir(), "token")
	token := d.AddToken(qualyticstest.Token{Name: "m", UserID: manager.ID})
	if err := os.WriteFile(file, []byte(d.Bearer(token.ID)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, findings, err := d.probe(t.Context(), "-token-file", file, "-write", "-yes")
	if got := differing(findings); err != nil || !slices.Equal(got, []string{"own_role"}) ||
		!strings.Contains(out, "Nothing was created") {
		t.Errorf("%v, differences %q\n%s", err, got, out)
	}
	profile := qualyticstest.Build202609()
	profile.IgnoreRevoke = true
	_, findings, _ = newDeployment(t, profile).probe(t.Context(), "-write", "-yes")
	if got := differing(findings); !slices.Contains(got, "revoke") {
		t.Errorf("an ignored revocation is not found: %q", got)
	}
}

// Flags that are given and empty select no other deployment or token.
func TestEmptyFlags(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, qualyticstest.Build202609())
	file := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-url", ""}, {"-token-file", ""}, {"-token-file", file}} {
		if _, _, err := d.probe(t.Context(), args...); err == nil || len(d.Requests()) > 0 {
			t.Errorf("%q: %v, %d requests", args, err, len(d.Requests()))
		}
	}
}

// Documents in the forms of FastAPI have no differences.
func TestDocumentForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"minimum":1.0,"maximum":365.0}`:                            "1 to 365",
		`{"anyOf":[{"minimum":1,"maximum":365},{"type":"null"}]}`:    "1 to 365",
		`{"exclusiveMinimum":0,"maximum":90}`:                        "1 to 90",
		`{"minimum":0,"exclusiveMinimum":true,"maximum":365}`:        "0 to 365",
		`{"type":"integer"}`:                                         "",
		`{"$ref":"#/components/schemas/Missing"}`:                    "",
		`{"allOf":[{"maximum":365}],"nullable":true,"minimum":"no"}`: "up to 365",
	} {
		var schema object
		if err := json.Unmarshal([]byte(text), &schema); err != nil {
			t.Fatal(err)
		}
		if got := (document{}).limits(schema); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
