// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The client's own token is recognized, or at least never taken for another one,
// whatever the format of bearer tokens; and a token with a known other secret is
// never taken for it.
func TestOwnToken(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		bearer       string
		own, sibling Ownership // without a known secret
	}{
		{"", Own, NotOwn},
		{"bare", MaybeOwn, MaybeOwn},
		{"skewed", MaybeOwn, MaybeOwn},
		{"opaque", MaybeOwn, MaybeOwn},
	} {
		t.Run(fmt.Sprintf("format %q", tc.bearer), func(t *testing.T) {
			t.Parallel()
			profile := qualyticstest.Build202609()
			profile.Bearer = tc.bearer
			s := newServer(t, profile)
			self := s.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
			month := s.Clock.Now().AddDate(0, 1, 0)
			ownRow := s.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID, Expiration: &month})
			siblingRow := s.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
			c, _ := newClient(t, s, func(cfg *Config) { cfg.Token = Secret(s.Bearer(ownRow.ID)) })
			own := &Token{
				ID:         ownRow.ID,
				Active:     true,
				Created:    &ownRow.Created,
				Expiration: &month,
				User:       User{ID: self.ID},
			}
			sibling := &Token{ID: siblingRow.ID, Active: true, Created: &siblingRow.Created, User: User{ID: self.ID}}
			foreign := &Token{ID: ownRow.ID, User: User{ID: self.ID + 1000}}
			for _, check := range []struct {
				name  string
				token *Token
				known Secret
				want  Ownership
			}{
				{"own, secret known", own, Secret(s.Bearer(ownRow.ID)), Own},
				{"own", own, "", tc.own},
				{"sibling, secret known", sibling, Secret(s.Bearer(siblingRow.ID)), NotOwn},
				{"sibling", sibling, "", tc.sibling},
				{"of another account", foreign, "", NotOwn},
			} {
				got, err := c.TokenOwnership(t.Context(), check.token, check.known)
				if err != nil || got != check.want {
					t.Errorf("%s: got %d, %v, want %d", check.name, got, err, check.want)
				}
			}
			s.EditToken(siblingRow.ID, func(t *qualyticstest.Token) { t.Active = false })
			if got, err := c.TokenOwnership(t.Context(), own, ""); err != nil || got != Own {
				t.Errorf("the only token that works: got %d, %v, want %d", got, err, Own)
			}
			if got, err := c.TokenOwnership(t.Context(), sibling, ""); err != nil || got != NotOwn {
				t.Errorf("a revoked sibling: got %d, %v, want %d", got, err, NotOwn)
			}
		})
	}
}

// A fast local clock, or a sibling that was created in the same second, does not make
// the client's own token another one.
func TestOwnTokenIsNotExcludedByMistake(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Build202609()
	profile.Bearer = "opaque"
	s := newServer(t, profile)
	self := s.AddUser(qualyticstest.User{Name: "Terraform", Role: "Admin"})
	soon := s.Clock.Now().Add(20 * time.Hour)
	own := s.AddToken(qualyticstest.Token{Name: "own", UserID: self.ID, Expiration: &soon})
	s.AddToken(qualyticstest.Token{Name: "sibling", UserID: self.ID})
	c, _ := newClient(t, s, func(cfg *Config) {
		cfg.Token = Secret(s.Bearer(own.ID))
		cfg.Now = func() time.Time { return s.Clock.Now().Add(26 * time.Hour) }
	})
	row := &Token{ID: own.ID, Active: true, Created: &own.Created, Expiration: &soon, User: User{ID: self.ID}}
	if got, err := c.TokenOwnership(t.Context(), row, ""); err != nil || got == NotOwn {
		t.Errorf("with a fast clock: got %d, %v", got, err)
	}

	// A JWT with iat and without exp, for a row that expires.
	issued := own.Created.Truncate(time.Second)
	claims := claims{issued: issued}
	never := &Token{ID: 1, Created: &issued}
	if got := claims.match(row); got != matchLifetime || claims.anyMatchesBetter([]Token{*never}, got) {
		t.Errorf("a row that expires: match %d, excluded by a sibling that does not", got)
	}
}

// fault_context.retryable lets a create be repeated after a look.
func TestRetryableCreate(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	c, w := newClient(t, s, nil)
	f := qualyticstest.JSON(500, `{"detail":"busy","fault_context":{"retryable":true}}`).On(http.MethodPost, "")
	f.Header = f.Header.Clone()
	f.Header.Set("Retry-After", "60")
	s.Fail(f)
	if _, err := c.CreateServiceAccount(t.Context(), wanted); err != nil {
		t.Error(err)
	}
	if len(w.all) == 0 || w.all[len(w.all)-1] < 60*time.Second {
		t.Errorf("waits %v, want the Retry-After of 60 s", w.all)
	}
}

func TestUnixClaim(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1": 1, "1.9": 1, "0": 0, "-5": 0, "1e11": 1e11, "1.0000001e11": 0, "1e400": 0,
	} {
		got := unixClaim(json.Number(text))
		if want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%s: %s, want %d", text, got, want)
		}
	}
	if got := unixClaim("1"); !got.IsZero() {
		t.Errorf("a string: %s", got)
	}
}

// Claims fit a token within their tolerance, and a claim that is missing is not compared.
func TestClaimsMatch(t *testing.T) {
	t.Parallel()
	token := &Token{ID: 7, Created: second(0), Expiration: second(100)}
	for _, tc := range []struct {
		name   string
		claims claims
		want   match
	}{
		{"none", claims{}, matchNone},
		{"ID", claims{ids: []string{"7"}}, matchID},
		{"another ID", claims{ids: []string{"8"}, issued: *second(0)}, matchLifetime},
		{"both times", claims{issued: *second(0), expires: *second(100)}, matchLifetime},
		{"within the tolerance", claims{issued: *second(2), expires: *second(98)}, matchLifetime},
		{"issued later", claims{issued: *second(2.5)}, matchNone},
		{"expires later", claims{expires: *second(103)}, matchNone},
		{"issued only", claims{issued: *second(0)}, matchLifetime},
		{"expires only", claims{expires: *second(100)}, matchLifetime},
	} {
		if got := tc.claims.match(token); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
	never := &Token{ID: 7, Created: second(0)}
	if got := (claims{issued: *second(0), expires: *second(100)}).match(never); got != matchNone {
		t.Errorf("a claim without a listed time: %d, want %d", got, matchNone)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	// {"jti":"41","iat":1790000000,"exp":1790864000}
	const token = "h.eyJqdGkiOiI0MSIsImlhdCI6MTc5MDAwMDAwMCwiZXhwIjoxNzkwODY0MDAwfQ.s"
	created, expires := time.Unix(1790000000, 0), time.Unix(1790864000, 0)
	later := expires.Add(time.Hour)
	for _, c := range []struct {
		name  string
		token string
		t     Token
		want  match
	}{
		{"its ID", token, Token{ID: 41}, matchID},
		{"another lifetime", token, Token{ID: 5, Created: &created, Expiration: &later}, matchNone},
		{"never expires", token, Token{ID: 5}, matchNone},
		{"the same lifetime", token, Token{ID: 5, Created: &created, Expiration: &expires}, matchLifetime},
		{"not a JWT", "opaque", Token{ID: 41}, matchNone},
		{"invalid JWT", "a.!.c", Token{ID: 41}, matchNone},
	} {
		if got := readClaims(c.token).match(&c.t); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
