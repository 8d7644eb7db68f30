// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
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
	"golang.org/x/crypto/nacl/box"
)

// The scenarios under examples/ pass tokens to providers that the tests cannot
// install. Stubs replace these: they have the part of the schema that a scenario uses,
// and record what is written.

// stubVault records what is written to stubs, by resource type.
type stubVault struct {
	mu      sync.Mutex
	written map[string][]string
	// public and private are the keys with which GitHub decrypts.
	public, private *[32]byte
}

func newStubVault(t *testing.T) *stubVault {
	t.Helper()
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &stubVault{written: map[string][]string{}, public: public, private: private}
}

// add records a secret. That of GitHub is encrypted.
func (v *stubVault) add(kind, secret string) {
	if sealed, err := base64.StdEncoding.DecodeString(secret); err == nil && kind == "github_actions_secret" {
		plain, _ := box.OpenAnonymous(nil, sealed, v.public, v.private)
		secret = string(plain)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.written[kind] = append(v.written[kind], secret)
}

// stubbed contains the schemas of resource types, and the paths of their secrets.
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
		"value_encrypted": schema.StringAttribute{Optional: true},
		"key_id":          schema.StringAttribute{Optional: true},
	}}, path.Root("value_encrypted")},
	"local_file": {"local", schema.Schema{Attributes: map[string]schema.Attribute{
		"filename": schema.StringAttribute{Required: true},
		"content":  schema.StringAttribute{Optional: true},
	}}, path.Root("content")},
}

// stub returns a provider with a name and its stubbed types.
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

func (p *stubProvider) DataSources(context.Context) []func() datasource.DataSource {
	if p.name != "github" {
		return nil
	}
	return []func() datasource.DataSource{func() datasource.DataSource { return &stubPublicKey{p.vault} }}
}

// stubPublicKey is the data source github_actions_public_key.
type stubPublicKey struct{ vault *stubVault }

func (*stubPublicKey) Metadata(
	_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = "github_actions_public_key"
}

func (*stubPublicKey) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = dataschema.Schema{Attributes: map[string]dataschema.Attribute{
		"repository": dataschema.StringAttribute{Required: true},
		"key":        dataschema.StringAttribute{Computed: true},
		"key_id":     dataschema.StringAttribute{Computed: true},
	}}
}

func (d *stubPublicKey) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	resp.State.Raw = req.Config.Raw
	key := base64.StdEncoding.EncodeToString(d.vault.public[:])
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("key"), key)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("key_id"), "1")...)
}

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

// take records the secret of a configuration.
func (r *stubResource) take(ctx context.Context, config tfsdk.Config) {
	var secret types.String
	if at := stubbed[r.kind].secret; len(at.Steps()) > 0 && !config.GetAttribute(ctx, at, &secret).HasError() {
		r.vault.add(r.kind, secret.ValueString())
	}
}
