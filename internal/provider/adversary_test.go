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

// Cases that somebody found by trying to break the provider.

// Somebody else revokes between the plan and the apply of revoked = true.
func TestForeignRevocationIsNotAdopted(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		o := w.none(tokenType)
		config := values{"service_account_id": w.account(), "name": "ci"}
		w.must(o, config, "create")
		p := w.plan(o, config.with(values{"revoked": true}))
		w.server.EditToken(w.token().ID, func(t *qualyticstest.Token) { t.Active = false })
		after, diags := w.apply(p)
		if diags.errors() != "" {
			t.Fatal(diags.errors())
		}
		w.must(after, config, "replace")
	})
}

// Builds that refuse to revoke twice, and a revocation whose answer is lost.
func TestRevocationAnswerLost(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		o := w.none(tokenType)
		config := values{"service_account_id": w.account(), "name": "ci"}
		lost := qualyticstest.Fault{Method: http.MethodPut, Kind: qualyticstest.CloseAfter}
		w.must(o, config, "create")
		w.server.Fail(lost)
		w.must(o, config.with(values{"revoked": true}), "update")
		w.must(o, config, "update") // revoked here, so it is restored
		if !w.works(o) {
			t.Error("the restored token does not work")
		}
		revoked := w.none(tokenType)
		w.server.Fail(lost)
		w.must(revoked, config.with(values{"name": "other", "revoked": true}), "create")
		account := w.none(accountType)
		w.must(account, values{"name": "x", "role": "Member", "revoke_tokens_on_destroy": true}, "create")
		w.server.AddToken(qualyticstest.Token{Name: "by hand", UserID: w.named("x")[0].ID})
		w.server.Fail(lost)
		w.must(account, nil, "delete")
	})
}

// A build that refuses to revoke what has expired.
func TestRevokingTheExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(tokenType)
	config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 1}
	w.must(o, config, "create")
	w.clock.Advance(2 * day)
	w.server.Fail(qualyticstest.JSON(400, `{"detail":"Token is expired"}`).On(http.MethodPut, "").Repeat(qualyticstest.Forever))
	w.must(o, config.with(values{"revoked": true}), "update")
	w.clean(o, config.with(values{"revoked": true}))
	w.server.Heal()
	w.must(o, config, "replace")
}

// What a plan cannot refuse, such as a forced replacement, the apply does.
func TestLockoutAtApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	self := w.server.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
	own := w.server.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID})
	w.connect(values{"url": w.server.URL, "token": w.server.Bearer(own.ID), "max_retries": 0})
	account, _ := w.load(accountType, fmt.Sprint(self.ID))
	w.must(account, values{"name": "Terraform", "role": "Admin", "revoke_tokens_on_destroy": true}, "update")
	account.tainted = true
	_, diags := w.apply(w.plan(account, values{"name": "Terraform", "role": "Admin"}))
	wantText(t, diags.errors(), "lock itself out")
	token, _ := w.load(tokenType, fmt.Sprint(own.ID))
	token.tainted = true
	_, diags = w.apply(w.plan(token, values{"service_account_id": fmt.Sprint(self.ID), "name": "own"}))
	wantText(t, diags.errors(), "lock itself out", "the very token")
	unreachable := qualyticstest.HTML(500).On(http.MethodGet, "/users/me").Repeat(qualyticstest.Forever)
	w.connect(values{"url": w.server.URL, "token": w.server.Bearer(own.ID), "max_retries": 0})
	w.server.Fail(unreachable)
	for _, o := range []*object{account, token} {
		o.tainted = false
		p := w.plan(o, nil) // it cannot be known, so nothing is said
		if p.diags.errors() != "" {
			t.Fatal(p.diags.errors())
		}
		_, diags := w.apply(p)
		wantText(t, diags.errors(), "it may be the provider's own")
	}
	wantWrites(t, w)
}

func TestNullTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	wantText(t, w.validate(accountType, values{"name": "x", "role": "Member", "teams": []any{"Data Quality", nil}}).errors(), "null")
}

func TestOddIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	for _, id := range []string{"0103", "+5", "9999999999999999999", "", " 5", "5.0"} {
		wantText(t, w.validate(tokenType, values{"service_account_id": id, "name": "x"}).errors(), "This is not an id of Qualytics")
	}
	for _, kind := range []string{accountType, tokenType} {
		_, diags := w.load(kind, "")
		wantText(t, diags.errors(), "The id to import is empty")
	}
}

// A fixed name and a record that keeps it: the plan says so.
func TestReplacementThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	for _, policy := range []string{"revoke", "abandon"} {
		o := w.none(tokenType)
		config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30, "deletion_policy": policy}
		w.must(o, config, "create")
		wantText(t, w.plan(o, config.with(values{"expires_in_days": 60})).diags.errors(), "Use name_prefix instead of name", policy)
		w.must(o, config.with(values{"expires_in_days": 60, "name": nil, "name_prefix": "ci-"}), "replace")
		w.clean(o, config.with(values{"expires_in_days": 60, "name": nil, "name_prefix": "ci-"}))
	}
}

// The state of one deployment, and the url of another where the same ids are
// somebody else's.
func TestAnotherDeployment(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, qualyticstest.Build202609()), newWorld(t, qualyticstest.Build202609())
	account, token := w.none(accountType), w.none(tokenType)
	w.must(account, values{"name": "x", "role": "Member"}, "create")
	config := values{"service_account_id": get(account.state, "id"), "name": "ci"}
	w.must(token, config, "create")
	stranger := other.server.AddUser(qualyticstest.User{Name: "Stranger"})
	other.server.AddToken(qualyticstest.Token{Name: "foreign", UserID: stranger.ID})
	wantText(t, other.refresh(account).errors(), "another deployment", "stranger@service", other.server.URL)
	wantText(t, other.refresh(token).errors(), "another deployment", `called "foreign"`)
	wantWrites(t, other)
	if !account.exists() || !token.exists() {
		t.Error("the state was emptied")
	}
}

func TestHolderOfAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	now := w.server.Clock.Now()
	dead := w.server.AddUser(qualyticstest.User{Name: "API Access", Deleted: &now})
	similar := w.server.AddUser(qualyticstest.User{Name: "APIAccess"})
	_, diags := w.run(w.none(accountType), values{"name": "API Access", "role": "Member"})
	wantText(t, diags.errors(), "deactivated account", fmt.Sprint("NAME ", dead.ID))
	_, diags = w.run(w.none(accountType), values{"name": "API-Access", "role": "Member"})
	wantText(t, diags.errors(), "may be the one", fmt.Sprint("NAME ", similar.ID))
}

// A deactivated account that had the same user_id does not hide the active one.
func TestImportBesideADeactivatedTwin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	now := w.server.Clock.Now()
	dead := w.server.AddUser(qualyticstest.User{Name: "API Access", Deleted: &now})
	w.server.AddToken(qualyticstest.Token{Name: "ci", UserID: dead.ID})
	active := w.server.AddUser(qualyticstest.User{Name: "API Access"})
	token := w.server.AddToken(qualyticstest.Token{Name: "ci", UserID: active.ID})
	o, diags := w.load(accountType, "api_access@service")
	if diags.errors() != "" || get(o.state, "id") != fmt.Sprint(active.ID) {
		t.Errorf("imported %v %s", o, diags.errors())
	}
	o, diags = w.load(tokenType, "api_access@service/ci")
	if diags.errors() != "" || get(o.state, "id") != fmt.Sprint(token.ID) {
		t.Errorf("imported %v %s", o, diags.errors())
	}
}

// What an apply stores is what the next refresh finds, on every build.
func TestRefreshAfterApplyChangesNothing(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		account, token := w.none(accountType), w.none(tokenType)
		w.must(account, values{"name": "x", "role": "Member", "teams": []string{"Data Quality"}}, "create")
		w.must(token, values{"service_account_id": get(account.state, "id"), "name": "ci", "expires_in_days": 5}, "create")
		for _, o := range []*object{account, token} {
			before := o.state
			if diags := w.refresh(o); diags.errors() != "" {
				t.Fatal(diags.errors())
			}
			if !o.state.Equal(before) {
				t.Errorf("the refresh changed %s", difference(before, o.state))
			}
		}
	})
}

// A lifetime that the server ignored is said, and such a token is not abandoned.
func TestIgnoredLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	w.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreExpiry = true })
	o := w.none(tokenType)
	diags := w.must(o, values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30, "deletion_policy": "abandon"}, "create")
	wantText(t, diags.warnings(), "did not take the lifetime", "asked for 30 days", "expires never")
	_, diags = w.run(o, nil)
	wantText(t, diags.errors(), "An abandoned token must expire")
	if !o.exists() {
		t.Error("it is out of state")
	}
}

// A flag that the server never echoes is tried out.
func TestIgnoredSCIMFlag(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, w *world) {
		config := values{"service_account_id": w.account(), "name": "scim", "scim_endpoints_only": true}
		if diags := w.must(w.none(tokenType), config, "create"); diags.warnings() != "" {
			t.Errorf("warned: %s", diags.warnings())
		}
		w.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreSCIM = true })
		diags := w.must(w.none(tokenType), config.with(values{"name": "ignored"}), "create")
		wantText(t, diags.warnings(), "did not limit the token to SCIM")
		w.server.EditProfile(func(p *qualyticstest.Profile) { p.IgnoreSCIM = false })
		w.server.Fail(qualyticstest.JSON(500, `{"detail":"boom"}`).On(http.MethodGet, "/users/me"))
		o := w.none(tokenType)
		p := w.plan(o, config.with(values{"name": "untold"}))
		after, diags := w.apply(p)
		wantText(t, diags.warnings(), "It is not known", "boom")
		if !after.exists() {
			t.Error("the token is not in the state")
		}
	})
}

// The secret survives an answer whose other fields cannot be read.
func TestPartlyReadableAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	owner := w.account()
	config := values{"service_account_id": owner, "name": "ci", "expires_in_days": 30}
	until := w.server.Clock.Now().Add(30 * day)
	var id int64
	_, _ = fmt.Sscan(owner, &id)
	made := w.server.AddToken(qualyticstest.Token{Name: "ci", UserID: id, Expiration: &until})
	w.server.Fail(qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"name":["ci"],"active":"yes","last_used":5,"bearer_token":%q}`, made.ID, w.server.Bearer(made.ID))).On(http.MethodPost, "/user-tokens"))
	o := w.none(tokenType)
	diags := w.must(o, config, "create")
	wantText(t, diags.warnings(), "only partly readable")
	if !w.works(o) || get(o.state, "expires_at") == "" {
		t.Error("the secret or the expiry is lost")
	}
	w.clean(o, config)
}

// A membership that a role change lost is said, also where it is unmanaged.
func TestUnmanagedTeamLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(accountType)
	w.must(o, values{"name": "x", "role": "Member"}, "create")
	id := w.named("x")[0].ID
	w.server.EditUser(id, func(u *qualyticstest.User) { u.Teams = []string{"Data Quality"} })
	w.server.Fail(qualyticstest.JSON(200, fmt.Sprintf(`{"id":%d,"user_id":"x@service","role":"Manager","teams":["Public"]}`, id)).On(http.MethodPut, ""))
	_, diags := w.run(o, values{"name": "x", "role": "Manager"})
	wantText(t, diags.errors(), `It did not take "Data Quality"`)
}

// An unknown revoked never turns a planned update into a replacement.
func TestUnknownRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	o := w.none(tokenType)
	config := values{"service_account_id": w.account(), "name": "ci", "expires_in_days": 30, "rotate_before_days": 7}
	w.must(o, config, "create")
	w.clock.Advance(25 * day)
	if diags := w.refresh(o); diags.errors() != "" {
		t.Fatal(diags.errors())
	}
	if p := w.plan(o, config.with(values{"revoked": unknown{}})); p.action != "replace" {
		t.Errorf("planned %s", p.action)
	}
}

func TestUnknownTeamAtPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	config := values{"name": "x", "role": "Member", "teams": []string{"Data Qality"}}
	wantText(t, w.plan(w.none(accountType), config).diags.errors(), `There is no team "Data Qality"`, `"Data Quality"`)
	w.connect(values{"url": w.server.URL, "token": w.server.AdminToken(), "max_retries": 0})
	w.server.Fail(qualyticstest.HTML(500).On(http.MethodGet, "/teams").Repeat(qualyticstest.Forever))
	if p := w.plan(w.none(accountType), config); p.diags.errors() != "" {
		t.Errorf("a plan fails because the teams cannot be looked up: %s", p.diags.errors())
	}
}

func TestEphemeralTokenOfNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	v, private, diags := w.open(values{})
	if diags.errors() != "" || get(v, "token") != "" {
		t.Errorf("opened %s %s", v, diags.errors())
	}
	if d := w.shut(t.Context(), private); len(d) > 0 {
		t.Errorf("closing: %s%s", d.errors(), d.warnings())
	}
	wantWrites(t, w)
}

// A slow deployment is not an interrupted run, and plain HTTP is not a broken line.
func TestMisleadingErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, qualyticstest.Build202609())
	w.connect(values{"url": w.server.URL, "token": w.server.AdminToken(), "timeout": 0.05, "max_retries": 0})
	w.server.Fail(qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: time.Second})
	_, diags := w.load(accountType, "5")
	wantText(t, diags.errors(), "no answer within 50ms", "raise timeout")
	w.connect(values{"url": strings.Replace(w.server.URL, "http://", "https://", 1), "token": w.server.AdminToken()})
	_, diags = w.load(accountType, "5")
	wantText(t, diags.errors(), "does not speak TLS")
	w.connect(values{"url": w.server.URL, "api_path": "api/v2", "token": w.server.AdminToken()})
	_, diags = w.run(w.none(tokenType), values{"service_account_id": "5", "name_prefix": "x"})
	wantText(t, diags.errors(), "check url and api_path", w.server.URL+"/api/v2/user-tokens")
}

// Servers that echo credentials in their errors.
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
	w := newWorld(t, qualyticstest.Build202609())
	admin = w.server.AdminToken()
	w.connect(values{"url": echo.URL, "token": admin, "headers": map[string]string{"X-Gateway": canaryHeader}})
	_, diags := w.load(accountType, "5")
	wantText(t, diags.errors(), "(hidden)")
	for _, secret := range []string{admin, admin[:20], canaryHeader} {
		if strings.Contains(diags.errors(), secret) {
			t.Errorf("the error shows a secret: %s", diags.errors())
		}
	}
}
