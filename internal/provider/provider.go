// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package provider is the Terraform side: schemas, plans and state. What it
// asks of the server goes through package qualytics.
package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"time"

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
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var (
	_ provider.Provider                       = (*qualyticsProvider)(nil)
	_ provider.ProviderWithActions            = (*qualyticsProvider)(nil)
	_ provider.ProviderWithEphemeralResources = (*qualyticsProvider)(nil)
	_ provider.ProviderWithListResources      = (*qualyticsProvider)(nil)
)

// Environment is everything outside the configuration that the provider
// depends on. Tests replace it; nil fields are the real thing.
type Environment struct {
	LookupEnv func(key string) (string, bool)
	HomeDir   func() (string, error)
	Now       func() time.Time
	Random    io.Reader
	Sleep     func(ctx context.Context, d time.Duration) error
}

func (e Environment) orReal() Environment {
	if e.LookupEnv == nil {
		e.LookupEnv = os.LookupEnv
	}
	if e.HomeDir == nil {
		e.HomeDir = os.UserHomeDir
	}
	if e.Now == nil {
		e.Now = time.Now //nolint:forbidigo // The one place where the clock is the real one.
	}
	if e.Random == nil {
		e.Random = rand.Reader
	}
	return e
}

// New returns the provider's constructor for a version such as "1.2.3".
func New(version string, env Environment) func() provider.Provider {
	return func() provider.Provider { return &qualyticsProvider{version: version, env: env.orReal()} }
}

type qualyticsProvider struct {
	version string
	env     Environment
}

// providerData is what a configured provider hands to its resources.
type providerData struct {
	client *qualytics.Client
	// unknown names the arguments that are not known yet; client is nil then.
	unknown   []string
	lookupEnv func(key string) (string, bool)
	now       func() time.Time
	random    io.Reader
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
}

// Limits of the provider block's numbers.
const (
	minTimeoutSeconds = 0.001
	maxTimeoutSeconds = 3600
	maxMaxRetries     = 100
)

func (p *qualyticsProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "qualytics"
	resp.Version = p.version
}

func (p *qualyticsProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages service accounts and service tokens of a [Qualytics](https://qualytics.ai) deployment.",
		Attributes: map[string]schema.Attribute{
			"api_path": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("Path prefix of the API below `url`; may be empty or have several segments. "+
					"Environment: `%s`. Defaults to `%s`.", envAPIPath, qualytics.DefaultAPIPath),
			},
			"ca_cert_file": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "PEM file with the certificates of further authorities to trust, in addition to the system's. " +
					fmt.Sprintf("Environment: `%s`.", envCACertFile),
			},
			"headers": schema.MapAttribute{
				ElementType: types.StringType, Optional: true, Sensitive: true,
				Validators: []validator.Map{headersValidator{}},
				MarkdownDescription: "Headers to send with every request, for a gateway in front of the deployment. " +
					"`Authorization` is refused: it carries the token.",
			},
			"max_retries": schema.Int64Attribute{
				Optional:   true,
				Validators: []validator.Int64{int64validator.Between(0, maxMaxRetries)},
				MarkdownDescription: fmt.Sprintf("How often a request is repeated, at most, where repeating is safe. From 0 to %d. "+
					"Environment: `%s`. Defaults to %d.", maxMaxRetries, envMaxRetries, qualytics.DefaultMaxRetries),
			},
			"ssl_verify": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether the server's certificate is verified. Turning it off exposes the token and warns; prefer `ca_cert_file`. " +
					fmt.Sprintf("Environment: `%s`. CLI file: `ssl_verify`. Defaults to true.", envSSLVerify),
			},
			"timeout": schema.Float64Attribute{
				Optional:   true,
				Validators: []validator.Float64{float64validator.Between(minTimeoutSeconds, maxTimeoutSeconds)},
				MarkdownDescription: fmt.Sprintf("Seconds one request may take, up to %d. Environment: `%s`. CLI file: `timeout`. Defaults to %.0f.",
					maxTimeoutSeconds, envTimeout, qualytics.DefaultTimeout.Seconds()),
			},
			"token": schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "Token of an Admin: a personal token or a service token. " +
					fmt.Sprintf("Environment: `%s`. CLI file: `token`, which is used with that file's `url` only.", envToken),
			},
			"url": schema.StringAttribute{
				Optional:   true,
				Validators: []validator.String{urlValidator{}},
				MarkdownDescription: "Address of the deployment, such as `https://example.qualytics.io`; with or without scheme, trailing slash or `/api`. " +
					fmt.Sprintf("Environment: `%s`. CLI file: `url`.", envURL),
			},
		},
	}
}

// Configure makes no request: a provider block whose values are not known yet
// is fine as long as nothing has to be read.
func (p *qualyticsProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var block providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &block)...)
	if resp.Diagnostics.HasError() {
		return
	}
	data := &providerData{lookupEnv: p.env.LookupEnv, now: p.env.Now, random: p.env.Random, unknown: block.unknown()}
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData = data, data, data
	resp.ListResourceData, resp.ActionData = data, data
	if len(data.unknown) > 0 {
		return
	}
	cfg, diags := resolve(block, p.env)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	cfg.UserAgent = userAgent(p.version, req.TerraformVersion, p.env)
	cfg.Now, cfg.Sleep = p.env.Now, p.env.Sleep
	cfg.Log = func(ctx context.Context, message string, fields map[string]any) { tflog.Debug(ctx, message, fields) }
	client, err := qualytics.New(cfg)
	if err != nil {
		resp.Diagnostics.AddError("The provider's configuration is not valid", sentence(err.Error()))
		return
	}
	data.client = client
}

func (p *qualyticsProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newServiceAccountResource, newServiceTokenResource}
}

func (p *qualyticsProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		newCurrentUserDataSource, newServiceAccountDataSource, newServiceAccountsDataSource, newServiceTokensDataSource, newTeamDataSource, newTeamsDataSource,
	}
}

func (p *qualyticsProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{newServiceTokenEphemeral}
}

func (p *qualyticsProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{newServiceAccountList, newServiceTokenList}
}

func (p *qualyticsProvider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{newRevokeServiceTokensAction}
}

// userAgent names the provider, then Terraform, then what TF_APPEND_USER_AGENT adds.
func userAgent(version, terraform string, env Environment) string {
	agent := "terraform-provider-qualytics/" + version
	if terraform != "" {
		agent += " terraform/" + terraform
	}
	if more, ok := env.LookupEnv("TF_APPEND_USER_AGENT"); ok && more != "" && qualytics.CheckHeader("User-Agent", more) == nil {
		agent += " " + more
	}
	return agent
}
