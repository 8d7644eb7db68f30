// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Limits of a service token's lifetime, in days.
const (
	MinExpiresInDays = 1
	MaxExpiresInDays = 365
)

// Token is a token as the lists show it: without its secret.
type Token struct {
	ID         int64
	Name       string
	Active     bool       // false: revoked. Stays true after expiry.
	Created    *time.Time // nil on builds that do not say
	Expiration *time.Time // nil: never expires
	LastUsed   *time.Time // nil: never, or the build does not say
	User       User       // the owner; a stub, without teams
}

// Expired reports whether the token's lifetime is over at the instant now.
func (t *Token) Expired(now time.Time) bool {
	return t.Expiration != nil && !now.Before(*t.Expiration)
}

// Usable reports whether the token is neither revoked nor expired at the instant now.
func (t *Token) Usable(now time.Time) bool { return t.Active && !t.Expired(now) }

// wireToken is a token as deployments write it, in every variant.
type wireToken struct {
	ID         *int64    `json:"id"`
	Name       string    `json:"name"`
	Active     *bool     `json:"active"`
	Created    timestamp `json:"created"`
	CreatedAt  timestamp `json:"created_at"`
	Expiration timestamp `json:"expiration"`
	LastUsed   timestamp `json:"last_used"`
	User       *wireUser `json:"user"`
}

func (w *wireToken) token() (Token, error) {
	if w.ID == nil {
		return Token{}, &shapeError{"the answer describes a token without an id, which the API does not document"}
	}
	t := Token{
		ID: *w.ID, Name: w.Name, Active: w.Active == nil || *w.Active,
		Created: w.Created.pointer(), Expiration: w.Expiration.pointer(), LastUsed: w.LastUsed.pointer(),
	}
	if t.Created == nil {
		t.Created = w.CreatedAt.pointer()
	}
	if w.User == nil {
		return t, nil
	}
	var err error
	t.User, err = w.User.user()
	return t, err
}

// UnmarshalJSON reads every variant of a token.
func (t *Token) UnmarshalJSON(data []byte) error {
	var wire wireToken
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	var err error
	*t, err = wire.token()
	return err
}

// decodeToken reads the next token of a list, without the detour that a method
// called UnmarshalJSON is.
func decodeToken(dec *json.Decoder) (Token, error) {
	var wire wireToken
	if err := dec.Decode(&wire); err != nil {
		return Token{}, err
	}
	return wire.token()
}

// NewToken is a token with its secret, which the API shows once.
type NewToken struct {
	Token
	Bearer Secret
	// Partial is true when only the id and the secret could be read.
	Partial bool
}

// UnmarshalJSON reads the answer of a create. Id and secret are worth more than
// the rest: a token whose other fields cannot be read is Partial.
func (t *NewToken) UnmarshalJSON(data []byte) error {
	var wire struct {
		ID     *int64 `json:"id"`
		Bearer string `json:"bearer_token"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if wire.Bearer == "" {
		return &shapeError{"the answer has no bearer_token, which the API documents for a new token"}
	}
	err := json.Unmarshal(data, &t.Token)
	if err != nil && wire.ID == nil {
		return err
	}
	if err != nil {
		t.Token, t.Partial = Token{ID: *wire.ID, Active: true}, true
	}
	t.Bearer = Secret(wire.Bearer)
	return nil
}

// TokenCreate is what a new service token is made of.
type TokenCreate struct {
	Name              string `json:"name"`            // 1 to 255 characters, unique for its owner
	UserID            int64  `json:"user_id"`         // User.ID of a service account
	ExpiresInDays     *int64 `json:"expires_in_days"` // 1 to 365, nil never expires
	SCIMEndpointsOnly bool   `json:"scim_endpoints_only"`
}

func tokenPath(id int64) string { return "/user-tokens/" + strconv.FormatInt(id, 10) }

// postServiceToken makes a token for a service account: POST /user-tokens.
func (c *Client) postServiceToken(ctx context.Context, in TokenCreate) (*NewToken, error) {
	var out NewToken
	if err := c.do(ctx, request{method: http.MethodPost, path: "/user-tokens", in: in, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// ServiceTokens lists every service token of the deployment by id, revoked ones
// included: GET /user-tokens/service. There is no filter.
func (c *Client) ServiceTokens(ctx context.Context) ([]Token, error) {
	return c.sortedTokens(ctx, "/user-tokens/service")
}

// OwnTokens lists the tokens of the caller by id: GET /user-tokens.
func (c *Client) OwnTokens(ctx context.Context) ([]Token, error) {
	return c.sortedTokens(ctx, "/user-tokens")
}

func (c *Client) sortedTokens(ctx context.Context, path string) ([]Token, error) {
	tokens, err := c.tokens(ctx, path)
	return slices.SortedFunc(maps.Values(tokens), func(a, b Token) int { return cmp.Compare(a.ID, b.ID) }), err
}

// tokens downloads a list of tokens. It is documented as one answer without
// pages; where an envelope says that there are more, they are asked for.
func (c *Client) tokens(ctx context.Context, path string) (map[int64]Token, error) {
	items := map[int64]Token{}
	var query url.Values // none for the first
	for number := 1; ; number++ {
		before := len(items)
		p := page[Token]{item: decodeToken, keep: func(t Token) { items[t.ID] = t }}
		if number == 1 {
			p.restart = func() { clear(items) }
		}
		if err := c.do(ctx, request{method: http.MethodGet, path: path, query: query, out: &p}); err != nil {
			return nil, err
		}
		more := p.total > len(items) || p.total < 0 && p.size > 0 && p.count >= p.size && len(items) > before
		if p.whole || !more {
			return items, nil
		}
		if len(items) == before {
			return nil, &Error{
				Base: c.base.String(), Method: http.MethodGet, Path: path, Status: http.StatusOK, Tries: number,
				Problem: fmt.Sprintf("the list shows %d of %d tokens, and its next page no further one", len(items), p.total),
			}
		}
		query = url.Values{"page": {strconv.Itoa(number + 1)}, "size": {strconv.Itoa(cmp.Or(p.size, p.count))}}
	}
}

// FindServiceToken reads one service token out of the list, because the API
// cannot be asked for one: GET /user-tokens/service. It reports false for one
// that two lists in a row do not show.
func (c *Client) FindServiceToken(ctx context.Context, id int64) (*Token, bool, error) {
	for range 2 {
		tokens, err := c.ServiceTokens(ctx)
		if err != nil {
			return nil, false, err
		}
		if i := slices.IndexFunc(tokens, func(t Token) bool { return t.ID == id }); i >= 0 {
			return &tokens[i], true, nil
		}
	}
	return nil, false, nil
}

// SetTokenRevoked revokes a token, or restores one that was revoked:
// PUT /user-tokens/{id}. It takes effect at once.
func (c *Client) SetTokenRevoked(ctx context.Context, id int64, revoke bool) (*Token, error) {
	in := struct {
		Revoke bool `json:"revoke"`
	}{revoke}
	defer c.tokenSnapshot.touch(id)
	var out Token
	if err := c.do(ctx, request{method: http.MethodPut, path: tokenPath(id), in: in, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// DeleteToken erases a revoked token for good: DELETE /user-tokens/{id}.
func (c *Client) DeleteToken(ctx context.Context, id int64) error {
	defer c.tokenSnapshot.touch(id)
	return c.do(ctx, request{method: http.MethodDelete, path: tokenPath(id)})
}

// RevokeToken revokes a token: PUT /user-tokens/{id}. One that is gone already
// is a success, and so is one that was revoked before or has expired.
func (c *Client) RevokeToken(ctx context.Context, id int64) error {
	_, err := c.SetTokenRevoked(ctx, id, true)
	if !IsRefused(err) {
		return err
	}
	token, found, listErr := c.FindServiceToken(ctx, id)
	if listErr == nil && (!found || !token.Usable(c.now())) {
		return nil
	}
	return err
}

// RevokeAndDeleteToken revokes a token and erases it: PUT, then DELETE
// /user-tokens/{id}. One that is gone already is a success, and so is one whose
// revocation is refused because it was revoked before.
func (c *Client) RevokeAndDeleteToken(ctx context.Context, id int64) error {
	_, revokeErr := c.SetTokenRevoked(ctx, id, true)
	if revokeErr != nil && !IsRefused(revokeErr) {
		return revokeErr
	}
	err := c.DeleteToken(ctx, id)
	if !IsNotFound(err) {
		if err != nil && revokeErr != nil {
			return revokeErr
		}
		return err
	}
	if _, found, listErr := c.FindServiceToken(ctx, id); listErr != nil || found {
		return err
	}
	return nil
}
