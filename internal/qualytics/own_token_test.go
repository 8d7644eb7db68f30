// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"fmt"
	"testing"

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
		{"", OwnYes, OwnNo},
		{"bare", OwnUnknown, OwnUnknown},
		{"skewed", OwnUnknown, OwnUnknown},
		{"opaque", OwnUnknown, OwnUnknown},
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
				{"own, secret known", own, Secret(s.Bearer(ownRow.ID)), OwnYes},
				{"own", own, "", tc.own},
				{"sibling, secret known", sibling, Secret(s.Bearer(siblingRow.ID)), OwnNo},
				{"sibling", sibling, "", tc.sibling},
				{"of another account", foreign, "", OwnNo},
			} {
				got, err := c.IsOwnToken(t.Context(), check.token, check.known)
				if err != nil || got != check.want {
					t.Errorf("%s: got %d, %v, want %d", check.name, got, err, check.want)
				}
			}
			s.EditToken(siblingRow.ID, func(t *qualyticstest.Token) { t.Active = false })
			if got, err := c.IsOwnToken(t.Context(), own, ""); err != nil || got != OwnYes {
				t.Errorf("the only token that works: got %d, %v, want %d", got, err, OwnYes)
			}
			if got, err := c.IsOwnToken(t.Context(), sibling, ""); err != nil || got != OwnNo {
				t.Errorf("a revoked sibling: got %d, %v, want %d", got, err, OwnNo)
			}
		})
	}
}
