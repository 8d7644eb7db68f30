// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// workspace is a configuration and a state. Its consumers are resources of other providers
// that store a token.
type workspace struct {
	s          *simulation
	name       string
	config     map[string]*block // by address
	state      map[string]*object
	deposed    map[string]*object
	stores     []*store
	cbd        bool          // create_before_destroy everywhere
	oldCLI     bool          // one that knows no identity
	skew       time.Duration // of the clock of its machine
	credential int64         // token that the provider uses
	guardrails any
	saved      *changes
	serial     int
}

// block is a resource block.
type block struct {
	kind     string
	args     values
	importID string // of an import block
}

// ref refers to an attribute of another block, late is a value that is unknown while
// planning, and tokensOf is concat([x.id], x.retiring_tokens[*].id, …), or just the IDs.
type (
	ref      struct{ address, attribute string }
	late     struct{ value any }
	tokensOf struct {
		addresses   []string
		currentOnly bool
	}
)

// dependencies returns the addresses to which a block refers.
func (b *block) dependencies() []string {
	var out []string
	for _, v := range b.args {
		if l, ok := v.(late); ok {
			v = l.value
		}
		switch v := v.(type) {
		case ref:
			out = append(out, v.address)
		case tokensOf:
			out = append(out, v.addresses...)
		}
	}
	return out
}

func rank(kind string) int {
	return slices.Index([]string{accountType, tokenType, exclusiveType}, kind)
}

// known returns an argument without late.
func (b *block) known(name string) any {
	if v, ok := b.args[name].(late); ok {
		return v.value
	}
	return b.args[name]
}

// evaluate returns the value of a block, while planning or during apply.
func (p *process) evaluate(b *block, objects func(address string) tftypes.Value, applying bool) tftypes.Value {
	args := values{}
	for name, v := range b.args {
		if l, ok := v.(late); ok && applying {
			v = l.value
		}
		switch v := v.(type) {
		case ref:
			args[name] = attributes(objects(v.address))[v.attribute]
		case tokensOf:
			args[name] = idsOf(objects, v)
		case late:
			args[name] = unknown{}
		default:
			args[name] = v
		}
	}
	return p.value(p.schema(b.kind), args)
}

// idsOf returns the value of a tokensOf.
func idsOf(objects func(address string) tftypes.Value, tokens tokensOf) any {
	out := []any{}
	for _, address := range tokens.addresses {
		if tokens.currentOnly {
			out = append(out, attributes(objects(address))["id"])
			continue
		}
		var retiring []tftypes.Value
		list := attributes(objects(address))["retiring_tokens"]
		if !list.IsKnown() {
			return unknown{}
		}
		must(list.As(&retiring))
		out = append(out, attributes(objects(address))["id"])
		for _, t := range retiring {
			out = append(out, attributes(t)["id"])
		}
	}
	return out
}

// completeExclusive lets the exclusive tokens of an account be all that the configuration has.
func (w *workspace) completeExclusive() {
	x := w.config["exclusive.x"]
	if x == nil {
		return
	}
	var all []string
	for _, address := range w.addresses(tokenType) {
		if w.config[address].known("service_account_id") == x.known("service_account_id") {
			all = append(all, address)
		}
	}
	b := *x
	before, _ := x.args["token_ids"].(tokensOf)
	b.args = b.args.with(values{"token_ids": tokensOf{all, before.currentOnly}})
	w.config["exclusive.x"] = &b
}

// options are those of terraform plan.
type options struct {
	refresh string // "full", "minimal", or "none"
	targets []string
	replace string
}

// order returns the addresses to plan. Those that the configuration does not contain come at
// any time.
func (w *workspace) order(o options) []string {
	all := slices.Sorted(maps.Keys(w.config))
	w.s.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b string) int {
		return cmp.Compare(rank(w.config[a].kind), rank(w.config[b].kind))
	})
	for _, address := range slices.Sorted(maps.Keys(w.state)) {
		if w.config[address] == nil {
			all = slices.Insert(all, w.s.rng.IntN(len(all)+1), address)
		}
	}
	if len(o.targets) == 0 {
		return all
	}
	wanted := map[string]bool{}
	var add func(address string)
	add = func(address string) {
		wanted[address] = true
		if b := w.config[address]; b != nil {
			for _, d := range b.dependencies() {
				add(d)
			}
		}
	}
	for _, t := range o.targets {
		add(t)
	}
	return slices.DeleteFunc(all, func(address string) bool { return !wanted[address] })
}

func (p *process) none(kind string) *object {
	return &object{kind: kind, state: tftypes.NewValue(p.schema(kind).ValueType(), nil)}
}

// plan is terraform plan.
func (w *workspace) plan(o options) *changes {
	w.completeExclusive()
	p := w.start()
	c := &changes{
		config: maps.Clone(w.config), state: maps.Clone(w.state), stores: map[*store]string{}, serial: w.serial,
		at: w.s.clock.Now(),
	}
	planned, failed := map[string]tftypes.Value{}, map[string]bool{}
	objects := func(address string) tftypes.Value {
		if v, ok := planned[address]; ok {
			return v
		}
		if x := w.state[address]; x != nil {
			return x.state
		}
		return p.unknownObject(w.config[address].kind)
	}
	for _, address := range w.order(o) {
		b := w.config[address]
		if b != nil && slices.ContainsFunc(b.dependencies(), func(d string) bool { return failed[d] }) {
			failed[address] = true
			continue
		}
		ch, ok := p.planOne(c, address, b, objects, o)
		switch {
		case !ok:
			failed[address] = true
		case ch != nil:
			planned[address] = ch.planned
			c.list = append(c.list, ch)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.deposed)) {
		address, _, _ := strings.Cut(key, " ")
		if len(o.targets) > 0 && !slices.Contains(o.targets, address) {
			continue
		}
		prior, ok := p.current(w.deposed[key], o.refresh != "none")
		if !prior.exists() {
			delete(w.deposed, key)
			continue
		}
		var ch *change
		if ok {
			ch, ok = p.plan(address, prior, tftypes.NewValue(prior.state.Type(), nil), false)
		}
		if failed[address] = failed[address] || !ok; ok {
			ch.deposed = key
			c.list = append(c.list, ch)
		}
	}
	for _, st := range w.stores {
		if _, ok := w.config[st.token]; ok && !failed[st.token] && len(o.targets) == 0 {
			c.stores[st] = get(objects(st.token), "id")
		}
	}
	c.diags, c.failed = p.diags, p.diags.errors() != ""
	return c
}

// unknownObject stands for an object that is not planned.
func (p *process) unknownObject(kind string) tftypes.Value {
	args := values{}
	for _, a := range p.schema(kind).Block.Attributes {
		args[a.Name] = unknown{}
	}
	return p.value(p.schema(kind), args)
}

// current upgrades an object, and refreshes it if asked to.
func (p *process) current(o *object, refresh bool) (*object, bool) {
	p.upgrade(o)
	if !refresh || !o.exists() {
		return o, true
	}
	return p.refresh(o)
}

// planOne plans an address of the configuration, or of the state if b is nil. It returns nil
// if there is nothing to plan.
func (p *process) planOne(c *changes, address string, b *block, objects func(string) tftypes.Value, o options,
) (*change, bool) {
	prior := c.state[address]
	if prior == nil {
		prior = p.none(b.kind)
		if b.importID != "" {
			if prior = p.load(b); prior == nil {
				return nil, false
			}
		}
	}
	config := tftypes.NewValue(prior.state.Type(), nil)
	if b != nil {
		config = p.evaluate(b, objects, false)
	}
	prior, ok := p.current(prior, o.refresh == "full" || b != nil && b.importID != "" && c.state[address] == nil)
	if !ok {
		return nil, false
	}
	again := o.refresh == "minimal" && prior.exists()
	for {
		if p.store(c.state, address, prior); !prior.exists() && b == nil {
			return nil, true
		}
		ch, ok := p.plan(address, prior, config, o.replace == address && prior.exists() && b != nil)
		if !ok || !again || ch.action == "no-op" {
			return ch, ok
		}
		again = false
		if prior, ok = p.refresh(prior); !ok {
			return nil, false
		}
	}
}

func (p *process) store(state map[string]*object, address string, o *object) {
	if state[address] = o; !o.exists() {
		delete(state, address)
	}
}

// load imports an object, or returns nil after an error.
func (p *process) load(b *block) *object {
	resp, err := p.p.ImportResourceState(p.ctx, importRequest(b.kind, b.importID))
	if must(err); p.hear(resp.Diagnostics) {
		return nil
	}
	i := resp.ImportedResources[0]
	o := &object{kind: b.kind, state: p.read(b.kind, i.State), private: i.Private, identity: i.Identity}
	if p.w.oldCLI {
		o.identity = nil
	}
	return o
}

// apply is terraform apply of a plan. kill is the number of the operation at which the
// process is killed before its result is stored, if it is not negative.
func (w *workspace) apply(c *changes, kill int) *process {
	p := w.start()
	before := w.s.snapshot()
	w.state, w.serial = c.state, w.serial+1
	a := &application{process: p, c: c, failed: map[string]bool{}, kill: kill, before: before}
	if p.diags.errors() == "" {
		a.run()
	}
	w.s.checkApply(a)
	return p
}

// application is a plan that is being applied.
type application struct {
	*process
	c      *changes
	failed map[string]bool
	kill   int
	before snapshot
	ops    int
}

func (a *application) run() {
	w := a.w
	var ends, writes []*change
	for _, ch := range a.c.list {
		if ch.action == "delete" || ch.action == "replace" {
			ends = append(ends, ch)
		}
		if ch.action == "create" || ch.action == "replace" || ch.action == "update" || ch.action == "no-op" {
			writes = append(writes, ch)
		}
	}
	slices.SortStableFunc(ends, func(x, y *change) int { return cmp.Compare(rank(y.kind), rank(x.kind)) })
	slices.SortStableFunc(writes, func(x, y *change) int { return cmp.Compare(rank(x.kind), rank(y.kind)) })
	for _, ch := range ends {
		if !w.cbd {
			a.end(ch)
		}
	}
	for _, ch := range writes {
		a.write(ch)
	}
	for _, st := range w.stores {
		if version, planned := a.c.stores[st]; planned && !a.killed && !a.failed[st.token] {
			a.failed[st.token] = !st.apply(version) // what it used before is not destroyed then
		}
	}
	for _, ch := range ends {
		if w.cbd {
			a.end(ch)
		}
	}
}

// end destroys the old object of a change, unless something that it waits for has failed.
func (a *application) end(ch *change) {
	from, key := a.w.state, ch.address
	if ch.deposed != "" {
		from, key = a.w.deposed, ch.deposed
	}
	o, wasDeposed := from[key], ch.action == "delete" && ch.deposed != ""
	if a.killed || o == nil || a.w.cbd && a.failed[ch.address] || a.blocked(o) {
		a.failed[ch.address] = a.failed[ch.address] || !wasDeposed
		return
	}
	after, ok := a.destroy(ch, o, ch.deposed != "")
	if a.done() {
		a.store(from, key, after)
	}
	a.failed[ch.address] = a.failed[ch.address] || !ok && !wasDeposed
}

// blocked reports whether a token of an account could not be destroyed.
func (a *application) blocked(o *object) bool {
	return o.kind == accountType && slices.ContainsFunc(a.c.list, func(ch *change) bool {
		return a.failed[ch.address] && ch.kind != accountType && ch.prior.exists() &&
			get(ch.prior.state, "service_account_id") == get(o.state, "id")
	})
}

// write creates or updates an object.
func (a *application) write(ch *change) {
	b := a.c.config[ch.address]
	if a.killed || a.failed[ch.address] || b == nil ||
		slices.ContainsFunc(b.dependencies(), func(d string) bool { return a.failed[d] }) {
		a.failed[ch.address] = true
		return
	}
	prior := a.none(ch.kind)
	if ch.action == "update" || ch.action == "no-op" {
		if prior = a.w.state[ch.address]; prior == nil {
			prior = ch.prior // imported
		}
	}
	if ch.action == "no-op" {
		a.store(a.w.state, ch.address, prior)
		return
	}
	config := a.evaluate(b, func(address string) tftypes.Value {
		if o := a.w.state[address]; o != nil {
			return o.state
		}
		return a.unknownObject(a.c.config[address].kind)
	}, true)
	if !config.IsFullyKnown() { // a dependency that is not a part of this plan
		a.failed[ch.address] = true
		return
	}
	old := a.w.state[ch.address]
	if a.w.cbd && ch.action == "replace" && old != nil {
		ch.deposed = fmt.Sprintf("%s (deposed %d)", ch.address, a.w.serial)
		delete(a.w.state, ch.address)
		a.w.deposed[ch.deposed] = old
	}
	after, ok := a.execute(ch, prior, config)
	if a.done() {
		a.store(a.w.state, ch.address, after)
	}
	if a.w.state[ch.address] == nil && ch.deposed != "" { // nothing was created
		a.w.state[ch.address] = old
		delete(a.w.deposed, ch.deposed)
	}
	a.failed[ch.address] = !ok
}

// done reports whether the result of an operation is stored.
func (a *application) done() bool {
	a.killed = a.killed || a.w.s.cut || a.ops == a.kill
	a.ops++
	return !a.killed
}
