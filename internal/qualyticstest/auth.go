// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scimRole marks the endpoints that accept a SCIM-only token.
const scimRole = "scim"

// claims are the claims of a bearer token.
type claims struct {
	Subject string `json:"sub"`           // the owner's user_id
	Token   string `json:"jti,omitempty"` // the token's id
	Issued  int64  `json:"iat,omitempty"`
	Expires int64  `json:"exp,omitempty"`
	SCIM    bool   `json:"scim_endpoints_only,omitempty"`
}

// Bearer returns the secret of a token: a JWT signed with HS256.
func (s *Server) Bearer(id int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokenByID(id); t != nil {
		return s.sign(t)
	}
	return ""
}

func (s *Server) sign(t *Token) string {
	c := claims{
		Subject: s.userByID(t.UserID).UserID,
		Token:   strconv.FormatInt(t.ID, 10),
		Issued:  t.Created.Unix(),
		SCIM:    t.SCIMOnly,
	}
	if t.Expiration != nil {
		c.Expires = t.Expiration.Unix()
	}
	switch s.Profile.Bearer {
	case "opaque":
		return "qt_" + signature(c.Token)
	case "bare":
		c.Subject, c.Issued, c.Expires, c.Token = c.Subject+"/"+signature(c.Token), 0, 0, ""
	case "skewed":
		c.Subject, c.Expires, c.Token = c.Subject+"/"+signature(c.Token), 0, ""
		c.Issued += int64(time.Hour / time.Second)
	}
	payload, _ := json.Marshal(c)
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))
	unsigned := head + "." + base64.RawURLEncoding.EncodeToString(payload)
	return unsigned + "." + signature(unsigned)
}

// tokenOf returns the token with a bearer token as its secret, or nil.
func (s *Server) tokenOf(bearer string) *Token {
	if s.Profile.Bearer != "" { // it does not contain the ID
		i := slices.IndexFunc(s.tokens, func(t *Token) bool { return s.sign(t) == bearer })
		if i < 0 {
			return nil
		}
		return s.tokens[i]
	}
	cut := strings.LastIndex(bearer, ".")
	if cut < 0 || !hmac.Equal([]byte(bearer[cut+1:]), []byte(signature(bearer[:cut]))) {
		return nil
	}
	var c claims
	_, payload, _ := strings.Cut(bearer[:cut], ".")
	raw, _ := base64.RawURLEncoding.DecodeString(payload)
	_ = json.Unmarshal(raw, &c)
	id, _ := strconv.ParseInt(c.Token, 10, 64)
	return s.tokenByID(id)
}

func signature(unsigned string) string {
	mac := hmac.New(sha256.New, []byte("qualyticstest signing key, not a secret"))
	mac.Write([]byte(unsigned))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// authenticate returns the caller, or a problem if it lacks the role.
func (s *Server) authenticate(r *http.Request, role string) (*User, *problem) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token := s.tokenOf(bearer)
	now := s.Clock.Now()
	if token == nil {
		return nil, s.fail(http.StatusUnauthorized, "Could not validate credentials")
	}
	if !token.Active || token.expired(now) {
		return nil, s.fail(http.StatusUnauthorized, "Token is expired or revoked")
	}
	user := s.userByID(token.UserID)
	if user.Deleted != nil {
		return nil, s.fail(http.StatusUnauthorized, "User is deactivated")
	}
	switch {
	case token.SCIMOnly && role != scimRole:
		return nil, s.fail(s.Profile.SCIMOnlyStatus, "Token is limited to SCIM endpoints")
	case role == "Admin" && user.Role != "Admin",
		role == "Manager" && user.Role != "Admin" && user.Role != "Manager":
		p := s.fail(http.StatusForbidden, "User does not have the required role: %s", role)
		p.hint = "Ask an administrator."
		return nil, p
	}
	token.LastUsed, user.LastLogin = &now, &now
	return user, nil
}
