// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Own says whether a token is the one that the client itself uses.
type Own int

// The answers, where Maybe is what cannot be told apart.
const (
	OwnNo Own = iota
	OwnMaybe
	OwnYes
)

// claimTolerance is how far a claim, in whole seconds, may be from the time
// that a list shows.
const claimTolerance = 2 * time.Second

// IsOwnToken compares a token of the client's own account with what the
// client's token says of itself (RFC 7519), and with the account's other
// tokens: GET /user-tokens. For a token of another account it need not be asked.
func (c *Client) IsOwnToken(ctx context.Context, t *Token) (Own, error) {
	claims := readClaims(string(c.token))
	if own := claims.matches(t); own != OwnMaybe {
		return own, nil
	}
	tokens, err := c.OwnTokens(ctx)
	if err != nil {
		return OwnMaybe, err
	}
	if slices.ContainsFunc(tokens, func(o Token) bool { return o.ID != t.ID && claims.matches(&o) == OwnYes }) {
		return OwnNo, nil
	}
	candidates := slices.DeleteFunc(tokens, func(o Token) bool { return !o.Usable(c.now()) || claims.matches(&o) == OwnNo })
	switch {
	case !slices.ContainsFunc(candidates, func(o Token) bool { return o.ID == t.ID }):
		return OwnNo, nil
	case len(candidates) == 1:
		return OwnYes, nil
	default:
		return OwnMaybe, nil
	}
}

// claims are what a bearer token says of itself; the zero value is nothing.
type claims struct {
	read    bool
	ids     []string // every claim that may be the token's id
	issued  time.Time
	expires time.Time
}

// readClaims reads a JWT without verifying it: it is the client's own.
func readClaims(token string) claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return claims{}
	}
	var raw map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if decoder.Decode(&raw) != nil {
		return claims{}
	}
	out := claims{read: true, issued: unixClaim(raw["iat"]), expires: unixClaim(raw["exp"])}
	for _, key := range []string{"jti", "token_id"} {
		if v := raw[key]; v != nil {
			out.ids = append(out.ids, fmt.Sprint(v))
		}
	}
	return out
}

func unixClaim(v any) time.Time {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}
	}
	seconds, err := n.Float64()
	if err != nil || seconds <= 0 || seconds > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// matches says whether the claims are those of a token. An id decides; a
// lifetime that differs excludes; anything else leaves it open.
func (c claims) matches(t *Token) Own {
	switch {
	case !c.read:
		return OwnMaybe
	case slices.Contains(c.ids, strconv.FormatInt(t.ID, 10)):
		return OwnYes
	case t.Expiration == nil && !c.expires.IsZero(),
		t.Expiration != nil && (c.expires.IsZero() || t.Expiration.Sub(c.expires).Abs() > claimTolerance),
		t.Created != nil && !c.issued.IsZero() && t.Created.Sub(c.issued).Abs() > claimTolerance:
		return OwnNo
	}
	return OwnMaybe
}
