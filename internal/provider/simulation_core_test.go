// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
)

// This file plays Terraform core: it calls a provider process in core's order, and checks
// what core checks.

// schemasOf returns the schemas of the provider, which do not change.
var schemasOf = sync.OnceValue(func() *harness {
	h := &harness{t: panicking{}, ctx: panicking{}.Context()}
	p, err := provider.NewServer("test", provider.Environment{})
	must(err)
	h.schemas, err = p.GetProviderSchema(h.ctx, &tfprotov6.GetProviderSchemaRequest{})
	must(err)
	return h
})

// process is a provider process, from its start to the end of a plan or an apply.
type process struct {
	*harness
	w      *workspace
	p      tfprotov6.ProviderServer
	diags  diagnostics
	killed bool
}

// start starts a provider process and configures it.
func (w *workspace) start() *process {
	s := w.s
	server, err := provider.NewServer("test", s.environment(w.skew))
	must(err)
	p := &process{harness: schemasOf(), w: w, p: server}
	config := values{
		"url": s.server.URL, "api_path": s.server.APIPath(), "token": cmp.Or(s.server.Bearer(w.credential), "deleted"),
		"max_retries": 2, "guardrails": w.guardrails,
	}
	dv := p.dynamic(p.schemas.Provider.ValueType(), p.value(p.schemas.Provider, config))
	resp, err := server.ConfigureProvider(s.ctx,
		&tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.14.0", Config: dv})
	must(err)
	p.diags = resp.Diagnostics
	return p
}

// bug reports what core calls a bug of the provider.
func (p *process) bug(address, format string, args ...any) {
	p.w.s.violate("%s: %s", address, fmt.Sprintf(format, args...))
}

// hear collects diagnostics, and reports whether there is an error among them.
func (p *process) hear(diags []*tfprotov6.Diagnostic) bool {
	p.diags = append(p.diags, diags...)
	p.w.s.hear(diags)
	return diagnostics(diags).errors() != ""
}

// upgrade sends the stored state, with which core begins each operation on an object.
func (p *process) upgrade(o *object) {
	if !o.exists() {
		return
	}
	state, err := json.Marshal(plain(o.state))
	must(err)
	resp, err := p.p.UpgradeResourceState(p.ctx, &tfprotov6.UpgradeResourceStateRequest{
		TypeName: o.kind, RawState: &tfprotov6.RawState{JSON: state},
	})
	must(err)
	if p.hear(resp.Diagnostics) || !p.read(o.kind, resp.UpgradedState).Equal(o.state) {
		p.bug(o.kind, "the state cannot be decoded: %s", diagnostics(resp.Diagnostics).errors())
	}
}

// refresh reads an object. It returns the object as refreshed, and false after an error.
func (p *process) refresh(o *object) (*object, bool) {
	resp, err := p.p.ReadResource(p.ctx, &tfprotov6.ReadResourceRequest{
		TypeName: o.kind, CurrentState: p.dynamic(o.state.Type(), o.state), Private: o.private,
		CurrentIdentity: o.identity,
	})
	must(err)
	if p.hear(resp.Diagnostics) {
		return o, false
	}
	after := *o
	after.state, after.private = p.read(o.kind, resp.NewState), resp.Private
	if resp.NewIdentity != nil && !p.w.oldCLI {
		after.identity = resp.NewIdentity
	}
	if after.exists() && !after.state.IsFullyKnown() {
		p.bug(o.kind, "Provider returned invalid object: unknown values after refreshing")
	}
	return &after, true
}

// change is a planned change of an object.
type change struct {
	address  string
	kind     string
	action   string // "no-op", "create", "update", "replace", or "delete"
	reason   string // of a replacement that the provider did not ask for: "tainted" or "requested"
	prior    *object
	planned  tftypes.Value
	private  []byte
	identity *tfprotov6.ResourceIdentityData
	deposed  string // where the old object is, "" if it is not deposed
}

// changes is a plan of a workspace.
type changes struct {
	list   []*change
	config map[string]*block
	state  map[string]*object // refreshed
	stores map[*store]string  // planned versions, "?" if unknown
	diags  diagnostics
	failed bool
	serial int
	at     time.Time
}

func (c *changes) of(address string) *change {
	i := slices.IndexFunc(c.list, func(x *change) bool { return x.address == address && x.deposed == "" })
	if i < 0 {
		return nil
	}
	return c.list[i]
}

// ask calls PlanResourceChange, and checks that the plan agrees with the configuration. It
// returns the attributes that require a replacement.
func (p *process) ask(c *change, prior, config tftypes.Value, private []byte) (replace []string, ok bool) {
	schema := p.schema(c.kind)
	typ := schema.ValueType()
	proposed := proposedState(schema, prior, config)
	req := &tfprotov6.PlanResourceChangeRequest{
		TypeName: c.kind, PriorState: p.dynamic(typ, prior), ProposedNewState: p.dynamic(typ, proposed),
		Config: p.dynamic(typ, config), PriorPrivate: private,
	}
	if !prior.IsNull() {
		req.PriorIdentity = c.prior.identity
	}
	resp, err := p.p.PlanResourceChange(p.ctx, req)
	must(err)
	if p.hear(resp.Diagnostics) {
		return nil, false
	}
	c.planned, c.private, c.identity = p.read(c.kind, resp.PlannedState), resp.PlannedPrivate, resp.PlannedIdentity
	if p.w.oldCLI {
		c.identity = nil
	}
	before, configured := attributes(prior), attributes(config)
	for _, a := range schema.Block.Attributes {
		value, wanted := attributes(c.planned)[a.Name], configured[a.Name]
		switch {
		case config.IsNull(), value.Equal(wanted), a.Computed && wanted.IsNull():
		case !wanted.IsNull() && before != nil && value.Equal(before[a.Name]):
		default:
			p.bug(c.address, "Provider produced invalid plan: planned value %s for %s does not match config value %s "+
				"nor prior value", text(value), a.Name, text(wanted))
		}
	}
	for _, path := range resp.RequiresReplace {
		name := strings.Trim(strings.TrimPrefix(path.String(), "AttributeName("), `")`)
		if before != nil && !attributes(c.planned)[name].Equal(before[name]) {
			replace = append(replace, name)
		}
	}
	return replace, true
}

// plan plans a change of an object that may exist. A null config destroys it.
func (p *process) plan(address string, prior *object, config tftypes.Value, forced bool) (*change, bool) {
	typ := p.schema(prior.kind).ValueType()
	null := tftypes.NewValue(typ, nil)
	c := &change{address: address, kind: prior.kind, prior: prior, planned: null}
	state, private := prior.state, prior.private
	if prior.tainted && !config.IsNull() {
		state, private = null, nil
	}
	if !config.IsNull() {
		resp, err := p.p.ValidateResourceConfig(p.ctx, &tfprotov6.ValidateResourceConfigRequest{
			TypeName: c.kind, Config: p.dynamic(typ, config),
		})
		if must(err); p.hear(resp.Diagnostics) {
			return nil, false
		}
	}
	replace, ok := p.ask(c, state, config, private)
	if !ok {
		return nil, false
	}
	switch {
	case config.IsNull():
		c.action = "delete"
	case prior.tainted && prior.exists():
		c.action, c.reason = "replace", "tainted"
	case !prior.exists():
		c.action = "create"
	case len(replace) > 0 || forced:
		if c.action = "replace"; len(replace) == 0 {
			c.reason = "requested"
		}
		_, ok = p.ask(c, null, config, c.private)
	case c.planned.Equal(prior.state):
		c.action = "no-op"
	default:
		c.action = "update"
	}
	return c, ok
}

// write calls ApplyResourceChange, and checks the result. The object it returns is what core
// stores.
func (p *process) write(c *change, prior *object, config tftypes.Value) (*object, bool) {
	typ := p.schema(c.kind).ValueType()
	resp, err := p.p.ApplyResourceChange(p.ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: c.kind, PriorState: p.dynamic(typ, prior.state), PlannedState: p.dynamic(typ, c.planned),
		Config: p.dynamic(typ, config), PlannedPrivate: c.private, PlannedIdentity: c.identity,
	})
	must(err)
	failed := p.hear(resp.Diagnostics)
	after := &object{kind: c.kind, state: p.read(c.kind, resp.NewState), private: resp.Private}
	if !p.w.oldCLI {
		after.identity = resp.NewIdentity
	}
	if failed && !after.exists() {
		return prior, false
	}
	after.tainted = failed && (!prior.exists() || prior.tainted)
	if !after.state.IsFullyKnown() {
		p.bug(c.address, "Provider returned invalid result object after apply: unknown values")
	}
	if failed || !after.exists() {
		return after, !failed
	}
	for name, planned := range attributes(c.planned) {
		if value := attributes(after.state)[name]; !conforms(planned, value) {
			p.bug(c.address, "Provider produced inconsistent result after apply: .%s was %s, but now %s", name,
				text(planned), text(value))
		}
	}
	if after.identity == nil && !p.w.oldCLI {
		p.bug(c.address, "Provider returned invalid identity after apply: missing")
	}
	return after, true
}

// execute applies a planned create or update: it plans again with values that are known now,
// and checks that this agrees with the plan.
func (p *process) execute(planned *change, prior *object, config tftypes.Value) (*object, bool) {
	p.upgrade(prior)
	action := planned.action
	if action == "replace" { // the old object is gone or deposed
		action = "create"
	}
	final, ok := p.plan(planned.address, prior, config, false)
	if !ok {
		return prior, false
	}
	if final.action != action && (action != "update" || final.action != "no-op") {
		p.bug(planned.address, "Provider produced inconsistent final plan: changed the planned action from %s to %s",
			action, final.action)
	}
	for name, value := range attributes(final.planned) {
		if before := attributes(planned.planned)[name]; !conforms(before, value) {
			p.bug(planned.address, "Provider produced inconsistent final plan: .%s was %s, but now %s", name,
				text(before), text(value))
		}
	}
	if final.action == "no-op" {
		return prior, true
	}
	return p.write(final, prior, config)
}

// destroy applies a planned destroy, which core does not plan again, except for a deposed
// object.
func (p *process) destroy(c *change, o *object, again bool) (*object, bool) {
	p.upgrade(o)
	null := tftypes.NewValue(o.state.Type(), nil)
	d := &change{address: c.address, kind: c.kind, prior: o, planned: null, private: c.private, identity: c.identity}
	if again {
		if _, ok := p.ask(d, o.state, null, o.private); !ok {
			return o, false
		}
	}
	return p.write(d, o, null)
}

// plain converts a value to what encoding/json encodes as core does.
func plain(v tftypes.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Type().Is(tftypes.Bool):
		return text(v) == "true"
	case v.Type().Is(tftypes.Number):
		return json.Number(text(v))
	case v.Type().Is(tftypes.String):
		return text(v)
	}
	var fields map[string]tftypes.Value
	if v.As(&fields) == nil {
		out := map[string]any{}
		for name, field := range fields {
			out[name] = plain(field)
		}
		return out
	}
	var elements []tftypes.Value
	must(v.As(&elements))
	out := []any{}
	for _, e := range elements {
		out = append(out, plain(e))
	}
	return out
}
