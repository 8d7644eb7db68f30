// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Setting says where a setting of the provider comes from. It contains no value.
type Setting struct {
	Name   string // of the argument in the provider block
	Source string // such as "environment variable QUALYTICS_URL" or "default"
}

// ResolveSettings returns the client's configuration as a provider block with the given
// url and token would, for other programs. Empty arguments count as not set. The error
// contains every problem.
func ResolveSettings(url, token string, env Environment) (qualytics.Config, []Setting, error) {
	env = env.withDefaults()
	block := providerModel{URL: stringOrNull(url), Token: stringOrNull(token), Headers: types.MapNull(types.StringType)}
	cfg, diags := resolve(block, env)
	var problems []string
	for _, d := range diags.Errors() {
		problems = append(problems, d.Summary()+": "+d.Detail())
	}
	if len(problems) > 0 {
		return cfg, nil, errors.New(strings.Join(problems, "\n"))
	}
	file := readCLIFile(env)
	fileApplies := sameDeployment(cfg.URL, file.URL)
	source := func(flag, variable string, inFile bool) string {
		value, isSet := env.LookupEnv(variable)
		switch {
		case flag != "":
			return "argument"
		case value != "" || isSet && variable == envAPIPath:
			return "environment variable " + variable
		case inFile:
			return file.name
		}
		return "default"
	}
	return cfg, []Setting{
		{"url", source(url, envURL, file.URL != "")},
		{"token", source(token, envToken, file.Token != "" && fileApplies)},
		{"api_path", source("", envAPIPath, false)},
		{"ssl_verify", source("", envSSLVerify, file.SSLVerify != nil && (fileApplies || file.URL == ""))},
		{"ca_cert_file", source("", envCACertFile, false)},
		{"timeout", source("", envTimeout, file.Timeout > 0)},
	}, nil
}

// SystemEnvironment returns the environment of this process.
func SystemEnvironment() Environment {
	return Environment{LookupEnv: os.LookupEnv, HomeDir: os.UserHomeDir}
}
