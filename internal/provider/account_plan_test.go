// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// loadState sends the state of objects to a new provider process, as Terraform does before
// everything else, also without a refresh.
func (h *harness) loadState(objects ...*object) {
	h.t.Helper()
	h.connect(h.config)
	for _, o := range objects {
		state := map[string]any{}
		for name, v := range attributes(o.state) {
			if s := ""; v.As(&s) == nil {
				state[name] = s
			}
		}
		text, err := json.Marshal(state)
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := h.p.UpgradeResourceState(h.ctx, &tfprotov6.UpgradeResourceStateRequest{
			TypeName: o.kind, RawState: &tfprotov6.RawState{JSON: text},
		}); err != nil {
			h.t.Fatal(err)
		}
	}
}

// withAndWithoutRefresh runs a test on a process that has read the objects, and on one that
// has only seen their state.
func withAndWithoutRefresh(t *testing.T, test func(t *testing.T, h *harness, begin func(...*object))) {
	t.Helper()
	for _, refresh := range []bool{true, false} {
		t.Run(fmt.Sprintf("refresh=%t", refresh), func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, qualyticstest.Build202609())
			test(t, h, func(objects ...*object) {
				h.loadState(objects...)
				for _, o := range objects {
					if refresh {
						wantOK(t, h.reread(o))
					}
				}
			})
		})
	}
}

// A name that is unknown while planning never replaces an account: if it stays the same,
// nothing happens, and if it does not, the apply changes nothing.
func TestUnknownAccountName(t *testing.T) {
	t.Parallel()
	withAndWithoutRefresh(t, func(t *testing.T, h *harness, begin func(...*object)) {
		config := values{"name": "svc-etl", "role": "Member"}
		o := h.created(accountType, config)
		for _, role := range []string{"Member", "Manager"} {
			begin(o)
			p := h.plan(o, config.with(values{"name": unknown{}, "role": role}))
			if p.action != "update" || len(p.replace) > 0 {
				t.Fatalf("planned %s %v", p.action, p.replace)
			}
			h.connect(h.config) // an apply is another process
			h.server.ClearRequests()
			_, diags := h.applyWith(p, config.with(values{"name": "svc-other", "role": role}))
			wantText(t, diags.errors(), "Service account must be planned again", `"svc-other"`, "Nothing was changed")
			wantWrites(t, h)
			after, diags := h.applyWith(p, config.with(values{"role": role}))
			wantOK(t, diags)
			o = after
		}
		if get(o.state, "name") != "svc-etl" || get(o.state, "role") != "Manager" {
			t.Errorf("the state has %s, %s", get(o.state, "name"), get(o.state, "role"))
		}
	})
}

// A plan that ends an account and creates one with its name is refused, whichever of the
// two addresses Terraform plans first.
func TestAddressOfAccountChanged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Loader", "loader!"} {
		for _, destroyFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, destroy first %t", name, destroyFirst), func(t *testing.T) {
				t.Parallel()
				withAndWithoutRefresh(t, func(t *testing.T, h *harness, begin func(...*object)) {
					o := h.created(accountType, values{"name": "Loader", "role": "Member"})
					begin(o)
					var errors string
					create := func() {
						errors += h.plan(h.none(accountType), values{"name": name, "role": "Member"}).diags.errors()
					}
					destroy := func() { errors += h.plan(o, nil).diags.errors() }
					if destroyFirst {
						destroy()
						create()
					} else {
						create()
						destroy()
					}
					wantText(t, errors, "moved block", "deactivate the account")
					h.connect(h.config) // the new address is planned before the old one is read
					errors = ""
					create()
					wantOK(t, h.reread(o))
					destroy()
					wantText(t, errors, "moved block", "deactivate the account")
				})
			})
		}
	}
}

// Two addresses with one account: the plan must not destroy the one that the other needs.
func TestTwoAddressesOfAnAccount(t *testing.T) {
	t.Parallel()
	withAndWithoutRefresh(t, func(t *testing.T, h *harness, begin func(...*object)) {
		config := values{"name": "Loader", "role": "Member"}
		old := h.created(accountType, config)
		imported := h.loaded(accountType, get(old.state, "id"))
		begin(old, imported)
		wantOK(t, h.plan(imported, config).diags)
		wantText(t, h.plan(old, nil).diags.errors(), "Service account has two addresses", "terraform state rm",
			"removed block")
		begin(old, imported)
		wantOK(t, h.plan(old, nil).diags)
		wantText(t, h.plan(imported, config).diags.errors(), "Service account has two addresses")
		wantText(t, h.plan(imported, config.with(values{"role": "Manager"})).diags.errors(), "two addresses")
	})
}

// Terraform plans a tainted account without its state: applying would deactivate it, and
// then fail.
func TestTaintedAccount(t *testing.T) {
	t.Parallel()
	withAndWithoutRefresh(t, func(t *testing.T, h *harness, begin func(...*object)) {
		config := values{"name": "Loader", "role": "Member"}
		o := h.created(accountType, config)
		o.tainted = true
		begin(o)
		wantText(
			t,
			h.plan(o, config).diags.errors(),
			newNameInUse,
			"terraform untaint ADDRESS",
			"Loader",
			"moved block",
		)
		if len(h.server.Writes()) != 1 { // the creation
			t.Errorf("writes: %v", h.server.Writes())
		}
	})
}

const newNameInUse = "New service account name is in use"

// An account that someone deactivated leaves the state, and its name is only a warning then.
func TestNameOfAGoneAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"name": "Loader", "role": "Member"}
	o := h.created(accountType, config)
	h.server.EditUser(h.server.Users()[len(h.server.Users())-1].ID, func(u *qualyticstest.User) {
		now := h.clock.Now()
		u.Deleted = &now
	})
	h.loadState(o)
	wantText(t, h.reread(o).warnings(), "Service account not found")
	p := h.plan(h.none(accountType), config)
	wantOK(t, p.diags)
	wantText(t, p.diags.warnings(), `"Loader" is in use`, "deactivated", "Reactivate")
}

// A new name is compared with the names and user_ids of all accounts.
func TestNamesAndUserIDs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, userID string // of an account
		newName      string
		refused      bool
	}{
		{"Airflow Service User", "airflow@service", "Airflow", true},
		{"Airflow Service User", "airflow@service", "airflow service-user", true},
		{"Airflow Service User", "airflow@service", "Airflow Service", false},
		{"Büro", "bro@service", "Bro", true},
		{"Büro", "büro@service", "Bro", true}, // only the server knows
		{"レポート", "@service", "報告", true},
		{"レポート", "レポート@service", "報告", false},
		{"Loader", "loader@service", "Loader 2", false},
	} {
		t.Run(tc.name+" and "+tc.newName, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, qualyticstest.Build202609())
			o := h.created(accountType, values{"name": "Etl", "role": "Member"})
			h.server.EditUser(h.server.AddUser(qualyticstest.User{Name: tc.name}).ID, func(u *qualyticstest.User) {
				u.UserID = tc.userID
			})
			p := h.planned(o, values{"name": tc.newName, "role": "Member"})
			if !tc.refused {
				wantOK(t, p.diags)
				return
			}
			wantText(t, p.diags.errors(), newNameInUse, tc.userID)
		})
	}
}

// A conflict names the account whose user_id the name leads to.
func TestConflictWithAUserID(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	u := h.server.AddUser(qualyticstest.User{Name: "Airflow"})
	h.server.EditUser(u.ID, func(u *qualyticstest.User) { u.Name = "Pipeline" })
	_, diags := h.run(h.none(accountType), values{"name": "Airflow", "role": "Member"})
	wantText(t, diags.errors(), "Service account name already in use", `"Pipeline"`, "user_id")
	if strings.Contains(diags.errors(), "does not contain it") {
		t.Error("the error says that the list does not contain the account")
	}
}

// A replacement that the guardrails cannot check is refused: the old object would be gone
// before the check.
func TestUnknownGuardrails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	account := h.created(accountType, values{"name": "Etl", "role": "Member"})
	token := h.created(tokenType, values{"service_account_id": get(account.state, "id"), "name": "ci"})
	other := h.server.AddUser(qualyticstest.User{Name: "Other"})
	plain := h.config
	for name, limits := range map[string]any{
		"unknown":       unknown{},
		"unknown parts": guardrails(h, unknown{}, unknown{}),
	} {
		h.connect(plain.with(values{"guardrails": limits}))
		wantOK(t, append(h.reread(account), h.reread(token)...))
		p := h.plan(account, values{"name": "Renamed", "role": "Member"})
		wantText(t, p.diags.errors(), "Replacement cannot be checked while planning", "destroyed")
		p = h.plan(token, values{"service_account_id": fmt.Sprint(other.ID), "name": "ci"})
		wantText(t, p.diags.errors(), "Replacement cannot be checked while planning")
		for _, p := range []*plan{
			h.plan(h.none(accountType), values{"name": "new", "role": "Member"}),
			h.plan(account, values{"name": "Etl", "role": "Manager"}),
			h.plan(h.none(tokenType), values{"service_account_id": "7", "name": "new"}),
		} {
			if p.diags.errors() != "" {
				t.Errorf("%s: %s", name, p.diags.errors())
			}
		}
	}
	h.connect(plain.with(values{"guardrails": guardrails(h, []string{"Member"}, 90)}))
	wantOK(t, append(h.reread(account), h.reread(token)...))
	wantText(t, h.plan(account, values{"name": "Renamed", "role": unknown{}}).diags.errors(), "Replacement cannot be")
}

// Renaming an account says while planning which tokens would prevent its deactivation.
func TestRenameNamesActiveTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"name": "Etl", "role": "Member"}
	o := h.created(accountType, config)
	id := h.server.Users()[len(h.server.Users())-1].ID
	for i := range 12 {
		h.server.AddToken(qualyticstest.Token{Name: fmt.Sprintf("by hand %02d", i), UserID: id})
	}
	p := h.planned(o, config.with(values{"name": "Other"}))
	wantText(
		t,
		p.diags.warnings(),
		`"Etl" will be replaced`,
		`"by hand 00"`,
		"and others",
		"revoke the others in Qualytics",
		"revoke_tokens_on_destroy = true",
	)
	o = h.applied(h.planned(o, config.with(values{"revoke_tokens_on_destroy": true})))
	p = h.planned(o, config.with(values{"name": "Other", "revoke_tokens_on_destroy": true}))
	if strings.Contains(p.diags.warnings(), "by hand") {
		t.Errorf("warned: %s", p.diags.warnings())
	}
}

// gateway starts a gateway in front of deployments by path, and returns the provider
// configuration for each.
func gateway(t *testing.T, servers map[string]*qualyticstest.Server) func(string, *qualyticstest.Server) values {
	t.Helper()
	mux := http.NewServeMux()
	for prefix, server := range servers {
		target, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle("/"+prefix+"/", http.StripPrefix("/"+prefix, httputil.NewSingleHostReverseProxy(target)))
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return func(prefix string, server *qualyticstest.Server) values {
		return values{"url": s.URL, "api_path": prefix + "/api", "token": server.AdminToken()}
	}
}

// A copy of the deployment that lacks a retiring token does not empty retiring_tokens.
func TestRetiringTokenOnACopyOfTheDeployment(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	behind := gateway(t, map[string]*qualyticstest.Server{"a": h.server, "copy": h.server})
	h.connect(behind("a", h.server))
	o, _, old := rotated(t, h, nil)
	h.server.RemoveToken(parseInt(t, old))
	h.connect(behind("copy", h.server))
	wantText(t, h.reread(o).errors(), "State is of another deployment", "etiring service token", "/copy/api")
	wantRetiring(t, retiringTokens(o), old)
	h.connect(behind("a", h.server))
	wantOK(t, h.reread(o))
	wantRetiring(t, retiringTokens(o))
}

// Two deployments behind one gateway: another path of the same host does not empty a state.
func TestAnotherPathOfTheSameHost(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	other := newHarness(t, qualyticstest.Build202609())
	behind := gateway(t, map[string]*qualyticstest.Server{"a": h.server, "b": other.server})
	h.connect(behind("a", h.server))
	account := h.created(accountType, values{"name": "x", "role": "Member"})
	token := h.created(tokenType, values{"service_account_id": get(account.state, "id"), "name": "ci"})
	h.connect(behind("b", other.server))
	for _, o := range []*object{account, token} {
		wantText(t, h.reread(o).errors(), "State is of another deployment", "/a/api", "/b/api")
		if !o.exists() {
			t.Errorf("%s was removed from the state", o.kind)
		}
	}
	_, diags := h.apply(h.plan(account, nil))
	wantText(t, diags.errors(), "Object was read from another deployment")
	h.connect(behind("a", h.server))
	wantOK(t, append(h.reread(account), h.reread(token)...))
}

// A plan that creates something asks the server who the provider is, once.
func TestFirstContact(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	member := h.server.AddUser(qualyticstest.User{Name: "m", Role: "Member"})
	memberToken := h.server.AddToken(qualyticstest.Token{Name: "m", UserID: member.ID})
	plain := h.config
	plans := func() diagnostics {
		var all diagnostics
		for i := range 3 {
			all = append(
				all,
				h.plan(h.none(accountType), values{"name": fmt.Sprint("n", i), "role": "Member"}).diags...)
		}
		all = append(all, h.plan(h.none(tokenType), values{"service_account_id": "7", "name": "x"}).diags...)
		return append(all, h.plan(h.none(exclusiveType),
			values{"service_account_id": "7", "token_ids": []string{}}).diags...)
	}
	for _, tc := range []struct {
		name             string
		config           values
		errors, warnings string
	}{
		{"invalid token", values{"token": "nonsense"}, "Provider has no access", ""},
		{"a Member", values{"token": h.server.Bearer(memberToken.ID)}, `has the role "Member"`, ""},
		{"a wrong port", values{"url": "http://127.0.0.1:1"}, "", "Deployment cannot be checked while planning"},
		{"an Admin", nil, "", ""},
	} {
		h.connect(plain.with(tc.config))
		h.server.ClearRequests()
		diags := plans()
		wantText(t, diags.errors(), tc.errors)
		wantText(t, diags.warnings(), tc.warnings)
		want := 1
		if tc.errors+tc.warnings == "" {
			want = 0
		}
		if len(diags) != want {
			t.Errorf("%s: %d diagnostics, want %d: %s%s", tc.name, len(diags), want, diags.errors(), diags.warnings())
		}
		if n := h.routes()["GET /users/me"]; n > 1 {
			t.Errorf("%s: %d requests for the own user", tc.name, n)
		}
	}
}

// Terraform prints the source line of a diagnostic with a path, so those about values that
// may be pasted secrets have none.
func TestPastedSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
	for _, tc := range []struct {
		kind   string
		config values
	}{
		{tokenType, values{"service_account_id": jwt, "name": "x"}},
		{tokenType, values{"service_account_id": "7", "name_prefix": "x", "deletion_policy": jwt}},
		{exclusiveType, values{"service_account_id": "7", "token_ids": []string{jwt}}},
		{exclusiveType, values{"service_account_id": "-----BEGIN PRIVATE KEY-----", "token_ids": []string{}}},
		{accountType, values{"name": "x", "role": jwt}},
	} {
		diags := h.validate(tc.kind, tc.config)
		if diags.errors() == "" || strings.Contains(diags.errors(), "eyJ") {
			t.Errorf("%v: %q", tc.config, diags.errors())
		}
		for _, d := range diags {
			if d.Attribute != nil {
				t.Errorf("%s has the path %s", d.Summary, d.Attribute)
			}
		}
	}
	// IDs of mocks are not secrets, and a prefix has no space around it.
	wantOK(t, h.validate(tokenType, values{
		"service_account_id": "5b3c8a1e-7f2d-4c6b-9a0e-1d2f3a4b5c6d", "name_prefix": "x",
	}))
	for _, prefix := range []string{" ci-", "ci "} {
		wantText(t, h.validate(tokenType, values{"service_account_id": "7", "name_prefix": prefix}).errors(), "space")
	}
}

// A new account with an unknown name may need the name of an account that the plan ends: one
// whose address changed, or that is tainted.
func TestUnknownNameOfANewAccount(t *testing.T) {
	t.Parallel()
	withAndWithoutRefresh(t, func(t *testing.T, h *harness, begin func(...*object)) {
		config := values{"name": "Loader", "role": "Member"}
		unknownName := config.with(values{"name": unknown{}})
		o := h.created(accountType, config)
		begin(o)
		wantOK(t, h.plan(o, nil).diags)
		wantText(t, h.plan(h.none(accountType), unknownName).diags.errors(), "Name of new service account is unknown",
			"moved block")
		begin(o)
		o.tainted = true
		p := h.plan(o, unknownName)
		wantOK(t, p.diags)
		h.server.ClearRequests()
		_, diags := h.applyWith(p, config)
		wantText(t, diags.errors(), "Service account must be planned again", "untaint ADDRESS", "is unchanged")
		wantWrites(t, h)
		o.tainted = false
		begin(o) // an account that stays makes no difference
		wantOK(t, h.plan(o, config).diags)
		wantOK(t, h.plan(h.none(accountType), unknownName).diags)
		wantText(t, h.plan(o, nil).diags.errors(), "two addresses")
	})
}

// A replacement is refused if a value may make the creation fail: by then, the old object is
// destroyed.
func TestReplacementWithDoubtfulArguments(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	account := h.created(accountType, values{"name": "Etl", "role": "Member"})
	for want, config := range map[string]values{
		"Team not found":                             {"name": "New", "role": "Member", "teams": []string{"Nope"}},
		"the value of teams is only known after":     {"name": "New", "role": "Member", "teams": []any{unknown{}}},
		"the value of role is only known after":      {"name": "New", "role": unknown{}},
		"Change the role in a separate apply first.": {"name": "New", "role": "Editor"},
	} {
		p := h.planned(account, config)
		wantText(t, p.diags.errors(), want)
	}
	wantOK(t, h.planned(account, values{"name": "New", "role": "Manager", "teams": []string{"Data Quality"}}).diags)
	config := values{"service_account_id": get(account.state, "id"), "name": "ci", "expires_in_days": 30}
	token := h.created(tokenType, config)
	for argument, value := range map[string]any{
		"rotate_before_days": unknown{}, "deletion_policy": unknown{}, "overlap_days": unknown{},
	} {
		p := h.planned(token, config.with(values{"expires_in_days": 60, argument: value}))
		wantText(t, p.diags.errors(), "Replacement cannot be checked while planning", argument)
	}
	wantOK(t, h.planned(token, config.with(values{"expires_in_days": 60})).diags)
}
