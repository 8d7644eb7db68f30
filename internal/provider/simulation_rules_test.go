// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The invariants. They are checked after each apply, and more of them when faults have
// stopped and everything has been applied.

// checkApply checks what an apply has done to tokens and accounts.
func (s *simulation) checkApply(a *application) {
	after := s.snapshot()
	planned := a.c.diags.warnings()
	a.c.diags = append(a.c.diags, a.diags...)
	said := a.c.diags.warnings() + "\n" + a.c.diags.errors()
	a.tell()
	holders := s.holders()
	for id, t := range a.before.tokens {
		if s.touched[id] {
			continue
		}
		if s.record(id).leaked && after.tokens[id].Active {
			s.violate("%s restores the token %d, which a person revoked", a.w.name, id)
		}
		if !a.before.works(id) || after.works(id) || t.Expiration != nil && !after.now.Before(*t.Expiration) {
			s.record(id).ended = s.record(id).ended || !after.works(id) // before, or it has expired
			continue
		}
		if id == a.w.credential {
			s.violate("%s ends the token %d, with which the provider is configured", a.w.name, id)
		}
		recent := t.LastUsed != nil && after.now.Sub(*t.LastUsed) < a.shortestUse(id)
		inUse := holders[id] != "" || recent
		unknown := strings.Contains(planned, "Use of service tokens is unknown") ||
			recent && t.LastUsed.After(a.c.at) // or it was not in use then
		named := a.requested(id) || strings.Contains(planned, t.Name) ||
			strings.Contains(planned, fmt.Sprintf("ID %d", t.UserID)) || unknown && a.ends(id, t.UserID)
		if inUse && recent && !named {
			s.violate("%s ends the token %d, which is in use, and does not name it", a.w.name, id)
		}
		if why := a.mayEnd(id); inUse && why != "" {
			s.violate("%s ends the token %d, last used %s by %s: %s", a.w.name, id, ago(a.before.now, t.LastUsed),
				holders[id], why)
		}
		s.record(id).ended = true
	}
	for id, u := range a.before.accounts {
		if u.Deleted == nil && after.accounts[id].Deleted != nil && !s.touched[id] {
			a.checkAccount(id, said)
		}
	}
	a.markTokens(after)
	for address, o := range a.w.state {
		a.checkSecrets(address, o)
	}
}

// shortestUse returns for how long a token counts as in use: a week, or the overlap of a
// retiring token.
func (a *application) shortestUse(id int64) time.Duration {
	for _, ch := range a.c.list {
		b := a.c.config[ch.address]
		if ch.kind != tokenType || !ch.prior.exists() || b == nil || !slices.Contains(idNumbers(ch.prior)[1:], id) {
			continue
		}
		if overlap := overlapOf(b); overlap > 0 {
			return min(7*day, overlap)
		}
	}
	return 7 * day
}

// overlapOf returns the overlap that a block of a token configures.
func overlapOf(b *block) time.Duration {
	if days, set := b.known("overlap_days").(int); set {
		return time.Duration(days) * day
	}
	return 7 * day
}

// checkDue checks that an apply of everything, without a fault, leaves no token due for
// rotation, whether it has refreshed or not.
func (w *workspace) checkDue(c *changes, refresh string) {
	now := w.s.snapshot()
	for _, address := range w.addresses(tokenType) {
		b, o := w.config[address], w.state[address]
		if o == nil || w.isLate(address) || b.known("revoked") == true {
			continue
		}
		if ch := c.of(address); ch == nil || refresh == "none" && ch.action == "update" {
			continue // a plan that changes something decides from the state
		}
		days, _ := b.known("rotate_before_days").(int)
		t, window := now.tokens[idNumbers(o)[0]], time.Duration(days)*day
		if t.Expiration == nil || t.Expiration.Sub(now.now) > window-time.Hour ||
			t.Expiration.Sub(t.Created) <= window {
			continue
		}
		w.s.violate("%s: the token %d in %s is due, and an apply has not rotated it: %s", w.name, t.ID, address,
			strings.Join(summaries(c.diags), "; "))
	}
}

// requested reports whether a token or its account is replaced by hand, which a provider cannot
// see while planning, or the token was revoked according to the state.
func (a *application) requested(id int64) bool {
	return slices.ContainsFunc(a.c.list, func(ch *change) bool {
		if !ch.prior.exists() {
			return false
		}
		switch ch.kind {
		case accountType:
			return ch.reason != "" && get(ch.prior.state, "id") == fmt.Sprint(a.before.tokens[id].UserID)
		case tokenType:
			known := get(ch.prior.state, "status") == "revoked" // and restored since
			return (ch.reason != "" || known) && slices.Contains(idNumbers(ch.prior), id)
		}
		return false
	})
}

// tell adds the apply to the story.
func (a *application) tell() {
	var parts []string
	for _, ch := range a.c.list {
		if ch.action == "no-op" {
			continue
		}
		part := ch.action + " " + ch.address
		if ch.prior.exists() {
			part += " (" + get(ch.prior.state, "id")
			if o := a.w.state[ch.address]; o != nil && get(o.state, "id") != get(ch.prior.state, "id") {
				part += " → " + get(o.state, "id")
			}
			part += ")"
		}
		parts = append(parts, part)
	}
	killed := ""
	if a.killed {
		killed = "; the process is killed"
	}
	if len(parts)+len(a.c.diags) == 0 && !a.killed {
		return
	}
	a.w.s.tell("  apply: %s%s", strings.Join(append(parts, summaries(a.c.diags)...), "; "), killed)
}

// summaries returns the summaries of diagnostics, each once.
func summaries(diags diagnostics) []string {
	var out []string
	for _, d := range diags {
		text := "warning: " + d.Summary
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			text = "ERROR: " + d.Summary
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

func ago(now time.Time, at *time.Time) string {
	if at == nil {
		return "never"
	}
	return fmt.Sprintf("%d hours ago", int(now.Sub(*at).Hours()))
}

// ends reports whether the plan destroys or revokes a token, or destroys its account, which
// Terraform shows.
func (a *application) ends(id, account int64) bool {
	return slices.ContainsFunc(a.c.list, func(ch *change) bool {
		prior := ""
		if ch.action == "delete" || ch.action == "update" && get(ch.planned, "revoked") == "true" {
			prior = get(ch.prior.state, "id")
		}
		return ch.kind == accountType && prior == fmt.Sprint(account) || ch.kind == tokenType && prior == fmt.Sprint(id)
	})
}

// mayEnd returns why an apply must not end a token, or "".
func (a *application) mayEnd(id int64) string {
	t, why := a.before.tokens[id], "no change of the plan has it"
	for _, ch := range a.c.list {
		switch {
		case !ch.prior.exists():
		case ch.kind == exclusiveType && ch.action == "update" &&
			strings.Contains(attributes(ch.prior.state)["foreign_tokens"].String(), fmt.Sprintf("\"%d\"", id)):
			current, retiring := a.w.managed()
			if s := a.w.s; s.record(id).listed == a.w && current[id]+retiring[id] != "" {
				return "exclusive tokens leave what they contained before to its own resource"
			}
			return ""
		case ch.kind == accountType && (ch.action == "delete" || ch.action == "replace") &&
			get(ch.prior.state, "id") == fmt.Sprint(t.UserID) &&
			get(ch.prior.state, "revoke_tokens_on_destroy") == "true":
			return ""
		case ch.kind == tokenType && slices.Contains(idNumbers(ch.prior), id):
			why = a.mayEndBy(ch, id)
		}
	}
	return why
}

func (a *application) mayEndBy(ch *change, id int64) string {
	b, prior := a.c.config[ch.address], ch.prior.state
	retiring := get(prior, "id") != fmt.Sprint(id)
	switch {
	case ch.action == "delete" && (b == nil || ch.deposed != ""):
		return ""
	case ch.action == "replace":
		_, fixed := b.args["name"]
		fixed = fixed && b.known("name") == get(prior, "name")
		if ch.reason != "" || fixed || get(ch.planned, "service_account_id") != get(prior, "service_account_id") {
			return ""
		}
		return "it could have been rotated in place"
	case get(prior, "status") == "revoked", b.known("revoked") == true:
		return ""
	}
	overlap := overlapOf(b)
	used := a.before.tokens[id].LastUsed
	switch {
	case overlap == 0:
		return ""
	case !retiring:
		return "a rotation ends it although it has an overlap"
	case used != nil && a.before.now.Sub(*used) < overlap-time.Hour:
		return fmt.Sprintf("it was used within its overlap of %d days", overlap/day)
	case a.before.now.Sub(a.w.s.record(id).rotated) < overlap-time.Hour:
		return fmt.Sprintf("its overlap of %d days has not passed", overlap/day)
	}
	return ""
}

// checkAccount checks a deactivation.
func (a *application) checkAccount(id int64, said string) {
	s, u := a.w.s, a.before.accounts[id]
	for _, ch := range a.c.list {
		if ch.kind != accountType || !ch.prior.exists() || get(ch.prior.state, "id") != fmt.Sprint(id) {
			continue
		}
		b := a.c.config[ch.address]
		switch {
		case ch.action == "delete" && (b == nil || ch.deposed != ""):
		case ch.action == "replace" && b.known("name") != get(ch.prior.state, "name"):
		case ch.reason != "" && a.w.cbd && a.w.state[ch.address] != nil:
			// Someone renamed it, so the server accepted another account with its name. Then it is
			// replaced as the plan shows, and Terraform does not tell why it destroys it.
		default:
			s.violate("the account %d (%q) is deactivated by %s of %s, which the configuration does not ask for", id,
				u.Name, ch.action, ch.address)
		}
		inUse := strings.Contains(said, "Service account name already in use")
		if inUse && !a.killed && !s.faulty && slices.ContainsFunc(a.c.list, func(next *change) bool {
			return a.failed[next.address] && a.w.state[next.address] == nil && a.replaces(ch, next)
		}) {
			s.violate("the account %d (%q) is deactivated, and its replacement cannot be created", id, u.Name)
		}
		return
	}
	s.violate("the account %d (%q) is deactivated, and no change of the plan has it", id, u.Name)
}

// replaces reports whether the account of one change replaces that of another one: at the same
// address, or with the same name at another.
func (a *application) replaces(before, after *change) bool {
	if before.action == "replace" {
		return before == after
	}
	return after.kind == accountType && after.action == "create" &&
		a.c.config[after.address].known("name") == get(before.prior.state, "name")
}

// markTokens records what happened to tokens during an apply.
func (a *application) markTokens(after snapshot) {
	s := a.w.s
	current, retiring := a.w.managed()
	for id := range after.tokens {
		_, before := a.before.tokens[id]
		if !before && current[id] == "" && retiring[id] == "" && (a.killed || s.record(id).reported) {
			s.record(id).lost = true
		}
		if b := a.c.config[current[id]]; !before && b != nil && b.known("revoked") == true {
			s.record(id).ended = true
		}
	}
	for id := range current {
		s.record(id).managed = true
	}
	a.markListed()
	for id := range retiring {
		s.record(id).managed = true
		if s.record(id).rotated.IsZero() {
			s.record(id).rotated = after.now
		}
	}
}

// markListed records which tokens the exclusive tokens contain, which a new resource does not
// know of the one before.
func (a *application) markListed() {
	o := a.w.state["exclusive.x"]
	isNew := slices.ContainsFunc(a.c.list, func(ch *change) bool {
		return ch.kind == exclusiveType && ch.action != "update" && ch.action != "no-op"
	})
	if o == nil || isNew {
		for _, r := range a.w.s.tokens {
			if r.listed == a.w {
				r.listed = nil
			}
		}
	}
	if o == nil {
		return
	}
	var ids []tftypes.Value
	must(attributes(o.state)["token_ids"].As(&ids))
	for _, v := range ids {
		id, _ := strconv.ParseInt(text(v), 10, 64)
		a.w.s.record(id).listed = a.w
	}
}

// checkSecrets checks where the state of an object contains a bearer token.
func (a *application) checkSecrets(address string, o *object) {
	encrypted := o.kind == tokenType && !attributes(o.state)["encryption"].IsNull()
	if strings.Contains(string(o.private), "eyJhb") || o.identity != nil &&
		strings.Contains(string(o.identity.IdentityData.MsgPack), "eyJhb") {
		a.w.s.violate("%s: private data or identity contain a secret", address)
	}
	for name, v := range attributes(o.state) {
		if strings.Contains(v.String(), "eyJhb") && (encrypted || name != "token") {
			a.w.s.violate("%s.%s contains a secret", address, name)
		}
	}
}

// settle ends all faults, lets a person follow the advice of errors, and checks that two
// applies are enough for a world in order.
func (s *simulation) settle() {
	s.server.Heal()
	s.faulty = false
	for _, w := range s.spaces {
		w.saved = nil
		for _, st := range w.stores {
			st.failing = false
		}
	}
	const enough = 12 // with several things in need of a person
	applies := 2
	for _, w := range s.spaces {
		if x := w.config["exclusive.x"]; x != nil {
			if ids, _ := x.args["token_ids"].(tokensOf); ids.currentOnly {
				applies = 3 // a rotation, the end of what is then foreign, and that it is not retiring any more
			}
		}
	}
	clean := 0
	for round := 0; clean < applies*len(s.spaces); round++ {
		if round > enough {
			s.violate("errors remain after %d applies with everything that they advise", round)
		}
		for _, w := range s.spaces {
			s.tell("%s: settle", w.name)
			if c := w.run(options{refresh: "full"}, -1); c.diags.errors() == "" {
				clean++
			} else if clean = 0; !w.follow(c.diags) {
				s.violate("the faults have ended, and apply fails: %s", c.diags.errors())
			}
		}
	}
	for _, w := range s.spaces {
		for _, st := range w.stores {
			st.heal()
		}
		modes := []string{"full", "none", "minimal"}
		if w.skew.Abs() > time.Hour {
			modes = modes[:1] // without a request, the wrong clock decides
		}
		for _, refresh := range modes {
			s.server.ClearRequests()
			c := w.plan(options{refresh: refresh})
			w.checkRequests(c, refresh)
			for _, ch := range c.list {
				if ch.action != "no-op" && (ch.action != "update" || !w.isLate(ch.address)) {
					s.violate(
						"%s: after two applies, a plan (refresh: %s) is %s of %s: %s; %s",
						w.name,
						refresh,
						ch.action,
						ch.address,
						difference(ch.prior.state, ch.planned),
						strings.Join(summaries(c.diags), "; "),
					)
				}
			}
			if c.failed {
				s.violate("%s: a plan (refresh: %s) fails after two applies: %s", w.name, refresh, c.diags.errors())
			}
			before := slices.Sorted(maps.Keys(s.snapshot().tokens))
			w.apply(c, -1)
			if after := slices.Sorted(maps.Keys(s.snapshot().tokens)); !slices.Equal(before, after) {
				s.violate("%s: an apply of no change has changed the tokens %d to %d", w.name, before, after)
			}
		}
	}
	s.checkWorld()
}

// checkRequests checks the number of requests of a plan without a change: with a refresh, one
// per account, and up to four for all tokens, the guards, and deleted objects; without one,
// none, or two that tell retiring tokens and the provider's own apart.
func (w *workspace) checkRequests(c *changes, refresh string) {
	accounts, limit := 0, 0
	for _, ch := range c.list {
		switch {
		case ch.action != "no-op":
			return
		case ch.kind == accountType:
			accounts++
		case ch.kind == tokenType && len(idNumbers(ch.prior)) > 1:
			limit = 2
		}
	}
	if refresh == "full" {
		limit = accounts + 4
	}
	if requests := w.s.server.Requests(); len(requests) > limit {
		w.s.violate("%s: a plan without a change (refresh: %s) has sent more than %d requests: %s", w.name, refresh,
			limit, requests)
	}
}

// isLate reports whether a value of a block, or of what it refers to, is unknown while planning.
func (w *workspace) isLate(address string) bool {
	b := w.config[address]
	if b == nil {
		return false
	}
	for _, v := range b.args {
		if _, ok := v.(late); ok {
			return true
		}
	}
	return slices.ContainsFunc(b.dependencies(), w.isLate)
}

// checkWorld checks that what is in a state works, and that what works is in a state.
func (s *simulation) checkWorld() {
	now, known := s.snapshot(), map[int64]bool{}
	for _, w := range s.spaces {
		for _, address := range sorted(w.state) {
			o := w.state[address]
			if o.kind != tokenType {
				continue
			}
			for i, id := range idNumbers(o) {
				known[id] = true
				if i > 0 {
					w.checkRetiring(address, id, now)
				}
				if works := now.works(id); works == (i == 0 && w.config[address].known("revoked") == true) {
					s.violate("%s: the token %d in %s works: %t", w.name, id, address, works)
				}
			}
			if get(o.state, "token") == "" && get(o.state, "encrypted_token") == "" &&
				!s.record(idNumbers(o)[0]).person {
				s.violate("%s: the secret of %s is lost", w.name, address)
			}
		}
	}
	for id, t := range now.tokens {
		if r := s.record(id); now.works(id) && !known[id] && !r.person && !r.lost && (r.managed || !r.reported) {
			s.violate("the token %d (%q) is orphaned", id, t.Name)
		}
	}
}

// checkRetiring checks that a retiring token has a reason to stay valid.
func (w *workspace) checkRetiring(address string, id int64, now snapshot) {
	overlap, used := overlapOf(w.config[address]), now.tokens[id].LastUsed
	replaced := w.s.record(id).rotated
	switch {
	case id == w.credential, now.now.Sub(replaced) < overlap+time.Hour:
	case used != nil && now.now.Sub(*used) < overlap+time.Hour:
	default:
		w.s.violate("%s: the token %d retires in %s for ever: replaced %s, last used %s", w.name, id, address,
			ago(now.now, &replaced), ago(now.now, used))
	}
}

// follow is a person who does what an error says, and reports whether it says anything.
func (w *workspace) follow(diags diagnostics) bool {
	s, done, mayReplace := w.s, false, w.mayReplaceAccount()
	for _, d := range diags {
		if d.Severity != tfprotov6.DiagnosticSeverityError {
			continue
		}
		said := d.Summary + ": " + d.Detail
		switch {
		case d.Summary == "Service account must be planned again" && !mayReplace:
			s.violate("%s: a plan that changes nothing is refused: %s", w.name, said)
		case strings.Contains(said, "must be planned again"):
			w.makeKnown()
			w.untaint()
			done = true
		case strings.Contains(said, "is only known after apply"): // a replacement, or a new name
			done = w.makeKnown() || w.move() || done
		case strings.Contains(said, "Rename and role in one apply"), strings.Contains(said, "Team not found"):
			done = w.renameTo(said) || done
		case strings.Contains(said, "untaint"):
			done = done || w.untaint() || w.move() || w.renameTo(said)
		case strings.Contains(said, "Address of service account changed"):
			done = done || w.move() || w.renameTo(said)
		case strings.Contains(said, "New service account name is in use"),
			strings.Contains(said, "Service account name already in use"):
			done = done || w.renameTo(said) || w.untaint() || w.makeKnown()
		case strings.Contains(said, "two addresses"):
			done = done || w.forgetTwin()
		case strings.Contains(said, "Service token name already in use"):
			done = done || s.removeUnmanaged(said) || w.usePrefixes()
		case strings.Contains(said, "Unable to deactivate service account"):
			done = done || s.revokeUnmanaged(said)
		case strings.Contains(said, "lock out"):
			w.credential, done = s.server.AdminTokenID(), true
		case strings.Contains(said, "guardrails"):
			w.guardrails, done = nil, true
		case strings.Contains(said, "Provider has no access"), strings.Contains(said, "Use the token of an Admin"),
			strings.Contains(said, "401 Unauthorized"):
			w.credential, done = s.server.AdminTokenID(), true
		case strings.Contains(said, "may not exist, may be deactivated"):
			done = true // the next refresh finds what was deactivated
		}
	}
	return done
}

// mayReplaceAccount reports whether the configuration, a taint, or an unknown name that differs
// from the state asks for the replacement of an account.
func (w *workspace) mayReplaceAccount() bool {
	return slices.ContainsFunc(w.addresses(accountType), func(address string) bool {
		o := w.state[address]
		return o == nil || o.tainted || get(o.state, "name") != fmt.Sprint(w.config[address].known("name"))
	})
}

// makeKnown uses known values, which is necessary if a value is unknown in each plan.
func (w *workspace) makeKnown() (done bool) {
	for _, address := range sorted(w.config) {
		for name, v := range w.config[address].args {
			if l, ok := v.(late); ok {
				w.edit(address, values{name: l.value})
				done = true
			}
		}
	}
	return done
}

// untaint is terraform untaint for all accounts.
func (w *workspace) untaint() (done bool) {
	for _, address := range sorted(w.state) {
		if o := *w.state[address]; o.tainted && o.kind == accountType {
			w.s.tell("%s: untaint %s", w.name, address)
			o.tainted, done = false, true
			w.state[address] = &o
		}
	}
	return done
}

// usePrefixes replaces fixed names, which cannot be used with create_before_destroy.
func (w *workspace) usePrefixes() (done bool) {
	for _, address := range w.addresses(tokenType) {
		if w.config[address].args["name"] != nil {
			w.edit(address, values{"name": nil, "name_prefix": "ci-"})
			done = true
		}
	}
	return done
}

// move writes a moved block for an account whose address changed.
func (w *workspace) move() bool {
	for _, from := range sorted(w.state) {
		o := w.state[from]
		if w.config[from] != nil || o.kind != accountType {
			continue
		}
		for _, to := range sorted(w.config) {
			if w.state[to] == nil && w.config[to].known("name") == get(o.state, "name") {
				w.s.tell("%s: moved block from %s to %s", w.name, from, to)
				delete(w.state, from)
				w.state[to] = o
				return true
			}
		}
	}
	return false
}

// renameTo follows what someone has renamed in the web app, and chooses other names for new
// accounts.
func (w *workspace) renameTo(said string) bool {
	done := false
	for _, address := range sorted(w.config) {
		b := w.config[address]
		name, _ := b.known("name").(string)
		if b.kind != accountType || !strings.Contains(said, name) {
			continue
		}
		current := w.s.freshName()
		if o := w.state[address]; o != nil {
			id, _ := strconv.ParseInt(get(o.state, "id"), 10, 64)
			if u := w.s.snapshot().accounts[id]; u.Deleted == nil {
				current = u.Name
			}
		}
		if current != name {
			w.edit(address, values{"name": current})
			done = true
		}
	}
	return done
}

// forgetTwin removes one of two addresses of an account from the state.
func (w *workspace) forgetTwin() bool {
	for _, address := range sorted(w.state) {
		if w.config[address] == nil && w.state[address].kind == accountType {
			w.s.tell("%s: state rm %s", w.name, address)
			delete(w.state, address)
			return true
		}
	}
	return false
}

// unmanaged calls f for each token that no state has.
func (s *simulation) unmanaged(f func(id int64) bool) (done bool) {
	known := map[int64]bool{}
	for _, w := range s.spaces {
		current, retiring := w.managed()
		for id := range current {
			known[id] = true
		}
		for id := range retiring {
			known[id] = true
		}
	}
	for _, t := range s.server.Tokens() {
		if !known[t.ID] {
			done = f(t.ID) || done
		}
	}
	return done
}

// removeUnmanaged deletes the tokens that an error names and no state has.
func (s *simulation) removeUnmanaged(said string) bool {
	return s.unmanaged(func(id int64) bool {
		if !strings.Contains(said, "ID "+strconv.FormatInt(id, 10)) {
			return false
		}
		s.record(id).ended = true
		s.server.RemoveToken(id)
		return true
	})
}

// revokeUnmanaged revokes the tokens that an error names and no state has.
func (s *simulation) revokeUnmanaged(said string) bool {
	return s.unmanaged(func(id int64) bool {
		if !strings.Contains(said, "ID "+strconv.FormatInt(id, 10)) {
			return false
		}
		s.personRevokes(id)
		return true
	})
}
