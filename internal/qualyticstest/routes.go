// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// problem is an error of the application.
type problem struct {
	status int
	detail any
	hint   string
}

func (s *Server) fail(status int, format string, args ...any) *problem {
	text := fmt.Sprintf(format, args...)
	p := &problem{status: status, detail: text}
	switch s.Profile.DetailShape {
	case "list":
		p.detail = []string{text}
	case "object":
		p.detail = map[string]string{"message": text}
	}
	return p
}

// invalid returns a 422 in the format of FastAPI.
func invalid(message string, loc ...string) *problem {
	return &problem{
		status: http.StatusUnprocessableEntity,
		detail: []map[string]any{{"loc": loc, "msg": message, "type": "value_error"}},
	}
}

// call is an authenticated request.
type call struct {
	*http.Request
	user *User
	body []byte
}

// operation is a documented operation of the API.
type operation struct {
	pattern  string // method and path
	role     string // that the caller needs; "" for any
	handle   func(c *call) (response any, p *problem)
	body     string // name of the schema of the body, if any
	response string // name of the schema of the response, if any
	query    []string
}

func (s *Server) documented() []operation {
	list := []operation{
		{"POST /users", "Admin", s.createUser, "UserCreate", "User", nil},
		{"GET /users", "Admin", s.listUsers, "", "PageUser", userQuery},
		{"GET /users/me", "", s.currentUser, "", "User", nil},
		{"GET /users/{id}", "Admin", with(s.findUser, s.getUser), "", "User", nil},
		{"PUT /users/{id}", "Admin", with(s.findUser, s.updateUser), "UserUpdate", "User", nil},
		{"DELETE /users/{id}", "Admin", with(s.findUser, s.deactivateUser), "", "", nil},
		{"POST /user-tokens", "Admin", s.createToken, "UserTokenCreate", "GetUserToken", nil},
		{"GET /user-tokens/service", "Admin", s.listServiceTokens, "", "UserToken", nil},
		{"GET /user-tokens", "", s.listOwnTokens, "", "UserToken", nil},
		{"PUT /user-tokens/{id}", "Admin", with(s.findToken, s.updateToken), "UserTokenUpdate", "UserToken", nil},
		{"DELETE /user-tokens/{id}", "Admin", with(s.findToken, s.deleteToken), "", "", nil},
		{"GET /teams", "Manager", s.listTeams, "", "Team", []string{"name", "page", "size"}},
		{"GET /teams/listing", "", s.teamListing, "", "Team", nil},
		{"GET /teams/{id}", "Manager", with(s.findTeam, s.getTeam), "", "Team", nil},
	}
	if s.Profile.ReactivatePath {
		list = append(list, operation{
			"POST /users/{id}/reactivate", "Admin", with(s.findUser, s.reactivateUser), "", "User", nil,
		})
	}
	return list
}

// with finds the object with the ID in the path, and handles the request.
func with[T any](
	find func(id int64) (*T, *problem), handle func(*call, *T) (any, *problem),
) func(*call) (any, *problem) {
	return func(c *call) (any, *problem) {
		id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
		if err != nil {
			return nil, invalid("value is not a valid integer", "path", "id")
		}
		object, p := find(id)
		if p != nil {
			return nil, p
		}
		return handle(c, object)
	}
}

// success returns the status of a success.
func (s *Server) success(o operation) int {
	switch method, _, _ := strings.Cut(o.pattern, " "); {
	case method == http.MethodPost && o.body != "":
		return s.Profile.CreateStatus
	case method == http.MethodDelete:
		return s.Profile.DeleteStatus
	}
	return http.StatusOK
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	prefix := s.Profile.Prefix
	s.operations = s.documented()
	scim := operation{pattern: "GET /scim/v2/Users", role: scimRole, handle: func(*call) (any, *problem) {
		return map[string]any{"totalResults": 0, "Resources": []any{}}, nil
	}}
	for _, o := range append(slices.Clone(s.operations), scim) {
		method, path, _ := strings.Cut(o.pattern, " ")
		s.mux.HandleFunc(method+" "+prefix+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, o) })
	}
	s.mux.HandleFunc("GET "+prefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		if status := s.Profile.NoOpenAPI; status != 0 {
			writeProblem(w, &problem{status: status, detail: http.StatusText(status)})
			return
		}
		writeJSON(w, http.StatusOK, s.openAPI())
	})
	s.mux.HandleFunc("GET "+prefix+"/health",
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.mux.HandleFunc("GET "+prefix+"/status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"database_connection": "OK", "rabbitmq_connection": "OK"})
	})
	s.mux.HandleFunc(prefix+"/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, &problem{status: http.StatusNotFound, detail: "Not Found"})
	})
}

// serve authenticates the request, checks role and media type, and handles it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, o operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, p := s.authenticate(r, o.role)
	if p != nil {
		writeProblem(w, p)
		return
	}
	if (r.Method == http.MethodPost || r.Method == http.MethodPut) &&
		r.Header.Get("Content-Type") != "application/json" {
		writeProblem(w, s.fail(http.StatusUnsupportedMediaType, "Unsupported media type"))
		return
	}
	body, _ := io.ReadAll(r.Body)
	response, p := o.handle(&call{r, user, body})
	if err := s.save(); err != nil { // each request is a use of the token
		p = s.fail(http.StatusInternalServerError, "unable to save: %v", err)
	}
	switch status := s.success(o); {
	case p != nil:
		writeProblem(w, p)
	case status == http.StatusNoContent:
		w.WriteHeader(status)
	default:
		writeJSON(w, status, response)
	}
}

func writeJSON(w http.ResponseWriter, status int, response any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(response)
}

func writeProblem(w http.ResponseWriter, p *problem) {
	body := map[string]any{"detail": p.detail, "fault_context": nil}
	if p.hint != "" {
		body["fault_context"] = map[string]any{
			"code": "Q" + strconv.Itoa(p.status), "fault_domain": "user", "who": "caller", "retryable": false,
			"title": http.StatusText(p.status), "hint": p.hint, "phase": "request",
		}
	}
	writeJSON(w, p.status, body)
}

// pageOf returns a page of items.
func (s *Server) pageOf(c *call, items []any) (any, *problem) {
	number, size := 1, 50
	for name, target := range map[string]*int{"page": &number, "size": &size} {
		text := c.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || (name == "size" && n > s.maxPageSize()) {
			return nil, invalid(fmt.Sprintf("ensure this value is between 1 and %d", s.maxPageSize()), "query", name)
		}
		*target = n
	}
	from := min((number-1)*size, len(items))
	to := min(from+size, len(items))
	response := map[string]any{"items": items[from:to], s.Profile.TotalField: len(items), "page": number, "size": size}
	if s.Profile.PagesField {
		response["pages"] = (len(items) + size - 1) / size
	}
	return response, nil
}

func (s *Server) stamp(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC().Format(s.Profile.TimeLayout)
}
