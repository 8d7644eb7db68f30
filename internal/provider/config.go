// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
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

// Environment variables. The official CLI uses the first five too.
const (
	envURL        = "QUALYTICS_URL"
	envToken      = "QUALYTICS_TOKEN" // #nosec G101 -- a name, not a credential.
	envSSLVerify  = "QUALYTICS_SSL_VERIFY"
	envTimeout    = "QUALYTICS_TIMEOUT"
	envAPIPath    = "QUALYTICS_API_PATH"
	envCACertFile = "QUALYTICS_CA_CERT_FILE"
	envMaxRetries = "QUALYTICS_MAX_RETRIES"
	envConfigHome = "QUALYTICS_CONFIG_HOME"
	// envImportToken may contain the secret of an imported token.
	envImportToken = "QUALYTICS_IMPORT_TOKEN" // #nosec G101 -- a name, not a credential.
)

// Environment is what the provider uses of its surroundings. Tests replace it; nil
// fields mean the real ones.
type Environment struct {
	LookupEnv func(key string) (string, bool)
	HomeDir   func() (string, error)
	Now       func() time.Time
	Random    io.Reader
	Sleep     func(ctx context.Context, d time.Duration) error
}

func (e Environment) withDefaults() Environment {
	if e.LookupEnv == nil {
		e.LookupEnv = os.LookupEnv
	}
	if e.HomeDir == nil {
		e.HomeDir = os.UserHomeDir
	}
	if e.Now == nil {
		e.Now = time.Now //nolint:forbidigo // The only place that uses the real clock.
	}
	if e.Random == nil {
		e.Random = rand.Reader
	}
	return e
}

// providerModel is the provider block.
type providerModel struct {
	URL        types.String  `tfsdk:"url"`
	Token      types.String  `tfsdk:"token"`
	APIPath    types.String  `tfsdk:"api_path"`
	SSLVerify  types.Bool    `tfsdk:"ssl_verify"`
	CACertFile types.String  `tfsdk:"ca_cert_file"`
	Headers    types.Map     `tfsdk:"headers"`
	Timeout    types.Float64 `tfsdk:"timeout"`
	MaxRetries types.Int64   `tfsdk:"max_retries"`
	Guardrails types.Object  `tfsdk:"guardrails"`
}

// Limits of the provider configuration.
const (
	minTimeoutSeconds = 0.001
	maxTimeoutSeconds = 3600
	maxMaxRetries     = 100
)

// unknown returns the names of the arguments with unknown values.
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
		{"headers", hasUnknown(m.Headers)},
		{"timeout", m.Timeout.IsUnknown()},
		{"max_retries", m.MaxRetries.IsUnknown()},
	} {
		if a.unknown {
			names = append(names, a.name)
		}
	}
	return names
}

// Setting says where a setting of the provider comes from. It contains no value.
type Setting struct {
	Name   string // of the argument in the provider block
	Source string // such as "environment variable QUALYTICS_URL"
}

// Sources of a setting that do not name a variable or a file.
const (
	SourceArgument = "argument"
	sourceDefault  = "default"
)

// resolver looks up each setting in the provider block, then in the environment,
// then in the file of the official CLI.
type resolver struct {
	block    providerModel
	env      Environment
	file     cliFile
	settings []Setting
	diags    diag.Diagnostics
}

// resolve returns the client's configuration, and where each setting comes from. It
// reads the environment, the CLI's file, and the CA file, and sends no request.
func resolve(block providerModel, env Environment) (qualytics.Config, []Setting, diag.Diagnostics) {
	r := &resolver{block: block, env: env}
	r.file = readCLIFile(env)
	cfg := qualytics.Config{Headers: r.headers()}
	cfg.URL = r.text("url", block.URL, envURL, r.file.URL)
	fileHasURL, fileToken := sameBaseURL(cfg.URL, r.file.URL), ""
	if fileHasURL {
		fileToken = r.file.Token
	}
	cfg.Token = qualytics.Secret(r.text("token", block.Token, envToken, fileToken))
	r.checkToken(string(cfg.Token))
	r.checkMissing(cfg)
	cfg.APIPath = r.apiPath()
	cfg.InsecureSkipVerify = !r.sslVerify(fileHasURL)
	cfg.RootCAs = r.rootCAs()
	cfg.Timeout = r.timeout()
	cfg.MaxRetries = r.maxRetries()
	if !r.diags.HasError() {
		r.checkURL(cfg)
	}
	return cfg, r.settings, r.diags
}

// record records where a setting comes from.
func (r *resolver) record(name, source string) {
	r.settings = append(r.settings, Setting{name, source})
}

// text looks up a setting for which blank text counts as not set.
func (r *resolver) text(name string, argument types.String, variable, inFile string) string {
	for _, place := range []struct{ value, source string }{
		{argument.ValueString(), SourceArgument},
		{r.getenv(variable), sourceVariable(variable)},
		{inFile, r.file.name},
	} {
		if value := strings.TrimSpace(place.value); value != "" {
			r.record(name, place.source)
			return value
		}
	}
	r.record(name, sourceDefault)
	return ""
}

func sourceVariable(name string) string { return "environment variable " + name }

func (r *resolver) getenv(key string) string {
	value, _ := r.env.LookupEnv(key)
	return value
}

// sameBaseURL reports whether two URLs are those of the same deployment.
func sameBaseURL(a, b string) bool {
	ua, errA := qualytics.BaseURL(a, "")
	ub, errB := qualytics.BaseURL(b, "")
	return errA == nil && errB == nil && ua.String() == ub.String()
}

// checkToken reports a token that was copied together with other text.
func (r *resolver) checkToken(token string) {
	problem := ""
	switch {
	case strings.ContainsAny(token[:min(1, len(token))], `"'`):
		problem = "The token starts with a quotation mark. Remove the quotation marks around it."
	case len(token) > len("bearer ") && strings.EqualFold(token[:len("bearer ")], "bearer "):
		problem = "The token starts with \"Bearer \". Remove that: the provider adds it."
	}
	if problem != "" {
		r.diags.AddAttributeError(path.Root("token"), "Invalid provider token", problem)
	}
}

// emptyText returns a sentence about a setting that is set but empty, or "".
func (r *resolver) emptyText(argument types.String, variable string) string {
	value, isSet := r.env.LookupEnv(variable)
	switch {
	case !argument.IsNull() && strings.TrimSpace(argument.ValueString()) == "":
		return ". The argument is set, but its value is empty"
	case isSet && strings.TrimSpace(value) == "":
		return ". The environment variable is set, but its value is empty"
	}
	return ""
}

// checkMissing reports all missing settings together, with every way to set them.
func (r *resolver) checkMissing(cfg qualytics.Config) {
	const ways = "%s: the argument %q, the environment variable %s, or %q in %s"
	var missing []string
	if cfg.URL == "" {
		missing = append(missing, fmt.Sprintf(ways, "url", "url", envURL, "url", r.file.name)+
			r.emptyText(r.block.URL, envURL))
	}
	if cfg.Token == "" {
		line := fmt.Sprintf(ways, "token", "token", envToken, "token", r.file.name) + r.emptyText(r.block.Token,
			envToken)
		if r.file.Token != "" && cfg.URL != "" {
			line += ". That file has a token, but for another URL than " + displayURL(cfg.URL) +
				", so it is not sent there"
		}
		missing = append(missing, line)
	}
	switch {
	case len(missing) > 0:
		detail := "The following settings are missing. Each can be set in one of these ways, in this order of " +
			"precedence:\n\n  - " + strings.Join(missing, "\n  - ") + "\n\nThe token is a personal token or a " +
			"service token of an Admin."
		if r.file.err != nil {
			detail += "\n\nThe file of the Qualytics CLI could not be used: " + r.file.err.Error() + "."
		}
		r.diags.AddError("Missing provider configuration", detail)
	case r.file.err != nil:
		r.diags.AddWarning("Qualytics CLI file ignored",
			sentence(r.file.err.Error())+" All required settings were found elsewhere.")
	}
}

// displayURL returns a URL for messages, or a description if it is invalid.
func displayURL(raw string) string {
	u, err := qualytics.BaseURL(raw, "")
	if err != nil {
		return "the configured one"
	}
	return u.String()
}

func (r *resolver) checkURL(cfg qualytics.Config) {
	u, err := qualytics.BaseURL(cfg.URL, cfg.APIPath)
	if err != nil {
		r.diags.AddAttributeError(path.Root("url"), "Invalid provider URL", sentence(err.Error()))
		return
	}
	if u.Scheme == "http" && !qualytics.IsLoopback(u.Hostname()) {
		r.diags.AddAttributeWarning(path.Root("url"), "Unencrypted connection",
			"The URL "+u.String()+" uses http, so anyone on the network can read the provider's token and every "+
				"token that it creates. Use https.")
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

// apiPath returns the API path, which may be set to "".
func (r *resolver) apiPath() string {
	value, source := qualytics.DefaultAPIPath, sourceDefault
	if fromEnv, isSet := r.env.LookupEnv(envAPIPath); !r.block.APIPath.IsNull() {
		value, source = r.block.APIPath.ValueString(), SourceArgument
	} else if isSet {
		value, source = fromEnv, sourceVariable(envAPIPath)
	}
	r.record("api_path", source)
	return value
}

// sslVerify returns whether to verify the certificate. The CLI's setting counts only
// for the CLI's URL.
func (r *resolver) sslVerify(fileHasURL bool) bool {
	verify, source := true, sourceDefault
	fromEnv := r.getenv(envSSLVerify)
	switch {
	case !r.block.SSLVerify.IsNull():
		verify, source = r.block.SSLVerify.ValueBool(), SourceArgument
	case fromEnv != "":
		v, err := parseBool(fromEnv)
		if err != nil {
			r.diags.AddError("Invalid environment variable", envSSLVerify+" must be true or false.")
		}
		verify, source = v, sourceVariable(envSSLVerify)
	case r.file.SSLVerify != nil && (fileHasURL || r.file.URL == ""):
		verify, source = *r.file.SSLVerify, r.file.name
	}
	r.record("ssl_verify", source)
	if !verify && !r.diags.HasError() {
		r.diags.AddWarning("Certificate verification is disabled", "ssl_verify is false (source: "+source+"). "+
			"Anyone on the network can impersonate the server and obtain the provider's token. If a private "+
			"authority signed the certificate, set ca_cert_file instead.")
	}
	return verify
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "0", "false", "no", "off", "f", "n":
		return false, nil
	case "1", "true", "yes", "on", "t", "y":
		return true, nil
	}
	return true, errors.New("expected true or false")
}

func (r *resolver) rootCAs() *x509.CertPool {
	name := r.text("ca_cert_file", r.block.CACertFile, envCACertFile, "")
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
		r.diags.AddAttributeError(path.Root("ca_cert_file"), "Unable to read CA file", sentence(err.Error()))
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		r.diags.AddAttributeError(path.Root("ca_cert_file"), "No certificate in CA file",
			name+" contains no certificate in PEM format. It must have at least one block that begins with "+
				"-----BEGIN CERTIFICATE-----.")
	}
	return pool
}

func (r *resolver) timeout() time.Duration {
	seconds, source := qualytics.DefaultTimeout.Seconds(), sourceDefault
	switch fromEnv := r.getenv(envTimeout); {
	case !r.block.Timeout.IsNull():
		seconds, source = r.block.Timeout.ValueFloat64(), SourceArgument
	case fromEnv != "":
		v, err := strconv.ParseFloat(strings.TrimSpace(fromEnv), 64)
		if err != nil || !(v >= minTimeoutSeconds && v <= maxTimeoutSeconds) { // also refuses NaN
			r.diags.AddError("Invalid environment variable",
				fmt.Sprintf("%s must be a number of seconds, at most %d.", envTimeout, maxTimeoutSeconds))
			return 0
		}
		seconds, source = v, sourceVariable(envTimeout)
	case r.file.Timeout >= minTimeoutSeconds && r.file.Timeout <= maxTimeoutSeconds:
		seconds, source = r.file.Timeout, r.file.name
	}
	r.record("timeout", source)
	return time.Duration(seconds * float64(time.Second))
}

func (r *resolver) maxRetries() int {
	retries, source := qualytics.DefaultMaxRetries, sourceDefault
	switch fromEnv := r.getenv(envMaxRetries); {
	case !r.block.MaxRetries.IsNull():
		retries, source = int(r.block.MaxRetries.ValueInt64()), SourceArgument
	case fromEnv != "":
		v, err := strconv.Atoi(strings.TrimSpace(fromEnv))
		if err != nil || v < 0 || v > maxMaxRetries {
			r.diags.AddError("Invalid environment variable",
				fmt.Sprintf("%s must be a whole number from 0 to %d.", envMaxRetries, maxMaxRetries))
		}
		retries, source = v, sourceVariable(envMaxRetries)
	}
	r.record("max_retries", source)
	return retries
}

// ResolveSettings returns the client's configuration as a provider block with the given
// url and token would, for other programs, and where each setting comes from. Empty
// arguments count as not set. The error contains every problem.
func ResolveSettings(url, token string, env Environment) (qualytics.Config, []Setting, error) {
	block := providerModel{URL: stringOrNull(url), Token: stringOrNull(token), Headers: types.MapNull(types.StringType)}
	cfg, settings, diags := resolve(block, env.withDefaults())
	var problems []string
	for _, d := range diags.Errors() {
		problems = append(problems, d.Summary()+": "+d.Detail())
	}
	if len(problems) > 0 {
		return cfg, nil, errors.New(strings.Join(problems, "\n"))
	}
	return cfg, settings, nil
}
