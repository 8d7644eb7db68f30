// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// Token is a token in the server's data.
type Token struct {
	ID         int64
	Name       string
	UserID     int64
	Active     bool
	SCIMOnly   bool
	Created    time.Time
	Expiration *time.Time
	LastUsed   *time.Time
}

func (t *Token) expired(now time.Time) bool { return t.Expiration != nil && !now.Before(*t.Expiration) }

// Tokens returns copies of all tokens of service accounts.
func (s *Server) Tokens() []Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Token
	for _, t := range s.tokens {
		if s.userByID(t.UserID).Type == "Service" {
			out = append(out, *t)
		}
	}
	return out
}

// AddToken adds an active token.
func (s *Server) AddToken(t Token) Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.newToken(t)
}

// EditToken changes a token without the API. It panics if there is no such token.
func (s *Server) EditToken(id int64, edit func(*Token)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(s.tokenByID(id))
}

// RemoveToken erases a token without the API.
func (s *Server) RemoveToken(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = slices.DeleteFunc(s.tokens, func(t *Token) bool { return t.ID == id })
}

func (s *Server) newToken(t Token) *Token {
	s.nextID++
	t.ID, t.Active = s.nextID, true
	if t.Created.IsZero() {
		t.Created = s.Clock.Now()
	}
	s.tokens = append(s.tokens, &t)
	return &t
}

func (s *Server) tokenByID(id int64) *Token {
	return byID(s.tokens, id, func(t *Token) int64 { return t.ID })
}

func (s *Server) tokenResponse(t *Token) map[string]any {
	out := map[string]any{
		"id": t.ID, "name": t.Name, "active": t.Active, s.expirationField(): s.stamp(t.Expiration),
		"last_used": s.stamp(t.LastUsed), "user": s.userResponse(s.userByID(t.UserID), true),
	}
	if !s.Profile.NoTokenCreated {
		out["created"] = s.stamp(&t.Created)
	}
	return out
}

func (s *Server) createToken(c *call) (any, *problem) {
	var in struct {
		Name    *string `json:"name"`
		UserID  *int64  `json:"user_id"`
		Expires *int    `json:"expires_in_days"`
		SCIM    bool    `json:"scim_endpoints_only"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		return nil, invalid("value is not valid", "body")
	}
	switch {
	case in.Name == nil || *in.Name == "" || utf8.RuneCountInString(*in.Name) > 255:
		return nil, invalid("ensure this value has 1 to 255 characters", "body", "name")
	case in.UserID == nil:
		return nil, invalid("field required", "body", "user_id")
	case in.Expires != nil && (*in.Expires < 1 || *in.Expires > s.maxExpiresInDays()):
		return nil, invalid(fmt.Sprintf("ensure this value is between 1 and %d", s.maxExpiresInDays()),
			"body", "expires_in_days")
	}
	owner := s.userByID(*in.UserID)
	switch {
	case owner == nil:
		return nil, s.fail(http.StatusNotFound, "User not found")
	case owner.Type != "Service":
		return nil, s.fail(http.StatusBadRequest, "User is not a service user")
	case owner.Deleted != nil:
		return nil, s.fail(http.StatusBadRequest, "User is deactivated")
	}
	for _, t := range s.tokens {
		if t.UserID == owner.ID && t.Name == *in.Name && (t.Active || !s.Profile.RevokedFreesName) &&
			!s.Profile.DuplicateTokenNames {
			return nil, s.fail(http.StatusConflict, "A token with the name %s already exists", *in.Name)
		}
	}
	t := Token{Name: *in.Name, UserID: owner.ID, SCIMOnly: in.SCIM && !s.Profile.IgnoreSCIM}
	if in.Expires != nil && !s.Profile.IgnoreExpiry {
		until := s.Clock.Now().AddDate(0, 0, *in.Expires)
		t.Expiration = &until
	}
	if limit := s.Profile.MaxExpiryDays; limit > 0 && (in.Expires == nil || *in.Expires > limit) {
		until := s.Clock.Now().AddDate(0, 0, limit)
		t.Expiration = &until
	}
	created := s.newToken(t)
	response := s.tokenResponse(created)
	if s.Profile.CreatedRevoked {
		response["active"] = false
	}
	if s.Profile.ShortTokenCreate {
		delete(response, "created")
		delete(response, "last_used")
		response["user"] = map[string]any{
			"id": owner.ID, "user_id": owner.UserID, "name": owner.Name, "user_type": owner.Type,
		}
	}
	response["bearer_token"] = s.sign(created)
	return response, nil
}

func (s *Server) listServiceTokens(c *call) (any, *problem) {
	items := s.tokensOf(func(owner *User) bool { return owner.Type == "Service" })
	if s.Profile.TokenPages {
		return s.pageOf(c, items)
	}
	if s.Profile.TokenEnvelope {
		return map[string]any{"items": items, "total": len(items)}, nil
	}
	return items, nil
}

func (s *Server) listOwnTokens(c *call) (any, *problem) {
	return s.tokensOf(func(owner *User) bool { return owner == c.user }), nil
}

// tokensOf returns the tokens of the owners that match.
func (s *Server) tokensOf(match func(owner *User) bool) []any {
	items := []any{}
	for _, t := range s.tokens {
		if match(s.userByID(t.UserID)) {
			items = append(items, s.tokenResponse(t))
		}
	}
	return items
}

func (s *Server) findToken(id int64) (*Token, *problem) {
	if t := s.tokenByID(id); t != nil {
		return t, nil
	}
	return nil, s.fail(http.StatusNotFound, "Token not found")
}

func (s *Server) updateToken(c *call, t *Token) (any, *problem) {
	in := struct {
		Revoke bool `json:"revoke"`
	}{Revoke: true}
	if err := json.Unmarshal(c.body, &in); err != nil {
		return nil, invalid("value is not a boolean", "body", "revoke")
	}
	switch {
	case in.Revoke && !t.Active && s.Profile.RevokeTwiceFails:
		return nil, s.fail(http.StatusBadRequest, "Token is already revoked")
	case !in.Revoke && t.expired(s.Clock.Now()) && !s.Profile.RestoreExpired:
		return nil, s.fail(http.StatusBadRequest, "Token is expired")
	}
	if !in.Revoke || !s.Profile.IgnoreRevoke {
		t.Active = !in.Revoke
	}
	return s.tokenResponse(t), nil
}

func (s *Server) deleteToken(_ *call, t *Token) (any, *problem) {
	if t.Active && s.Profile.DeleteActiveToken >= http.StatusBadRequest {
		return nil, s.fail(s.Profile.DeleteActiveToken, "Token must be revoked before it is deleted")
	}
	s.tokens = slices.DeleteFunc(s.tokens, func(x *Token) bool { return x.ID == t.ID })
	return map[string]string{"message": "deleted"}, nil
}
