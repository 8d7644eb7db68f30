// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Roles that can be given to a service account. Recent deployments refuse Editor.
const (
	RoleAdmin   = "Admin"
	RoleManager = "Manager"
	RoleEditor  = "Editor"
	RoleMember  = "Member"
)

// Kinds of users.
const (
	UserTypeHuman    = "Human"
	UserTypeService  = "Service"
	UserTypeInternal = "Internal"
)

// MaxName is the longest name of an account or a token, in characters.
const MaxName = 255

// User is a user of any kind; a service account is a user of type Service.
type User struct {
	ID       int64
	UserID   string // computed by the server from the name, such as api_access@service
	UserName string // opaque
	UserType string // Human, Service or Internal
	Name     string // "" when the server has none
	Email    string // "" when the server has none
	Role     string // "" when the server has none
	Teams    []string

	Created   *time.Time // nil on builds that do not say
	LastLogin *time.Time // nil when never
	DeletedAt *time.Time // not nil: deactivated
}

// Deactivated reports whether the user was deactivated.
func (u *User) Deactivated() bool { return u.DeletedAt != nil }

// wireUser is a user as deployments write it, in every variant: created or
// created_at or neither, teams as names or as objects, or absent in a stub.
type wireUser struct {
	ID        *int64     `json:"id"`
	UserID    string     `json:"user_id"`
	UserName  string     `json:"user_name"`
	UserType  string     `json:"user_type"`
	Name      string     `json:"name"`
	Email     string     `json:"email"`
	Role      string     `json:"role"`
	Teams     []teamName `json:"teams"`
	Created   timestamp  `json:"created"`
	CreatedAt timestamp  `json:"created_at"`
	LastLogin timestamp  `json:"last_login"`
	DeletedAt timestamp  `json:"deleted_at"`
}

func (w *wireUser) user() (User, error) {
	if w.ID == nil {
		return User{}, &shapeError{"the answer describes a user without an id, which the API does not document"}
	}
	u := User{
		ID: *w.ID, UserID: w.UserID, UserName: w.UserName, UserType: w.UserType,
		Name: w.Name, Email: w.Email, Role: w.Role,
		Created: w.Created.pointer(), LastLogin: w.LastLogin.pointer(), DeletedAt: w.DeletedAt.pointer(),
	}
	if u.Created == nil {
		u.Created = w.CreatedAt.pointer()
	}
	for _, team := range w.Teams {
		u.Teams = append(u.Teams, string(team))
	}
	return u, nil
}

// UnmarshalJSON reads every variant of a user.
func (u *User) UnmarshalJSON(data []byte) error {
	var wire wireUser
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	var err error
	*u, err = wire.user()
	return err
}

// teamName is a team in a user's answer: its name, or an object that has one.
type teamName string

func (t *teamName) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var object struct {
			Name        string `json:"name"`
			DisplayName string `json:"display_name"`
		}
		if err := json.Unmarshal(data, &object); err != nil {
			return err
		}
		if object.Name == "" {
			object.Name = object.DisplayName
		}
		if object.Name == "" {
			return &shapeError{"the answer has a team without a name, which the API does not document"}
		}
		*t = teamName(object.Name)
		return nil
	}
	var name string
	if err := json.Unmarshal(data, &name); err != nil {
		return err
	}
	*t = teamName(name)
	return nil
}

// ServiceAccountCreate is what a new service account is made of.
type ServiceAccountCreate struct {
	Name  string   `json:"name"`
	Role  string   `json:"role"`
	Teams []string `json:"teams,omitzero"` // names; nil sends none, Public is always added by the server
}

// ServiceAccountUpdate is everything of a service account that can change. The
// API does not say whether it replaces or merges, so both are always sent.
type ServiceAccountUpdate struct {
	Role  string   `json:"role"`
	Teams []string `json:"teams"`
}

// UserFilter narrows a listing of service accounts. Zero values do not filter.
type UserFilter struct {
	Name           string // a part of the name, in any case
	Role           string
	Team           string
	IncludeDeleted bool // deactivated ones as well
}

func (f UserFilter) query() url.Values {
	q := url.Values{"type": {UserTypeService}}
	for key, value := range map[string]string{"name": f.Name, "role": f.Role, "team": f.Team} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.IncludeDeleted {
		q.Set("include_deleted", "true")
	}
	return q
}

func userPath(id int64) string { return "/users/" + strconv.FormatInt(id, 10) }

// postServiceAccount makes a service account: POST /users.
func (c *Client) postServiceAccount(ctx context.Context, in ServiceAccountCreate) (*User, error) {
	var out User
	if err := c.do(ctx, request{method: http.MethodPost, path: "/users", in: in, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// ServiceAccounts lists service accounts: GET /users, page by page.
func (c *Client) ServiceAccounts(ctx context.Context, filter UserFilter) ([]User, error) {
	return listAll(ctx, c, "/users", filter.query(), func(u User) int64 { return u.ID })
}

// EachServiceAccount gives the service accounts as their pages arrive:
// GET /users. No page is asked for before one of its accounts is wanted. An
// error ends it.
func (c *Client) EachServiceAccount(ctx context.Context, filter UserFilter) iter.Seq2[*User, error] {
	return func(yield func(*User, error) bool) {
		known := map[int64]bool{}
		for p, err := range pages[User](ctx, c, "/users", filter.query()) {
			if err != nil {
				yield(nil, err)
				return
			}
			fresh := false
			for i := range p.items {
				if u := &p.items[i]; !known[u.ID] {
					known[u.ID], fresh = true, true
					if !yield(u, nil) {
						return
					}
				}
			}
			if !fresh {
				return // a build that repeats its pages
			}
		}
	}
}

// User reads a user of any kind: GET /users/{id}. A deactivated one is
// answered with DeletedAt set, or with a 404, depending on the build.
func (c *Client) User(ctx context.Context, id int64) (*User, error) {
	var out User
	if err := c.do(ctx, request{method: http.MethodGet, path: userPath(id), out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// UserIfActive reads a user: GET /users/{id}. It gives nil for one that is
// deactivated or does not exist. A 404 is believed only when the API answers
// GET /users/me, so that a wrong address empties nothing, and says it again.
func (c *Client) UserIfActive(ctx context.Context, id int64) (*User, error) {
	user, err := c.User(ctx, id)
	if IsNotFound(err) {
		if _, err := c.CurrentUser(ctx); err != nil {
			return nil, err
		}
		user, err = c.User(ctx, id)
	}
	switch {
	case IsNotFound(err), err == nil && user.Deactivated():
		return nil, nil
	default:
		return user, err
	}
}

// CurrentUser reads the owner of the client's token: GET /users/me.
func (c *Client) CurrentUser(ctx context.Context) (*User, error) {
	var out User
	if err := c.do(ctx, request{method: http.MethodGet, path: "/users/me", out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// me keeps the owner of the client's token.
type me struct {
	mu   sync.Mutex
	user *User
}

// Me is CurrentUser, asked once: the owner of a token does not change.
func (c *Client) Me(ctx context.Context) (*User, error) {
	c.me.mu.Lock()
	defer c.me.mu.Unlock()
	if c.me.user != nil {
		return c.me.user, nil
	}
	user, err := c.CurrentUser(ctx)
	if err == nil {
		c.me.user = user
	}
	return user, err
}

// UpdateServiceAccount sets role and teams: PUT /users/{id}.
func (c *Client) UpdateServiceAccount(ctx context.Context, id int64, in ServiceAccountUpdate) (*User, error) {
	if in.Teams == nil {
		in.Teams = []string{}
	}
	defer c.touchAccount(id)
	var out User
	if err := c.do(ctx, request{method: http.MethodPut, path: userPath(id), in: in, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// DeactivateServiceAccount deactivates: DELETE /users/{id}. The server refuses
// with 400 while the account has active tokens. Nothing erases an account. One
// that is gone already is a success, once that is confirmed.
func (c *Client) DeactivateServiceAccount(ctx context.Context, id int64) error {
	defer c.touchAccount(id)
	err := c.do(ctx, request{method: http.MethodDelete, path: userPath(id)})
	if !IsNotFound(err) {
		return err
	}
	user, confirmErr := c.UserIfActive(ctx, id)
	if confirmErr == nil && user == nil {
		return nil
	}
	return err
}
