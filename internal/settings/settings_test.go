// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package settings

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// environment returns an environment with variables, a home folder, and the CLI's file in
// the folder of the variable home. Empty text is no file.
func environment(t *testing.T, variables map[string]string, home, file string) Environment {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{home: dir}
	for name, value := range variables {
		all[name] = value
	}
	if home == "HOME" {
		dir = filepath.Join(dir, ".qualytics")
	}
	if file != "" {
		writeFile(t, filepath.Join(dir, "config.yaml"), file)
	}
	return Environment{
		LookupEnv: func(key string) (string, bool) { v, ok := all[key]; return v, ok },
		HomeDir:   func() (string, error) { return all["HOME"], nil },
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// textOf returns the errors or the warnings among problems.
func textOf(problems Problems, warnings bool) string {
	text := ""
	for _, p := range problems {
		if p.Warning == warnings {
			text += p.Attribute + " " + p.Summary + ": " + p.Detail + "\n"
		}
	}
	return text
}

func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
	if len(parts) == 0 && text != "" {
		t.Errorf("unexpected: %s", text)
	}
}

// The sources of url and token, and which of them are used together.
func TestSourcesOfURLAndToken(t *testing.T) {
	t.Parallel()
	const url = "https://x.qualytics.io"
	for _, tc := range []struct {
		name   string
		args   Arguments
		env    map[string]string
		file   string
		token  string
		errors []string
	}{
		{
			"block",
			Arguments{URL: new(url), Token: new("block")},
			map[string]string{EnvURL: "https://y", EnvToken: "env"},
			"", "block", nil,
		},
		{
			"environment",
			Arguments{},
			map[string]string{EnvURL: url, EnvToken: " env\n"},
			"url: https://y\ntoken: file", "env", nil,
		},
		{"file", Arguments{}, nil, "url: " + url + "\ntoken: file\ntimeout: 5\nssl_verify: true", "file", nil},
		{
			"file, spelled differently",
			Arguments{URL: new(url + "/api/")},
			nil, "url: " + url + "/\ntoken: file", "file", nil,
		},
		{
			"file with a variable",
			Arguments{},
			map[string]string{"SECRET": "interpolated"},
			"url: " + url + "\ntoken: ${SECRET}", "interpolated", nil,
		},
		{
			"file with an unset variable",
			Arguments{},
			nil, "url: " + url + "\ntoken: ${NOWHERE}", "",
			[]string{"NOWHERE", "not set"},
		},
		{
			"file of another deployment",
			Arguments{URL: new(url)},
			nil, "url: https://y\ntoken: file", "",
			[]string{"for another URL than " + url, EnvToken},
		},
		{"file without a url", Arguments{URL: new(url)}, nil, "token: file", "", []string{"for another URL"}},
		{
			"nothing",
			Arguments{},
			nil, "", "",
			[]string{"url: the argument", EnvURL, "token: the argument", EnvToken, "config.yaml"},
		},
		{"only the url", Arguments{URL: new(url)}, nil, "", "", []string{EnvToken}},
		{"broken file", Arguments{}, nil, "{", "", []string{"not valid YAML", EnvURL}},
		{
			"empty arguments",
			Arguments{URL: new(""), Token: new(" ")},
			map[string]string{EnvURL: url, EnvToken: "env"},
			"", "env", nil,
		},
		{
			"empty argument and variable",
			Arguments{URL: new(url), Token: new("")},
			map[string]string{EnvToken: "  "},
			"", "",
			[]string{"The argument is set, but its value is empty"},
		},
		{
			"empty variable",
			Arguments{URL: new(url)},
			map[string]string{EnvToken: ""},
			"", "",
			[]string{"The environment variable is set, but its value is empty"},
		},
		{
			"variable of another host",
			Arguments{URL: new(url)},
			map[string]string{EnvURL: "https://production", EnvToken: "env"},
			"", "",
			[]string{"QUALYTICS_TOKEN is set, but QUALYTICS_URL names another host than " + url, "argument \"token\""},
		},
		{
			"variable of another port",
			Arguments{URL: new(url)},
			map[string]string{EnvURL: url + ":8443", EnvToken: "env"},
			"", "",
			[]string{"names another host"},
		},
		{
			"variable of an invalid host",
			Arguments{URL: new(url)},
			map[string]string{EnvURL: "ftp://x", EnvToken: "env"},
			"", "",
			[]string{"names another host"},
		},
		{
			"variable of the same host",
			Arguments{URL: new(url)},
			map[string]string{EnvURL: "X.qualytics.io:443/api/", EnvToken: "env"},
			"", "env", nil,
		},
		{
			"variable of another host, and the file of this one",
			Arguments{URL: new(url)},
			map[string]string{EnvURL: "https://production", EnvToken: "env"},
			"url: " + url + "\ntoken: file", "file", nil,
		},
		{
			"variable with a blank host",
			Arguments{URL: new(url)},
			map[string]string{EnvURL: " ", EnvToken: "env"},
			"", "env", nil,
		},
		{
			"variable and the host of the file",
			Arguments{},
			map[string]string{EnvToken: "env"},
			"url: " + url + "\ntoken: file", "env", nil,
		},
		{
			"variables with an invalid host",
			Arguments{},
			map[string]string{EnvURL: "ftp://x", EnvToken: "env"},
			"", "env",
			[]string{"Invalid provider URL", "scheme"},
		},
		{
			"invalid host",
			Arguments{URL: new("ftp://x")},
			map[string]string{EnvURL: url, EnvToken: "env"},
			"", "env",
			[]string{"Invalid provider URL", "scheme"},
		},
		{
			"quotation marks",
			Arguments{URL: new(url), Token: new(`"x"`)},
			nil, "", `"x"`,
			[]string{"Invalid provider token", "quotation mark"},
		},
		{
			"Bearer",
			Arguments{URL: new(url), Token: new("bearer x")},
			nil, "", "bearer x",
			[]string{"Invalid provider token", `"Bearer "`},
		},
	} {
		for _, home := range []string{"HOME", EnvConfigHome} {
			t.Run(tc.name+" "+home, func(t *testing.T) {
				t.Parallel()
				cfg, _, problems := Resolve(tc.args, environment(t, tc.env, home, tc.file))
				wantText(t, textOf(problems, false), tc.errors...)
				if string(cfg.Token) != tc.token {
					t.Errorf("the token is %q, want %q", string(cfg.Token), tc.token)
				}
				if tc.errors == nil && !sameBaseURL(cfg.URL, url) {
					t.Errorf("the URL is %q", cfg.URL)
				}
			})
		}
	}
}

// Every setting has the first value in the order of precedence, and its source is known.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	variables := map[string]string{
		EnvURL: "https://env", EnvToken: "env", EnvAPIPath: "", EnvSSLVerify: "yes", EnvTimeout: "2.5",
		EnvMaxRetries: "0",
	}
	const file, shown = "url: https://file\ntoken: file\nssl_verify: false\ntimeout: 7", "~/.qualytics/config.yaml"
	names := []string{
		"url", "token", "api_path", "ssl_verify", "ca_cert_file", "ca_cert_pem", "timeout", "max_retries",
	}
	args := Arguments{
		URL: new("https://block"), Token: new("block"), APIPath: new("a/b"), SSLVerify: new(false), Timeout: new(3.0),
		MaxRetries: new(int64(4)), Headers: map[string]qualytics.Secret{"X-Gateway": "x"},
	}
	for _, tc := range []struct {
		name string
		args Arguments
		env  map[string]string
		file string
		want qualytics.Config
		from []string // the settings in names
	}{
		{
			"block", args, variables, file,
			qualytics.Config{
				URL: "https://block", Token: "block", APIPath: "a/b", InsecureSkipVerify: true,
				Timeout: 3 * time.Second, MaxRetries: 4, Headers: args.Headers,
			},
			[]string{"argument", "argument", "argument", "argument", "default", "default", "argument", "argument"},
		},
		{
			"environment",
			Arguments{},
			variables, file,
			qualytics.Config{URL: "https://env", Token: "env", Timeout: 2500 * time.Millisecond},
			[]string{
				"environment variable QUALYTICS_URL", "environment variable QUALYTICS_TOKEN",
				"environment variable QUALYTICS_API_PATH", "environment variable QUALYTICS_SSL_VERIFY", "default",
				"default",
				"environment variable QUALYTICS_TIMEOUT", "environment variable QUALYTICS_MAX_RETRIES",
			},
		},
		{
			"file",
			Arguments{},
			map[string]string{EnvTimeout: "", EnvSSLVerify: "", EnvMaxRetries: ""},
			file,
			qualytics.Config{
				URL: "https://file", Token: "file", APIPath: "api", InsecureSkipVerify: true,
				Timeout: 7 * time.Second, MaxRetries: qualytics.DefaultMaxRetries,
			},
			[]string{shown, shown, "default", shown, "default", "default", shown, "default"},
		},
		{
			"default",
			Arguments{URL: new("https://x"), Token: new("x")},
			nil, "",
			qualytics.Config{
				URL: "https://x", Token: "x", APIPath: "api", Timeout: qualytics.DefaultTimeout,
				MaxRetries: qualytics.DefaultMaxRetries,
			},
			[]string{"argument", "argument", "default", "default", "default", "default", "default", "default"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg, settings, problems := Resolve(tc.args, environment(t, tc.env, "HOME", tc.file))
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, cfg); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			var want []Setting
			for i, name := range names {
				want = append(want, Setting{name, tc.from[i]})
			}
			if diff := cmp.Diff(want, settings); diff != "" {
				t.Errorf("sources, want -, got +:\n%s", diff)
			}
		})
	}
}

// An invalid variable or URL is an error that names it, unless an argument takes precedence.
func TestInvalidValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, value string
		args        Arguments
		want        []string
	}{
		{EnvTimeout, "soon", Arguments{}, []string{EnvTimeout + " must be a number of seconds, at most 3600."}},
		{EnvTimeout, "NaN", Arguments{}, []string{EnvTimeout}},
		{EnvTimeout, "0", Arguments{}, []string{EnvTimeout}},
		{EnvTimeout, "3601", Arguments{}, []string{EnvTimeout}},
		{EnvTimeout, "3600", Arguments{}, nil},
		{EnvTimeout, "soon", Arguments{Timeout: new(1.0)}, nil},
		{EnvMaxRetries, "-1", Arguments{}, []string{EnvMaxRetries + " must be a whole number from 0 to 100."}},
		{EnvMaxRetries, "101", Arguments{}, []string{EnvMaxRetries}},
		{EnvMaxRetries, " 100 ", Arguments{}, nil},
		{EnvSSLVerify, "maybe", Arguments{}, []string{EnvSSLVerify + " must be true or false."}},
		{EnvSSLVerify, "maybe", Arguments{SSLVerify: new(true)}, nil},
		{EnvURL, "ftp://x", Arguments{}, []string{"Invalid provider URL", "scheme"}},
		{EnvAPIPath, "a?b", Arguments{}, []string{"Invalid provider URL", "API path is invalid"}},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			t.Parallel()
			tc.args.Token = new("x")
			env := environment(t, map[string]string{EnvURL: "https://x", tc.name: tc.value}, "HOME", "")
			_, _, problems := Resolve(tc.args, env)
			wantText(t, textOf(problems, false), tc.want...)
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	at := func(url string) Arguments { return Arguments{URL: &url, Token: new("x")} }
	verify := func(on bool) Arguments { return Arguments{URL: new("https://x"), Token: new("x"), SSLVerify: &on} }
	const file = "url: https://x\ntoken: x\nssl_verify: false"
	for _, tc := range []struct {
		name string
		args Arguments
		env  map[string]string
		file string
		want []string
	}{
		{"http elsewhere", at("http://example.com"), nil, "", []string{"Unencrypted connection"}},
		{"http here", at("http://localhost:1"), nil, "", nil},
		{"no verification", verify(false), nil, "", []string{"ssl_verify is false (source: argument)"}},
		{
			"no verification by variable", at("https://x"),
			map[string]string{EnvSSLVerify: "no"},
			"",
			[]string{EnvSSLVerify},
		},
		{"no verification by file", Arguments{}, nil, file, []string{"config.yaml"}},
		{"no verification by file without url", at("https://x"), nil, "ssl_verify: no", []string{"config.yaml"}},
		{"no verification of another address", at("https://y"), nil, file, nil},
		{"verification", verify(true), map[string]string{EnvSSLVerify: "0"}, "", nil},
		{"broken file that is not needed", at("https://x"), nil, "{", []string{"Qualytics CLI file ignored"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, _, problems := Resolve(tc.args, environment(t, tc.env, "HOME", tc.file))
			wantText(t, textOf(problems, false))
			wantText(t, textOf(problems, true), tc.want...)
		})
	}
}

func TestCLIFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"verification", "ssl_verify: maybe", "ssl_verify must be true or false"},
		{"timeout", "timeout: soon", "timeout must be a number of seconds"},
		{"list", "- url", "not valid YAML"},
	} {
		_, err := parseCLIFile([]byte(tc.text), os.LookupEnv)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

// certificate returns a server's certificate, and the same in PEM format.
func certificate(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	block := &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}
	return s.Certificate(), string(pem.EncodeToMemory(block))
}

// ca_cert_file and ca_cert_pem add authorities, and their errors never print the text.
func TestCACertificates(t *testing.T) {
	t.Parallel()
	cert, text := certificate(t)
	env := environment(t, map[string]string{EnvCACertPEM: "  "}, "HOME", "")
	home, _ := env.HomeDir()
	writeFile(t, filepath.Join(home, "ca.pem"), text)
	writeFile(t, filepath.Join(home, "empty.pem"), "no certificate")
	const private = "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----"
	for _, tc := range []struct {
		name, file, text string
		want             []string
	}{
		{"file in the home folder", "~/ca.pem", "", nil},
		{"file", filepath.Join(home, "ca.pem"), "", nil},
		{"text", "", text, nil},
		{"both", "~/ca.pem", "\n" + text, nil},
		{"text after a key", "", private + "\n" + text, nil},
		{
			"file without", "~/empty.pem", text,
			[]string{"ca_cert_file No certificate in CA file", home + "/empty.pem contains no"},
		},
		{
			"no file", "~/nowhere.pem", "",
			[]string{"ca_cert_file Unable to read CA file", "Open " + home + "/nowhere.pem"},
		},
		{"private key", "~/ca.pem", private, []string{" No certificate in ca_cert_pem", "(source: argument)"}},
		{"lost line breaks", "", strings.ReplaceAll(text, "\n", `\n`), []string{"No certificate in ca_cert_pem"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			args := Arguments{URL: new("https://x"), Token: new("x"), CACertFile: &tc.file, CACertPEM: &tc.text}
			cfg, _, problems := Resolve(args, env)
			wantText(t, textOf(problems, false), tc.want...)
			if tc.want == nil {
				if _, err := cert.Verify(x509.VerifyOptions{Roots: cfg.RootCAs}); err != nil {
					t.Errorf("the authority is not added: %v", err)
				}
			}
			for _, p := range problems {
				if strings.Contains(p.Detail, "aHVudGVyMg") || p.Attribute == "ca_cert_pem" {
					t.Errorf("the text is shown: %+v", p)
				}
			}
		})
	}
	_, _, problems := Resolve(Arguments{URL: new("https://x"), Token: new("x")},
		environment(t, map[string]string{EnvCACertPEM: private}, "HOME", ""))
	wantText(t, textOf(problems, false), "No certificate in ca_cert_pem", "(source: environment variable "+EnvCACertPEM)
}

// The errors of all settings are one error, without the warnings.
func TestErr(t *testing.T) {
	t.Parallel()
	problems := Problems{
		{Summary: "A", Detail: "a"}, {Summary: "W", Detail: "w", Warning: true}, {Summary: "B", Detail: "b"},
	}
	if err := problems.Err(); err == nil || err.Error() != "A: a\nB: b" {
		t.Errorf("got %v", err)
	}
	if err := problems[1:2].Err(); err != nil {
		t.Errorf("a warning is an error: %v", err)
	}
}

func FuzzCLIFile(f *testing.F) {
	for _, text := range []string{
		"url: https://x\ntoken: ${SECRET}", "{", "token: [1]", "url: 5\nssl_verify: maybe",
		"timeout: x", "a: &a [*a]", "token: canary-in-the-file\nssl_verify: 7",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := parseCLIFile(text, func(string) (string, bool) { return "canary-in-the-environment", true })
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error quotes the file: %v", err)
		}
	})
}
