// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// configured configures the provider and sends a request with it.
func (h *harness) configured(config values) (diagnostics, string) {
	h.t.Helper()
	h.server.ClearRequests()
	diags := diagnostics(h.configure(config))
	if diags.errors() != "" {
		return diags, ""
	}
	_, read := h.load(accountType, "1")
	requests := h.server.Requests()
	if len(requests) == 0 {
		return diags, "nowhere: " + read.errors()
	}
	return diags, strings.TrimPrefix(requests[0].Header.Get("Authorization"), "Bearer ")
}

// Settings come from the block, the environment, and the file of the official CLI, and
// their problems are diagnostics.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	home := t.TempDir()
	h.env = map[string]string{"QUALYTICS_CONFIG_HOME": home, "QUALYTICS_SSL_VERIFY": "no"}
	writeFile(t, filepath.Join(home, "config.yaml"), "url: "+h.server.URL+"\ntoken: file")
	diags, token := h.configured(values{})
	wantText(t, diags.warnings(), "Certificate verification is disabled")
	if token != "file" || diags.errors() != "" {
		t.Errorf("the server got the token %q: %s", token, diags.errors())
	}
	h.env["QUALYTICS_TOKEN"] = "environment"
	if _, token := h.configured(values{}); token != "environment" {
		t.Errorf("the server got the token %q", token)
	}
	if _, token := h.configured(values{"token": "block"}); token != "block" {
		t.Errorf("the server got the token %q", token)
	}
	h.env = map[string]string{"QUALYTICS_URL": "https://production.qualytics.io", "QUALYTICS_TOKEN": "production"}
	diags, _ = h.configured(values{"url": h.server.URL, "token": nil}) // such as an alias for staging
	wantText(t, diags.errors(), "Missing provider configuration", "QUALYTICS_URL names another host")
	h.env = map[string]string{}
	diags, _ = h.configured(values{"url": "https://x", "token": "x", "ca_cert_file": filepath.Join(home, "nowhere")})
	wantText(t, diags.errors(), "Unable to read CA file")
	if diags[len(diags)-1].Attribute.String() != `AttributeName("ca_cert_file")` {
		t.Errorf("the error is on %s", diags[len(diags)-1].Attribute)
	}
	diags, _ = h.configured(values{"url": "https://x", "token": "a\nb"})
	wantText(t, diags.errors(), "Unusable provider setting", "The token contains", "control character",
		"token comes from: argument")
	h.env["QUALYTICS_TOKEN"] = "a b"
	diags, _ = h.configured(values{"url": "https://x"})
	wantText(t, diags.errors(), "Unusable provider setting", "token comes from: environment variable QUALYTICS_TOKEN")
	diags, _ = h.configured(values{"url": "https://x", "token": "x", "headers": map[string]string{"A": "b\nc"}})
	wantText(t, diags.errors(), "Unusable provider setting", "header A")
	diags, _ = h.configured(values{"url": "https://x", "token": "Bearer hunter2"})
	wantText(t, diags.errors(), "Invalid provider token")
	if diags[0].Attribute != nil {
		t.Error("the error has a path, so Terraform prints the line with the token")
	}
}

// Invalid arguments of the provider are refused without a request.
func TestConfigurationValidation(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.ClearRequests()
	for _, tc := range []struct {
		block values
		want  string
	}{
		{values{"url": "ftp://x"}, "scheme"},
		{values{"url": "https://me:pw@x"}, "user name or password"},
		{values{"timeout": 0}, "timeout"},
		{values{"max_retries": -1}, "max_retries"},
		{values{"headers": map[string]string{"authorization": "x"}}, "Authorization cannot be set"},
		{values{"headers": map[string]string{"X-Break": "a\nb"}}, "line break"},
	} {
		wantText(t, validated(h, tc.block), tc.want)
	}
	if len(h.server.Requests()) != 0 {
		t.Error("validation sent requests")
	}
}

// Each request has the configured headers, and a User-Agent that names provider, CLI, and caller.
func TestHeadersAndUserAgent(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.env["TF_APPEND_USER_AGENT"] = "infra-repo/7"
	h.connect(
		values{
			"url":         h.server.URL,
			"token":       h.server.AdminToken(),
			"headers":     map[string]string{"X-Gateway": "canary"},
			"timeout":     5,
			"max_retries": 1,
		},
	)
	h.server.ClearRequests()
	h.must(h.none(accountType), values{"name": "x", "role": "Member"}, "create")
	r := h.server.Requests()[0]
	if got := r.Header.Get("User-Agent"); got != "terraform-provider-qualytics/test terraform/1.11.4 infra-repo/7" {
		t.Errorf("user agent %q", got)
	}
	if r.Header.Get("X-Gateway") != "canary" {
		t.Error("the header was not sent")
	}
}

// A certificate of a private CA is accepted with the CA, from a file or inline, and not without.
func TestCACertificates(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	tls := httptest.NewTLSServer(h.server)
	t.Cleanup(tls.Close)
	home := t.TempDir()
	h.env["HOME"] = home
	block := values{"url": tls.URL, "token": h.server.AdminToken(), "max_retries": 0}
	_, read := h.configured(block)
	wantText(t, read, "nowhere", "set ca_cert_file")
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}))
	writeFile(t, filepath.Join(home, "ca.pem"), text)
	for _, ca := range []values{{"ca_cert_file": "~/ca.pem"}, {"ca_cert_pem": text}} {
		if diags, token := h.configured(block.with(ca)); token != h.server.AdminToken() {
			t.Errorf("%s: %s %s", ca, diags.errors(), token)
		}
	}
	_, read = h.configured(block.with(values{"ca_cert_pem": unknown{}}))
	wantText(t, read, "nowhere", "ca_cert_pem", "only known after apply")
	if diags, token := h.configured(block.with(values{"ssl_verify": false})); token != h.server.AdminToken() ||
		!strings.Contains(diags.warnings(), "verification is disabled") {
		t.Errorf("without verification: %s %s", diags.errors(), token)
	}
}

// An error because of a wrong setting names the setting.
func TestErrorsOfWrongSettings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	member := h.server.AddUser(qualyticstest.User{Name: "Member"})
	token := h.server.AddToken(qualyticstest.Token{Name: "x", UserID: member.ID})
	good := values{"url": h.server.URL, "token": h.server.AdminToken(), "max_retries": 0}
	for name, tc := range map[string]struct {
		change values
		want   []string
	}{
		"wrong token": {values{"token": "wrong"}, []string{
			"Provider has no access", "401", "Could not validate credentials",
			"invalid, expired, or revoked", "QUALYTICS_TOKEN", "Request: ",
		}},
		"Member's token": {values{"token": h.server.Bearer(token.ID)}, []string{
			"Provider has no access", `has the role "Member"`, "token of an Admin",
		}},
		"wrong api_path": {values{"api_path": "apu"}, []string{
			"Unable to create service account", "web page", "check url and api_path", "Request: ",
		}},
		"server down": {values{"url": "http://127.0.0.1:1"}, []string{
			"Unable to create service account", "no connection to 127.0.0.1:1",
			"check url, the network, and proxies", "Request: ",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h.connect(good.with(tc.change))
			_, diags := h.run(h.none(accountType), values{"name": "x", "role": "Member"})
			wantText(t, diags.errors(), tc.want...)
			if strings.Contains(diags.errors(), "bug") {
				t.Errorf("looks like a bug in the provider: %s", diags.errors())
			}
		})
	}
	if n := len(h.server.ServiceAccounts()); n != 1 {
		t.Errorf("%d accounts, want one", n)
	}
}

// Unknown provider configuration is allowed until a request is required.
func TestUnknownProviderConfiguration(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "x", "role": "Member"})
	h.connect(values{"url": unknown{}, "token": unknown{}})
	if p := h.plan(h.none(accountType), values{"name": "y", "role": "Member"}); p.diags.errors() != "" ||
		p.action != "create" {
		t.Errorf("planning a new account: %s %s", p.action, p.diags.errors())
	}
	wantText(t, h.refresh(o).errors(), "only known after apply", "url and token")
	if !o.exists() {
		t.Error("the state was emptied")
	}
}

// Terraform configures a provider before it plans. Without that, a plan checks nothing.
func TestPlanWithoutConfiguration(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	var err error
	if h.p, err = provider.NewServer("test", h.environment()); err != nil {
		t.Fatal(err)
	}
	for resourceType, config := range map[string]values{
		accountType:   {"name": "x", "role": "Member"},
		tokenType:     {"service_account_id": "7", "name": "x"},
		exclusiveType: {"service_account_id": "7", "token_ids": []string{"8"}},
	} {
		if p := h.plan(h.none(resourceType), config); p.action != "create" || p.diags.errors() != "" {
			t.Errorf("%s: planned %s %s", resourceType, p.action, p.diags.errors())
		}
	}
}

// Common mistakes in the provider configuration are named without a request.
func TestTokenCopiedWithOtherText(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for _, tc := range []struct {
		name   string
		change values
		env    map[string]string
		want   string
	}{
		{"quotation marks", values{"token": `"` + h.server.AdminToken() + `"`}, nil, "quotation mark"},
		{"bearer", values{"token": "Bearer " + h.server.AdminToken()}, nil, `starts with "Bearer "`},
		{
			"empty variable",
			values{"token": nil},
			map[string]string{"QUALYTICS_TOKEN": ""},
			"set, but its value is empty",
		},
		{"empty argument", values{"token": ""}, nil, "The argument is set, but its value is empty"},
		{"path", values{"url": "https://example.qualytics.io/api/v1"}, nil, "use only https://example.qualytics.io"},
	} {
		h.env = tc.env
		wantText(t, diagnostics(h.configure(h.config.with(tc.change))).errors()+
			validated(h, h.config.with(tc.change)), tc.want)
	}
	wantWrites(t, h)
}
