// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// step is something that happens. It uses no random numbers but its own, so that a story can
// be repeated without some of its steps.
type step struct {
	kind int // index of kinds
	seed uint64
	days int // that pass
}

// kinds are what can happen, with how often.
var kinds = []struct {
	weight int
	do     func(s *simulation, w *workspace)
}{
	{40, nil}, // time passes
	{40, (*simulation).nightly},
	{4, (*simulation).savePlan},
	{4, (*simulation).applySaved},
	{12, (*simulation).editToken},
	{5, (*simulation).editAccount},
	{2, (*simulation).rename},
	{3, (*simulation).makeLate},
	{2, (*simulation).changeAddress},
	{2, (*simulation).taint},
	{2, (*simulation).addToken},
	{1, (*simulation).removeToken},
	{1, (*simulation).removeAccount},
	{1, (*simulation).readopt},
	{1, (*simulation).setGuardrails},
	{3, (*simulation).toggleExclusive},
	{9, (*simulation).failStore},
	{4, (*simulation).healStore},
	{5, (*simulation).copyCredential},
	{7, (*simulation).person},
	{2, (*simulation).upgradeDeployment},
	{2, func(s *simulation, _ *workspace) { s.settle() }},
}

// steps returns the steps of a number of days.
func steps(seed uint64, days int) []step {
	rng := rand.New(rand.NewPCG(seed, 0))
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	var out []step
	for passed := 0; passed < days; {
		st, n := step{seed: rng.Uint64()}, rng.IntN(total)
		for n >= kinds[st.kind].weight {
			n -= kinds[st.kind].weight
			st.kind++
		}
		if kinds[st.kind].do == nil {
			if st.days = 1 + rng.IntN(3); rng.IntN(12) == 0 {
				st.days = 5 + rng.IntN(20)
			}
			passed += st.days
		}
		out = append(out, st)
	}
	return append(out, step{kind: len(kinds) - 1})
}

// newWorld creates a deployment and its workspaces.
func (s *simulation) newWorld() {
	profiles := qualyticstest.Profiles()
	profile := profiles[s.rng.IntN(len(profiles))]
	profile.NoTokenCreated = s.rng.IntN(8) == 0
	if s.rng.IntN(8) == 0 {
		profile.MaxExpiryDays = pick(s.rng, 8, 30)
	}
	server, err := qualyticstest.NewServer(qualyticstest.Options{Profile: &profile, Clock: s.clock})
	must(err)
	s.server = server
	s.tell("a deployment of the build %s", profile.Name)
	for i := range pick(s.rng, 1, 1, 2, 3) {
		w := &workspace{
			s: s, name: fmt.Sprintf("w%d", i+1), config: map[string]*block{}, state: map[string]*object{},
			deposed: map[string]*object{}, credential: server.AdminTokenID(), cbd: s.rng.IntN(3) == 0,
			oldCLI: s.rng.IntN(5) == 0,
			skew:   pick(s.rng, 0, 0, 0, 0, -3*time.Minute, 3*time.Minute, -50*time.Hour, 50*time.Hour),
		}
		s.spaces = append(s.spaces, w)
		w.config["account.a"] = &block{kind: accountType, args: values{"name": s.freshName(), "role": "Member"}}
		s.addToken(w)
		if s.rng.IntN(3) == 0 {
			w.config["account.p"] = &block{kind: accountType, args: values{"name": s.freshName(), "role": "Admin"}}
			w.config["token.p"] = &block{kind: tokenType, args: values{
				"service_account_id": ref{"account.p", "id"}, "name_prefix": "pipeline-", "expires_in_days": 60,
				"rotate_before_days": 20, "overlap_days": pick(s.rng, 0, 0, 7),
			}}
		}
		s.tell("%s: %s%s", w.name, w.describe(), map[bool]string{true: ", create_before_destroy"}[w.cbd])
		if w.skew != 0 {
			s.tell("the clock of %s is wrong by %s", w.name, w.skew)
		}
	}
}

// describe returns the configuration of a workspace.
func (w *workspace) describe() string {
	var out []string
	for _, address := range sorted(w.config) {
		out = append(out, address+" "+describe(w.config[address].args))
	}
	return strings.Join(out, "; ")
}

func describe(args values) string {
	var out []string
	for _, name := range sorted(args) {
		value := fmt.Sprint(args[name])
		if name == "encryption" {
			value = "age"
		}
		out = append(out, name+" = "+value)
	}
	return "{" + strings.Join(out, ", ") + "}"
}

func (l late) String() string { return fmt.Sprintf("(known after apply: %v)", l.value) }
func (r ref) String() string  { return r.address + "." + r.attribute }
func (t tokensOf) String() string {
	return "of " + strings.Join(t.addresses, ", ") + map[bool]string{true: ", without retiring tokens"}[t.currentOnly]
}

func (s *simulation) freshName() string {
	s.names++
	return fmt.Sprintf("Service %d", s.names)
}

// edit changes arguments of a block; nil removes one.
func (w *workspace) edit(address string, changes values) {
	b := *w.config[address]
	b.args = b.args.with(changes)
	w.config[address] = &b
	if b.kind == tokenType {
		b.args = keepValid(b.args, &b)
	}
	w.s.tell("%s: %s becomes %s", w.name, address, describe(b.args))
}

// keepValid returns arguments that terraform validate accepts.
func keepValid(args values, b *block) values {
	days, limited := b.known("expires_in_days").(int)
	if window, ok := b.known("rotate_before_days").(int); ok && (!limited || window >= days) {
		args = args.with(values{"rotate_before_days": nil})
	}
	if args["name"] != nil {
		args = args.with(values{"deletion_policy": nil})
	}
	return args
}

// addresses returns the addresses of a kind in the configuration.
func (w *workspace) addresses(kind string) []string {
	return slices.DeleteFunc(sorted(w.config), func(a string) bool { return w.config[a].kind != kind })
}

// token returns the address of some token of the configuration, or "".
func (s *simulation) someToken(w *workspace) string {
	all := w.addresses(tokenType)
	if len(all) == 0 {
		return ""
	}
	return pick(s.rng, all...)
}

// run is terraform apply, and returns its plan with all diagnostics.
func (w *workspace) run(o options, kill int) *changes {
	c := w.plan(o)
	if c.failed {
		w.s.tell("  plan: %s", strings.Join(summaries(c.diags), "; "))
		return c
	}
	w.apply(c, kill)
	return c
}

// nightly is a run of the pipeline, some of which have a fault.
func (s *simulation) nightly(w *workspace) {
	o, kill := options{refresh: pick(s.rng, "full", "full", "full", "full", "minimal", "none")}, -1
	what := "apply"
	if s.rng.IntN(10) == 0 && len(w.config) > 0 {
		o.targets = []string{pick(s.rng, sorted(w.config)...)}
		what += " -target=" + o.targets[0]
	}
	if s.rng.IntN(12) == 0 {
		if all := append(w.addresses(tokenType), w.addresses(accountType)...); len(all) > 0 {
			o.replace = pick(s.rng, all...)
			what += " -replace=" + o.replace
		}
	}
	s.faulty, s.touched = false, map[int64]bool{}
	switch s.rng.IntN(12) {
	case 0, 1:
		name, f := s.someFault()
		f.Skip, s.faulty = s.rng.IntN(14), true
		if s.rng.IntN(2) == 0 { // on a request that comes rarely
			f.Method, f.Path, _ = strings.Cut(pick(s.rng, "POST /users", "PUT /users/*", "DELETE /users/*",
				"POST /user-tokens", "GET /user-tokens/service", "PUT /user-tokens/*", "DELETE /user-tokens/*",
				"PUT /user-tokens/*", "DELETE /user-tokens/*"), " ")
			f.Skip = s.rng.IntN(3)
		}
		what += fmt.Sprintf("; %s at %s request %d", name, f.Method+f.Path, f.Skip+1)
		s.server.Fail(f)
	case 2:
		kill = s.rng.IntN(3)
		what += fmt.Sprintf("; killed at operation %d", kill+1)
	case 3:
		n := s.rng.IntN(14)
		what += fmt.Sprintf("; someone is at work at request %d", n+1)
		s.server.Fail(qualyticstest.Fault{Kind: qualyticstest.Delay, Skip: n, Do: func() { s.person(w) }})
	}
	s.tell("%s: %s, refresh: %s", w.name, what, o.refresh)
	c := w.run(o, kill)
	calm := what == "apply" && w.skew.Abs() < time.Hour && c.diags.errors() == ""
	if calm {
		w.checkDue(c, o.refresh)
	}
	s.server.Heal()
	s.faulty, s.cut, s.touched = false, false, map[int64]bool{}
}

// someFault returns a fault and its name.
func (s *simulation) someFault() (string, qualyticstest.Fault) {
	status := pick(s.rng, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)
	switch s.rng.IntN(9) {
	case 0:
		return "connection refused", qualyticstest.Fault{Kind: qualyticstest.CloseBefore}
	case 1:
		return "response lost", qualyticstest.Fault{Kind: qualyticstest.CloseAfter, Times: pick(s.rng, 1, 1, 2, 3)}
	case 2:
		return "request replayed", qualyticstest.Fault{Kind: qualyticstest.Replay}
	case 3:
		return fmt.Sprintf("%d in JSON", status), qualyticstest.JSON(status, `{"detail":"fault"}`)
	case 4:
		return fmt.Sprintf("%d in HTML", status), qualyticstest.HTML(status).Repeat(pick(s.rng, 1, 1, 9))
	case 5:
		f := qualyticstest.HTML(status)
		f.Kind = qualyticstest.Replace
		return fmt.Sprintf("%d in HTML after the work", status), f
	case 6:
		return "response cut off", qualyticstest.Fault{Kind: qualyticstest.Truncate}
	case 7:
		f := qualyticstest.JSON(http.StatusOK, `{"id":4711,"name":"other","user":{"id":4712}}`)
		f.Kind = qualyticstest.Replace
		return "wrong object after the work", f
	default:
		return "process killed", qualyticstest.Fault{
			Kind: pick(s.rng, qualyticstest.CloseBefore, qualyticstest.CloseAfter), Times: qualyticstest.Forever,
			Do: func() { s.cut = true },
		}
	}
}

func (s *simulation) savePlan(w *workspace) {
	o := options{refresh: pick(s.rng, "full", "full", "none")}
	w.saved = w.plan(o)
	s.tell("%s: plan -out, refresh: %s: %s", w.name, o.refresh, strings.Join(summaries(w.saved.diags), "; "))
	if w.saved.failed {
		w.saved = nil
	}
}

func (s *simulation) applySaved(w *workspace) {
	if w.saved != nil && w.saved.serial == w.serial {
		s.tell("%s: the saved plan is applied", w.name)
		w.apply(w.saved, -1)
	}
	w.saved = nil
}

func (s *simulation) editToken(w *workspace) {
	address := s.someToken(w)
	if address == "" {
		return
	}
	name := pick(s.rng, "expires_in_days", "expires_in_days", "rotate_before_days", "overlap_days", "overlap_days",
		"name_prefix", "name", "rotate_when_changed", "revoked", "deletion_policy", "encryption")
	var value any
	changes := values{}
	switch name {
	case "expires_in_days":
		value = pick[any](s.rng, 20, 30, 90, 365, nil)
	case "rotate_before_days":
		value = pick[any](s.rng, 1, 7, 15, nil)
	case "overlap_days":
		value = pick[any](s.rng, 0, 1, 3, 7, 10, 30, nil, nil)
	case "name_prefix":
		value, changes["name"] = pick[any](s.rng, "ci-", "cd-"), nil
	case "name":
		if w.cbd {
			return
		}
		value, changes["name_prefix"] = pick[any](s.rng, "fixed", "constant"), nil
	case "rotate_when_changed":
		value = pick[any](s.rng, nil, map[string]string{"v": fmt.Sprint(s.rng.IntN(3))})
	case "revoked":
		value = pick[any](s.rng, nil, nil, true)
	case "deletion_policy":
		value = pick[any](s.rng, nil, "revoke")
	case "encryption":
		value = pick[any](s.rng, nil, schemasOf().encryption("age", matrixIdentity().Recipient().String()))
	}
	if changes[name] = value; value != nil && s.rng.IntN(4) == 0 && name != "encryption" {
		changes[name] = late{value}
	}
	w.edit(address, changes)
}

func (s *simulation) editAccount(w *workspace) {
	if all := w.addresses(accountType); len(all) > 0 {
		address, name := pick(s.rng, all...), pick(s.rng, "role", "teams", "revoke_tokens_on_destroy")
		var value any
		switch name {
		case "role":
			if value = pick[any](s.rng, "Member", "Manager"); address == "account.p" {
				value = pick[any](s.rng, "Admin", "Member")
			}
		case "teams":
			value = pick[any](s.rng, nil, []string{}, []string{"Data Quality"}, []string{"data engineering"})
		case "revoke_tokens_on_destroy":
			value = pick[any](s.rng, nil, true)
		}
		w.edit(address, values{name: value})
	}
}

// rename changes the name of an account: to a new one, or to one that is used already.
func (s *simulation) rename(w *workspace) {
	all := w.addresses(accountType)
	if len(all) == 0 {
		return
	}
	name := s.freshName()
	if users := s.server.Users(); s.rng.IntN(3) == 0 {
		name = strings.ToLower(pick(s.rng, users...).Name)
	}
	w.edit(pick(s.rng, all...), values{"name": pick[any](s.rng, name, late{name})})
}

// makeLate makes an argument unknown while planning, or known again.
func (s *simulation) makeLate(w *workspace) {
	all := append(w.addresses(tokenType), w.addresses(accountType)...)
	if len(all) == 0 {
		return
	}
	if w.config["exclusive.x"] != nil {
		all = append(all, "exclusive.x")
	}
	address := pick(s.rng, all...)
	b := w.config[address]
	name := pick(s.rng, sorted(b.args)...)
	switch v := b.args[name].(type) {
	case ref:
		w.edit(address, values{name: late{v}})
	case late:
		w.edit(address, values{name: v.value})
	case tokensOf:
	default:
		if name != "encryption" {
			w.edit(address, values{name: late{v}})
		}
	}
}

// changeAddress renames a block, mostly with a moved block.
func (s *simulation) changeAddress(w *workspace) {
	all := append(w.addresses(tokenType), w.addresses(accountType)...)
	if len(all) == 0 {
		return
	}
	from := pick(s.rng, all...)
	s.names++
	to := fmt.Sprintf("%s%d", strings.TrimRight(from, "0123456789"), s.names)
	w.config[to] = w.config[from]
	delete(w.config, from)
	for address, b := range w.config {
		changed := *b
		changed.args = maps.Clone(b.args)
		for name, v := range b.args {
			switch v {
			case ref{from, "id"}:
				changed.args[name] = ref{to, "id"}
			case late{ref{from, "id"}}:
				changed.args[name] = late{ref{to, "id"}}
			}
		}
		w.config[address] = &changed
	}
	for _, st := range w.stores {
		if st.token == from {
			st.token = to
		}
	}
	if o := w.state[from]; o != nil && s.rng.IntN(4) > 0 {
		s.tell("%s: %s is moved to %s", w.name, from, to)
		w.state[to] = o
		delete(w.state, from)
		w.serial++
		return
	}
	s.tell("%s: %s is renamed to %s, without a moved block", w.name, from, to)
}

func (s *simulation) taint(w *workspace) {
	if len(w.state) == 0 {
		return
	}
	address := pick(s.rng, sorted(w.state)...)
	o := *w.state[address]
	o.tainted = true
	w.state[address] = &o
	w.serial++
	s.tell("%s: taint %s", w.name, address)
}

// addToken adds a token with a store.
func (s *simulation) addToken(w *workspace) {
	accounts := w.addresses(accountType)
	if len(accounts) == 0 || len(w.addresses(tokenType)) > 2 {
		return
	}
	s.names++
	address := fmt.Sprintf("token.t%d", s.names)
	args := values{"service_account_id": ref{pick(s.rng, accounts...), "id"}, "name_prefix": "ci-"}
	if days := pick[any](s.rng, 30, 90, 365, nil); days != nil {
		args["expires_in_days"] = days
		if window := pick[any](s.rng, 10, 10, 1, nil); window != nil {
			args["rotate_before_days"] = window
		}
	}
	if s.rng.IntN(6) == 0 && !w.cbd {
		delete(args, "name_prefix")
		args["name"] = "fixed"
	}
	w.config[address] = &block{kind: tokenType, args: args}
	w.stores = append(w.stores, &store{
		w: w, token: address, sdkv2: s.rng.IntN(2) == 0, restarts: s.rng.IntN(4) == 0, pace: pick(s.rng, 1, 1, 1, 3, 9),
	})
	s.tell("%s: %s %s is added", w.name, address, describe(args))
}

// removeToken removes a token and its stores from the configuration.
func (s *simulation) removeToken(w *workspace) {
	address := s.someToken(w)
	if address == "" || w.dependedOn(address) {
		return
	}
	w.remove(address)
}

func (w *workspace) remove(address string) {
	delete(w.config, address)
	w.stores = slices.DeleteFunc(w.stores, func(st *store) bool { return st.token == address })
	if w.s.rng.IntN(3) == 0 { // with lifecycle { destroy = false }
		w.s.tell("%s: removed block for %s", w.name, address)
		if o := w.state[address]; o != nil && o.kind == tokenType {
			for _, id := range idNumbers(o) {
				w.s.record(id).person = true
			}
		}
		delete(w.state, address)
		w.serial++
		return
	}
	w.s.tell("%s: %s is removed", w.name, address)
}

func (w *workspace) dependedOn(address string) bool {
	for _, b := range w.config {
		if slices.Contains(b.dependencies(), address) {
			return true
		}
	}
	return false
}

// removeAccount removes an account with its tokens, and adds another one.
func (s *simulation) removeAccount(w *workspace) {
	all := w.addresses(accountType)
	if len(all) == 0 || s.rng.IntN(2) == 0 {
		s.names++
		address := fmt.Sprintf("account.a%d", s.names)
		w.config[address] = &block{kind: accountType, args: values{"name": s.freshName(), "role": "Member"}}
		s.tell("%s: %s is added", w.name, address)
		return
	}
	account := pick(s.rng, all...)
	for _, kind := range []string{exclusiveType, tokenType} {
		for _, address := range w.addresses(kind) {
			if w.config[address].known("service_account_id") == any(ref{account, "id"}) {
				w.remove(address)
			}
		}
	}
	if !w.dependedOn(account) {
		w.remove(account)
	}
}

// readopt removes a token from the state, and imports it again.
func (s *simulation) readopt(w *workspace) {
	address := s.someToken(w)
	o := w.state[address]
	if o == nil {
		return
	}
	id := idNumbers(o)[0]
	for _, id := range idNumbers(o) {
		s.record(id).person = true
	}
	delete(w.state, address)
	w.serial++
	b := *w.config[address]
	b.importID = fmt.Sprint(id)
	w.config[address] = &b
	s.tell("%s: state rm %s, and an import block for %d", w.name, address, id)
	w.run(options{refresh: "full"}, -1)
	forgotten := *w.config[address]
	forgotten.importID = ""
	w.config[address] = &forgotten
}

func (s *simulation) setGuardrails(w *workspace) {
	if w.guardrails = nil; s.rng.IntN(2) == 0 {
		w.guardrails = guardrails(schemasOf(), nil, pick(s.rng, 90, 365))
		s.tell("%s: guardrails for lifetimes", w.name)
	}
}

// toggleExclusive adds a resource that makes the tokens of the configuration exclusive, or
// removes it.
func (s *simulation) toggleExclusive(w *workspace) {
	if w.config["exclusive.x"] != nil {
		delete(w.config, "exclusive.x")
		s.tell("%s: exclusive.x is removed", w.name)
		return
	}
	accounts := slices.DeleteFunc(w.addresses(accountType), func(address string) bool {
		return strings.HasPrefix(address, "account.p") // with the provider's own token
	})
	if len(accounts) == 0 {
		return
	}
	account := pick(s.rng, accounts...)
	w.config["exclusive.x"] = &block{kind: exclusiveType, args: values{
		"service_account_id": ref{account, "id"}, "token_ids": tokensOf{currentOnly: s.rng.IntN(3) == 0},
	}}
	s.tell("%s: exclusive.x for %s is added", w.name, account)
}

func (s *simulation) someStore(w *workspace) *store {
	if len(w.stores) == 0 {
		return nil
	}
	return pick(s.rng, w.stores...)
}

func (s *simulation) failStore(w *workspace) {
	if st := s.someStore(w); st != nil && !st.failing {
		st.failing = true
		s.tell("%s: the next update of the store of %s will fail (stores the plan all the same: %t)", w.name, st.token,
			st.sdkv2)
	}
}

func (s *simulation) healStore(w *workspace) {
	if st := s.someStore(w); st != nil {
		s.tell("%s: apply -replace of the store of %s, and its client is restarted", w.name, st.token)
		st.heal()
	}
}

// copyCredential lets the pipeline use its own token.
func (s *simulation) copyCredential(w *workspace) {
	for _, address := range w.addresses(tokenType) {
		o := w.state[address]
		if !strings.HasPrefix(address, "token.p") || o == nil || get(o.state, "token") == "" {
			continue
		}
		if id, _ := strconv.ParseInt(get(o.state, "id"), 10, 64); s.snapshot().works(id) {
			w.credential = id
			s.tell("%s: the pipeline uses the token %d from now on", w.name, id)
		}
	}
}

// upgradeDeployment is an upgrade to another build, during which connections are refused.
func (s *simulation) upgradeDeployment(w *workspace) {
	next := pick(s.rng, qualyticstest.Profiles()...)
	s.tell("the deployment is upgraded to %s during an apply of %s", next.Name, w.name)
	s.server.Fail(qualyticstest.Fault{Kind: qualyticstest.CloseBefore, Skip: s.rng.IntN(8), Times: 1 + s.rng.IntN(4)})
	s.faulty = true
	w.run(options{refresh: "full"}, -1)
	s.faulty = false
	s.server.Heal()
	s.server.EditProfile(func(p *qualyticstest.Profile) {
		next.Prefix, next.MaxExpiryDays = p.Prefix, p.MaxExpiryDays
		*p = next
	})
}

// person is someone who works in the web app.
func (s *simulation) person(*workspace) {
	tokens := slices.DeleteFunc(s.server.Tokens(), func(t qualyticstest.Token) bool {
		return s.snapshot().accounts[t.UserID].Deleted != nil
	})
	accounts := s.server.ServiceAccounts()
	if len(accounts) == 0 {
		return
	}
	u := pick(s.rng, accounts...)
	action := s.rng.IntN(9)
	if action < 5 && len(tokens) == 0 {
		return
	}
	switch action {
	case 0, 1:
		s.personRevokes(pick(s.rng, tokens...).ID)
	case 2:
		t := pick(s.rng, tokens...)
		s.tell("someone deletes the token %d", t.ID)
		s.record(t.ID).ended, s.touched[t.ID] = true, true
		s.server.RemoveToken(t.ID)
	case 3:
		t := pick(s.rng, tokens...)
		if !t.Active {
			s.tell("someone restores the token %d", t.ID)
			s.record(t.ID).person, s.record(t.ID).leaked = true, false
			s.server.EditToken(t.ID, func(t *qualyticstest.Token) { t.Active = true })
		}
	case 4, 5:
		s.names++
		t := s.server.AddToken(qualyticstest.Token{Name: fmt.Sprintf("manual %d", s.names), UserID: u.ID})
		s.tell("someone creates the token %d for the account %d", t.ID, u.ID)
		s.record(t.ID).person = true
	case 6:
		s.names++
		s.tell("someone renames the account %d", u.ID)
		s.server.EditUser(u.ID, func(u *qualyticstest.User) { u.Name = fmt.Sprintf("Renamed %d", s.names) })
	case 7:
		s.tell("someone changes role and teams of the account %d", u.ID)
		s.server.EditUser(u.ID, func(u *qualyticstest.User) {
			if u.Teams = []string{"Data Quality"}; u.Role != "Admin" {
				u.Role = "Manager"
			}
		})
	case 8:
		s.personDeactivates(u)
	}
}

func (s *simulation) personRevokes(id int64) {
	s.tell("someone revokes the token %d", id)
	s.record(id).ended, s.touched[id] = true, true
	s.server.EditToken(id, func(t *qualyticstest.Token) {
		s.record(id).leaked = s.record(id).leaked || t.Active && !s.isRevokedInState(id)
		t.Active = false
	})
}

// isRevokedInState reports whether a state knows a token as revoked: nobody can then see that a
// person revoked it after it had been restored.
func (s *simulation) isRevokedInState(id int64) bool {
	for _, w := range s.spaces {
		for _, address := range w.addresses(tokenType) {
			if o := w.state[address]; o.exists() && idNumbers(o)[0] == id && get(o.state, "revoked") == "true" {
				return true
			}
		}
	}
	return false
}

func (s *simulation) personDeactivates(u qualyticstest.User) {
	s.tell("someone deactivates the account %d", u.ID)
	for _, t := range s.server.Tokens() {
		if t.UserID == u.ID {
			s.record(t.ID).ended, s.touched[t.ID] = true, true
			s.server.EditToken(t.ID, func(t *qualyticstest.Token) { t.Active = false })
		}
	}
	now := s.clock.Now()
	s.touched[u.ID] = true
	s.server.EditUser(u.ID, func(u *qualyticstest.User) { u.Deleted = &now })
}
