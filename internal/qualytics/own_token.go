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

// Ownership says whether a token is the one that the client uses.
type Ownership int

// The values of Ownership. MaybeOwn means that the token belongs to the
// client's account and cannot be told apart from the client's own.
const (
	NotOwn Ownership = iota
	MaybeOwn
	Own
)

// claimTolerance is how far a claim, in whole seconds, may differ from the time in a list.
const claimTolerance = 2 * time.Second

// TokenOwnership returns whether t is the token that the client uses, and MaybeOwn with an error.
// known is the secret of t, or "" if it is not known. It decides by these rules, in this order:
//
//   - A token of another account is not the client's. The list of tokens decides if the
//     owner is unknown.
//   - A known secret decides.
//   - The client's token may be a JWT (RFC 7519). If its ID is that of t, t is the
//     client's. If its claims are those of another token of the account, t is not.
//     The API promises no claims, so a difference alone proves nothing.
//   - A token that does not work is not the client's, and the only one that works is.
//
// The tokens of the account are requested with GET /user-tokens.
func (c *Client) TokenOwnership(ctx context.Context, t *Token, known Secret) (Ownership, error) {
	me, err := c.Me(ctx)
	switch {
	case err != nil:
		return MaybeOwn, err
	case t.User.ID != 0 && t.User.ID != me.ID:
		return NotOwn, nil
	case known == c.config.Token:
		return Own, nil
	case known != "":
		return NotOwn, nil
	}
	claims := readClaims(string(c.config.Token))
	if claims.match(t) == matchID {
		return Own, nil
	}
	tokens, err := c.OwnTokens(ctx)
	if err != nil {
		return MaybeOwn, err
	}
	now := c.ServerTime()
	usable := slices.DeleteFunc(tokens, func(o Token) bool { return !o.Usable(now) })
	listed := slices.ContainsFunc(usable, func(o Token) bool { return o.ID == t.ID })
	others := slices.DeleteFunc(usable, func(o Token) bool { return o.ID == t.ID })
	switch {
	case !listed && len(others) == 0: // the list lacks the client's own token
		return MaybeOwn, nil
	case !listed, claims.anyMatchesBetter(others, claims.match(t)):
		return NotOwn, nil
	case len(others) == 0:
		return Own, nil
	default:
		return MaybeOwn, nil
	}
}

// IsOwnSecret reports whether a secret is that of the token that the client uses.
func (c *Client) IsOwnSecret(secret Secret) bool { return secret == c.config.Token }

// IsOwnSecretHash reports whether a hash is that of the token that the client uses.
func (c *Client) IsOwnSecretHash(hash string) bool { return hash == c.config.Token.Hash() }

// match says how well claims fit a token.
type match int

const (
	matchNone     match = iota // the lifetimes differ, or there are no claims
	matchLifetime              // the lifetimes are equal
	matchID                    // a claim is the token's ID
)

// anyMatchesBetter reports whether one of the tokens fits better than the given match.
func (c claims) anyMatchesBetter(tokens []Token, than match) bool {
	return slices.ContainsFunc(tokens, func(t Token) bool { return c.match(&t) > than })
}

// claims are the claims of a bearer token. The zero value has none.
type claims struct {
	ids     []string // every claim that may be the token's ID
	issued  time.Time
	expires time.Time
}

// readClaims returns the claims of a JWT. It does not verify the signature: the
// token is the client's own.
func readClaims(token string) claims {
	raw := decodeClaims(token)
	out := claims{issued: unixClaim(raw["iat"]), expires: unixClaim(raw["exp"])}
	for _, key := range []string{"jti", "token_id"} {
		if v := raw[key]; v != nil {
			out.ids = append(out.ids, fmt.Sprint(v))
		}
	}
	return out
}

// decodeClaims returns the payload of a JWT, or nil if the token is not one.
func decodeClaims(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	var raw map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if decoder.Decode(&raw) != nil {
		return nil
	}
	return raw
}

func unixClaim(v any) time.Time {
	n, _ := v.(json.Number)
	seconds, err := n.Float64()
	if err != nil || seconds <= 0 || seconds > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// match returns how well the claims fit a token. Only claims that exist are compared:
// a missing exp does not mean that the token never expires.
func (c claims) match(t *Token) match {
	differ := func(claim time.Time, listed *time.Time) bool {
		return !claim.IsZero() && (listed == nil || listed.Sub(claim).Abs() > claimTolerance)
	}
	switch {
	case slices.Contains(c.ids, strconv.FormatInt(t.ID, 10)):
		return matchID
	case c.issued.IsZero() && c.expires.IsZero(), differ(c.issued, t.Created), differ(c.expires, t.Expiration):
		return matchNone
	}
	return matchLifetime
}

// Claims returns the claims of the client's token by name, or nil if it is not a JWT.
// Their values may be secret.
func (c *Client) Claims() map[string]any { return decodeClaims(string(c.config.Token)) }
