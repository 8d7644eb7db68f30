// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const (
	accountType = "qualytics_service_account"
	tokenType   = "qualytics_service_token"
)

// harness is an emulated deployment and a provider that speaks Terraform's
// protocol in this process. Its methods do what Terraform does between the
// provider's calls, and fail the test if Terraform would report a bug of the provider.
type harness struct {
	t        tb
	ctx      context.Context // of the provider's calls
	server   *qualyticstest.Server
	clock    *qualyticstest.Clock // the provider's
	env      map[string]string
	p        tfprotov6.ProviderServer
	schemas  *tfprotov6.GetProviderSchemaResponse
	ids      *tfprotov6.GetResourceIdentitySchemasResponse
	config   values // of the provider block
	random   io.Reader
	oldCLI   bool // one that knows no identity
	killOnce sync.Once
	killed   chan struct{}
	opened   []byte // private data of an ephemeral token that is open

	// oneProcess keeps the provider process between plan and apply.
	oneProcess bool
}

// tb is the part of testing.TB that a harness requires.
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

// object is a resource instance in the state.
type object struct {
	kind     string
	state    tftypes.Value // null: there is none
	private  []byte
	identity *tfprotov6.ResourceIdentityData
	tainted  bool
}

func (o *object) exists() bool { return o != nil && !o.state.IsNull() }

// newServer starts a deployment, which ends with the test.
func newServer(t tb, options qualyticstest.Options) *qualyticstest.Server {
	t.Helper()
	s, err := qualyticstest.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// newHarness starts a deployment with a profile. The provider does not wait.
func newHarness(t tb, profile qualyticstest.Profile) *harness {
	t.Helper()
	clock := &qualyticstest.Clock{}
	s, err := qualyticstest.NewServer(qualyticstest.Options{Profile: &profile, Clock: clock, Address: ownAddress()})
	if err != nil { // macOS has one loopback address only
		s, err = qualyticstest.NewServer(qualyticstest.Options{Profile: &profile, Clock: clock})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	h := &harness{
		t:      t,
		ctx:    t.Context(),
		killed: make(chan struct{}),
		server: s,
		clock:  clock,
		env:    map[string]string{},
		oldCLI: strings.HasPrefix(profile.Name, qualyticstest.Docs202604().Name),
	}
	h.connect(values{"url": s.URL, "api_path": s.APIPath(), "token": s.AdminToken()})
	return h
}

// ownAddress returns a loopback address that no other test uses, so that a server
// can be stopped and resumed on the same port.
func ownAddress() string {
	return fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
}

// connect starts a new provider process, as every run of Terraform does.
func (h *harness) connect(config values) {
	h.t.Helper()
	for _, d := range h.configure(config) {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			h.t.Fatalf("configure: %s: %s", d.Summary, d.Detail)
		}
	}
}

func (h *harness) environment() provider.Environment {
	return provider.Environment{
		LookupEnv: func(key string) (string, bool) { v, ok := h.env[key]; return v, ok },
		HomeDir:   func() (string, error) { return h.env["HOME"], nil },
		Now:       func() time.Time { return h.clock.Now() },
		Random:    h.random,
		Sleep:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

func (h *harness) configure(config values) []*tfprotov6.Diagnostic {
	h.t.Helper()
	h.config = config
	ctx := h.ctx
	var err error
	if h.p, err = provider.NewServer("test", h.environment()); err != nil {
		h.t.Fatal(err)
	}
	if h.schemas == nil {
		var err error
		if h.schemas, err = h.p.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{}); err != nil {
			h.t.Fatal(err)
		}
		if h.ids, err = h.p.GetResourceIdentitySchemas(ctx,
			&tfprotov6.GetResourceIdentitySchemasRequest{}); err != nil {
			h.t.Fatal(err)
		}
	}
	dv := h.dynamic(h.schemas.Provider.ValueType(), h.value(h.schemas.Provider, config))
	resp, err := h.p.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.11.4", Config: dv})
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.Diagnostics
}

// value builds a configuration of a schema's type.
func (h *harness) value(schema *tfprotov6.Schema, config values) tftypes.Value {
	h.t.Helper()
	object, ok := schema.ValueType().(tftypes.Object)
	if !ok {
		h.t.Fatalf("schema of %v", schema.ValueType())
	}
	out := map[string]tftypes.Value{}
	for name, typ := range object.AttributeTypes {
		out[name] = valueOf(typ, config[name])
	}
	for name := range config {
		if _, ok := out[name]; !ok {
			h.t.Fatalf("there is no attribute %q", name)
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

func (h *harness) dynamic(typ tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
	h.t.Helper()
	dv, err := tfprotov6.NewDynamicValue(typ, v)
	if err != nil {
		h.t.Fatal(err)
	}
	return &dv
}

func (h *harness) schema(kind string) *tfprotov6.Schema { return h.schemas.ResourceSchemas[kind] }

func (h *harness) read(kind string, dv *tfprotov6.DynamicValue) tftypes.Value {
	h.t.Helper()
	typ := h.schema(kind).ValueType()
	if dv == nil {
		return tftypes.NewValue(typ, nil)
	}
	v, err := dv.Unmarshal(typ)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// attributes returns the attributes of an object, or nil for null.
func attributes(v tftypes.Value) map[string]tftypes.Value {
	out := map[string]tftypes.Value{}
	if !v.IsKnown() || v.IsNull() || v.As(&out) != nil {
		return nil
	}
	return out
}

// get returns an attribute as text: "" for null, "?" for unknown, "a,b" for a set.
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
		slices.Sort(out)
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

// wantOK ends the test after an error.
func wantOK(t tb, diags diagnostics) {
	t.Helper()
	if diags.errors() != "" {
		t.Fatal(diags.errors())
	}
}

func (d diagnostics) errors() string { return d.text(tfprotov6.DiagnosticSeverityError) }

func (d diagnostics) warnings() string { return d.text(tfprotov6.DiagnosticSeverityWarning) }

// validate validates a configuration like "terraform validate".
func (h *harness) validate(kind string, config values) diagnostics {
	h.t.Helper()
	return h.validateValue(kind, h.value(h.schema(kind), config))
}

func (h *harness) validateValue(kind string, config tftypes.Value) diagnostics {
	h.t.Helper()
	resp, err := h.p.ValidateResourceConfig(h.ctx, &tfprotov6.ValidateResourceConfigRequest{
		TypeName: kind, Config: h.dynamic(config.Type(), config),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.Diagnostics
}

// refresh reads an object in a new run. After an error, the object is unchanged.
func (h *harness) refresh(o *object) diagnostics {
	h.t.Helper()
	if !o.exists() {
		return nil
	}
	h.connect(h.config) // every run of Terraform starts a new provider process
	return h.reread(o)
}

// reread is a refresh within the same run.
func (h *harness) reread(o *object) diagnostics {
	h.t.Helper()
	resp, err := h.p.ReadResource(h.ctx, &tfprotov6.ReadResourceRequest{
		TypeName:        o.kind,
		CurrentState:    h.dynamic(h.schema(o.kind).ValueType(), o.state),
		Private:         o.private,
		CurrentIdentity: o.identity,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	diags := diagnostics(resp.Diagnostics)
	if diags.errors() != "" {
		if after := h.read(o.kind, resp.NewState); !after.Equal(o.state) {
			h.t.Errorf("a failed read changed the state:\n%s", diags.errors())
		}
		return diags
	}
	o.state, o.private = h.read(o.kind, resp.NewState), resp.Private
	if resp.NewIdentity != nil && !h.oldCLI {
		o.identity = resp.NewIdentity
	}
	return diags
}

// plan plans without refreshing. A nil config destroys.
func (h *harness) plan(o *object, config values) *plan {
	h.t.Helper()
	schema := h.schema(o.kind)
	if config == nil {
		return h.planValue(o, tftypes.NewValue(schema.ValueType(), nil))
	}
	return h.planValue(o, h.value(schema, config))
}

// planValue is plan with a configuration as Terraform sends it. A null config destroys.
func (h *harness) planValue(o *object, config tftypes.Value) *plan {
	h.t.Helper()
	null := tftypes.NewValue(config.Type(), nil)
	p := &plan{prior: o, config: config, planned: null}
	if !config.IsNull() {
		if p.diags = h.validateValue(o.kind, config); p.diags.errors() != "" {
			return p
		}
	}
	state, private := o.state, o.private
	if o.tainted && !config.IsNull() {
		state, private = null, nil
	}
	p.ask(h, state, private)
	if p.diags.errors() != "" {
		return p
	}
	switch {
	case config.IsNull():
		p.action = "delete"
	case o.tainted:
		p.action, p.replaced = "replace", o
	case !o.exists():
		p.action = "create"
	case len(p.replace) > 0:
		p.action, p.replaced = "replace", o
		p.ask(h, null, p.private)
	case p.planned.Equal(o.state):
		p.action = "no-op"
	default:
		p.action = "update"
	}
	return p
}

// ask requests a plan and checks it like Terraform.
func (p *plan) ask(h *harness, prior tftypes.Value, private []byte) {
	h.t.Helper()
	kind := p.prior.kind
	schema := h.schema(kind)
	typ := schema.ValueType()
	proposed := proposedState(schema, prior, p.config)
	req := &tfprotov6.PlanResourceChangeRequest{
		TypeName: kind, PriorState: h.dynamic(typ, prior), ProposedNewState: h.dynamic(typ, proposed),
		Config: h.dynamic(typ, p.config), PriorPrivate: private,
	}
	if !prior.IsNull() {
		req.PriorIdentity = p.prior.identity
	}
	resp, err := h.p.PlanResourceChange(context.WithoutCancel(h.ctx), req)
	if err != nil {
		h.t.Fatal(err)
	}
	p.diags = append(p.diags, resp.Diagnostics...)
	if p.diags.errors() != "" {
		return
	}
	p.planned, p.private = h.read(kind, resp.PlannedState), resp.PlannedPrivate
	if !h.oldCLI {
		p.identity = resp.PlannedIdentity
	}
	before, after, config := attributes(prior), attributes(p.planned), attributes(p.config)
	for name, value := range after {
		if c := config[name]; !c.IsNull() && !value.Equal(c) && (before == nil || !value.Equal(before[name])) {
			h.t.Errorf("the plan for %s.%s is %s, neither the configuration (%s) nor the state", kind, name,
				text(value), text(c))
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

// apply applies a plan with the configuration that it was planned with.
func (h *harness) apply(p *plan) (*object, diagnostics) {
	h.t.Helper()
	return h.applyValue(p, p.config)
}

// applyWith applies a plan with the configuration that is known during apply.
func (h *harness) applyWith(p *plan, config values) (*object, diagnostics) {
	h.t.Helper()
	return h.applyValue(p, h.value(h.schema(p.prior.kind), config))
}

// applyValue applies a plan as Terraform does, in a new provider process, which has read
// nothing: it plans again with what is known now, and checks that this agrees with the plan.
// A replaced object is destroyed first. What is destroyed or unchanged is not planned again.
func (h *harness) applyValue(p *plan, config tftypes.Value) (*object, diagnostics) {
	h.t.Helper()
	if p.diags.errors() != "" {
		h.t.Fatalf("a plan with errors is applied: %s", p.diags.errors())
	}
	if !h.oneProcess {
		h.connect(h.config)
	}
	null := tftypes.NewValue(config.Type(), nil)
	switch p.action {
	case "no-op":
		return p.prior, nil
	case "delete":
		return h.change(h.ctx, p.prior, p)
	case "replace":
		gone, diags := h.change(h.ctx, p.replaced, &plan{
			action: "delete", prior: p.replaced, private: p.private, planned: null, config: null,
		})
		if diags.errors() != "" {
			return gone, diags
		}
		created, more := h.planAgainAndApply(p, &object{kind: p.prior.kind, state: null}, config)
		return created, append(diags, more...)
	}
	return h.planAgainAndApply(p, p.prior, config)
}

func (h *harness) planAgainAndApply(first *plan, prior *object, config tftypes.Value) (*object, diagnostics) {
	h.t.Helper()
	final := h.planValue(prior, config)
	if final.diags.errors() != "" {
		return prior, final.diags
	}
	agrees := final.action == first.action || first.action == "update" && final.action == "no-op" ||
		first.action == "replace" && final.action == "create"
	if !agrees {
		h.t.Errorf("inconsistent final plan: the action was %s and is %s", first.action, final.action)
	}
	before := attributes(first.planned)
	for name, value := range attributes(final.planned) {
		if !conforms(before[name], value) {
			h.t.Errorf("inconsistent final plan: %s was %s and is %s", name, text(before[name]), text(value))
		}
	}
	after, diags := h.change(h.ctx, prior, final)
	return after, append(final.diags, diags...)
}

// change is one call of ApplyResourceChange. The object it returns is what
// Terraform would store, even after an error.
func (h *harness) change(ctx context.Context, o *object, p *plan) (*object, diagnostics) {
	h.t.Helper()
	if p.action == "no-op" {
		return o, nil
	}
	schema := h.schema(o.kind)
	typ := schema.ValueType()
	resp, err := h.p.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: o.kind, PriorState: h.dynamic(typ, o.state), PlannedState: h.dynamic(typ, p.planned),
		Config: h.dynamic(typ, p.config), PlannedPrivate: p.private, PlannedIdentity: p.identity,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	diags := diagnostics(resp.Diagnostics)
	created := &object{
		kind:     o.kind,
		state:    h.read(o.kind, resp.NewState),
		private:  resp.Private,
		identity: resp.NewIdentity,
	}
	failed := diags.errors() != ""
	created.tainted = failed && !o.exists() && created.exists()
	if created.exists() && !failed {
		after := attributes(created.state)
		for name, planned := range attributes(p.planned) {
			if !conforms(planned, after[name]) {
				h.t.Errorf("inconsistent result after apply: %s.%s was planned as %s and is %s", o.kind, name,
					text(planned), text(after[name]))
			}
			if !after[name].IsFullyKnown() {
				h.t.Errorf("%s.%s is unknown after apply", o.kind, name)
			}
		}
		if created.identity == nil {
			h.t.Errorf("%s has no identity after apply", o.kind)
		}
	}
	if h.oldCLI {
		created.identity = nil
	}
	return created, diags
}

// conforms reports whether a value is what was planned, in which parts may be unknown.
func conforms(planned, value tftypes.Value) bool {
	if !planned.IsKnown() || planned.Equal(value) {
		return true
	}
	if planned.IsNull() || value.IsNull() || !value.IsKnown() {
		return false
	}
	var want, got []tftypes.Value
	if planned.As(&want) == nil && value.As(&got) == nil {
		return slices.EqualFunc(want, got, conforms)
	}
	wantFields, gotFields := attributes(planned), attributes(value)
	return len(wantFields) > 0 && maps.EqualFunc(wantFields, gotFields, conforms)
}

// none returns an object that does not exist.
func (h *harness) none(kind string) *object {
	return &object{kind: kind, state: tftypes.NewValue(h.schema(kind).ValueType(), nil)}
}

// run is one "terraform apply": refresh, plan, apply. The object is left as
// Terraform would store it.
func (h *harness) run(o *object, config values) (string, diagnostics) {
	h.t.Helper()
	diags := h.refresh(o)
	if diags.errors() != "" {
		return "", diags
	}
	if !o.exists() && config == nil {
		return "no-op", diags
	}
	p := h.plan(o, config)
	diags = append(diags, p.diags...)
	if p.diags.errors() != "" {
		return "", diags
	}
	after, more := h.apply(p)
	*o = *after
	return p.action, append(diags, more...)
}

// created creates an object.
func (h *harness) created(kind string, config values) *object {
	h.t.Helper()
	o := h.none(kind)
	h.must(o, config, "create")
	return o
}

// planned refreshes an object, which must succeed, and plans.
func (h *harness) planned(o *object, config values) *plan {
	h.t.Helper()
	wantOK(h.t, h.refresh(o))
	return h.plan(o, config)
}

// applied applies a plan, which must succeed.
func (h *harness) applied(p *plan) *object {
	h.t.Helper()
	after, diags := h.apply(p)
	wantOK(h.t, diags)
	return after
}

// must is run, and fails the test after an error or another action.
func (h *harness) must(o *object, config values, action string) diagnostics {
	h.t.Helper()
	got, diags := h.run(o, config)
	if diags.errors() != "" {
		h.t.Fatalf("apply failed: %s", diags.errors())
	}
	if got != action {
		h.t.Fatalf("the action was %s, want %s", got, action)
	}
	return diags
}

// clean checks that a new run plans no change.
func (h *harness) clean(o *object, config values) {
	h.t.Helper()
	if diags := h.refresh(o); diags.errors() != "" {
		h.t.Fatalf("refresh failed: %s", diags.errors())
	}
	if p := h.plan(o, config); p.action != "no-op" {
		h.t.Errorf("the second plan is %s %v, want nothing to do: %s", p.action, p.replace,
			difference(o.state, p.planned))
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
func (h *harness) load(kind, id string) (*object, diagnostics) {
	h.t.Helper()
	return h.imported(importRequest(kind, id), !sameRun)
}

// loadByIdentity imports an object by its identity.
func (h *harness) loadByIdentity(kind, id string) (*object, diagnostics) {
	h.t.Helper()
	typ := h.ids.IdentitySchemas[kind].ValueType()
	dv := h.dynamic(
		typ,
		tftypes.NewValue(
			typ,
			map[string]tftypes.Value{
				"id":   tftypes.NewValue(tftypes.String, id),
				"host": tftypes.NewValue(tftypes.String, nil),
			},
		),
	)
	req := importRequest(kind, "")
	req.Identity = &tfprotov6.ResourceIdentityData{IdentityData: dv}
	return h.imported(req, !sameRun)
}

// loaded imports an object, which must succeed.
func (h *harness) loaded(kind, id string) *object {
	h.t.Helper()
	o, diags := h.load(kind, id)
	wantOK(h.t, diags)
	return o
}

// loadedByIdentity imports an object by its identity, which must succeed.
func (h *harness) loadedByIdentity(kind, id string) *object {
	h.t.Helper()
	o, diags := h.loadByIdentity(kind, id)
	wantOK(h.t, diags)
	return o
}

// sameRun lets an import happen in the current provider process.
const sameRun = true

func importRequest(kind, id string) *tfprotov6.ImportResourceStateRequest {
	return &tfprotov6.ImportResourceStateRequest{TypeName: kind, ID: id}
}

func (h *harness) imported(req *tfprotov6.ImportResourceStateRequest, sameRun bool) (*object, diagnostics) {
	h.t.Helper()
	if !sameRun {
		h.connect(h.config)
	}
	resp, err := h.p.ImportResourceState(h.ctx, req)
	if err != nil {
		h.t.Fatal(err)
	}
	diags := diagnostics(resp.Diagnostics)
	if diags.errors() != "" {
		return nil, diags
	}
	i := resp.ImportedResources[0]
	o := &object{kind: req.TypeName, state: h.read(req.TypeName, i.State), private: i.Private, identity: i.Identity}
	if h.oldCLI {
		o.identity = nil
	}
	return o, append(diags, h.reread(o)...)
}

// account creates a service account without Terraform, and returns its ID.
func (h *harness) account() string {
	return fmt.Sprint(h.server.AddUser(qualyticstest.User{Name: fmt.Sprintf("Owner %x", rand.Uint32())}).ID)
}

// expiring returns the configuration of a token with a lifetime of 30 days and a new account.
func (h *harness) expiring(more values) values {
	config := values{"service_account_id": h.account(), "name_prefix": "ci-", "expires_in_days": 30}
	return config.with(more)
}

// guardrails returns the value of the provider's argument.
func guardrails(h *harness, roles, days any) tftypes.Value {
	h.t.Helper()
	object, ok := h.schemas.Provider.ValueType().(tftypes.Object)
	if !ok {
		h.t.Fatal("the provider configuration is not an object")
	}
	typ, ok := object.AttributeTypes["guardrails"].(tftypes.Object)
	if !ok {
		h.t.Fatal("guardrails is not an object")
	}
	return tftypes.NewValue(typ, map[string]tftypes.Value{
		"allowed_roles":       valueOf(typ.AttributeTypes["allowed_roles"], roles),
		"max_expires_in_days": valueOf(typ.AttributeTypes["max_expires_in_days"], days),
	})
}

// validated returns the errors of validating a provider configuration.
func validated(h *harness, config values) string {
	h.t.Helper()
	resp, err := h.p.ValidateProviderConfig(h.ctx, &tfprotov6.ValidateProviderConfigRequest{
		Config: h.dynamic(h.schemas.Provider.ValueType(), h.value(h.schemas.Provider, config)),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return diagnostics(resp.Diagnostics).errors()
}

// deactivate deactivates an account without Terraform.
func (h *harness) deactivate(id int64) {
	now := h.server.Clock.Now()
	h.server.EditUser(id, func(u *qualyticstest.User) { u.Deleted = &now })
}

// revoke revokes a token without Terraform.
func (h *harness) revoke(id int64) {
	h.server.EditToken(id, func(t *qualyticstest.Token) { t.Active = false })
}

// use makes a token one that was last used some time ago.
func (h *harness) use(id int64, ago time.Duration) {
	at := h.server.Clock.Now().Add(-ago)
	h.server.EditToken(id, func(t *qualyticstest.Token) { t.LastUsed = &at })
}

// formatted returns an ID as text.
func formatted(id int64) string { return fmt.Sprint(id) }

func onEveryProfile(t *testing.T, test func(t *testing.T, h *harness)) {
	t.Helper()
	for _, profile := range qualyticstest.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			test(t, newHarness(t, profile))
		})
	}
}

// wantText fails the test unless text contains every part.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

func wantWrites(t *testing.T, h *harness, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, h.server.Writes()); diff != "" {
		t.Errorf("writes, want -, got +:\n%s", diff)
	}
}

const day = 24 * time.Hour

// with returns a copy of a configuration with changes; nil removes a value.
func (v values) with(changes values) values {
	out := values{}
	maps.Copy(out, v)
	maps.Copy(out, changes)
	maps.DeleteFunc(out, func(_ string, x any) bool { return x == nil })
	return out
}

// tokenWorks reports whether the server accepts the token in a state.
func (h *harness) tokenWorks(o *object) bool {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet,
		h.server.URL+h.server.Profile.Prefix+"/users/me", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	secret := get(o.state, "token")
	if ciphertext := get(o.state, "encrypted_token"); ciphertext != "" {
		secret = decryptAge(h.t, ciphertext, matrixIdentity())
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// token returns the server's only service token.
func (h *harness) token() qualyticstest.Token {
	h.t.Helper()
	tokens := h.server.Tokens()
	if len(tokens) != 1 {
		h.t.Fatalf("the server has %d tokens, want one: %+v", len(tokens), tokens)
	}
	return tokens[0]
}

// tokenByID returns the server's token with an ID, or false.
func (h *harness) tokenByID(id string) (qualyticstest.Token, bool) {
	tokens := h.server.Tokens()
	i := slices.IndexFunc(tokens, func(t qualyticstest.Token) bool { return fmt.Sprint(t.ID) == id })
	if i < 0 {
		return qualyticstest.Token{}, false
	}
	return tokens[i], true
}

// works reports whether the token with an ID is on the server and usable there.
func (h *harness) works(id string) bool {
	token, ok := h.tokenByID(id)
	return ok && token.Active && (token.Expiration == nil || h.server.Clock.Now().Before(*token.Expiration))
}

func parseInt(t tb, text string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// active reports whether a token is active on the server.
func (h *harness) active(id string) bool {
	token, ok := h.tokenByID(id)
	return ok && token.Active
}

// connectAs starts a new provider process with the token with an ID.
func (h *harness) connectAs(id int64) {
	h.t.Helper()
	h.connect(values{"url": h.server.URL, "api_path": h.server.APIPath(), "token": h.server.Bearer(id)})
}
