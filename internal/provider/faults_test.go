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

// The fault matrix: every operation × every fault at every request it makes.
// After each case, the fault ends and apply runs again. Then no object is lost or
// orphaned, no secret leaked, and no foreign object changed.

// faultCase is a fault of a request or of the run.
type faultCase struct {
	name  string
	group string // row of the published table
	fault qualyticstest.Fault
	// arrange completes the fault for a harness; may be nil.
	arrange func(h *harness, f *qualyticstest.Fault)
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

func redirect(to string) qualyticstest.Fault {
	return qualyticstest.Fault{Status: http.StatusFound, Header: http.Header{"Location": {to}}}
}

func afterWork(f qualyticstest.Fault) qualyticstest.Fault {
	f.Kind = qualyticstest.Replace
	return f
}

func cancelling(f qualyticstest.Fault) faultCase {
	return faultCase{fault: f, arrange: func(h *harness, f *qualyticstest.Fault) {
		ctx, cancel := context.WithCancel(h.ctx)
		h.ctx, f.Do = ctx, cancel
	}}
}

func (c faultCase) called(group, name string) faultCase {
	c.group, c.name = group, name
	return c
}

func faultCases() []faultCase {
	list := []faultCase{
		{"closed before the work", "connection", qualyticstest.Fault{Kind: qualyticstest.CloseBefore}, nil},
		{
			"closed before the work, for the whole run",
			"connection",
			qualyticstest.Fault{Kind: qualyticstest.CloseBefore, Times: qualyticstest.Forever},
			nil,
		},
		{"response lost", "connection", qualyticstest.Fault{Kind: qualyticstest.CloseAfter}, nil},
		{"response lost twice", "connection", qualyticstest.Fault{Kind: qualyticstest.CloseAfter, Times: 2}, nil},
		{"slower than the timeout", "connection", qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: slow}, nil},
		{"replayed by a gateway", "gateway", qualyticstest.Fault{Kind: qualyticstest.Replay}, nil},
		{
			"replayed by a gateway, response lost",
			"gateway",
			qualyticstest.Fault{Kind: qualyticstest.Replay},
			func(h *harness, f *qualyticstest.Fault) {
				h.server.Fail(qualyticstest.Fault{Skip: f.Skip + 1, Kind: qualyticstest.CloseAfter})
			},
		},
		{"502 in JSON", "gateway", qualyticstest.JSON(http.StatusBadGateway, `{"detail":"Bad gateway"}`), nil},
		{
			"503 in JSON, after the work",
			"gateway",
			afterWork(qualyticstest.JSON(http.StatusServiceUnavailable, `{"detail":"Unavailable"}`)),
			nil,
		},
		{"truncated JSON", "response", qualyticstest.Fault{Kind: qualyticstest.Truncate}, nil},
		{"200 with HTML", "response", qualyticstest.HTML(http.StatusOK), nil},
		{"200 with HTML, after the work", "response", afterWork(qualyticstest.HTML(http.StatusOK)), nil},
		{
			"200, empty, after the work",
			"response",
			qualyticstest.Fault{Kind: qualyticstest.Replace, Status: http.StatusOK},
			nil,
		},
		{"wrong type in a field", "response", afterWork(qualyticstest.JSON(http.StatusOK, `{"id":"seven"}`)), nil},
		{"403 of a firewall", "gateway", qualyticstest.HTML(http.StatusForbidden), nil},
		{"404 of a proxy", "gateway", qualyticstest.HTML(http.StatusNotFound), nil},
		{"429 once", "rate limit", qualyticstest.HTML(http.StatusTooManyRequests), nil},
		{
			"429 for the whole run",
			"rate limit",
			qualyticstest.HTML(http.StatusTooManyRequests).Repeat(qualyticstest.Forever),
			nil,
		},
		{"502 after the work", "gateway", afterWork(qualyticstest.HTML(http.StatusBadGateway)), nil},
		{"504 after the work", "gateway", afterWork(qualyticstest.HTML(http.StatusGatewayTimeout)), nil},
		{"redirect to another host", "redirect", redirect("http://127.0.0.1:1/api/users/me"), nil},
		{"redirect to http", "redirect", redirect("http://example.com/"), nil},
		{"redirect in a loop", "redirect", redirect("/api/users/me").Repeat(qualyticstest.Forever), nil},
		cancelling(
			qualyticstest.Fault{Kind: qualyticstest.CloseBefore}).called("interrupt", "cancelled before the work"),
		cancelling(
			qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: 20 * time.Millisecond},
		).called("interrupt", "cancelled during the work"),
		cancelling(
			qualyticstest.Fault{
				Kind: qualyticstest.CloseAfter,
			},
		).called("interrupt", "cancelled, and the response lost"),
		{
			"token revoked midway",
			"credential",
			qualyticstest.Fault{Kind: qualyticstest.Delay},
			func(h *harness, f *qualyticstest.Fault) {
				f.Do = func() {
					h.revoke(h.server.AdminTokenID())
				}
			},
		},
		{
			"server killed",
			"connection",
			qualyticstest.Fault{Kind: qualyticstest.CloseBefore},
			func(h *harness, f *qualyticstest.Fault) {
				f.Do = h.kill
			},
		},
		{
			"server killed after the work",
			"connection",
			qualyticstest.Fault{Kind: qualyticstest.CloseAfter},
			func(h *harness, f *qualyticstest.Fault) {
				f.Do = h.kill
			},
		},
	}
	for _, status := range []int{400, 401, 403, 404, 408, 409, 413, 422, 500} {
		body := fmt.Sprintf(`{"detail":"fault %d"}`, status)
		list = append(list,
			faultCase{fmt.Sprintf("%d of the API", status), "API", qualyticstest.JSON(status, body), nil})
	}
	for _, status := range []int{408, 413, 500, 502, 503, 504} {
		list = append(list,
			faultCase{fmt.Sprintf("%d of the gateway", status), "gateway", qualyticstest.HTML(status), nil})
	}
	for _, value := range []string{"0", "1", "Fri, 31 Dec 2100 23:59:59 GMT", "nonsense", "3600"} {
		list = append(list, faultCase{"429, Retry-After " + value, "rate limit", retryAfter(value), nil})
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

func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	outcomes := map[string]map[string]int{}
	cases := 0
	list := faultCases()
	t.Run("cases", func(t *testing.T) {
		for i, op := range operations() {
			for j, profile := range qualyticstest.Profiles() {
				for position := range requestsOf(t, op, profile) {
					for k, c := range list {
						if (i+position+k)%len(qualyticstest.Profiles()) != j {
							continue // each case on one of the profiles
						}
						cases++
						t.Run(
							fmt.Sprintf("%s/request %d/%s/%s", op.name, position+1, c.name, profile.Name),
							func(t *testing.T) {
								t.Parallel()
								outcome := runCase(t, op, profile, position, c)
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
