// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package settings decides where the settings of the provider come from: the provider
// block, the environment, or the file of the official CLI. It knows nothing of Terraform.
package settings

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Arguments are the arguments of the provider block. Nil means not set.
type Arguments struct {
	URL        *string
	Token      *string
	APIPath    *string
	SSLVerify  *bool
	CACertFile *string
	CACertPEM  *string
	Headers    map[string]qualytics.Secret
	Timeout    *float64 // seconds
	MaxRetries *int64
}

// Setting says where a setting comes from. It contains no value.
type Setting struct {
	Name   string // of the argument in the provider block
	Source string // such as "environment variable QUALYTICS_URL"
}

// Sources of a setting that do not name a variable or a file.
const (
	SourceArgument = "argument"
	sourceDefault  = "default"
)

// SourceOf returns the source of a setting.
func SourceOf(settings []Setting, name string) string {
	for _, s := range settings {
		if s.Name == name {
			return s.Source
		}
	}
	return sourceDefault
}

// Problem is what is wrong with the settings.
type Problem struct {
	Attribute string // argument of the provider block, or ""
	Summary   string
	Detail    string
	Warning   bool
}

// Problems are all problems of the settings.
type Problems []Problem

// Err returns the errors among the problems as one, or nil.
func (p Problems) Err() error {
	var errs []error
	for _, problem := range p {
		if !problem.Warning {
			errs = append(errs, fmt.Errorf("%s: %s", problem.Summary, problem.Detail))
		}
	}
	return errors.Join(errs...)
}

// resolver looks up each setting in the provider block, then in the environment, then in
// the file of the official CLI.
type resolver struct {
	args     Arguments
	env      Environment
	file     cliFile
	settings []Setting
	problems Problems
}

// Resolve returns the client's configuration, and where each setting comes from. It reads
// the environment, the CLI's file, and ca_cert_file, and sends no request.
func Resolve(args Arguments, env Environment) (qualytics.Config, []Setting, Problems) {
	env = env.WithDefaults()
	r := &resolver{args: args, env: env, file: readCLIFile(env)}
	cfg := qualytics.Config{Headers: args.Headers}
	cfg.URL = lookUp(r, "url", textSources(args.URL, EnvURL, r.file.url))
	fileHasURL, fileToken := sameBaseURL(cfg.URL, r.file.url), ""
	if fileHasURL {
		fileToken = r.file.token
	}
	token := textSources(args.Token, EnvToken, fileToken)
	token.ignored = r.otherHost(cfg.URL)
	cfg.Token = qualytics.Secret(lookUp(r, "token", token))
	r.checkToken(string(cfg.Token))
	r.checkMissing(cfg)
	cfg.APIPath = lookUp(r, "api_path", sources[string]{
		argument: args.APIPath, variable: EnvAPIPath, parse: parseText, blank: true, fallback: qualytics.DefaultAPIPath,
	})
	cfg.InsecureSkipVerify = !r.sslVerify(fileHasURL || r.file.url == "")
	cfg.RootCAs = r.rootCAs()
	cfg.Timeout = time.Duration(float64(time.Second) * lookUp(r, "timeout", sources[float64]{
		argument: args.Timeout, variable: EnvTimeout, parse: parseSeconds,
		inFile: r.file.timeout, fallback: qualytics.DefaultTimeout.Seconds(),
	}))
	cfg.MaxRetries = int(lookUp(r, "max_retries", sources[int64]{
		argument: args.MaxRetries, variable: EnvMaxRetries, parse: parseRetries, fallback: qualytics.DefaultMaxRetries,
	}))
	if r.problems.Err() == nil {
		r.checkURL(cfg)
	}
	return cfg, r.settings, r.problems
}

func (r *resolver) failAt(attribute, summary, detail string) {
	r.problems = append(r.problems, Problem{Attribute: attribute, Summary: summary, Detail: detail})
}

func (r *resolver) warnAt(attribute, summary, detail string) {
	r.problems = append(r.problems, Problem{Attribute: attribute, Summary: summary, Detail: detail, Warning: true})
}

// sentence returns an error with a capital first letter and a period.
func sentence(err error) string {
	text := err.Error()
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}

// baseURL returns a URL in a form that can be compared, or "" if it is invalid.
func baseURL(raw string) string {
	u, err := qualytics.BaseURL(raw, "")
	if err != nil {
		return ""
	}
	return u.String()
}

// sameBaseURL reports whether two URLs are those of the same deployment.
func sameBaseURL(a, b string) bool { return baseURL(a) != "" && baseURL(a) == baseURL(b) }

// otherHost reports whether the variable of the URL names another host than url, so that
// the variable of the token was not written for it.
func (r *resolver) otherHost(url string) bool {
	other, _ := r.env.LookupEnv(EnvURL)
	return notBlank(other) != nil && host(url) != "" && host(url) != host(other)
}

// host returns the host of a URL, with its port unless that is a default, or "" if the URL
// is invalid.
func host(raw string) string {
	u, err := qualytics.BaseURL(raw, "")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(u.Host, ":443"), ":80")
}

// checkToken reports a token that was copied together with other text.
func (r *resolver) checkToken(token string) {
	problem := ""
	switch {
	case strings.HasPrefix(token, `"`), strings.HasPrefix(token, "'"):
		problem = "The token starts with a quotation mark. Remove the quotation marks around it."
	case len(token) > len("bearer ") && strings.EqualFold(token[:len("bearer ")], "bearer "):
		problem = "The token starts with \"Bearer \". Remove that: the provider adds it."
	}
	if problem != "" { // no attribute: Terraform would print its line
		r.failAt("", "Invalid provider token", problem)
	}
}

// waysToSet returns every way to set a missing setting, and which of them is set but empty.
func (r *resolver) waysToSet(name, variable string, argument *string) string {
	ways := fmt.Sprintf("%s: the argument %q, the environment variable %s, or %q in %s",
		name, name, variable, name, r.file.name)
	value, isSet := r.env.LookupEnv(variable)
	switch {
	case argument != nil:
		ways += ". The argument is set, but its value is empty"
	case isSet && notBlank(value) == nil:
		ways += ". The environment variable is set, but its value is empty"
	}
	return ways
}

// checkMissing reports all missing settings together, with every way to set them.
func (r *resolver) checkMissing(cfg qualytics.Config) {
	var missing []string
	if cfg.URL == "" {
		missing = append(missing, r.waysToSet("url", EnvURL, r.args.URL))
	}
	if cfg.Token == "" {
		line := r.waysToSet("token", EnvToken, r.args.Token)
		if token, _ := r.env.LookupEnv(EnvToken); notBlank(token) != nil && r.otherHost(cfg.URL) {
			line += ". " + EnvToken + " is set, but " + EnvURL + " names another host than " + displayURL(cfg.URL) +
				", so it is not sent there"
		}
		if r.file.token != "" && cfg.URL != "" {
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
		r.failAt("", "Missing provider configuration", detail)
	case r.file.err != nil:
		r.warnAt("", "Qualytics CLI file ignored",
			sentence(r.file.err)+" All required settings were found elsewhere.")
	}
}

// displayURL returns a URL for messages, or a description if it is invalid.
func displayURL(raw string) string { return cmp.Or(baseURL(raw), "the configured one") }

func (r *resolver) checkURL(cfg qualytics.Config) {
	u, err := qualytics.BaseURL(cfg.URL, cfg.APIPath)
	switch {
	case err != nil:
		r.failAt("url", "Invalid provider URL", sentence(err))
	case u.Scheme == "http" && !qualytics.IsLoopback(u.Hostname()):
		r.warnAt("url", "Unencrypted connection", "The URL "+u.String()+" uses http, so anyone on the network can "+
			"read the provider's token and every token that it creates. Use https.")
	}
}

// sslVerify returns whether to verify the certificate.
func (r *resolver) sslVerify(fileCounts bool) bool {
	from := sources[bool]{argument: r.args.SSLVerify, variable: EnvSSLVerify, parse: parseBool, fallback: true}
	if fileCounts {
		from.inFile = r.file.sslVerify
	}
	verify := lookUp(r, "ssl_verify", from)
	if !verify && r.problems.Err() == nil {
		r.warnAt("", "Certificate verification is disabled", "ssl_verify is false (source: "+
			SourceOf(r.settings, "ssl_verify")+"). Anyone on the network can impersonate the server and obtain the "+
			"provider's token. If a private authority signed the certificate, set ca_cert_file or ca_cert_pem instead.")
	}
	return verify
}

// rootCAs returns the authorities of the system and those of the configuration, or nil if
// only the system's count.
func (r *resolver) rootCAs() *x509.CertPool {
	file := lookUp(r, "ca_cert_file", textSources(r.args.CACertFile, EnvCACertFile, ""))
	text := lookUp(r, "ca_cert_pem", textSources(r.args.CACertPEM, EnvCACertPEM, ""))
	if file == "" && text == "" {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if file != "" {
		r.addCAFile(pool, file)
	}
	if text != "" && !pool.AppendCertsFromPEM([]byte(text)) { // no attribute: Terraform would print its line
		r.failAt("", "No certificate in ca_cert_pem", "ca_cert_pem (source: "+SourceOf(r.settings, "ca_cert_pem")+
			") contains no certificate in PEM format. It must have at least one block that begins with -----BEGIN "+
			"CERTIFICATE-----, with its line breaks. The value is not shown, because it may be a private key.")
	}
	return pool
}

func (r *resolver) addCAFile(pool *x509.CertPool, name string) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := r.env.HomeDir(); err == nil {
			name = filepath.Join(home, rest)
		}
	}
	text, err := os.ReadFile(name) // #nosec G304 -- the user names the file.
	switch {
	case err != nil:
		r.failAt("ca_cert_file", "Unable to read CA file", sentence(err))
	case !pool.AppendCertsFromPEM(text):
		r.failAt("ca_cert_file", "No certificate in CA file", name+" contains no certificate in PEM format. It must "+
			"have at least one block that begins with -----BEGIN CERTIFICATE-----.")
	}
}
