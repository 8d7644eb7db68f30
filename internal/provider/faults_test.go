// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The fault matrix: every operation × every fault at every request it makes. A fault that
// depends on the ingress occurs behind nginx and behind Envoy, any other one behind nginx.
// After each case, the fault ends and apply runs again. Then no object is lost or
// orphaned, no secret leaked, and no foreign object changed.

// faultCase is a fault of a request or of the run.
type faultCase struct {
	name  string
	fault qualyticstest.Fault
	// arrange completes the fault for a harness; may be nil.
	arrange func(h *harness, f *qualyticstest.Fault)
	envoy   bool // the deployment is behind Envoy
}

// slow is longer than the timeout of the matrix's provider.
const (
	matrixTimeout = 500 * time.Millisecond
	slow          = 700 * time.Millisecond
)

func retryAfter(value string) qualyticstest.Fault {
	f := qualyticstest.HTML(http.StatusTooManyRequests)
	f.Header = f.Header.Clone()
	f.Header.Set("Retry-After", value)
	return f
}

func redirect(status int, to string) qualyticstest.Fault {
	return qualyticstest.Fault{Status: status, Header: http.Header{"Location": {to}}}
}

func afterWork(f qualyticstest.Fault) qualyticstest.Fault {
	f.Kind = qualyticstest.Replace
	return f
}

// upstream returns a fault between the ingress and the application.
func upstream(f qualyticstest.Fault) qualyticstest.Fault {
	f.Upstream = true
	return f
}

func cancelling(h *harness, f *qualyticstest.Fault) {
	ctx, cancel := context.WithCancel(h.ctx)
	h.ctx, f.Do = ctx, cancel
}

func killing(h *harness, f *qualyticstest.Fault) { f.Do = h.kill }

// losingTheSecond loses the response to the next request as well.
func losingTheSecond(h *harness, f *qualyticstest.Fault) {
	h.server.Fail(qualyticstest.Fault{Skip: f.Skip + 1, Kind: qualyticstest.CloseAfter})
}

// ingressCases returns the faults that depend on the ingress of a profile: the responses of
// the ingress itself, and what it does if the application does not respond.
func ingressCases(p qualyticstest.Profile) []faultCase {
	own, late, redirected := []int{404, 408, 413, 500, 502, 503, 504}, []int{502, 504}, http.StatusPermanentRedirect
	envoy := p.Ingress == qualyticstest.Envoy
	if envoy {
		own, late, redirected = []int{404, 503, 504}, []int{503, 504}, http.StatusMovedPermanently
	}
	limited := p.Response(http.StatusTooManyRequests, "local_rate_limited")
	closed := qualyticstest.Fault{Kind: qualyticstest.CloseBefore}
	lost := qualyticstest.Fault{Kind: qualyticstest.CloseAfter}
	unavailable := qualyticstest.JSON(http.StatusServiceUnavailable, `{"detail":"Unavailable"}`)
	list := []faultCase{
		{name: "429 once", fault: limited},
		{name: "429 for the whole run", fault: limited.Repeat(qualyticstest.Forever)},
		{name: "redirect to https", fault: redirect(redirected, "https://127.0.0.1:1/api/users/me")},
		{name: "application does not respond", fault: upstream(closed.Repeat(qualyticstest.Forever))},
		{name: "response of the application lost", fault: upstream(lost)},
		{name: "503 of the application, after the work", fault: upstream(afterWork(unavailable))},
	}
	for _, status := range own {
		list = append(list, faultCase{name: fmt.Sprint(status), fault: p.Response(status, "no healthy upstream")})
	}
	for _, status := range late {
		list = append(list, faultCase{
			name:  fmt.Sprint(status, " after the work"),
			fault: afterWork(p.Response(status, "upstream request timeout")),
		})
	}
	for i := range list {
		list[i].envoy = envoy
		list[i].name = map[bool]string{false: "nginx: ", true: "Envoy: "}[envoy] + list[i].name
	}
	return list
}

// faultCases returns the faults that do not depend on the ingress.
func faultCases() []faultCase {
	closed := qualyticstest.Fault{Kind: qualyticstest.CloseBefore}
	lost := qualyticstest.Fault{Kind: qualyticstest.CloseAfter}
	delayed := qualyticstest.Fault{Kind: qualyticstest.Delay}
	replayed := qualyticstest.Fault{Kind: qualyticstest.Replay}
	unavailable := qualyticstest.JSON(http.StatusServiceUnavailable, `{"detail":"Unavailable"}`)
	list := []faultCase{
		{name: "closed before the work", fault: closed},
		{name: "closed before the work, for the whole run", fault: closed.Repeat(qualyticstest.Forever)},
		{name: "response lost", fault: lost},
		{name: "response lost twice", fault: lost.Repeat(2)},
		{name: "slower than the timeout", fault: qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: slow}},
		{name: "server killed", fault: closed, arrange: killing},
		{name: "server killed after the work", fault: lost, arrange: killing},
		{name: "replayed by a gateway", fault: replayed},
		{name: "replayed by a gateway, response lost", fault: replayed, arrange: losingTheSecond},
		{name: "502 in JSON", fault: qualyticstest.JSON(http.StatusBadGateway, `{"detail":"Bad gateway"}`)},
		{name: "503 in JSON, after the work", fault: afterWork(unavailable)},
		{name: "truncated JSON", fault: qualyticstest.Fault{Kind: qualyticstest.Truncate}},
		{name: "200 with HTML", fault: qualyticstest.HTML(http.StatusOK)},
		{name: "200 with HTML, after the work", fault: afterWork(qualyticstest.HTML(http.StatusOK))},
		{name: "200, empty, after the work", fault: afterWork(qualyticstest.Fault{Status: http.StatusOK})},
		{name: "wrong type in a field", fault: afterWork(qualyticstest.JSON(http.StatusOK, `{"id":"seven"}`))},
		{name: "403 of a firewall", fault: qualyticstest.HTML(http.StatusForbidden)},
		{name: "redirect to another host", fault: redirect(http.StatusFound, "http://127.0.0.1:1/api/users/me")},
		{name: "redirect in a loop", fault: redirect(http.StatusFound, "/api/users/me").Repeat(qualyticstest.Forever)},
		{name: "cancelled before the work", fault: closed, arrange: cancelling},
		{
			name: "cancelled during the work", arrange: cancelling,
			fault: qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: 20 * time.Millisecond},
		},
		{name: "cancelled, and the response lost", fault: lost, arrange: cancelling},
		{name: "token revoked midway", fault: delayed, arrange: func(h *harness, f *qualyticstest.Fault) {
			f.Do = func() { h.revoke(h.server.AdminTokenID()) }
		}},
	}
	for _, status := range []int{400, 401, 403, 404, 409, 422, 500} {
		body := fmt.Sprintf(`{"detail":"fault %d"}`, status)
		list = append(list, faultCase{name: fmt.Sprint(status, " of the API"), fault: qualyticstest.JSON(status, body)})
	}
	for _, value := range []string{"1", "Fri, 31 Dec 2100 23:59:59 GMT", "3600"} {
		list = append(list, faultCase{name: "429, Retry-After " + value, fault: retryAfter(value)})
	}
	return list
}

// operation is an operation of the provider.
type operation struct {
	name    string
	kind    string
	config  values                      // that settles it; nil destroys
	prepare func(h *harness, o *object) // before the fault
	run     func(h *harness, o *object) diagnostics
}

// applying returns a function that plans and applies without a refresh.
func applying(config func(h *harness) values) func(*harness, *object) diagnostics {
	return func(h *harness, o *object) diagnostics {
		p := h.plan(o, config(h))
		if h.ctx.Err() != nil {
			return p.diags // the run is canceled
		}
		if p.diags.errors() != "" {
			return p.diags
		}
		after, diags := h.apply(p)
		*o = *after
		return diags
	}
}

func operations() []operation {
	account := values{"name": "Matrix", "role": "Member", "teams": []string{"Data Quality"}}
	token := values{"name": "matrix", "expires_in_days": 30}
	prefixed := values{"name_prefix": "matrix-", "expires_in_days": 30}
	sealed := prefixed.with(values{"encryption": matrixIdentity()})
	aged := func(config values, ages ...time.Duration) func(*harness, *object) {
		return func(h *harness, o *object) {
			h.must(o, h.owned(o.kind, config), "create")
			for i, age := range ages {
				if i > 0 {
					h.must(o, h.owned(o.kind, config), "update")
				}
				h.clock.Advance(age)
			}
			wantOK(h.t, h.refresh(o))
		}
	}
	created := func(config values) func(*harness, *object) {
		return func(h *harness, o *object) { h.must(o, h.owned(o.kind, config), "create") }
	}
	to := func(kind string, config values) func(*harness, *object) diagnostics {
		return applying(func(h *harness) values { return h.owned(kind, config) })
	}
	read := func(h *harness, o *object) diagnostics { return h.refresh(o) }
	load := func(id func(h *harness) string) func(*harness, *object) diagnostics {
		return func(h *harness, o *object) diagnostics {
			loaded, diags := h.load(o.kind, id(h))
			if diags.errors() == "" {
				*o = *loaded
			}
			return diags
		}
	}
	existing := func(h *harness, o *object) { // created by hand
		if o.kind == accountType {
			h.server.AddUser(qualyticstest.User{Name: "Matrix", Teams: []string{"Data Quality"}})
			return
		}
		until := h.server.Clock.Now().AddDate(0, 0, 30)
		h.server.AddToken(qualyticstest.Token{Name: "matrix", UserID: h.owner().ID, Expiration: &until})
	}
	return []operation{
		{"create an account", accountType, account, nil, to(accountType, account)},
		{"read an account", accountType, account, created(account), read},
		{
			"update an account",
			accountType,
			account.with(values{"role": "Manager", "teams": []string{}}),
			created(account),
			to(accountType, account.with(values{"role": "Manager", "teams": []string{}})),
		},
		{
			"update an account's role",
			accountType,
			values{"name": "Matrix", "role": "Manager"},
			created(account),
			to(accountType, values{"name": "Matrix", "role": "Manager"}),
		},
		{"delete an account", accountType, nil, func(h *harness, o *object) {
			created(account.with(values{"revoke_tokens_on_destroy": true}))(h, o)
			h.server.AddToken(qualyticstest.Token{Name: "by hand", UserID: h.named("Matrix")[0].ID})
		}, to(accountType, nil)},
		{
			"import an account by id",
			accountType,
			account,
			existing,
			load(func(h *harness) string { return fmt.Sprint(h.named("Matrix")[0].ID) }),
		},
		{
			"import an account by user_id",
			accountType,
			account,
			existing,
			load(func(*harness) string { return "matrix@service" }),
		},
		{"create a token", tokenType, token, nil, to(tokenType, token)},
		{"create a token with a prefix", tokenType, prefixed, nil, to(tokenType, prefixed)},
		{"create an encrypted token", tokenType, sealed, nil, to(tokenType, sealed)},
		{"read a token", tokenType, token, created(token), read},
		{
			"revoke a token",
			tokenType,
			token.with(values{"revoked": true}),
			created(token),
			to(tokenType, token.with(values{"revoked": true})),
		},
		{"restore a token", tokenType, token, created(token.with(values{"revoked": true})), to(tokenType, token)},
		{
			"replace a token",
			tokenType,
			token.with(values{"expires_in_days": 60}),
			created(token),
			func(h *harness, o *object) diagnostics {
				if diags := h.reread(o); diags.errors() != "" || !o.exists() {
					return diags
				}
				return to(tokenType, token.with(values{"expires_in_days": 60}))(h, o)
			},
		},
		{
			"rotate a token without an overlap", tokenType, overlapping.with(values{"overlap_days": 0}),
			aged(overlapping.with(values{"overlap_days": 0}), 21*day),
			to(tokenType, overlapping.with(values{"overlap_days": 0})),
		},
		{
			"retire a token by the clock", tokenType, overlapping,
			func(h *harness, o *object) {
				aged(overlapping, 21*day, time.Hour)(h, o)
				h.clock.Advance(6 * day)
			},
			to(tokenType, overlapping),
		},
		{"delete a token", tokenType, nil, created(token), to(tokenType, nil)},
		{
			"rotate a token in place", tokenType, overlapping, aged(overlapping, 21*day),
			to(tokenType, overlapping),
		},
		{
			"retire a token", tokenType, overlapping, aged(overlapping, 21*day, 6*day),
			to(tokenType, overlapping),
		},
		{
			"delete a token and a retiring one", tokenType, nil, aged(overlapping, 21*day, 2*day),
			to(tokenType, nil),
		},
		{
			"import a token",
			tokenType,
			token,
			existing,
			load(func(h *harness) string { return fmt.Sprint(h.owner().ID, "/matrix") }),
		},
		{"open an ephemeral token", tokenType, nil, nil, func(h *harness, _ *object) diagnostics {
			_, private, diags := h.open(values{"service_account_id": fmt.Sprint(h.owner().ID)})
			if diags.errors() == "" {
				h.opened = private
			}
			return diags
		}},
		{"close an ephemeral token", tokenType, nil, func(h *harness, _ *object) {
			var diags diagnostics
			_, h.opened, diags = h.open(values{"service_account_id": fmt.Sprint(h.owner().ID)})
			wantOK(h.t, diags)
		}, func(h *harness, _ *object) diagnostics {
			diags := h.shut(h.ctx, h.opened)
			if len(diags) == 0 {
				h.opened = nil
			}
			return diags
		}},
	}
}

// matrixIdentity is the key pair of the encrypted tokens of the matrix.
var matrixIdentity = sync.OnceValue(func() *age.X25519Identity {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return identity
})

const matrixOwner = "Owner of the matrix"

// owner returns the account that owns the tokens of the matrix.
func (h *harness) owner() qualyticstest.User { return h.named(matrixOwner)[0] }

// named returns the active service accounts with a name.
func (h *harness) named(name string) []qualyticstest.User {
	return slices.DeleteFunc(h.server.ServiceAccounts(), func(u qualyticstest.User) bool { return u.Name != name })
}

// owned returns the configuration of a token with its owner.
func (h *harness) owned(kind string, config values) values {
	if kind == accountType || config == nil {
		return config
	}
	config = config.with(values{"service_account_id": fmt.Sprint(h.owner().ID)})
	if identity, ok := config["encryption"].(*age.X25519Identity); ok {
		config["encryption"] = h.encryption("age", identity.Recipient().String())
	}
	return config
}

// No diagnostic may contain this secret.
const canaryHeader = "canary-of-the-gateway-header"

// newMatrixHarness returns a deployment that also has foreign objects.
func newMatrixHarness(t tb, profile qualyticstest.Profile) *harness {
	t.Helper()
	profile.ExpiredIsInactive = true
	h := newHarness(t, profile)
	h.server.AddUser(qualyticstest.User{Name: matrixOwner})
	foreign := h.server.AddUser(
		qualyticstest.User{Name: "Foreign", Role: "Manager", Teams: []string{"Data Engineering"}})
	h.server.AddToken(qualyticstest.Token{Name: "matrix", UserID: foreign.ID})
	h.reconnect()
	return h
}

// reconnect starts the next run of Terraform.
func (h *harness) reconnect() {
	h.connect(values{
		"url": h.server.URL, "api_path": h.server.APIPath(), "token": h.server.AdminToken(), "max_retries": 2,
		"timeout": matrixTimeout.Seconds(), "headers": map[string]string{"X-Gateway": canaryHeader},
	})
}

// kill stops the server once, also from within a request. killed is closed when it
// has stopped.
func (h *harness) kill() {
	h.killOnce.Do(func() {
		go func() {
			h.server.Stop()
			close(h.killed)
		}()
	})
}

// foreign describes all objects that do not belong to the matrix.
func (h *harness) foreign() string {
	var out []string
	for _, u := range h.server.Users() {
		if u.Name == "Foreign" || u.Type != "Service" {
			out = append(out, fmt.Sprint(u.ID, u.Name, u.Role, u.Teams, u.Deleted != nil))
			for _, t := range h.server.Tokens() {
				if t.UserID == u.ID {
					out = append(out, fmt.Sprint(t.ID, t.Name, t.Active))
				}
			}
		}
	}
	return strings.Join(out, "\n")
}

// requestsOf returns the number of requests of an operation without faults.
func requestsOf(t *testing.T, op operation, profile qualyticstest.Profile) int {
	t.Helper()
	h := newMatrixHarness(t, profile)
	o := h.none(op.kind)
	if op.prepare != nil {
		op.prepare(h, o)
	}
	h.reconnect()
	h.server.ClearRequests()
	if diags := op.run(h, o); diags.errors() != "" {
		t.Fatalf("%s fails without a fault: %s", op.name, diags.errors())
	}
	return len(h.server.Requests())
}

// The outcomes of a case.
const (
	succeeded = "succeeded"     // the operation succeeded despite the fault
	repaired  = "repaired"      // it failed, and the next apply repaired everything
	manual    = "manual repair" // it failed, and its error says what to import or remove
)

// runCase runs a case and checks the invariants after it.
func runCase(t *testing.T, op operation, profile qualyticstest.Profile, position int, c faultCase) string {
	h := newMatrixHarness(t, profile)
	o := h.none(op.kind)
	if op.prepare != nil {
		op.prepare(h, o)
	}
	h.reconnect()
	foreign, admin := h.foreign(), h.server.AdminToken()
	fault := c.fault
	fault.Skip = position
	if c.arrange != nil {
		c.arrange(h, &fault)
	}
	h.server.Fail(fault)
	before := o.state
	diags := op.run(h, o)
	outcome := succeeded
	if said := diags.errors() + diags.warnings(); said != "" {
		outcome = repaired
		for _, canary := range []string{admin, admin[:20], canaryHeader} {
			if strings.Contains(said, canary) {
				t.Errorf("a diagnostic shows a secret: %s", said)
			}
		}
		if op.name[:4] == "read" && !o.state.Equal(before) {
			t.Errorf("a failed read changed the state: %s", said)
		}
	}

	// The fault ends, and the next run begins.
	h.server.Heal()
	h.kill() // unless it is dead already
	<-h.killed
	if err := h.server.Resume(); err != nil {
		t.Fatal(err)
	}
	h.ctx = t.Context()
	h.server.EditToken(h.server.AdminTokenID(), func(t *qualyticstest.Token) { t.Active = true })
	h.reconnect()
	if h.followAdvice(op, o, diags) {
		outcome = manual
	}
	h.settle(op, o)
	h.holds(op, o)
	if got := h.foreign(); got != foreign {
		t.Errorf("something foreign was touched:\n%s\nwas\n%s", got, foreign)
	}
	return outcome
}

// followAdvice does what an error tells the user to do: import or remove what a create with
// a lost response may have created. It reports whether there was anything to do.
func (h *harness) followAdvice(op operation, o *object, diags diagnostics) bool {
	said := diags.errors()
	if !strings.Contains(said, "looking for it failed") && !strings.Contains(said, "may have created:") &&
		!strings.Contains(said, "whose secret is lost") &&
		!strings.Contains(said, "already in use") {
		return false
	}
	if o.exists() && !strings.HasPrefix(op.name, "rotate") {
		h.t.Errorf("an object that is in the state is said to be lost: %s", said)
	}
	done := false
	if op.kind == accountType {
		if found := h.named("Matrix"); len(found) > 0 {
			loaded, diags := h.load(accountType, fmt.Sprint(found[0].ID))
			if diags.errors() != "" {
				h.t.Fatal(diags.errors())
			}
			*o, done = *loaded, true
		}
		return done
	}
	for _, t := range h.matrixTokens() {
		if !slices.Contains(tokensInState(o), fmt.Sprint(t.ID)) {
			h.server.RemoveToken(t.ID)
			done = true
		}
	}
	return done
}

// tokensInState returns the IDs of the current and the retiring tokens.
func tokensInState(o *object) []string {
	if !o.exists() {
		return nil
	}
	return append([]string{get(o.state, "id")}, retiringTokens(o)...)
}

// matrixTokens returns the tokens that the matrix created.
func (h *harness) matrixTokens() []qualyticstest.Token {
	owner := h.owner().ID
	return slices.DeleteFunc(h.server.Tokens(), func(t qualyticstest.Token) bool { return t.UserID != owner })
}

// settle applies until the plan is clean.
func (h *harness) settle(op operation, o *object) {
	h.t.Helper()
	if h.opened != nil {
		if diags := h.shut(h.ctx, h.opened); len(diags) > 0 {
			h.t.Errorf("closing again: %s", diags.warnings())
		}
		return
	}
	if strings.HasPrefix(op.name, "import") && !o.exists() {
		if diags := op.run(h, o); diags.errors() != "" {
			h.t.Fatalf("importing again: %s", diags.errors())
		}
	}
	const enough = 4
	for range enough {
		if !o.exists() && op.config == nil {
			return
		}
		action, diags := h.run(o, h.owned(op.kind, op.config))
		if diags.errors() != "" {
			h.t.Fatalf("the next apply failed: %s", diags.errors())
		}
		if action == "no-op" {
			return
		}
	}
	h.t.Errorf("still something to do after %d applies", enough)
}

// holds checks the invariants.
func (h *harness) holds(op operation, o *object) {
	h.t.Helper()
	want := 0
	if op.config != nil {
		want = 1
		h.clean(o, h.owned(op.kind, op.config))
	}
	if o.exists() != (want == 1) {
		h.t.Errorf("in state: %t, want %t", o.exists(), want == 1)
	}
	if op.kind == accountType {
		if got := h.named("Matrix"); len(got) != want {
			h.t.Errorf("%d accounts on the server, want %d: %+v", len(got), want, got)
		}
		return
	}
	tokens := h.matrixTokens()
	if want == 1 {
		want = len(tokensInState(o))
	}
	if len(tokens) != want {
		h.t.Errorf("%d tokens on the server, want %d: %+v", len(tokens), want, tokens)
	}
	if retiring := len(retiringTokens(o)); o.exists() && (retiring == 1) != (op.name == "rotate a token in place") {
		h.t.Errorf("%d retiring tokens", retiring)
	}
	for _, id := range tokensInState(o) {
		if o.exists() && op.config["revoked"] != true && !h.works(id) {
			h.t.Errorf("the token %s does not work", id)
		}
	}
	if op.config != nil && !strings.HasPrefix(op.name, "import") && h.tokenWorks(o) != (op.config["revoked"] != true) {
		h.t.Errorf("the secret in the state works: %t", h.tokenWorks(o))
	}
}

// Whatever happens to a request, the next apply repairs everything, or the error says what to
// do by hand.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	outcomes := map[string]map[string]int{}
	cases := 0
	newest := qualyticstest.Build202609()
	list := slices.Concat(faultCases(), ingressCases(newest), ingressCases(newest.BehindEnvoy()))
	t.Run("cases", func(t *testing.T) {
		for i, op := range operations() {
			for j, profile := range qualyticstest.Profiles() {
				for position := range requestsOf(t, op, profile) {
					for k, c := range list {
						if (i+position+k)%len(qualyticstest.Profiles()) != j {
							continue // each case on one of the profiles
						}
						cases++
						behind := profile
						if c.envoy {
							behind = profile.BehindEnvoy()
						}
						t.Run(
							fmt.Sprintf("%s/request %d/%s/%s", op.name, position+1, c.name, behind.Name),
							func(t *testing.T) {
								t.Parallel()
								outcome := runCase(t, op, behind, position, c)
								mu.Lock()
								defer mu.Unlock()
								if outcomes[c.name] == nil {
									outcomes[c.name] = map[string]int{}
								}
								outcomes[c.name][outcome]++
							},
						)
					}
				}
			}
		}
	})
	const fewest = 300
	if cases < fewest {
		t.Errorf("%d cases, want at least %d", cases, fewest)
	}
	if t.Failed() {
		return
	}
	table := &strings.Builder{}
	fmt.Fprintf(table, "\n%d cases: orphans 0, ghosts 0, lost secrets 0, leaks 0\n\n%-48s %12s %12s %14s\n", cases,
		"fault", succeeded, repaired, manual)
	for _, c := range list {
		row := outcomes[c.name]
		fmt.Fprintf(table, "%-48s %12d %12d %14d\n", c.name, row[succeeded], row[repaired], row[manual])
	}
	_, _ = os.Stderr.WriteString(table.String())
}
