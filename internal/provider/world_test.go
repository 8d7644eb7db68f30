// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const (
	accountType = "qualytics_service_account"
	tokenType   = "qualytics_service_token"
)

// world is an emulated deployment and a provider that speaks Terraform's
// protocol in this process. Its methods do what Terraform does between the
// provider's calls, and fail the test where Terraform would call the answer a
// bug of the provider.
type world struct {
	t        tb
	ctx      context.Context // of the provider's calls
	server   *qualyticstest.Server
	clock    *qualyticstest.Clock // the provider's
	env      map[string]string
	p        tfprotov6.ProviderServer
	schemas  *tfprotov6.GetProviderSchemaResponse
	ids      *tfprotov6.GetResourceIdentitySchemasResponse
	config   values // of the provider block
	oldCLI   bool   // one that knows no identity
	killOnce sync.Once
	killed   chan struct{}
	opened   []byte // private data of an ephemeral token that is open
}

// tb is what a world needs of a test, or of one check of a property.
type tb interface {
	Helper()
	Cleanup(cleanup func())
	Context() context.Context
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// values is a configuration: nil, string, int, bool, []string, map[string]string
// or unknown by attribute.
type values map[string]any

type unknown struct{}

// object is what Terraform keeps of one resource.
type object struct {
	kind     string
	state    tftypes.Value // null: there is none
	private  []byte
	identity *tfprotov6.ResourceIdentityData
	tainted  bool
}

func (o *object) exists() bool { return o != nil && !o.state.IsNull() }

// newWorld starts a deployment of a profile. The provider's waits take no time.
func newWorld(t tb, profile qualyticstest.Profile) *world {
	t.Helper()
	clock := &qualyticstest.Clock{}
	s, err := qualyticstest.NewServer(qualyticstest.Options{Profile: &profile, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &world{t: t, ctx: t.Context(), killed: make(chan struct{}), server: s, clock: clock, env: map[string]string{}, oldCLI: profile.Name == qualyticstest.Docs202604().Name}
	w.connect(values{"url": s.URL, "api_path": s.APIPath(), "token": s.AdminToken()})
	return w
}

// connect starts the provider afresh, as every run of Terraform does.
func (w *world) connect(config values) {
	w.t.Helper()
	for _, d := range w.configure(config) {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			w.t.Fatalf("configure: %s: %s", d.Summary, d.Detail)
		}
	}
}

func (w *world) environment() provider.Environment {
	return provider.Environment{
		LookupEnv: func(key string) (string, bool) { v, ok := w.env[key]; return v, ok },
		HomeDir:   func() (string, error) { return w.env["HOME"], nil },
		Now:       func() time.Time { return w.clock.Now() },
		Sleep:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

func (w *world) configure(config values) []*tfprotov6.Diagnostic {
	w.t.Helper()
	w.config = config
	ctx := w.ctx
	var err error
	if w.p, err = provider.NewServer("test", w.environment()); err != nil {
		w.t.Fatal(err)
	}
	if w.schemas == nil {
		var err error
		if w.schemas, err = w.p.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{}); err != nil {
			w.t.Fatal(err)
		}
		if w.ids, err = w.p.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{}); err != nil {
			w.t.Fatal(err)
		}
	}
	dv := w.dynamic(w.schemas.Provider.ValueType(), w.value(w.schemas.Provider, config))
	resp, err := w.p.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.11.4", Config: dv})
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.Diagnostics
}

// value builds a configuration of a schema's type.
func (w *world) value(schema *tfprotov6.Schema, config values) tftypes.Value {
	w.t.Helper()
	object, ok := schema.ValueType().(tftypes.Object)
	if !ok {
		w.t.Fatalf("schema of %v", schema.ValueType())
	}
	out := map[string]tftypes.Value{}
	for name, typ := range object.AttributeTypes {
		out[name] = valueOf(typ, config[name])
	}
	for name := range config {
		if _, ok := out[name]; !ok {
			w.t.Fatalf("there is no attribute %q", name)
		}
	}
	return tftypes.NewValue(object, out)
}

func valueOf(typ tftypes.Type, v any) tftypes.Value {
	switch v := v.(type) {
	case tftypes.Value:
		return v
	case unknown:
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	case []string:
		elements := []tftypes.Value{}
		for _, s := range v {
			elements = append(elements, tftypes.NewValue(tftypes.String, s))
		}
		return tftypes.NewValue(typ, elements)
	case []any: // with null or unknown elements
		elements := []tftypes.Value{}
		for _, e := range v {
			elements = append(elements, valueOf(tftypes.String, e))
		}
		return tftypes.NewValue(typ, elements)
	case map[string]string:
		elements := map[string]tftypes.Value{}
		for k, s := range v {
			elements[k] = tftypes.NewValue(tftypes.String, s)
		}
		return tftypes.NewValue(typ, elements)
	case map[string]any: // with unknown values
		elements := map[string]tftypes.Value{}
		for k, s := range v {
			elements[k] = valueOf(tftypes.String, s)
		}
		return tftypes.NewValue(typ, elements)
	default:
		return tftypes.NewValue(typ, v)
	}
}

func (w *world) dynamic(typ tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
	w.t.Helper()
	dv, err := tfprotov6.NewDynamicValue(typ, v)
	if err != nil {
		w.t.Fatal(err)
	}
	return &dv
}

func (w *world) schema(kind string) *tfprotov6.Schema { return w.schemas.ResourceSchemas[kind] }

func (w *world) read(kind string, dv *tfprotov6.DynamicValue) tftypes.Value {
	w.t.Helper()
	typ := w.schema(kind).ValueType()
	if dv == nil {
		return tftypes.NewValue(typ, nil)
	}
	v, err := dv.Unmarshal(typ)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// attributes are the members of an object value; nil for a null one.
func attributes(v tftypes.Value) map[string]tftypes.Value {
	out := map[string]tftypes.Value{}
	if !v.IsKnown() || v.IsNull() || v.As(&out) != nil {
		return nil
	}
	return out
}

// get is an attribute as text: "" for null, "?" for unknown, "a,b" for a set.
func get(v tftypes.Value, name string) string {
	a, ok := attributes(v)[name]
	if !ok {
		return ""
	}
	return text(a)
}

func text(a tftypes.Value) string {
	switch {
	case !a.IsKnown():
		return "?"
	case a.IsNull():
		return ""
	case a.Type().Is(tftypes.String):
		var s string
		_ = a.As(&s)
		return s
	case a.Type().Is(tftypes.Bool):
		var b bool
		_ = a.As(&b)
		return fmt.Sprint(b)
	case a.Type().Is(tftypes.Number):
		f := new(big.Float)
		_ = a.As(&f)
		return f.String()
	case a.Type().Is(tftypes.Set{ElementType: tftypes.String}):
		var elements []tftypes.Value
		_ = a.As(&elements)
		var out []string
		for _, e := range elements {
			out = append(out, text(e))
		}
		sort.Strings(out)
		return strings.Join(out, ",")
	}
	return a.String()
}

// plan is a planned change.
type plan struct {
	action   string // "no-op", "create", "update", "replace" or "delete"
	config   tftypes.Value
	planned  tftypes.Value
	private  []byte
	replace  []string
	diags    diagnostics
	prior    *object
	replaced *object // of a replacement: the old object, whose destruction comes first or last
	identity *tfprotov6.ResourceIdentityData
}

type diagnostics []*tfprotov6.Diagnostic

func (d diagnostics) text(severity tfprotov6.DiagnosticSeverity) string {
	var out []string
	for _, x := range d {
		if x.Severity == severity {
			out = append(out, x.Summary+": "+x.Detail)
		}
	}
	return strings.Join(out, "\n")
}

func (d diagnostics) errors() string   { return d.text(tfprotov6.DiagnosticSeverityError) }
func (d diagnostics) warnings() string { return d.text(tfprotov6.DiagnosticSeverityWarning) }

// validate asks what "terraform validate" asks.
func (w *world) validate(kind string, config values) diagnostics {
	w.t.Helper()
	schema := w.schema(kind)
	resp, err := w.p.ValidateResourceConfig(w.ctx, &tfprotov6.ValidateResourceConfigRequest{
		TypeName: kind, Config: w.dynamic(schema.ValueType(), w.value(schema, config)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.Diagnostics
}

// refresh reads an object as a plan does first. After an error the object is as
// it was.
func (w *world) refresh(o *object) diagnostics {
	w.t.Helper()
	if !o.exists() {
		return nil
	}
	w.connect(w.config) // every run of Terraform starts the provider afresh
	return w.reread(o)
}

// reread is a refresh within the same run.
func (w *world) reread(o *object) diagnostics {
	w.t.Helper()
	resp, err := w.p.ReadResource(w.ctx, &tfprotov6.ReadResourceRequest{
		TypeName: o.kind, CurrentState: w.dynamic(w.schema(o.kind).ValueType(), o.state), Private: o.private, CurrentIdentity: o.identity,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	diags := diagnostics(resp.Diagnostics)
	if diags.errors() != "" {
		if after := w.read(o.kind, resp.NewState); !after.Equal(o.state) {
			w.t.Errorf("a failed read changed the state:\n%s", diags.errors())
		}
		return diags
	}
	o.state, o.private = w.read(o.kind, resp.NewState), resp.Private
	if resp.NewIdentity != nil && !w.oldCLI {
		o.identity = resp.NewIdentity
	}
	return diags
}

// plan plans without refreshing. A nil config destroys.
func (w *world) plan(o *object, config values) *plan {
	w.t.Helper()
	schema := w.schema(o.kind)
	typ := schema.ValueType()
	p := &plan{prior: o, config: tftypes.NewValue(typ, nil), planned: tftypes.NewValue(typ, nil)}
	if config != nil {
		if p.diags = w.validate(o.kind, config); p.diags.errors() != "" {
			return p
		}
		p.config = w.value(schema, config)
	}
	state := o.state
	if o.tainted && config != nil {
		state = tftypes.NewValue(typ, nil)
	}
	p.ask(w, state, o.private)
	if p.diags.errors() != "" {
		return p
	}
	switch {
	case config == nil:
		p.action = "delete"
	case o.tainted:
		p.action, p.replaced = "replace", o
	case !o.exists():
		p.action = "create"
	case len(p.replace) > 0:
		p.action, p.replaced = "replace", o
		p.ask(w, tftypes.NewValue(typ, nil), p.private)
	case p.planned.Equal(o.state):
		p.action = "no-op"
	default:
		p.action = "update"
	}
	return p
}

// ask asks the provider for a plan and checks what Terraform checks.
func (p *plan) ask(w *world, prior tftypes.Value, private []byte) {
	w.t.Helper()
	kind := p.prior.kind
	schema := w.schema(kind)
	typ := schema.ValueType()
	proposed := proposedState(schema, prior, p.config)
	req := &tfprotov6.PlanResourceChangeRequest{
		TypeName: kind, PriorState: w.dynamic(typ, prior), ProposedNewState: w.dynamic(typ, proposed),
		Config: w.dynamic(typ, p.config), PriorPrivate: private,
	}
	if !prior.IsNull() {
		req.PriorIdentity = p.prior.identity
	}
	resp, err := w.p.PlanResourceChange(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	p.diags = append(p.diags, resp.Diagnostics...)
	if p.diags.errors() != "" {
		return
	}
	p.planned, p.private = w.read(kind, resp.PlannedState), resp.PlannedPrivate
	if !w.oldCLI {
		p.identity = resp.PlannedIdentity
	}
	before, after, config := attributes(prior), attributes(p.planned), attributes(p.config)
	for name, value := range after {
		if c := config[name]; !c.IsNull() && !value.Equal(c) && (before == nil || !value.Equal(before[name])) {
			w.t.Errorf("the plan for %s.%s is %s, neither the configuration (%s) nor the state", kind, name, text(value), text(c))
		}
	}
	for _, path := range resp.RequiresReplace {
		name := strings.Trim(strings.TrimPrefix(path.String(), "AttributeName("), `")`)
		if before != nil && !after[name].Equal(before[name]) {
			p.replace = append(p.replace, name)
		}
	}
	slices.Sort(p.replace)
}

// proposedState merges the configuration into the prior state as Terraform does.
func proposedState(schema *tfprotov6.Schema, prior, config tftypes.Value) tftypes.Value {
	if config.IsNull() {
		return config
	}
	before, out := attributes(prior), maps.Clone(attributes(config))
	for _, a := range schema.Block.Attributes {
		if a.Computed && out[a.Name].IsNull() && before != nil {
			out[a.Name] = before[a.Name]
		}
	}
	return tftypes.NewValue(config.Type(), out)
}

// apply carries a plan out, the destruction of a replaced object first.
func (w *world) apply(p *plan) (*object, diagnostics) {
	w.t.Helper()
	if p.action == "replace" {
		gone, diags := w.change(w.ctx, p.replaced, &plan{
			action: "delete", prior: p.replaced, private: p.replaced.private,
			planned: tftypes.NewValue(p.planned.Type(), nil), config: tftypes.NewValue(p.planned.Type(), nil),
		})
		if diags.errors() != "" {
			return gone, diags
		}
		made, more := w.change(w.ctx, &object{kind: p.prior.kind, state: tftypes.NewValue(p.planned.Type(), nil)}, p)
		return made, append(diags, more...)
	}
	return w.change(w.ctx, p.prior, p)
}

// change is one call of ApplyResourceChange. The object it returns is what
// Terraform would store, also after an error.
func (w *world) change(ctx context.Context, o *object, p *plan) (*object, diagnostics) {
	w.t.Helper()
	if p.action == "no-op" {
		return o, nil
	}
	schema := w.schema(o.kind)
	typ := schema.ValueType()
	resp, err := w.p.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: o.kind, PriorState: w.dynamic(typ, o.state), PlannedState: w.dynamic(typ, p.planned),
		Config: w.dynamic(typ, p.config), PlannedPrivate: p.private, PlannedIdentity: p.identity,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	diags := diagnostics(resp.Diagnostics)
	made := &object{kind: o.kind, state: w.read(o.kind, resp.NewState), private: resp.Private, identity: resp.NewIdentity}
	failed := diags.errors() != ""
	made.tainted = failed && !o.exists() && made.exists()
	if made.exists() && !failed {
		after := attributes(made.state)
		for name, planned := range attributes(p.planned) {
			if planned.IsKnown() && !planned.Equal(after[name]) {
				w.t.Errorf("inconsistent result after apply: %s.%s was planned as %s and is %s", o.kind, name, text(planned), text(after[name]))
			}
			if !after[name].IsFullyKnown() {
				w.t.Errorf("%s.%s is unknown after apply", o.kind, name)
			}
		}
		if made.identity == nil {
			w.t.Errorf("%s has no identity after apply", o.kind)
		}
	}
	if w.oldCLI {
		made.identity = nil
	}
	return made, diags
}

// none is an object that does not exist yet.
func (w *world) none(kind string) *object {
	return &object{kind: kind, state: tftypes.NewValue(w.schema(kind).ValueType(), nil)}
}

// run is one "terraform apply": refresh, plan, apply. The object is left as
// Terraform would store it.
func (w *world) run(o *object, config values) (string, diagnostics) {
	w.t.Helper()
	diags := w.refresh(o)
	if diags.errors() != "" {
		return "", diags
	}
	if !o.exists() && config == nil {
		return "no-op", diags
	}
	p := w.plan(o, config)
	diags = append(diags, p.diags...)
	if p.diags.errors() != "" {
		return "", diags
	}
	after, more := w.apply(p)
	*o = *after
	return p.action, append(diags, more...)
}

// must is run without errors and with the expected action.
func (w *world) must(o *object, config values, action string) diagnostics {
	w.t.Helper()
	got, diags := w.run(o, config)
	if diags.errors() != "" {
		w.t.Fatalf("apply failed: %s", diags.errors())
	}
	if got != action {
		w.t.Fatalf("the action was %s, want %s", got, action)
	}
	return diags
}

// clean checks that a fresh run plans nothing.
func (w *world) clean(o *object, config values) {
	w.t.Helper()
	if diags := w.refresh(o); diags.errors() != "" {
		w.t.Fatalf("refresh failed: %s", diags.errors())
	}
	if p := w.plan(o, config); p.action != "no-op" {
		w.t.Errorf("the second plan is %s %v, want nothing to do: %s", p.action, p.replace, difference(o.state, p.planned))
	}
}

func difference(a, b tftypes.Value) string {
	before, after := attributes(a), attributes(b)
	var out []string
	for name, v := range after {
		if !v.Equal(before[name]) {
			out = append(out, fmt.Sprintf("%s: %q → %q", name, text(before[name]), text(v)))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// load imports an object and reads it, as "terraform import" does.
func (w *world) load(kind, id string) (*object, diagnostics) {
	w.t.Helper()
	return w.imported(&tfprotov6.ImportResourceStateRequest{TypeName: kind, ID: id})
}

// loadByIdentity imports an object by its identity.
func (w *world) loadByIdentity(kind, id string) (*object, diagnostics) {
	w.t.Helper()
	typ := w.ids.IdentitySchemas[kind].ValueType()
	dv := w.dynamic(typ, tftypes.NewValue(typ, map[string]tftypes.Value{"id": tftypes.NewValue(tftypes.String, id)}))
	return w.imported(&tfprotov6.ImportResourceStateRequest{TypeName: kind, Identity: &tfprotov6.ResourceIdentityData{IdentityData: dv}})
}

func (w *world) imported(req *tfprotov6.ImportResourceStateRequest) (*object, diagnostics) {
	w.t.Helper()
	w.connect(w.config)
	resp, err := w.p.ImportResourceState(w.ctx, req)
	if err != nil {
		w.t.Fatal(err)
	}
	diags := diagnostics(resp.Diagnostics)
	if diags.errors() != "" {
		return nil, diags
	}
	i := resp.ImportedResources[0]
	o := &object{kind: req.TypeName, state: w.read(req.TypeName, i.State), private: i.Private, identity: i.Identity}
	if w.oldCLI {
		o.identity = nil
	}
	return o, append(diags, w.reread(o)...)
}

// account makes a service account behind Terraform's back, and gives its id.
func (w *world) account() string {
	return fmt.Sprint(w.server.AddUser(qualyticstest.User{Name: fmt.Sprintf("Owner %x", rand.Uint32())}).ID)
}
