// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package settings

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Limits of the settings.
const (
	MinTimeoutSeconds = 0.001
	MaxTimeoutSeconds = 3600
	MaxMaxRetries     = 100
)

// Environment variables. The official CLI uses the first five too.
const (
	EnvURL        = "QUALYTICS_URL"
	EnvToken      = "QUALYTICS_TOKEN" // #nosec G101 -- a name, not a credential.
	EnvSSLVerify  = "QUALYTICS_SSL_VERIFY"
	EnvTimeout    = "QUALYTICS_TIMEOUT"
	EnvAPIPath    = "QUALYTICS_API_PATH"
	EnvCACertFile = "QUALYTICS_CA_CERT_FILE"
	EnvCACertPEM  = "QUALYTICS_CA_CERT_PEM"
	EnvMaxRetries = "QUALYTICS_MAX_RETRIES"
	EnvConfigHome = "QUALYTICS_CONFIG_HOME"
)

// Environment is what the provider uses of its surroundings. Tests replace it; nil
// fields mean the real ones.
type Environment struct {
	// CLI is the command that users run, "terraform" or "tofu".
	CLI       string
	LookupEnv func(key string) (string, bool)
	HomeDir   func() (string, error)
	Now       func() time.Time
	Random    io.Reader
	Sleep     func(ctx context.Context, d time.Duration) error
}

// WithDefaults returns the environment with the real ones instead of nil fields.
func (e Environment) WithDefaults() Environment {
	if e.CLI == "" {
		e.CLI = "terraform"
	}
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
	if e.Sleep == nil {
		e.Sleep = qualytics.Sleep
	}
	return e
}

// sources are the values of a setting in the places where it may be set. Nil means not set there.
type sources[T any] struct {
	argument *T
	variable string
	parse    func(text string) (T, error)
	blank    bool // the variable may be blank, which is a value
	ignored  bool // the variable does not count
	inFile   *T
	fallback T
}

// textSources returns the sources of a setting for which blank text counts as not set.
func textSources(argument *string, variable, inFile string) sources[string] {
	s := sources[string]{variable: variable, parse: parseText, inFile: notBlank(inFile)}
	if argument != nil {
		s.argument = notBlank(*argument)
	}
	return s
}

// lookUp returns the value of a setting, and records its source.
func lookUp[T any](r *resolver, name string, s sources[T]) T {
	value, source := s.fallback, sourceDefault
	text, isSet := r.env.LookupEnv(s.variable)
	switch {
	case s.argument != nil:
		value, source = *s.argument, SourceArgument
	case isSet && !s.ignored && (s.blank || notBlank(text) != nil):
		fromEnv, err := s.parse(strings.TrimSpace(text))
		if err != nil {
			r.failAt("", "Invalid environment variable", s.variable+" "+err.Error()+".")
		}
		value, source = fromEnv, "environment variable "+s.variable
	case s.inFile != nil:
		value, source = *s.inFile, r.file.name
	}
	r.settings = append(r.settings, Setting{name, source})
	return value
}

// notBlank returns text without the space around it, or nil if nothing is left.
func notBlank(text string) *string {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return &text
}

func parseText(text string) (string, error) { return text, nil }

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "0", "false", "no", "off", "f", "n":
		return false, nil
	case "1", "true", "yes", "on", "t", "y":
		return true, nil
	}
	return true, errors.New("must be true or false")
}

func parseSeconds(text string) (float64, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= MinTimeoutSeconds && seconds <= MaxTimeoutSeconds) { // also refuses NaN
		return 0, fmt.Errorf("must be a number of seconds, at most %d", MaxTimeoutSeconds)
	}
	return seconds, nil
}

func parseRetries(text string) (int64, error) {
	retries, err := strconv.ParseInt(text, 10, 64)
	if err != nil || retries < 0 || retries > MaxMaxRetries {
		return 0, fmt.Errorf("must be a whole number from 0 to %d", MaxMaxRetries)
	}
	return retries, nil
}
