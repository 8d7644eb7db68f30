// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	pathpkg "path"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"golang.org/x/crypto/nacl/box"
)

// The scenarios under examples/ pass tokens to providers that the tests cannot
// install. Stubs replace these: they have the part of the real schema that a scenario uses,
// and record what is written.

// stubVault records what is written to stubs, by resource type.
type stubVault struct {
	mu      sync.Mutex
	written map[string][]string
	// initial is the token for the provider that Vault contains before Terraform writes one.
	initial string
	// failing lets updates fail. The state has the planned values all the same, as with
	// providers that are built on terraform-plugin-sdk/v2.
	failing bool
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

// use makes Vault return a token for the provider, or if it is "", the one that Terraform wrote.
func (v *stubVault) use(token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.initial = token
}

// providerToken returns the token for the provider that is stored in Vault.
func (v *stubVault) providerToken() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	written := v.written["vault_kv_secret_v2"]
	if v.initial != "" || len(written) == 0 {
		return v.initial
	}
	var data map[string]string
	_ = json.Unmarshal([]byte(written[len(written)-1]), &data)
	return data["token"]
}

// secretOf contains the argument of each resource type that takes a secret.
var secretOf = map[string]path.Path{
	"aws_secretsmanager_secret_version": path.Root("secret_string_wo"),
	"github_actions_secret":             path.Root("value_encrypted"),
	"kubernetes_secret_v1":              path.Root("data_wo").AtMapKey("token"),
	"local_file":                        path.Root("content"),
	"tfe_variable":                      path.Root("value_wo"),
	"vault_kv_secret_v2":                path.Root("data_json_wo"),
}

// values returns the computed values of a data source or an ephemeral resource.
func (v *stubVault) values(kind string) map[string]any {
	switch kind {
	case "github_actions_public_key":
		return map[string]any{"key": base64.StdEncoding.EncodeToString(v.public[:]), "key_id": "1"}
	case "tfe_workspace":
		return map[string]any{"id": "ws-1"}
	case "vault_kv_secret_v2":
		return map[string]any{"data": map[string]string{"token": v.providerToken()}}
	}
	return nil
}

// fail sets whether updates fail.
func (v *stubVault) fail(failing bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failing = failing
}

func (v *stubVault) fails() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failing
}

// stored returns the secret that a kind of resource has stored last.
func (v *stubVault) stored(kind string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if written := v.written[kind]; len(written) > 0 {
		return written[len(written)-1]
	}
	return ""
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

// schemas returns the excerpt of the schemas of the provider that is replaced.
func (p *stubProvider) schemas() consumerSchemas {
	for source, s := range consumers() {
		if pathpkg.Base(source) == p.name {
			return s
		}
	}
	return consumerSchemas{}
}

// stub is a stubbed type: a resource, a data source, or an ephemeral resource.
type stub struct {
	kind  string
	block consumerBlock
	vault *stubVault
}

// each returns a constructor of each stubbed type of a kind.
func each[T any](p *stubProvider, schemas map[string]consumerSchema, create func(stub) T) (out []func() T) {
	for kind, s := range schemas {
		out = append(out, func() T { return create(stub{kind, s.Block, p.vault}) })
	}
	return out
}

func (p *stubProvider) DataSources(context.Context) []func() datasource.DataSource {
	return each(p, p.schemas().DataSources, func(s stub) datasource.DataSource { return &stubDataSource{s} })
}

func (p *stubProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return each(p, p.schemas().Ephemeral, func(s stub) ephemeral.EphemeralResource { return &stubEphemeral{s} })
}

func (p *stubProvider) Resources(context.Context) []func() resource.Resource {
	return each(p, p.schemas().Resources, func(s stub) resource.Resource { return &stubResource{s} })
}

type stubDataSource struct{ stub }

func (d *stubDataSource) Metadata(
	_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = d.kind
}

func (d *stubDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema.Attributes = map[string]dataschema.Attribute{}
	for name, a := range d.block.Attributes { // all of them are strings
		resp.Schema.Attributes[name] = dataschema.StringAttribute{
			Required: a.Required, Optional: a.Optional, Computed: a.Computed,
		}
	}
}

func (d *stubDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	resp.State.Raw = req.Config.Raw
	for name, value := range d.vault.values(d.kind) {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(name), value)...)
	}
}

type stubEphemeral struct{ stub }

func (e *stubEphemeral) Metadata(
	_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse,
) {
	resp.TypeName = e.kind
}

func (e *stubEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema.Attributes = map[string]ephemeralschema.Attribute{}
	for name, a := range e.block.Attributes { // strings, or computed maps of strings
		if a.Computed {
			resp.Schema.Attributes[name] = ephemeralschema.MapAttribute{ElementType: types.StringType, Computed: true}
			continue
		}
		resp.Schema.Attributes[name] = ephemeralschema.StringAttribute{Required: a.Required, Optional: a.Optional}
	}
}

func (e *stubEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	resp.Result.Raw = req.Config.Raw
	for name, value := range e.vault.values(e.kind) {
		resp.Diagnostics.Append(resp.Result.SetAttribute(ctx, path.Root(name), value)...)
	}
}

type stubResource struct{ stub }

func (r *stubResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = r.kind
}

func (r *stubResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema.Attributes = r.block.attributes()
	resp.Schema.Blocks = map[string]schema.Block{}
	for name, b := range r.block.Blocks { // all of them are lists
		resp.Schema.Blocks[name] = schema.ListNestedBlock{
			NestedObject: schema.NestedBlockObject{Attributes: b.Block.attributes()},
		}
	}
}

// attributes returns the attributes of a resource. Those that may be computed are always
// configured, so a stub computes the ID only.
func (b consumerBlock) attributes() map[string]schema.Attribute {
	out := map[string]schema.Attribute{}
	for name, a := range b.Attributes {
		switch a.Type {
		case "bool":
			out[name] = schema.BoolAttribute{Required: a.Required, Optional: a.Optional}
		case "number":
			n := schema.Int64Attribute{Required: a.Required, Optional: a.Optional}
			if a.Replaces {
				n.PlanModifiers = []planmodifier.Int64{int64planmodifier.RequiresReplace()}
			}
			out[name] = n
		case "string":
			s := schema.StringAttribute{
				Required: a.Required, Optional: a.Optional, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
			}
			if a.Replaces {
				s.PlanModifiers = []planmodifier.String{stringplanmodifier.RequiresReplace()}
			}
			if name == "id" {
				s = schema.StringAttribute{
					Computed:      true,
					PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
				}
			}
			out[name] = s
		default:
			out[name] = schema.MapAttribute{
				ElementType: types.StringType,
				Required:    a.Required, Optional: a.Optional, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
			}
		}
	}
	return out
}

func (r *stubResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	r.take(ctx, req.Config)
	resp.State.Raw = req.Plan.Raw
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), fmt.Sprintf("%s/1", r.kind))...)
}

func (*stubResource) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (r *stubResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.State.Raw = req.Plan.Raw
	if r.vault.fails() {
		resp.Diagnostics.AddError("Stubbed update failed", "The secret store did not accept the secret.")
		return
	}
	r.take(ctx, req.Config)
}

func (*stubResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// take records the secret of a configuration.
func (r *stubResource) take(ctx context.Context, config tfsdk.Config) {
	var secret types.String
	if at, ok := secretOf[r.kind]; ok && !config.GetAttribute(ctx, at, &secret).HasError() {
		r.vault.add(r.kind, secret.ValueString())
	}
}
