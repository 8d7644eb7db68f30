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

// The sources of url and token, and which of them are used together.
func TestConfigurationSources(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		block  values
		env    map[string]string
		file   string // URL stands for the server's
		token  string // that reached the server
		errors []string
	}{
		{"block", values{"url": "URL", "token": "block"}, map[string]string{
			"QUALYTICS_URL":   "http://127.0.0.1:1",
			"QUALYTICS_TOKEN": "env",
		}, "", "block", nil},
		{
			"environment",
			values{},
			map[string]string{"QUALYTICS_URL": "URL", "QUALYTICS_TOKEN": "env"},
			"url: http://127.0.0.1:1\ntoken: file", "env", nil,
		},
		{"file", values{}, nil, "url: URL\ntoken: file\ntimeout: 5\nssl_verify: true", "file", nil},
		{"file, spelled differently", values{"url": "URL/api/"}, nil, "url: URL/\ntoken: file", "file", nil},
		{
			"file with a variable",
			values{},
			map[string]string{"SECRET": "interpolated"},
			"url: URL\ntoken: ${SECRET}",
			"interpolated", nil,
		},
		{"file with an unset variable", values{}, nil, "url: URL\ntoken: ${NOWHERE}", "", []string{
			"NOWHERE",
			"not set",
		}},
		{
			"file of another deployment",
			values{"url": "URL"},
			nil, "url: https://other.qualytics.io\ntoken: file", "",
			[]string{"for another URL", "QUALYTICS_TOKEN"},
		},
		{"file without a url", values{"url": "URL"}, nil, "token: file", "", []string{"for another URL"}},
		{"nothing", values{}, nil, "", "", []string{
			"url: the argument", "QUALYTICS_URL", "token: the argument",
			"QUALYTICS_TOKEN", "config.yaml",
		}},
		{"only the url", values{"url": "URL"}, nil, "", "", []string{"QUALYTICS_TOKEN"}},
		{"broken file", values{}, nil, "{", "", []string{"not valid YAML", "QUALYTICS_URL"}},
		{"empty values", values{"url": "", "token": ""}, map[string]string{
			"QUALYTICS_URL":   "URL",
			"QUALYTICS_TOKEN": "env",
		}, "", "env", nil},
		{
			"odd timeout",
			values{"url": "URL", "token": "x"},
			map[string]string{"QUALYTICS_TIMEOUT": "soon"},
			"", "",
			[]string{"QUALYTICS_TIMEOUT", "must be a number of seconds"},
		},
		{
			"odd retries",
			values{"url": "URL", "token": "x"},
			map[string]string{"QUALYTICS_MAX_RETRIES": "-1"},
			"", "",
			[]string{"QUALYTICS_MAX_RETRIES"},
		},
		{
			"odd switch",
			values{"url": "URL", "token": "x"},
			map[string]string{"QUALYTICS_SSL_VERIFY": "maybe"},
			"", "",
			[]string{"QUALYTICS_SSL_VERIFY", "true or false"},
		},
		{"odd URL", values{"token": "x"}, map[string]string{"QUALYTICS_URL": "ftp://x"}, "", "", []string{"scheme"}},
		{"token with a line break", values{"url": "URL", "token": "a\nb"}, nil, "", "", []string{"control character"}},
		{"environment path", values{"url": "URL", "token": "x"}, map[string]string{
			"QUALYTICS_API_PATH": "/api/",
			"QUALYTICS_TIMEOUT":  "2.5", "QUALYTICS_MAX_RETRIES": "0", "QUALYTICS_SSL_VERIFY": "yes",
		}, "", "x", nil},
	} {
		for _, home := range []string{"HOME", "QUALYTICS_CONFIG_HOME"} {
			t.Run(tc.name+" "+home, func(t *testing.T) {
				t.Parallel()
				h := newHarness(t, qualyticstest.Build202609())
				put := func(s string) string { return strings.ReplaceAll(s, "URL", h.server.URL) }
				dir := t.TempDir()
				h.env = map[string]string{home: dir}
				if tc.file != "" {
					name := filepath.Join(dir, "config.yaml")
					if home == "HOME" {
						name = filepath.Join(dir, ".qualytics", "config.yaml")
					}
					writeFile(t, name, put(tc.file))
				}
				for k, v := range tc.env {
					h.env[k] = strings.ReplaceAll(v, "URL", h.server.URL)
				}
				block := values{}
				for k, v := range tc.block {
					block[k] = strings.ReplaceAll(v.(string), "URL", h.server.URL)
				}
				diags, token := h.configured(block)
				wantText(t, diags.errors(), tc.errors...)
				if tc.errors == nil && diags.errors() != "" {
					t.Fatalf("refused: %s", diags.errors())
				}
				if token != tc.token {
					t.Errorf("the server got the token %q, want %q", token, tc.token)
				}
				if strings.Contains(diags.errors()+diags.warnings(), "file\n") {
					t.Error("the token of the file is shown")
				}
			})
		}
	}
}

func TestConfigurationWarnings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		block values
		env   map[string]string
		file  string
		want  string // "" is no warning
	}{
		{"http elsewhere", values{"url": "http://example.com", "token": "x"}, nil, "", "Unencrypted connection"},
		{"http here", values{"url": "http://localhost:1", "token": "x"}, nil, "", ""},
		{
			"no verification",
			values{"url": "https://x", "token": "x", "ssl_verify": false},
			nil, "",
			`ssl_verify is false (source: argument)`,
		},
		{
			"no verification by environment",
			values{"url": "https://x", "token": "x"},
			map[string]string{"QUALYTICS_SSL_VERIFY": "no"},
			"", "QUALYTICS_SSL_VERIFY",
		},
		{"no verification by file", values{}, nil, "url: https://x\ntoken: x\nssl_verify: false", "config.yaml"},
		{
			"no verification of another address",
			values{"url": "https://y", "token": "x"},
			nil,
			"url: https://x\ntoken: x\nssl_verify: false", "",
		},
		{
			"broken file that is not needed",
			values{"url": "https://x", "token": "x"},
			nil, "{",
			"Qualytics CLI file ignored",
		},
		{
			"verification",
			values{"url": "https://x", "token": "x", "ssl_verify": true},
			map[string]string{"QUALYTICS_SSL_VERIFY": "0"},
			"", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, qualyticstest.Build202609())
			h.env = map[string]string{"QUALYTICS_CONFIG_HOME": t.TempDir()}
			if tc.file != "" {
				writeFile(t, filepath.Join(h.env["QUALYTICS_CONFIG_HOME"], "config.yaml"), tc.file)
			}
			for k, v := range tc.env {
				h.env[k] = v
			}
			diags := diagnostics(h.configure(tc.block))
			wantOK(t, diags)
			wantText(t, diags.warnings(), tc.want)
			if tc.want == "" && diags.warnings() != "" {
				t.Errorf("warned: %s", diags.warnings())
			}
		})
	}
}

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

func TestCACertFile(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	tls := httptest.NewTLSServer(h.server)
	t.Cleanup(tls.Close)
	home := t.TempDir()
	h.env["HOME"] = home
	block := values{"url": tls.URL, "token": h.server.AdminToken(), "max_retries": 0}
	_, read := h.configured(block)
	wantText(t, read, "nowhere", "set ca_cert_file")
	name := filepath.Join(home, "ca.pem")
	writeFile(t, name, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})))
	for _, file := range []string{name, "~/ca.pem"} {
		if diags, token := h.configured(block.with(values{"ca_cert_file": file})); token != h.server.AdminToken() {
			t.Errorf("%s: %s %s", file, diags.errors(), token)
		}
	}
	writeFile(t, name, "no certificate")
	wantText(t, diagnostics(h.configure(block.with(values{"ca_cert_file": name}))).errors(), "contains no certificate")
	wantText(t, diagnostics(h.configure(block.with(values{"ca_cert_file": name + "x"}))).errors(),
		"Unable to read CA file")
	if diags, token := h.configured(block.with(values{"ssl_verify": false})); token != h.server.AdminToken() ||
		!strings.Contains(diags.warnings(), "verification is disabled") {
		t.Errorf("without verification: %s %s", diags.errors(), token)
	}
}

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
			"401", "Could not validate credentials",
			"invalid, expired, or revoked", "QUALYTICS_TOKEN",
		}},
		"Member's token": {values{"token": h.server.Bearer(token.ID)}, []string{"403", "does not have the required " +
			"role: Admin", "Use the token of an Admin"}},
		"wrong api_path": {values{"api_path": "apu"}, []string{"web page", "check url and api_path"}},
		"server down": {values{"url": "http://127.0.0.1:1"}, []string{
			"no connection to 127.0.0.1:1",
			"check url, the network, and proxies",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h.connect(good.with(tc.change))
			_, diags := h.run(h.none(accountType), values{"name": "x", "role": "Member"})
			wantText(t, diags.errors(), append(tc.want, `Unable to create service account`, "Request: ")...)
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
