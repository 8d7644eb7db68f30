// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// The scenarios under examples/ hand tokens to providers that the tests cannot
// install. Stubs stand for those: the part of their schemas that a scenario
// uses, and a memory of what was written to them.

// stubVault remembers what stubs were given, by resource type.
type stubVault struct {
	mu      sync.Mutex
	written map[string][]string
}

func (v *stubVault) add(kind, secret string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.written[kind] = append(v.written[kind], secret)
}

// stubbed are resource types: their schemas, and where their secret is.
var stubbed = map[string]struct {
	provider string
	schema   schema.Schema
	secret   path.Path
}{
	"kubernetes_secret_v1": {
		"kubernetes",
		schema.Schema{
			Attributes: map[string]schema.Attribute{
				"data_wo": schema.MapAttribute{
					ElementType: types.StringType,
					Optional:    true,
					Sensitive:   true,
					WriteOnly:   true,
				},
				"data_wo_revision": schema.Int64Attribute{Optional: true},
			},
			Blocks: map[string]schema.Block{
				"metadata": schema.ListNestedBlock{
					NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
						"name": schema.StringAttribute{
							Optional: true,
						},
						"namespace": schema.StringAttribute{Optional: true},
					}},
				},
			},
		},
		path.Root("data_wo").AtMapKey("token"),
	},
	"aws_secretsmanager_secret": {"aws", schema.Schema{Attributes: map[string]schema.Attribute{
		"name": schema.StringAttribute{Optional: true},
	}}, path.Empty()},
	"aws_secretsmanager_secret_version": {"aws", schema.Schema{Attributes: map[string]schema.Attribute{
		"secret_id":                schema.StringAttribute{Required: true},
		"secret_string_wo":         schema.StringAttribute{Optional: true, Sensitive: true, WriteOnly: true},
		"secret_string_wo_version": schema.Int64Attribute{Optional: true},
	}}, path.Root("secret_string_wo")},
	"vault_kv_secret_v2": {"vault", schema.Schema{Attributes: map[string]schema.Attribute{
		"mount":                schema.StringAttribute{Required: true},
		"name":                 schema.StringAttribute{Required: true},
		"data_json_wo":         schema.StringAttribute{Optional: true, Sensitive: true, WriteOnly: true},
		"data_json_wo_version": schema.Int64Attribute{Optional: true},
	}}, path.Root("data_json_wo")},
	"github_actions_secret": {"github", schema.Schema{Attributes: map[string]schema.Attribute{
		"repository":      schema.StringAttribute{Required: true},
		"secret_name":     schema.StringAttribute{Required: true},
		"plaintext_value": schema.StringAttribute{Optional: true, Sensitive: true},
	}}, path.Root("plaintext_value")},
}

// stub is a provider of the stubbed types of one name.
func (v *stubVault) stub(name string) func() (tfprotov6.ProviderServer, error) {
	return providerserver.NewProtocol6WithError(&stubProvider{name: name, vault: v})
}

type stubProvider struct {
	name  string
	vault *stubVault
}

func (p *stubProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = p.name
}
func (*stubProvider) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}
func (*stubProvider) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {
}
func (*stubProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }
func (p *stubProvider) Resources(context.Context) []func() resource.Resource {
	var out []func() resource.Resource
	for kind, s := range stubbed {
		if s.provider == p.name {
			out = append(out, func() resource.Resource { return &stubResource{kind: kind, vault: p.vault} })
		}
	}
	return out
}

type stubResource struct {
	kind  string
	vault *stubVault
}

func (r *stubResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = r.kind
}

func (r *stubResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = stubbed[r.kind].schema
	resp.Schema.Attributes = maps.Clone(resp.Schema.Attributes)
	resp.Schema.Attributes["id"] = schema.StringAttribute{
		Computed:      true,
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
}

func (r *stubResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	r.take(ctx, req.Config)
	resp.State.Raw = req.Plan.Raw
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), fmt.Sprintf("%s/1", r.kind))...)
}

func (*stubResource) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (r *stubResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	r.take(ctx, req.Config)
	resp.State.Raw = req.Plan.Raw
}

func (*stubResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// take remembers the secret of a configuration.
func (r *stubResource) take(ctx context.Context, config tfsdk.Config) {
	var secret types.String
	if at := stubbed[r.kind].secret; len(at.Steps()) > 0 && !config.GetAttribute(ctx, at, &secret).HasError() {
		r.vault.add(r.kind, secret.ValueString())
	}
}
