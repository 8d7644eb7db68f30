// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Environment variables. The first five are also the official CLI's.
const (
	envURL        = "QUALYTICS_URL"
	envToken      = "QUALYTICS_TOKEN" // #nosec G101 -- a name, not a credential.
	envSSLVerify  = "QUALYTICS_SSL_VERIFY"
	envTimeout    = "QUALYTICS_TIMEOUT"
	envAPIPath    = "QUALYTICS_API_PATH"
	envCACertFile = "QUALYTICS_CA_CERT_FILE"
	envMaxRetries = "QUALYTICS_MAX_RETRIES"
	envConfigHome = "QUALYTICS_CONFIG_HOME"
	// envImportToken may hold the secret of a token that is imported.
	envImportToken = "QUALYTICS_IMPORT_TOKEN" // #nosec G101 -- a name, not a credential.
)

// unknown names the arguments whose values are not known yet.
func (m providerModel) unknown() []string {
	var names []string
	for _, a := range []struct {
		name    string
		unknown bool
	}{
		{"url", m.URL.IsUnknown()},
		{"token", m.Token.IsUnknown()},
		{"api_path", m.APIPath.IsUnknown()},
		{"ssl_verify", m.SSLVerify.IsUnknown()},
		{"ca_cert_file", m.CACertFile.IsUnknown()},
		{"headers", unknownInside(m.Headers)},
		{"timeout", m.Timeout.IsUnknown()},
		{"max_retries", m.MaxRetries.IsUnknown()},
	} {
		if a.unknown {
			names = append(names, a.name)
		}
	}
	return names
}

// resolver finds each setting: the block first, then the environment, then the
// official CLI's file.
type resolver struct {
	block providerModel
	env   Environment
	file  cliFile
	diags diag.Diagnostics
}

// resolve makes the client's configuration. It reads the environment, the CLI's
// file and the CA file, and calls nobody.
func resolve(block providerModel, env Environment) (qualytics.Config, diag.Diagnostics) {
	r := &resolver{block: block, env: env}
	r.file = readCLIFile(env)
	cfg := qualytics.Config{Headers: r.headers()}
	cfg.URL = firstOf(block.URL.ValueString(), r.getenv(envURL), r.file.URL)
	fileIsForURL := sameAddress(cfg.URL, r.file.URL)
	cfg.Token = qualytics.Secret(firstOf(block.Token.ValueString(), r.getenv(envToken)))
	if cfg.Token == "" && fileIsForURL {
		cfg.Token = qualytics.Secret(r.file.Token)
	}
	r.checkMissing(cfg)
	cfg.APIPath = r.apiPath()
	cfg.InsecureSkipVerify = !r.sslVerify(fileIsForURL)
	cfg.RootCAs = r.rootCAs()
	cfg.Timeout = r.timeout()
	cfg.MaxRetries = r.maxRetries()
	if !r.diags.HasError() {
		r.checkURL(cfg)
	}
	return cfg, r.diags
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}

func (r *resolver) getenv(key string) string {
	value, _ := r.env.LookupEnv(key)
	return value
}

// sameAddress reports whether two spellings name the same deployment.
func sameAddress(a, b string) bool {
	ua, errA := qualytics.BaseURL(a, "")
	ub, errB := qualytics.BaseURL(b, "")
	return errA == nil && errB == nil && ua.String() == ub.String()
}

// checkMissing names everything that is missing at once, with every way to set it.
func (r *resolver) checkMissing(cfg qualytics.Config) {
	var missing []string
	if cfg.URL == "" {
		missing = append(missing, fmt.Sprintf("url: the argument \"url\", the environment variable %s, or \"url\" in %s", envURL, r.file.name))
	}
	if cfg.Token == "" {
		line := fmt.Sprintf("token: the argument \"token\", the environment variable %s, or \"token\" in %s", envToken, r.file.name)
		if r.file.Token != "" && cfg.URL != "" {
			line += ". That file has a token, but it was written for another address than " + withoutUserInfo(cfg.URL) + ", so it is not sent there"
		}
		missing = append(missing, line)
	}
	switch {
	case len(missing) > 0:
		detail := "Each can be set in any of these ways, the first one found counts:\n\n  - " + strings.Join(missing, "\n  - ") +
			"\n\nThe token is that of an Admin: a personal token or a service token."
		if r.file.err != nil {
			detail += "\n\nThe CLI's file could not be used: " + r.file.err.Error() + "."
		}
		r.diags.AddError("The provider is not configured", detail)
	case r.file.err != nil:
		r.diags.AddWarning("The file of the Qualytics CLI was ignored", sentence(r.file.err.Error())+" Everything that is needed was found elsewhere.")
	}
}

// withoutUserInfo shows an address without a user name and password.
func withoutUserInfo(address string) string {
	u, err := qualytics.BaseURL(address, "")
	if err != nil {
		return "the one configured"
	}
	return u.String()
}

func (r *resolver) checkURL(cfg qualytics.Config) {
	u, err := qualytics.BaseURL(cfg.URL, cfg.APIPath)
	if err != nil {
		r.diags.AddAttributeError(path.Root("url"), "The provider's address is not valid", sentence(err.Error()))
		return
	}
	if u.Scheme == "http" && !qualytics.IsLoopback(u.Hostname()) {
		r.diags.AddAttributeWarning(path.Root("url"), "The token is sent without encryption",
			"The address "+u.String()+" uses http: everybody on the way can read the provider's token and every token it creates. Use https.")
	}
}

func (r *resolver) headers() map[string]qualytics.Secret {
	out := map[string]qualytics.Secret{}
	for name, value := range r.block.Headers.Elements() {
		if s, ok := value.(types.String); ok {
			out[name] = qualytics.Secret(s.ValueString())
		}
	}
	return out
}

// apiPath may be set to nothing on purpose.
func (r *resolver) apiPath() string {
	if !r.block.APIPath.IsNull() {
		return r.block.APIPath.ValueString()
	}
	if value, ok := r.env.LookupEnv(envAPIPath); ok {
		return value
	}
	return qualytics.DefaultAPIPath
}

// sslVerify takes the CLI's setting only for the address that the CLI's file names.
func (r *resolver) sslVerify(fileIsForURL bool) bool {
	verify, source := true, ""
	fromEnv := r.getenv(envSSLVerify)
	switch {
	case !r.block.SSLVerify.IsNull():
		verify, source = r.block.SSLVerify.ValueBool(), "the argument \"ssl_verify\""
	case fromEnv != "":
		v, err := parseSwitch(fromEnv)
		if err != nil {
			r.diags.AddError("The environment variable "+envSSLVerify+" is not valid", "It is "+strconv.Quote(fromEnv)+"; expected true or false.")
		}
		verify, source = v, "the environment variable "+envSSLVerify
	case r.file.SSLVerify != nil && (fileIsForURL || r.file.URL == ""):
		verify, source = *r.file.SSLVerify, r.file.name
	}
	if !verify && !r.diags.HasError() {
		r.diags.AddWarning("The server's certificate is not verified",
			"It is turned off by "+source+". Anybody on the way can pose as the server and take the provider's token. "+
				"If the certificate is signed by an authority of your own, set ca_cert_file instead.")
	}
	return verify
}

func parseSwitch(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "0", "false", "no", "off", "f", "n":
		return false, nil
	case "1", "true", "yes", "on", "t", "y":
		return true, nil
	}
	return true, errors.New("expected true or false")
}

func (r *resolver) rootCAs() *x509.CertPool {
	name := firstOf(r.block.CACertFile.ValueString(), r.getenv(envCACertFile))
	if name == "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := r.env.HomeDir(); err == nil {
			name = filepath.Join(home, rest)
		}
	}
	text, err := os.ReadFile(name) // #nosec G304 -- the user names the file.
	if err != nil {
		r.diags.AddAttributeError(path.Root("ca_cert_file"), "The CA file cannot be read", sentence(err.Error()))
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		r.diags.AddAttributeError(path.Root("ca_cert_file"), "The CA file holds no certificate",
			"No certificate in PEM form was found in "+name+". It should contain at least one block that begins with -----BEGIN CERTIFICATE-----.")
	}
	return pool
}

func (r *resolver) timeout() time.Duration {
	seconds := qualytics.DefaultTimeout.Seconds()
	switch fromEnv := r.getenv(envTimeout); {
	case !r.block.Timeout.IsNull():
		seconds = r.block.Timeout.ValueFloat64()
	case fromEnv != "":
		v, err := strconv.ParseFloat(strings.TrimSpace(fromEnv), 64)
		if err != nil || v < minTimeoutSeconds || v > maxTimeoutSeconds {
			r.diags.AddError("The environment variable "+envTimeout+" is not valid",
				fmt.Sprintf("It is %q; expected a number of seconds, at most %d.", fromEnv, maxTimeoutSeconds))
			return 0
		}
		seconds = v
	case r.file.Timeout >= minTimeoutSeconds && r.file.Timeout <= maxTimeoutSeconds:
		seconds = r.file.Timeout
	}
	return time.Duration(seconds * float64(time.Second))
}

func (r *resolver) maxRetries() int {
	if !r.block.MaxRetries.IsNull() {
		return int(r.block.MaxRetries.ValueInt64())
	}
	fromEnv := r.getenv(envMaxRetries)
	if fromEnv == "" {
		return qualytics.DefaultMaxRetries
	}
	v, err := strconv.Atoi(strings.TrimSpace(fromEnv))
	if err != nil || v < 0 || v > maxMaxRetries {
		r.diags.AddError("The environment variable "+envMaxRetries+" is not valid",
			fmt.Sprintf("It is %q; expected a whole number from 0 to %d.", fromEnv, maxMaxRetries))
	}
	return v
}
