// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// User is a user in the server's data.
type User struct {
	ID                                        int64
	UserID, UserName, Name, Email, Role, Type string
	Teams                                     []string // without Public
	Created                                   time.Time
	LastLogin, Deleted                        *time.Time
}

// Users returns copies of all users, including deactivated ones.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]User, 0, len(s.users))
	for _, u := range s.users {
		out = append(out, *u)
	}
	return out
}

// ServiceAccounts returns copies of the active service accounts.
func (s *Server) ServiceAccounts() []User {
	return slices.DeleteFunc(s.Users(), func(u User) bool { return u.Type != "Service" || u.Deleted != nil })
}

// AddUser adds a user. An empty Type means Service, an empty Role means Member, and
// the server sets the other empty fields.
func (s *Server) AddUser(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.newUser(u)
}

// EditUser changes a user without the API. It panics if there is no such user.
func (s *Server) EditUser(id int64, edit func(*User)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(s.userByID(id))
}

// Seed adds service accounts with the given number of tokens each.
func (s *Server) Seed(accounts, tokens int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range accounts {
		u := s.newUser(User{Name: fmt.Sprintf("Seed %05d", i)})
		for j := range tokens {
			s.newToken(Token{Name: fmt.Sprintf("token %d", j), UserID: u.ID})
		}
	}
}

// SeedForeign adds service accounts and distributes the tokens over them.
func (s *Server) SeedForeign(accounts, tokens int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.nextID + 1
	for i := range accounts {
		s.newUser(User{Name: fmt.Sprintf("Foreign %05d", i)})
	}
	for i := range tokens {
		s.newToken(Token{Name: fmt.Sprintf("token %d", i/accounts), UserID: first + int64(i%accounts)})
	}
}

func (s *Server) newUser(u User) *User {
	s.nextID++
	u.ID = s.nextID
	if u.Type == "" {
		u.Type = "Service"
	}
	if u.Role == "" {
		u.Role = "Member"
	}
	if u.UserID == "" {
		u.UserID = s.userID(u.Name)
	}
	if u.UserName == "" {
		u.UserName = u.UserID
		if s.Profile.UserName == "svc" {
			u.UserName = "svc_" + strings.TrimSuffix(u.UserID, "@service")
		}
	}
	if u.Email == "" && u.Type == "Service" {
		switch s.Profile.Email {
		case "user_id":
			u.Email = u.UserID
		case "fixed":
			u.Email = "service@example.com"
		}
	}
	if u.Created.IsZero() {
		u.Created = s.Clock.Now()
	}
	s.users = append(s.users, &u)
	return &u
}

// userID returns the user_id that the server derives from a name.
func (s *Server) userID(name string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '_'
		case r == '-' && s.Profile.KeepHyphens, r == '_', r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, strings.ToLower(name))
	return id + "@service"
}

func (s *Server) userByID(id int64) *User {
	return byID(s.users, id, func(u *User) int64 { return u.ID })
}

// userResponse returns a user in the format of this build. A stub has no teams.
func (s *Server) userResponse(u *User, stub bool) map[string]any {
	out := map[string]any{
		"id": u.ID, "user_id": u.UserID, "user_name": u.UserName, "user_type": u.Type, "name": u.Name,
		"role": u.Role, "email": nullable(u.Email), "picture": nil,
		"last_login": s.stamp(u.LastLogin), "deleted_at": s.stamp(u.Deleted),
	}
	if s.Profile.CreatedField != "" {
		out[s.Profile.CreatedField] = s.stamp(&u.Created)
	}
	if stub {
		return out
	}
	teams := []any{}
	for _, name := range append([]string{publicTeam}, u.Teams...) {
		t := s.teamByName(name)
		switch {
		case s.Profile.TeamIDs:
			teams = append(teams, t.ID)
		case s.Profile.TeamObjects:
			teams = append(teams, map[string]any{
				"id": t.ID, "name": t.Name, "display_name": nil, "display_label": t.Name, "permission": t.Permission,
			})
		default:
			teams = append(teams, name)
		}
	}
	out["teams"], out["is_team_restricted"], out["oidc_groups"] = teams, false, []any{}
	return out
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// accountBody is the body of POST and PUT of a user.
type accountBody struct {
	Name  *string   `json:"name"`
	Role  *string   `json:"role"`
	Teams *[]string `json:"teams"`
}

func (s *Server) readAccount(c *call) (accountBody, *problem) {
	var in accountBody
	if err := json.Unmarshal(c.body, &in); err != nil {
		return in, invalid("value is not valid", "body")
	}
	if in.Role != nil && !slices.Contains(s.Profile.Roles, *in.Role) {
		return in, invalid("value is not a valid enumeration member; permitted: "+strings.Join(s.Profile.Roles, ", "),
			"body", "role")
	}
	return in, nil
}

// teamNames returns the names without Public, or a problem if a team does not exist.
func (s *Server) teamNames(names []string) ([]string, *problem) {
	var out []string
	for _, name := range names {
		switch {
		case name == publicTeam || slices.Contains(out, name):
		case s.teamByName(name) != nil:
			out = append(out, name)
		case s.Profile.UnknownTeam == "drop":
		case s.Profile.UnknownTeam == "create":
			s.newTeam(name)
			out = append(out, name)
		case s.Profile.UnknownTeam == "422":
			return nil, invalid("team does not exist: "+name, "body", "teams")
		case s.Profile.UnknownTeam == "404":
			return nil, s.fail(http.StatusNotFound, "Team not found: %s", name)
		default:
			return nil, s.fail(http.StatusBadRequest, "Unknown team: %s", name)
		}
	}
	return out, nil
}

func (s *Server) createUser(c *call) (any, *problem) {
	in, p := s.readAccount(c)
	switch {
	case p != nil:
		return nil, p
	case in.Name == nil || *in.Name == "" || utf8.RuneCountInString(*in.Name) > 255:
		return nil, invalid("ensure this value has 1 to 255 characters", "body", "name")
	case in.Role == nil:
		return nil, invalid("field required", "body", "role")
	}
	userID := s.userID(*in.Name)
	for _, u := range s.users {
		if u.UserID == userID && (u.Deleted == nil || !s.Profile.DeactivatedFreesUserID) {
			return nil, s.fail(http.StatusConflict, "A user with the id %s already exists", userID)
		}
	}
	u := User{Name: *in.Name, Role: *in.Role}
	if in.Teams != nil && !s.Profile.IgnoreTeams {
		if u.Teams, p = s.teamNames(*in.Teams); p != nil {
			return nil, p
		}
	}
	if s.Profile.IgnoreRole {
		u.Role = "Member"
	}
	return s.userResponse(s.newUser(u), false), nil
}

var userQuery = []string{"type", "name", "role", "team", "include_deleted", "sort", "sort_dir", "page", "size"}

func (s *Server) listUsers(c *call) (any, *problem) {
	q := c.URL.Query()
	for key := range q {
		if !slices.Contains(userQuery, key) || key == "include_deleted" && s.Profile.NoIncludeDeleted {
			return nil, invalid("unexpected query parameter", "query", key)
		}
	}
	if t := q.Get("type"); t != "" && !slices.Contains([]string{"Human", "Service", "Internal"}, t) {
		return nil, invalid("value is not a valid enumeration member", "query", "type")
	}
	items := []any{}
	for _, u := range s.users {
		inTeam := q.Get("team") == "" || q.Get("team") == publicTeam || slices.Contains(u.Teams, q.Get("team"))
		if (q.Get("type") != "" && u.Type != q.Get("type")) ||
			(u.Deleted != nil && q.Get("include_deleted") != "true") ||
			(q.Get("role") != "" && u.Role != q.Get("role")) ||
			!inTeam ||
			!strings.Contains(strings.ToLower(u.Name), strings.ToLower(q.Get("name"))) {
			continue
		}
		items = append(items, s.userResponse(u, false))
	}
	return s.pageOf(c, items)
}

func (s *Server) currentUser(c *call) (any, *problem) {
	return s.userResponse(c.user, false), nil
}

func (s *Server) findUser(id int64) (*User, *problem) {
	u := s.userByID(id)
	if u == nil || (u.Deleted != nil && s.Profile.DeactivatedIsNotFound) {
		return nil, s.fail(http.StatusNotFound, "User not found")
	}
	return u, nil
}

func (s *Server) getUser(_ *call, u *User) (any, *problem) {
	return s.userResponse(u, s.Profile.OmitTeams), nil
}

func (s *Server) updateUser(c *call, u *User) (any, *problem) {
	in, p := s.readAccount(c)
	switch {
	case p != nil:
		return nil, p
	case u.Deleted != nil:
		return nil, s.fail(http.StatusBadRequest, "User is deactivated")
	case in.Name == nil && s.Profile.PutRequiresName:
		return nil, invalid("field required", "body", "name")
	case in.Role == nil && !s.Profile.MergePut:
		return nil, invalid("field required", "body", "role")
	}
	var teams []string
	if in.Teams != nil {
		if teams, p = s.teamNames(*in.Teams); p != nil {
			return nil, p
		}
	}
	if in.Role != nil && !s.Profile.IgnoreRole {
		u.Role = *in.Role
	}
	if (in.Teams != nil || !s.Profile.MergePut) && !s.Profile.IgnoreTeams {
		u.Teams = teams
	}
	return s.userResponse(u, false), nil
}

func (s *Server) deactivateUser(_ *call, u *User) (any, *problem) {
	now := s.Clock.Now()
	active := 0
	for _, t := range s.tokens {
		if t.UserID == u.ID && t.Active && (!s.Profile.ExpiredIsInactive || !t.expired(now)) {
			active++
		}
	}
	if active > 0 && !s.Profile.DeactivateWithTokens {
		return nil, s.fail(http.StatusBadRequest, "User has %d active tokens. Revoke them first.", active)
	}
	if u.Deleted == nil {
		u.Deleted = &now
	}
	return s.userResponse(u, false), nil
}

func (s *Server) reactivateUser(_ *call, u *User) (any, *problem) {
	u.Deleted = nil
	return s.userResponse(u, false), nil
}
