// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Roles of a service account. Recent deployments refuse Editor.
const (
	RoleAdmin   = "Admin"
	RoleManager = "Manager"
	RoleEditor  = "Editor"
	RoleMember  = "Member"
)

// UserTypeService is the type of service accounts.
const UserTypeService = "Service"

// MaxName is the longest name of an account or a token, in characters.
const MaxName = 255

// User is a user of any kind; a service account is a user of type Service.
type User struct {
	ID       int64
	UserID   string // derived from the name by the server, such as api_access@service
	UserName string // opaque
	UserType string // Human, Service or Internal
	Name     string // "" if the server has none
	Email    string // "" if the server has none
	Role     string // "" if the server has none
	Teams    []string

	Created   *time.Time // nil if the deployment does not report it
	LastLogin *time.Time // nil: never
	DeletedAt *time.Time // nil: not deactivated
}

// Deactivated reports whether the user was deactivated.
func (u *User) Deactivated() bool { return u.DeletedAt != nil }

// wireUser is the JSON of a user in every variant: with created, created_at, or
// neither; with teams as names, as objects, or, in a stub, without.
type wireUser struct {
	ID        *int64      `json:"id"`
	UserID    string      `json:"user_id"`
	UserName  string      `json:"user_name"`
	UserType  string      `json:"user_type"`
	Name      string      `json:"name"`
	Email     string      `json:"email"`
	Role      string      `json:"role"`
	Teams     []teamName  `json:"teams"`
	Created   timestamp   `json:"created"`
	CreatedAt timestamp   `json:"created_at"`
	LastLogin lenientTime `json:"last_login"`
	DeletedAt timestamp   `json:"deleted_at"`
}

// user returns the user. Its ID is 0 if the response has none, and it has no teams if the
// response does not name all of them.
func (w *wireUser) user() User {
	u := User{
		UserID: w.UserID, UserName: w.UserName, UserType: w.UserType,
		Name: w.Name, Email: w.Email, Role: w.Role,
		Created: cmp.Or(w.Created.at, w.CreatedAt.at), LastLogin: w.LastLogin.at, DeletedAt: w.DeletedAt.at,
	}
	if w.ID != nil {
		u.ID = *w.ID
	}
	if slices.Contains(w.Teams, "") {
		return u
	}
	for _, team := range w.Teams {
		u.Teams = append(u.Teams, string(team))
	}
	return u
}

func (u User) id() int64 { return u.ID }

func (u *User) subject() subject { return subject{id: u.ID, name: u.Name} }

// read decodes every variant of a user.
func (u *User) read(dec *json.Decoder) error {
	var wire wireUser
	if err := dec.Decode(&wire); err != nil {
		return err
	}
	if wire.ID == nil {
		return &shapeError{"the response has a user without an ID, which the API does not document"}
	}
	*u = wire.user()
	return nil
}

// teamName is a team of a user: its name, or an object with a name. It is "" if the
// response has no name.
type teamName string

func (t *teamName) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return json.Unmarshal(data, (*string)(t))
	}
	var object struct {
		Name        string `json:"name"`
		DisplayName string `json:"display_name"`
	}
	err := json.Unmarshal(data, &object)
	*t = teamName(cmp.Or(object.Name, object.DisplayName))
	return err
}

// ServiceAccountCreate is the request for a new service account.
type ServiceAccountCreate struct {
	Name  string   `json:"name"`
	Role  string   `json:"role"`
	Teams []string `json:"teams,omitzero"` // names; nil sends none; the server always adds Public
}

// ServiceAccountUpdate is the request that changes a service account. Both fields
// are always sent, because the API may replace or merge.
type ServiceAccountUpdate struct {
	Role  string   `json:"role"`
	Teams []string `json:"teams"`
}

// UserFilter filters a list of service accounts. Zero values do not filter.
type UserFilter struct {
	Name           string // a part of the name, case-insensitive
	Role           string
	Team           string
	IncludeDeleted bool // includes deactivated accounts
}

func (f UserFilter) list() list {
	q := url.Values{"type": {UserTypeService}}
	for key, value := range map[string]string{"name": f.Name, "role": f.Role, "team": f.Team} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.IncludeDeleted {
		q.Set("include_deleted", "true")
	}
	return list{path: "/users", query: q, size: PageSize}
}

func userPath(id int64) string { return "/users/" + strconv.FormatInt(id, 10) }

// postServiceAccount creates a service account: POST /users.
func (c *Client) postServiceAccount(ctx context.Context, in ServiceAccountCreate) (*User, error) {
	defer c.wroteAccount(0)
	return call[User](ctx, c, request{method: http.MethodPost, path: "/users", in: in, asked: subject{name: in.Name}})
}

// ServiceAccounts returns the service accounts that match a filter by ID: GET /users, page by page.
func (c *Client) ServiceAccounts(ctx context.Context, filter UserFilter) ([]User, error) {
	return listAll[User](ctx, c, filter.list())
}

// EachServiceAccount returns the service accounts that match a filter as their pages arrive: GET
// /users. It requests no page before one of its accounts is needed, and ends after an error.
func (c *Client) EachServiceAccount(ctx context.Context, filter UserFilter) iter.Seq2[*User, error] {
	return func(yield func(*User, error) bool) {
		var last *page[User]
		for p, err := range pages[User](ctx, c, filter.list()) {
			if err != nil {
				yield(nil, err)
				return
			}
			last = p
			for i := range p.items {
				if !yield(&p.items[i], nil) {
					return
				}
			}
		}
		if !last.complete() {
			yield(nil, incompleteList(c, filter.list(), 1, last))
		}
	}
}

// User returns a user of any type: GET /users/{id}. Depending on the deployment, a
// deactivated one has DeletedAt set or is a 404.
func (c *Client) User(ctx context.Context, id int64) (*User, error) {
	return call[User](ctx, c, request{method: http.MethodGet, path: userPath(id), asked: subject{id: id}})
}

// FindUser returns a user, or nil if it does not exist: GET /users/{id}. It believes a 404 only if
// the API then responds to GET /users/me and repeats the 404, so that a wrong URL does not empty a
// state. A deactivated user has DeletedAt set or does not exist, depending on the deployment.
func (c *Client) FindUser(ctx context.Context, id int64) (*User, error) {
	user, err := c.User(ctx, id)
	if IsNotFound(err) {
		if _, err := c.CurrentUser(ctx); err != nil {
			return nil, err
		}
		user, err = c.User(ctx, id)
	}
	if IsNotFound(err) {
		return nil, nil
	}
	return user, err
}

// CurrentUser returns the owner of the client's token: GET /users/me.
func (c *Client) CurrentUser(ctx context.Context) (*User, error) {
	return call[User](ctx, c, request{method: http.MethodGet, path: "/users/me"})
}

// Me is CurrentUser, requested once: the owner of a token does not change.
func (c *Client) Me(ctx context.Context) (*User, error) {
	return c.me.get(func() (*User, error) { return c.CurrentUser(ctx) })
}

// UpdateServiceAccount sets role and teams: PUT /users/{id}.
func (c *Client) UpdateServiceAccount(ctx context.Context, id int64, in ServiceAccountUpdate) (*User, error) {
	if in.Teams == nil {
		in.Teams = []string{}
	}
	defer c.wroteAccount(id)
	return call[User](ctx, c, request{method: http.MethodPut, path: userPath(id), in: in, asked: subject{id: id}})
}

// DeactivateServiceAccount deactivates an account: DELETE /users/{id}. The server
// refuses with 400 while the account has active tokens. Nothing erases an
// account. It is a success if the account is confirmed to be gone already.
func (c *Client) DeactivateServiceAccount(ctx context.Context, id int64) error {
	defer c.wroteAccount(id)
	err := c.do(ctx, request{method: http.MethodDelete, path: userPath(id)})
	if !IsNotFound(err) {
		return err
	}
	user, confirmErr := c.FindUser(ctx, id)
	if confirmErr == nil && (user == nil || user.Deactivated()) {
		return nil
	}
	return err
}

// AccountsUpTo returns the service accounts that match a filter if they fit into a
// number of pages: GET /users. Otherwise, it reports false after the first page.
// requests is the number of requests that it sent.
func (c *Client) AccountsUpTo(
	ctx context.Context, filter UserFilter, maxPages int,
) (accounts []User, requests int, complete bool, err error) {
	for p, err := range pages[User](ctx, c, filter.list()) {
		requests++
		if err != nil {
			return nil, requests, false, err
		}
		accounts, complete = append(accounts, p.items...), p.complete()
		if p.count() > maxPages || requests == maxPages && !p.last(len(accounts)) {
			return nil, requests, false, nil
		}
	}
	return accounts, requests, complete, nil
}
