// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// Regression tests of cases that broke the provider.

// Someone else revokes the token between the plan and the apply of revoked = true.
func TestForeignRevocationIsNotAdopted(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci"}
		o := h.created(tokenType, config)
		p := h.plan(o, config.with(values{"revoked": true}))
		h.revoke(h.token().ID)
		after := h.applied(p)
		h.must(after, config, "replace")
	})
}

// A revocation whose response is lost, on deployments that refuse to revoke twice.
func TestRevocationResponseLost(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "ci"}
		lost := qualyticstest.Fault{Method: http.MethodPut, Kind: qualyticstest.CloseAfter}
		o := h.created(tokenType, config)
		h.server.Fail(lost)
		h.must(o, config.with(values{"revoked": true}), "update")
		h.must(o, config, "update") // revoked here, so it is restored
		if !h.tokenWorks(o) {
			t.Error("the restored token does not work")
		}
		h.server.Fail(lost)
		h.created(tokenType, config.with(values{"name": "other", "revoked": true}))
		account := h.created(accountType, values{"name": "x", "role": "Member", "revoke_tokens_on_destroy": true})
		h.server.AddToken(qualyticstest.Token{Name: "by hand", UserID: h.named("x")[0].ID})
		h.server.Fail(lost)
		h.must(account, nil, "delete")
	})
}

// A deployment that refuses to revoke an expired token.
func TestRevokingTheExpired(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 1}
	o := h.created(tokenType, config)
	h.clock.Advance(2 * day)
	h.server.Fail(
		qualyticstest.JSON(400, `{"detail":"Token is expired"}`).On(http.MethodPut, "").Repeat(qualyticstest.Forever))
	h.must(o, config.with(values{"revoked": true}), "update")
	h.clean(o, config.with(values{"revoked": true}))
	h.server.Heal()
	h.must(o, config, "replace")
}

// The apply refuses what the plan cannot see, such as a forced replacement.
func TestLockoutAtApply(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	self := h.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
	own := h.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
	h.connect(values{"url": h.server.URL, "token": h.server.Bearer(own.ID), "max_retries": 0})
	account, _ := h.load(accountType, fmt.Sprint(self.ID))
	h.must(account, values{"name": "Terraform", "role": "Admin", "revoke_tokens_on_destroy": true}, "update")
	account.tainted = true
	_, diags := h.apply(h.plan(account, values{"name": "Terraform", "role": "Admin"}))
	wantText(t, diags.errors(), "lock out the provider")
	token, _ := h.load(tokenType, fmt.Sprint(own.ID))
	token.tainted = true
	_, diags = h.apply(h.plan(token, values{"service_account_id": fmt.Sprint(self.ID), "name": "own"}))
	wantText(t, diags.errors(), "lock out the provider", "this is the token")
	// Planned by another Admin, and applied with the token itself.
	for name, tc := range map[string]struct {
		object *object
		config values
	}{
		"demoted": {account, values{"name": "Terraform", "role": "Manager", "revoke_tokens_on_destroy": true}},
		"revoked": {token, values{"service_account_id": fmt.Sprint(self.ID), "name": "own", "revoked": true}},
		"deleted": {token, nil},
	} {
		tc.object.tainted = false
		h.connectAs(h.server.AdminTokenID())
		p := h.plan(tc.object, tc.config)
		h.connectAs(own.ID)
		_, diags = h.apply(p)
		wantText(t, diags.errors(), "Operation would lock out the provider")
		if me := h.server.Users(); !h.active(fmt.Sprint(own.ID)) || me[len(me)-1].Role != "Admin" {
			t.Fatalf("%s: the provider locked itself out", name)
		}
	}
	unreachable := qualyticstest.HTML(500).On(http.MethodGet, "/users/me").Repeat(qualyticstest.Forever)
	h.connect(values{"url": h.server.URL, "token": h.server.Bearer(own.ID), "max_retries": 0})
	h.server.Fail(unreachable)
	for _, o := range []*object{account, token} {
		o.tainted = false
		p := h.plan(o, nil) // it cannot be known, so nothing is said
		if p.diags.errors() != "" {
			t.Fatal(p.diags.errors())
		}
		_, diags := h.apply(p)
		wantText(t, diags.errors(), "it may be the")
	}
	wantWrites(t, h)
}

func TestNullTeam(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	wantText(t,
		h.validate(accountType, values{"name": "x", "role": "Member", "teams": []any{"Data Quality", nil}}).errors(),
		"null")
}

func TestOddIDs(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for _, id := range []string{"0103", "+5", "0102", "9999999999999999999", "", " 5", "5.0"} {
		config := values{"service_account_id": id, "name": "x"}
		_, diags := h.run(h.none(tokenType), config) // some only at apply: mocks invent IDs
		wantText(t, diags.errors(), "Invalid ID")
	}
	for _, kind := range []string{accountType, tokenType} {
		_, diags := h.load(kind, "")
		wantText(t, diags.errors(), "Import ID is empty")
	}
}

// A record that stays keeps its name, so a fixed name could never be replaced.
func TestFixedNameAndRecordThatStays(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	for _, policy := range []string{"revoke", "abandon"} {
		config := values{
			"service_account_id": h.account(),
			"name":               "ci",
			"expires_in_days":    30,
			"deletion_policy":    policy,
		}
		for _, name := range []any{"ci", unknown{}} {
			wantText(t, h.validate(tokenType, config.with(values{"name": name})).errors(),
				"Deletion policy requires name_prefix", policy)
		}
		prefixed := config.with(values{"name": nil, "name_prefix": "ci-"})
		o := h.created(tokenType, prefixed)
		// A configuration that fixes the generated name in the same change as a replacement.
		named := config.with(values{"name": get(o.state, "name"), "deletion_policy": "delete", "expires_in_days": 60})
		wantText(t, h.plan(o, named).diags.errors(), "Service token name stays in use", policy)
		h.must(o, prefixed.with(values{"expires_in_days": 60}), "replace")
		h.clean(o, prefixed.with(values{"expires_in_days": 60}))
	}
}

// A state that is used with another deployment, where other objects have the same
// IDs.
func TestAnotherDeployment(t *testing.T) {
	t.Parallel()
	h, other := newHarness(t, qualyticstest.Build202609()), newHarness(t, qualyticstest.Build202609())
	account := h.created(accountType, values{"name": "x", "role": "Member"})
	config := values{"service_account_id": get(account.state, "id"), "name": "ci"}
	token := h.created(tokenType, config)
	stranger := other.server.AddUser(qualyticstest.User{Name: "Stranger"})
	other.server.AddToken(qualyticstest.Token{Name: "foreign", UserID: stranger.ID})
	wantText(t, other.refresh(account).errors(), "another deployment", "stranger@service", other.server.URL)
	wantText(t, other.refresh(token).errors(), "another deployment", `has the name "foreign"`)
	wantWrites(t, other)
	if !account.exists() || !token.exists() {
		t.Error("the state was emptied")
	}
}

func TestHolderOfAName(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	now := h.server.Clock.Now()
	dead := h.server.AddUser(qualyticstest.User{Name: "API Access", Deleted: &now})
	similar := h.server.AddUser(qualyticstest.User{Name: "APIAccess"})
	_, diags := h.run(h.none(accountType), values{"name": "API Access", "role": "Member"})
	wantText(t, diags.errors(), "deactivated account", fmt.Sprint("NAME ", dead.ID))
	_, diags = h.run(h.none(accountType), values{"name": "API-Access", "role": "Member"})
	wantText(t, diags.errors(), "may be the one", fmt.Sprint("NAME ", similar.ID))
}

// A deactivated account that had the same user_id does not hide the active one.
func TestImportBesideADeactivatedTwin(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	now := h.server.Clock.Now()
	dead := h.server.AddUser(qualyticstest.User{Name: "API Access", Deleted: &now})
	h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: dead.ID})
	active := h.server.AddUser(qualyticstest.User{Name: "API Access"})
	token := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: active.ID})
	o, diags := h.load(accountType, "api_access@service")
	if diags.errors() != "" || get(o.state, "id") != fmt.Sprint(active.ID) {
		t.Errorf("imported %v %s", o, diags.errors())
	}
	o, diags = h.load(tokenType, "api_access@service/ci")
	if diags.errors() != "" || get(o.state, "id") != fmt.Sprint(token.ID) {
		t.Errorf("imported %v %s", o, diags.errors())
	}
}

// The next refresh finds what the apply stored, on every deployment.
func TestRefreshAfterApplyChangesNothing(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		token := h.none(tokenType)
		account := h.created(accountType, values{"name": "x", "role": "Member", "teams": []string{"Data Quality"}})
		h.must(token, values{"service_account_id": get(account.state, "id"), "name": "ci", "expires_in_days": 5},
			"create")
		for _, o := range []*object{account, token} {
			before := o.state
			wantOK(t, h.refresh(o))
			if !o.state.Equal(before) {
				t.Errorf("the refresh changed %s", difference(before, o.state))
			}
		}
	})
}

// A lifetime that the server ignored is reported, and such a token is not abandoned.
func TestIgnoredLifetime(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreExpiry = true })
	o := h.none(tokenType)
	diags := h.must(
		o,
		values{
			"service_account_id": h.account(),
			"name_prefix":        "ci-",
			"expires_in_days":    30,
			"deletion_policy":    "abandon",
		},
		"create",
	)
	wantText(t, diags.warnings(), "Lifetime not applied", "a lifetime of 30 days", "never expires")
	_, diags = h.run(o, nil)
	wantText(t, diags.errors(), "Abandoned service token must expire")
	if !o.exists() {
		t.Error("the token was removed from the state")
	}
}

// A restriction that the server does not report is verified.
func TestIgnoredSCIMFlag(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"service_account_id": h.account(), "name": "scim", "scim_endpoints_only": true}
		if diags := h.must(h.none(tokenType), config, "create"); diags.warnings() != "" {
			t.Errorf("warned: %s", diags.warnings())
		}
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreSCIM = true })
		diags := h.must(h.none(tokenType), config.with(values{"name": "ignored"}), "create")
		wantText(t, diags.warnings(), "not limited to SCIM")
		h.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreSCIM = false })
		h.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodGet, "/users/me"))
		o := h.none(tokenType)
		p := h.plan(o, config.with(values{"name": "untold"}))
		after, diags := h.apply(p)
		wantText(t, diags.warnings(), "Unable to verify SCIM restriction", "boom")
		if !after.exists() {
			t.Error("the token is not in the state")
		}
	})
}

// The secret is stored even if the other fields of the response are invalid.
func TestPartlyReadableResponse(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	owner := h.account()
	config := values{"service_account_id": owner, "name": "ci", "expires_in_days": 30}
	until := h.server.Clock.Now().Add(30 * day)
	var id int64
	_, _ = fmt.Sscan(owner, &id)
	made := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: id, Expiration: &until})
	h.server.Fail(
		qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"name":["ci"],"active":"yes","last_used":5,"bearer_token":%q}`,
			made.ID, h.server.Bearer(made.ID))).
			On(http.MethodPost, "/user-tokens"),
	)
	o := h.none(tokenType)
	diags := h.must(o, config, "create")
	wantText(t, diags.warnings(), "only partly readable")
	if !h.tokenWorks(o) || get(o.state, "expires_at") == "" {
		t.Error("the secret or the expiry is lost")
	}
	h.clean(o, config)
}

// A membership that is lost in a role change is reported, even if it is not managed.
func TestUnmanagedTeamLost(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	o := h.created(accountType, values{"name": "x", "role": "Member"})
	id := h.named("x")[0].ID
	h.server.EditUser(id, func(u *qualyticstest.User) { u.Teams = []string{"Data Quality"} })
	h.server.Fail(
		qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"user_id":"x@service","role":"Manager","teams":["Public"]}`, id)).
			On(http.MethodPut, ""),
	)
	_, diags := h.run(o, values{"name": "x", "role": "Manager"})
	wantText(t, diags.errors(), `did not add "Data Quality"`)
}

// An unknown revoked never turns a planned update into a replacement.
func TestUnknownRevoked(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"service_account_id": h.account(), "name": "ci", "expires_in_days": 30, "rotate_before_days": 7}
	o := h.created(tokenType, config)
	h.clock.Advance(25 * day)
	wantOK(t, h.refresh(o))
	if p := h.plan(o, config.with(values{"revoked": unknown{}})); p.action != "replace" {
		t.Errorf("planned %s", p.action)
	}
}

func TestUnknownTeamAtPlan(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"name": "x", "role": "Member", "teams": []string{"Data Qality"}}
	p := h.plan(h.none(accountType), config)
	wantText(t, p.diags.warnings(), "Team does not exist yet", `There is no team "Data Qality"`, `"Data Quality"`)
	_, diags := h.apply(p)
	wantText(t, diags.errors(), "Team not found", `"Data Quality"`)
	wantWrites(t, h)
	h.connect(values{"url": h.server.URL, "token": h.server.AdminToken(), "max_retries": 0})
	h.server.Fail(qualyticstest.HTML(500).On(http.MethodGet, "/teams").Repeat(qualyticstest.Forever))
	if p := h.plan(h.none(accountType), config); p.diags.errors() != "" {
		t.Errorf("a plan fails because the teams cannot be looked up: %s", p.diags.errors())
	}
}

func TestEphemeralTokenOfNobody(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	v, private, diags := h.open(values{})
	if diags.errors() != "" || get(v, "token") != "" {
		t.Errorf("opened %s %s", v, diags.errors())
	}
	if d := h.shut(t.Context(), private); len(d) > 0 {
		t.Errorf("closing: %s%s", d.errors(), d.warnings())
	}
	wantWrites(t, h)
}

// A timeout is not reported as an interrupt, and plain HTTP not as a lost connection.
func TestMisleadingErrors(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.connect(values{"url": h.server.URL, "token": h.server.AdminToken(), "timeout": 0.05, "max_retries": 0})
	h.server.Fail(qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: time.Second})
	_, diags := h.load(accountType, "5")
	wantText(t, diags.errors(), "no response within 50ms", "increase timeout")
	h.connect(values{"url": strings.Replace(h.server.URL, "http://", "https://", 1), "token": h.server.AdminToken()})
	_, diags = h.load(accountType, "5")
	wantText(t, diags.errors(), "does not speak TLS")
	h.connect(values{"url": h.server.URL, "api_path": "api/v2", "token": h.server.AdminToken()})
	_, diags = h.run(h.none(tokenType), values{"service_account_id": "5", "name_prefix": "x"})
	wantText(t, diags.errors(), "check url and api_path", h.server.URL+"/api/v2/user-tokens")
}

// Servers that repeat credentials in their errors.
func TestEchoedSecrets(t *testing.T) {
	t.Parallel()
	var admin string
	echo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(rw, `{"detail":"bad %s and %s and %s","fault_context":{"hint":"you sent %s"}}`,
			r.Header.Get("Authorization"), r.Header.Get("X-Gateway"), admin[:25], admin)
	}))
	t.Cleanup(echo.Close)
	h := newHarness(t, qualyticstest.Build202609())
	admin = h.server.AdminToken()
	h.connect(values{"url": echo.URL, "token": admin, "headers": map[string]string{"X-Gateway": canaryHeader}})
	_, diags := h.load(accountType, "5")
	wantText(t, diags.errors(), "(hidden)")
	for _, secret := range []string{admin, admin[:20], canaryHeader} {
		if strings.Contains(diags.errors(), secret) {
			t.Errorf("the error shows a secret: %s", diags.errors())
		}
	}
}
