// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package qualyticstest plays a Qualytics deployment for tests and demos. It is
// a second implementation of the API's contract and shares no code with the
// client it tests: it enforces the documented rules, plays the differences
// between builds as a [Profile], and takes faults by method and path.
package qualyticstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options of a new server. The zero value is the newest profile on a loopback
// port, without a rate limit.
type Options struct {
	Profile *Profile // nil is the newest preset
	Clock   *Clock   // nil is the real time, movable through Server.Clock
	Latency time.Duration
	// Rate is the ingress's limit in requests a second, 0 for none; Burst is
	// how many may come at once on top.
	Rate, Burst int
	// Address to listen on, such as "127.0.0.1:8765"; "" is any loopback port.
	Address string
	// Data is a file that holds what the server knows after every write, and
	// that it starts from when it exists; "" keeps everything in memory.
	Data string
}

// Server is an emulated deployment. Its methods are safe for concurrent use.
type Server struct {
	URL     string // scheme, host and port; no prefix
	Clock   *Clock
	Profile Profile

	http    *httptest.Server
	mux     *http.ServeMux
	latency time.Duration
	key     []byte
	data    string

	mu      sync.Mutex
	users   []*User
	tokens  []*Token
	teams   []*Team
	nextID  int64
	adminID int64
	log     []Request
	faults  []*Fault
	bucket  *bucket
}

// Request is a line of the request log.
type Request struct {
	Method string
	Path   string // without the prefix
	Query  url.Values
	Header http.Header
	Body   string
	Status int // as sent; 0 when the connection was cut
	Bytes  int // of the answer's body
}

// Write reports whether the request asks for a change.
func (r Request) Write() bool { return r.Method != http.MethodGet }

func (r Request) String() string { return r.Method + " " + r.Path }

// NewServer starts a server with the team Public, the teams "Data Engineering"
// and "Data Quality", and a person who is Admin.
func NewServer(opts Options) (*Server, error) {
	s := &Server{Clock: opts.Clock, latency: opts.Latency, data: opts.Data, key: []byte("qualyticstest signing key, not a secret"), nextID: 100}
	if s.Clock == nil {
		s.Clock = &Clock{}
	}
	s.Profile = Build202609()
	if opts.Profile != nil {
		s.Profile = *opts.Profile
	}
	if opts.Rate > 0 {
		s.bucket = newBucket(opts.Rate, opts.Burst)
	}
	s.teams = []*Team{
		{ID: -1, Name: publicTeam, Description: "Everybody", Permission: "Viewer"},
		{ID: 1, Name: "Data Engineering", Description: "Pipelines", Permission: "Editor"},
		{ID: 2, Name: "Data Quality", Permission: "Author"},
	}
	admin := s.newUser(User{Name: "Ada Admin", UserID: "auth0|ada", UserName: "ada", Email: "ada@example.com", Role: "Admin", Type: "Human"})
	s.adminID = s.newToken(Token{Name: "terraform", UserID: admin.ID}).ID
	s.routes()
	if err := s.load(); err != nil {
		return nil, err
	}
	if err := s.listen(opts.Address); err != nil {
		return nil, err
	}
	return s, nil
}

// Close stops the server.
func (s *Server) Close() { s.Stop() }

// AdminToken is the bearer token of the person who is Admin.
func (s *Server) AdminToken() string { return s.Bearer(s.adminID) }

// AdminTokenID is the id of that token.
func (s *Server) AdminTokenID() int64 { return s.adminID }

// APIPath is the value for the client's api_path.
func (s *Server) APIPath() string { return strings.Trim(s.Profile.Prefix, "/") }

// EditProfile changes how the server behaves from now on, all but the prefix.
func (s *Server) EditProfile(edit func(*Profile)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.Profile)
}

// Requests is the log so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Writes are the requests of the log that ask for a change, as "POST /users".
func (s *Server) Writes() []string {
	var out []string
	for _, r := range s.Requests() {
		if r.Write() {
			out = append(out, r.String())
		}
	}
	return out
}

// ClearRequests empties the log.
func (s *Server) ClearRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

// ServeHTTP is the ingress: rate limit, log and faults; then the application.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := &bytes.Buffer{}
	_, _ = body.ReadFrom(http.MaxBytesReader(w, r.Body, 1<<20))
	r.Body = http.NoBody
	inside := strings.TrimPrefix(r.URL.Path, s.Profile.Prefix)
	entry := Request{Method: r.Method, Path: inside, Query: r.URL.Query(), Header: r.Header.Clone(), Body: body.String()}
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	switch fault := s.strike(r.Method, inside); {
	case s.bucket != nil && !s.bucket.take():
		HTML(http.StatusTooManyRequests).write(rec)
	case fault != nil:
		s.suffer(fault, rec, r, body.Bytes())
	default:
		s.application(rec, r, body.Bytes())
	}
	entry.Status, entry.Bytes = rec.status, rec.body.Len()
	if rec.cut {
		entry.Status = 0
	}
	s.mu.Lock()
	s.log = append(s.log, entry)
	s.mu.Unlock()
	w.Header().Set("Date", s.Clock.Now().Format(http.TimeFormat))
	rec.send(w)
}

// suffer plays a fault around the application's work.
func (s *Server) suffer(f *Fault, rec *recorder, r *http.Request, body []byte) {
	if f.Do != nil {
		f.Do()
	}
	if f.Wait > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(f.Wait):
		}
	}
	if f.Kind != Answer && f.Kind != CloseBefore {
		s.application(rec, r, body)
	}
	switch f.Kind {
	case Answer, Replace:
		*rec = recorder{header: http.Header{}}
		f.write(rec)
	case CloseBefore, CloseAfter:
		rec.cut, rec.body = true, bytes.Buffer{}
	case Truncate:
		rec.cut = true
		rec.body.Truncate(rec.body.Len() / 2)
	case Delay:
	}
}

func (f Fault) write(rec *recorder) {
	for k, v := range f.Header {
		rec.header[k] = v
	}
	rec.status = f.Status
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	rec.body.WriteString(f.Body)
}

// application answers as Qualytics does.
func (s *Server) application(rec *recorder, r *http.Request, body []byte) {
	if !strings.HasPrefix(r.URL.Path, s.Profile.Prefix+"/") || (s.Profile.Prefix != "" && r.URL.Path == s.Profile.Prefix) {
		HTML(http.StatusOK).write(rec) // the web app
		return
	}
	r.Body = &bodyReader{Reader: bytes.NewReader(body)}
	s.mux.ServeHTTP(rec, r)
}

type bodyReader struct{ *bytes.Reader }

func (*bodyReader) Close() error { return nil }

// recorder keeps an answer until it is known whether it is sent whole.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    bool
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func (r *recorder) send(w http.ResponseWriter) {
	for k, v := range r.header {
		w.Header()[k] = v
	}
	if !r.cut {
		w.WriteHeader(r.status)
		_, _ = w.Write(r.body.Bytes())
		return
	}
	if r.body.Len() > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(2*r.body.Len()+1))
		w.WriteHeader(r.status)
		_, _ = w.Write(r.body.Bytes())
		_ = http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler) // net/http closes the connection
}

// problem is an error answer of the application.
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

// invalid is a 422 in FastAPI's form.
func invalid(message string, loc ...string) *problem {
	return &problem{status: http.StatusUnprocessableEntity, detail: []map[string]any{{"loc": loc, "msg": message, "type": "value_error"}}}
}

// call is an authenticated request.
type call struct {
	*http.Request
	user  *User
	token *Token
	body  []byte
}

type handler func(c *call) (status int, answer any, p *problem)

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	prefix := s.Profile.Prefix
	handle := func(pattern string, role string, h handler) {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" "+prefix+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, role, h) })
	}
	handle("POST /users", "Admin", s.createUser)
	handle("GET /users", "Admin", s.listUsers)
	handle("GET /users/me", "", s.currentUser)
	handle("GET /users/{id}", "Admin", s.getUser)
	handle("PUT /users/{id}", "Admin", s.updateUser)
	handle("DELETE /users/{id}", "Admin", s.deactivateUser)
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
	s.mux.HandleFunc("GET "+prefix+"/health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.mux.HandleFunc("GET "+prefix+"/status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"database_connection": "OK", "rabbitmq_connection": "OK"})
	})
	s.mux.HandleFunc(prefix+"/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, &problem{status: http.StatusNotFound, detail: "Not Found"})
	})
}

// serve authenticates, checks the role and the media type, and answers.
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
	if (r.Method == http.MethodPost || r.Method == http.MethodPut) && r.Header.Get("Content-Type") != "application/json" {
		writeProblem(w, s.fail(http.StatusUnsupportedMediaType, "Unsupported media type"))
		return
	}
	status, answer, p := h(c)
	if p == nil && r.Method != http.MethodGet {
		if err := s.save(); err != nil {
			p = s.fail(http.StatusInternalServerError, "not saved: %v", err)
		}
	}
	switch {
	case p != nil:
		writeProblem(w, p)
	case answer == nil:
		w.WriteHeader(status)
	default:
		writeJSON(w, status, answer)
	}
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
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

// id reads the {id} of a path.
func (c *call) id() (int64, *problem) {
	id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
	if err != nil {
		return 0, invalid("value is not a valid integer", "path", "id")
	}
	return id, nil
}

// pageOf answers a list call with one page of items.
func (s *Server) pageOf(c *call, items []any) (int, any, *problem) {
	number, size := 1, 50
	for name, target := range map[string]*int{"page": &number, "size": &size} {
		text := c.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || (name == "size" && n > 100) {
			return 0, nil, invalid("ensure this value is between 1 and 100", "query", name)
		}
		*target = n
	}
	from := min((number-1)*size, len(items))
	to := min(from+size, len(items))
	answer := map[string]any{"items": items[from:to], s.Profile.TotalField: len(items), "page": number, "size": size}
	if s.Profile.PagesField {
		answer["pages"] = (len(items) + size - 1) / size
	}
	return http.StatusOK, answer, nil
}

func (s *Server) stamp(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC().Format(s.Profile.TimeLayout)
}
