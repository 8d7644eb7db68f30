// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Limits of a service token's lifetime, in days.
const (
	MinExpiresInDays = 1
	MaxExpiresInDays = 365
)

// Token is a token without its secret.
type Token struct {
	ID         int64
	Name       string
	Active     bool       // false: revoked; stays true after expiry
	Created    *time.Time // nil if the deployment does not report it
	Expiration *time.Time // nil: never expires
	LastUsed   *time.Time // nil: never, or the deployment does not report it
	User       User       // the owner; a stub, without teams, and with ID 0 if the response has none
}

// Expired reports whether the token has expired at now.
func (t *Token) Expired(now time.Time) bool {
	return t.Expiration != nil && !now.Before(*t.Expiration)
}

// Usable reports whether the token is neither revoked nor expired at now.
func (t *Token) Usable(now time.Time) bool { return t.Active && !t.Expired(now) }

func (t Token) id() int64 { return t.ID }

func (t *Token) subject() subject { return subject{id: t.ID, name: t.Name, owner: t.User.ID} }

// read decodes every variant of a token.
func (t *Token) read(dec *json.Decoder) error {
	var wire struct {
		ID         *int64      `json:"id"`
		Name       string      `json:"name"`
		Active     *bool       `json:"active"`
		Created    timestamp   `json:"created"`
		CreatedAt  timestamp   `json:"created_at"`
		Expiration timestamp   `json:"expiration"`
		LastUsed   lenientTime `json:"last_used"`
		User       wireUser    `json:"user"`
	}
	if err := dec.Decode(&wire); err != nil {
		return err
	}
	if wire.ID == nil {
		return &shapeError{"the response has a token without an ID, which the API does not document"}
	}
	*t = Token{
		ID: *wire.ID, Name: wire.Name, Active: wire.Active == nil || *wire.Active,
		Created: cmp.Or(wire.Created.at, wire.CreatedAt.at), Expiration: wire.Expiration.at,
		LastUsed: wire.LastUsed.at, User: wire.User.user(),
	}
	return nil
}

// NewToken is a token with its secret, which the API returns once.
type NewToken struct {
	Token
	Bearer Secret
	// Partial is true if only the ID and the secret could be decoded.
	Partial bool
}

// read decodes the response of a create. If only the ID and the secret can be
// decoded, the token is Partial rather than lost.
func (t *NewToken) read(dec *json.Decoder) error {
	var data json.RawMessage
	if err := dec.Decode(&data); err != nil {
		return err
	}
	var wire struct {
		ID     *int64 `json:"id"`
		Bearer string `json:"bearer_token"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if wire.Bearer == "" {
		return &shapeError{"the response has no bearer_token, which the API documents for a new token"}
	}
	err := t.Token.read(json.NewDecoder(bytes.NewReader(data)))
	if err != nil && wire.ID == nil {
		return err
	}
	if err != nil {
		t.Token, t.Partial = Token{ID: *wire.ID, Active: true}, true
	}
	t.Bearer = Secret(wire.Bearer)
	return nil
}

// TokenCreate is the request for a new service token.
type TokenCreate struct {
	Name              string `json:"name"`            // 1 to 255 characters, unique for its owner
	UserID            int64  `json:"user_id"`         // User.ID of a service account
	ExpiresInDays     *int64 `json:"expires_in_days"` // 1 to 365; nil: never expires
	SCIMEndpointsOnly bool   `json:"scim_endpoints_only"`
}

func tokenPath(id int64) string { return "/user-tokens/" + strconv.FormatInt(id, 10) }

// postServiceToken creates a token for a service account: POST /user-tokens.
func (c *Client) postServiceToken(ctx context.Context, in TokenCreate) (*NewToken, error) {
	defer c.tokens.wrote(0)
	asked := subject{name: in.Name, owner: in.UserID}
	return call[NewToken](ctx, c, request{method: http.MethodPost, path: "/user-tokens", in: in, asked: asked})
}

// ServiceTokens returns every service token of the deployment by ID, including
// revoked ones: GET /user-tokens/service. There is no filter. The API documents one
// response without pages; if an envelope says that there are more, they are requested.
func (c *Client) ServiceTokens(ctx context.Context) ([]Token, error) {
	return listAll[Token](ctx, c, serviceTokens)
}

var serviceTokens = list{path: "/user-tokens/service"}

// OwnTokens returns the tokens of the client's own user by ID: GET /user-tokens.
func (c *Client) OwnTokens(ctx context.Context) ([]Token, error) {
	return listAll[Token](ctx, c, list{path: "/user-tokens"})
}

// FindServiceToken returns a service token from a new list, because the API cannot return a single
// one: GET /user-tokens/service. It reports false if two lists in a row do not contain it.
func (c *Client) FindServiceToken(ctx context.Context, id int64) (*Token, bool, error) {
	var tokens []Token
	for range 2 {
		var err error
		if tokens, err = c.ServiceTokens(ctx); err != nil {
			return nil, false, err
		}
		if i := slices.IndexFunc(tokens, func(t Token) bool { return t.ID == id }); i >= 0 {
			return &tokens[i], true, nil
		}
	}
	return nil, false, c.checkAbsence(tokens)
}

// checkAbsence returns an error if a list of tokens does not prove that one is gone.
func (c *Client) checkAbsence(tokens []Token) error {
	if tokens != nil {
		return nil
	}
	return c.oddSuccess(http.MethodGet, serviceTokens.path, 1,
		"the list is null, which does not prove that the token is gone")
}

// SetTokenRevoked revokes a token, or restores a revoked one:
// PUT /user-tokens/{id}. It takes effect immediately.
func (c *Client) SetTokenRevoked(ctx context.Context, id int64, revoke bool) (*Token, error) {
	in := map[string]bool{"revoke": revoke}
	defer c.tokens.wrote(id)
	asked := subject{id: id}
	return call[Token](ctx, c, request{method: http.MethodPut, path: tokenPath(id), in: in, asked: asked})
}

// DeleteToken erases a revoked token: DELETE /user-tokens/{id}.
func (c *Client) DeleteToken(ctx context.Context, id int64) error {
	defer c.tokens.wrote(id)
	return c.do(ctx, request{method: http.MethodDelete, path: tokenPath(id)})
}

// RevokeToken revokes a token: PUT /user-tokens/{id}. It is a success if the
// token does not exist, was revoked before, or has expired.
func (c *Client) RevokeToken(ctx context.Context, id int64) error {
	response, err := c.SetTokenRevoked(ctx, id, true)
	switch {
	case err == nil && !response.Usable(c.ServerTime()):
		return nil
	case err == nil: // ignored, or the response lacks the field
		err = c.oddSuccess(http.MethodPut, tokenPath(id), 1,
			"the server accepted the revocation, but the token is still active")
	case !IsRefused(err):
		return err
	}
	token, found, listErr := c.FindServiceToken(ctx, id)
	if listErr == nil && (!found || !token.Usable(c.ServerTime())) {
		return nil
	}
	return err
}

// RevokeAndDeleteToken revokes a token and erases it: PUT, then DELETE
// /user-tokens/{id}. It is a success if the token does not exist, and also if the
// revocation is refused because the token was revoked before.
func (c *Client) RevokeAndDeleteToken(ctx context.Context, id int64) error {
	_, revokeErr := c.SetTokenRevoked(ctx, id, true)
	if revokeErr != nil && !IsRefused(revokeErr) {
		return revokeErr
	}
	err := c.DeleteToken(ctx, id)
	switch {
	case err == nil:
		return nil
	case !IsNotFound(err) && revokeErr != nil:
		return revokeErr // why the token cannot be deleted
	case !IsNotFound(err):
		return err
	}
	if _, found, listErr := c.FindServiceToken(ctx, id); listErr != nil || found {
		return err
	}
	return nil
}
