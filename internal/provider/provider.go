// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package provider implements the Terraform provider: schemas, plans, and state.
// All requests go through package qualytics.
package provider

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
	"github.com/qualytics/terraform-provider-qualytics/internal/settings"
)

var (
	_ provider.Provider                       = (*qualyticsProvider)(nil)
	_ provider.ProviderWithActions            = (*qualyticsProvider)(nil)
	_ provider.ProviderWithEphemeralResources = (*qualyticsProvider)(nil)
	_ provider.ProviderWithListResources      = (*qualyticsProvider)(nil)
)

// New returns the constructor of the provider with a version such as "1.2.3".
func New(version string, env Environment) func() provider.Provider {
	return func() provider.Provider { return newProvider(version, env) }
}

func newProvider(version string, env Environment) *qualyticsProvider {
	return &qualyticsProvider{version: version, env: env.WithDefaults(), open: &openTokens{}}
}

type qualyticsProvider struct {
	version string
	env     Environment
	open    *openTokens
	// accounts is what the process knows since it was configured.
	accounts atomic.Pointer[runAccounts]
}

func (p *qualyticsProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "qualytics"
	resp.Version = p.version
}

func (p *qualyticsProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages service accounts and service tokens of a [Qualytics](https://qualytics.ai) " +
			"deployment.",
		Attributes: map[string]schema.Attribute{
			"api_path": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("Path prefix of the API below `url`. It may be empty or have "+
					"several segments. Environment: `%s`. Defaults to `%s`.", settings.EnvAPIPath,
					qualytics.DefaultAPIPath),
			},
			"ca_cert_file": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Path of a PEM file with certificates of authorities to trust in addition to " +
					"the system's. " + fmt.Sprintf("Environment: `%s`.", settings.EnvCACertFile),
			},
			"ca_cert_pem": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "The same as `ca_cert_file`, as text. Both may be set. " +
					fmt.Sprintf("Environment: `%s`.", settings.EnvCACertPEM),
			},
			"guardrails": guardrailsAttribute(),
			"headers": schema.MapAttribute{
				ElementType: types.StringType,
				Optional:    true,
				Sensitive:   true,
				Validators:  []validator.Map{headersValidator{mustBeHeaders}},
				MarkdownDescription: "Headers that are sent with every request, for a gateway in front of the " +
					"deployment. `Authorization` is not allowed, because it contains the token.",
			},
			"max_retries": schema.Int64Attribute{
				Optional:   true,
				Validators: []validator.Int64{int64validator.Between(0, settings.MaxMaxRetries)},
				MarkdownDescription: fmt.Sprintf("Maximum number of retries of a request, 0 to %d. A request is "+
					"repeated only if that is safe. Environment: `%s`. Defaults to %d.", settings.MaxMaxRetries,
					settings.EnvMaxRetries, qualytics.DefaultMaxRetries),
			},
			"ssl_verify": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether the server's certificate is verified. `false` exposes the token and is " +
					"reported as a warning; prefer `ca_cert_file` or `ca_cert_pem`. " + fmt.Sprintf("Environment: "+
					"`%s`. CLI file: `ssl_verify`. Defaults to `true`.", settings.EnvSSLVerify),
			},
			"timeout": schema.Float64Attribute{
				Optional: true,
				Validators: []validator.Float64{
					float64validator.Between(settings.MinTimeoutSeconds, settings.MaxTimeoutSeconds),
				},
				MarkdownDescription: fmt.Sprintf("Timeout of a request in seconds, up to %d. Environment: `%s`. CLI "+
					"file: `timeout`. Defaults to %.0f.", settings.MaxTimeoutSeconds, settings.EnvTimeout,
					qualytics.DefaultTimeout.Seconds()),
			},
			"token": schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "Personal token or service token of an Admin. " + fmt.Sprintf("Environment: "+
					"`%s`, which is not used if `%s` names another host. CLI file: `token`, which is used only "+
					"with the `url` of that file.", settings.EnvToken, settings.EnvURL),
			},
			"url": schema.StringAttribute{
				Optional:   true,
				Validators: []validator.String{deploymentURL},
				MarkdownDescription: "URL of the deployment, such as `https://example.qualytics.io`, with or without " +
					"scheme, trailing slash, or `/api`. " + fmt.Sprintf("Environment: `%s`. CLI file: `url`.",
					settings.EnvURL),
			},
		},
	}
}

// Configure sends no request. Unknown values are allowed until a request is required.
func (p *qualyticsProvider) Configure(ctx context.Context, req provider.ConfigureRequest,
	resp *provider.ConfigureResponse,
) {
	var block providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &block)...)
	if resp.Diagnostics.HasError() {
		return
	}
	data := &providerData{
		open:       p.open,
		lookupEnv:  p.env.LookupEnv,
		clock:      p.env.Now,
		random:     p.env.Random,
		unknown:    block.unknown(),
		planTokens: &planTokens{},
		readTokens: &sync.Map{},
		accounts:   &runAccounts{accounts: map[string]runAccount{}},
		contact:    &contact{},
		cli:        p.env.CLI,
	}
	if block.Guardrails.IsUnknown() {
		data.guardrails = unknownGuardrails
	} else if !block.Guardrails.IsNull() {
		resp.Diagnostics.Append(block.Guardrails.As(ctx, &data.guardrails, basetypes.ObjectAsOptions{})...)
	}
	p.accounts.Store(data.accounts)
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData = data, data, data
	resp.ListResourceData, resp.ActionData = data, data
	if len(data.unknown) > 0 {
		return
	}
	cfg, sources, problems := settings.Resolve(block.arguments(), p.env)
	addProblems(&resp.Diagnostics, problems)
	if resp.Diagnostics.HasError() {
		return
	}
	cfg.UserAgent = userAgent(p.version, req.TerraformVersion, p.env)
	cfg.Now, cfg.Sleep = p.env.Now, p.env.Sleep
	cfg.Log = func(ctx context.Context, message string, fields map[string]any) { tflog.Debug(ctx, message, fields) }
	client, err := qualytics.New(cfg)
	if err != nil {
		resp.Diagnostics.AddError("Unusable provider setting", fmt.Sprintf("%s\n\nCorrect that setting and run again. "+
			"The token comes from: %s. Headers come from the provider block.", sentence(err.Error()),
			settings.SourceOf(sources, "token")))
		return
	}
	data.client, data.names = client, newAccountNames(client)
}

func (p *qualyticsProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		newAccountResource, newTokenResource, newExclusiveResource,
	}
}

func (p *qualyticsProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		newCurrentUserDataSource,
		newServiceAccountDataSource,
		newServiceAccountsDataSource,
		newServiceTokensDataSource,
		newTeamDataSource,
		newTeamsDataSource,
	}
}

func (p *qualyticsProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{newTokenEphemeral}
}

func (p *qualyticsProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{newServiceAccountList, newServiceTokenList}
}

func (p *qualyticsProvider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{newRevokeAction}
}

// userAgent returns the User-Agent header: provider, Terraform, and TF_APPEND_USER_AGENT.
func userAgent(version, terraform string, env Environment) string {
	agent := "terraform-provider-qualytics/" + version
	if terraform != "" {
		agent += " terraform/" + terraform
	}
	if more, ok := env.LookupEnv("TF_APPEND_USER_AGENT"); ok && more != "" &&
		qualytics.CheckHeader("User-Agent", more) == nil {
		agent += " " + more
	}
	return agent
}
