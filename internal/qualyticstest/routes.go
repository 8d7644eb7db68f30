// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
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
	user  *User
	token *Token
	body  []byte
}

type handler func(c *call) (status int, response any, p *problem)

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	prefix := s.Profile.Prefix
	handle := func(pattern string, role string, h handler) {
		method, path, _ := strings.Cut(pattern, " ")
		s.patterns = append(s.patterns, pattern)
		s.mux.HandleFunc(method+" "+prefix+path,
			func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, role, h) })
	}
	handle("POST /users", "Admin", s.createUser)
	handle("GET /users", "Admin", s.listUsers)
	handle("GET /users/me", "", s.currentUser)
	handle("GET /users/{id}", "Admin", s.getUser)
	handle("PUT /users/{id}", "Admin", s.updateUser)
	handle("DELETE /users/{id}", "Admin", s.deactivateUser)
	if s.Profile.ReactivatePath {
		handle("POST /users/{id}/reactivate", "Admin", s.reactivateUser)
	}
	handle("POST /user-tokens", "Admin", s.createToken)
	handle("GET /user-tokens/service", "Admin", s.listServiceTokens)
	handle("GET /user-tokens", "", s.listOwnTokens)
	handle("PUT /user-tokens/{id}", "Admin", s.updateToken)
	handle("DELETE /user-tokens/{id}", "Admin", s.deleteToken)
	handle("GET /teams", "Manager", s.listTeams)
	handle("GET /teams/listing", "", s.teamListing)
	handle("GET /teams/{id}", "Manager", s.getTeam)
	handle("GET /scim/v2/Users", scimRole, func(*call) (int, any, *problem) {
		return http.StatusOK, map[string]any{"totalResults": 0, "Resources": []any{}}, nil
	})
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

// serve authenticates the request, checks role and media type, and calls h.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, role string, h handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Request: r}
	c.body = make([]byte, 0, 512)
	buf := bytes.NewBuffer(c.body)
	_, _ = buf.ReadFrom(r.Body)
	c.body = buf.Bytes()
	var p *problem
	if c.user, c.token, p = s.authenticate(r, role); p != nil {
		writeProblem(w, p)
		return
	}
	if (r.Method == http.MethodPost || r.Method == http.MethodPut) &&
		r.Header.Get("Content-Type") != "application/json" {
		writeProblem(w, s.fail(http.StatusUnsupportedMediaType, "Unsupported media type"))
		return
	}
	status, response, p := h(c)
	if err := s.save(); err != nil { // each request is a use of the token
		p = s.fail(http.StatusInternalServerError, "unable to save: %v", err)
	}
	switch {
	case p != nil:
		writeProblem(w, p)
	case response == nil:
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

// id returns the {id} in the path.
func (c *call) id() (int64, *problem) {
	id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
	if err != nil {
		return 0, invalid("value is not a valid integer", "path", "id")
	}
	return id, nil
}

// pageOf returns a page of items.
func (s *Server) pageOf(c *call, items []any) (int, any, *problem) {
	number, size := 1, 50
	for name, target := range map[string]*int{"page": &number, "size": &size} {
		text := c.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || (name == "size" && n > s.maxPageSize()) {
			return 0, nil, invalid(fmt.Sprintf("ensure this value is between 1 and %d", s.maxPageSize()), "query", name)
		}
		*target = n
	}
	from := min((number-1)*size, len(items))
	to := min(from+size, len(items))
	response := map[string]any{"items": items[from:to], s.Profile.TotalField: len(items), "page": number, "size": size}
	if s.Profile.PagesField {
		response["pages"] = (len(items) + size - 1) / size
	}
	return http.StatusOK, response, nil
}

func (s *Server) stamp(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC().Format(s.Profile.TimeLayout)
}
