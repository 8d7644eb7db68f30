// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
	"github.com/qualytics/terraform-provider-qualytics/internal/settings"
)

const (
	envToken = settings.EnvToken
	// envImportToken may contain the secret of an imported token.
	envImportToken = "QUALYTICS_IMPORT_TOKEN" // #nosec G101 -- a name, not a credential.
)

// Environment is what the provider uses of its surroundings. Tests replace it.
type Environment = settings.Environment

// providerModel is the provider block.
type providerModel struct {
	URL        types.String  `tfsdk:"url"`
	Token      types.String  `tfsdk:"token"`
	APIPath    types.String  `tfsdk:"api_path"`
	SSLVerify  types.Bool    `tfsdk:"ssl_verify"`
	CACertFile types.String  `tfsdk:"ca_cert_file"`
	CACertPEM  types.String  `tfsdk:"ca_cert_pem"`
	Headers    types.Map     `tfsdk:"headers"`
	Timeout    types.Float64 `tfsdk:"timeout"`
	MaxRetries types.Int64   `tfsdk:"max_retries"`
	Guardrails types.Object  `tfsdk:"guardrails"`
}

// guardrailsModel is the argument guardrails of the provider configuration: limits on
// what a plan may create or change.
type guardrailsModel struct {
	AllowedRoles     types.Set   `tfsdk:"allowed_roles"`
	MaxExpiresInDays types.Int64 `tfsdk:"max_expires_in_days"`
}

// unknown returns the names of the arguments with unknown values.
func (m providerModel) unknown() []string {
	return unknownNames(
		argument{"url", m.URL}, argument{"token", m.Token}, argument{"api_path", m.APIPath},
		argument{"ssl_verify", m.SSLVerify}, argument{"ca_cert_file", m.CACertFile},
		argument{"ca_cert_pem", m.CACertPEM}, argument{"headers", m.Headers}, argument{"timeout", m.Timeout},
		argument{"max_retries", m.MaxRetries})
}

// arguments returns the arguments whose values the environment and the CLI's file may complete.
func (m providerModel) arguments() settings.Arguments {
	headers := map[string]qualytics.Secret{}
	for name, value := range m.Headers.Elements() {
		if s, ok := value.(types.String); ok {
			headers[name] = qualytics.Secret(s.ValueString())
		}
	}
	return settings.Arguments{
		URL: m.URL.ValueStringPointer(), Token: m.Token.ValueStringPointer(), APIPath: m.APIPath.ValueStringPointer(),
		SSLVerify: m.SSLVerify.ValueBoolPointer(), CACertFile: m.CACertFile.ValueStringPointer(),
		CACertPEM: m.CACertPEM.ValueStringPointer(), Headers: headers,
		Timeout: m.Timeout.ValueFloat64Pointer(), MaxRetries: m.MaxRetries.ValueInt64Pointer(),
	}
}

// addProblems reports problems of the settings.
func addProblems(diags *diag.Diagnostics, problems settings.Problems) {
	for _, p := range problems {
		var d diag.Diagnostic = diag.NewErrorDiagnostic(p.Summary, p.Detail)
		if p.Warning {
			d = diag.NewWarningDiagnostic(p.Summary, p.Detail)
		}
		if p.Attribute != "" {
			d = diag.WithPath(path.Root(p.Attribute), d)
		}
		diags.Append(d)
	}
}
