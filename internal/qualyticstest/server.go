// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package qualyticstest emulates a Qualytics deployment for tests and demos. It is a second
// implementation of the API and shares no code with the client: it enforces the documented rules, a
// [Profile] selects the differences between builds, and faults can be added by method and path.
package qualyticstest

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options of a new server. The zero value is the newest profile on a free loopback
// port without a rate limit.
type Options struct {
	Profile *Profile // nil: the newest preset
	Clock   *Clock   // nil: a clock that can be advanced through Server.Clock
	Latency time.Duration
	// Rate is the limit of the ingress in requests per second, 0 for none. Burst
	// is how many more it accepts at the same time. Whom it counts depends on the ingress.
	Rate, Burst int
	// Address to listen on, such as "127.0.0.1:8765"; "" means a free loopback port.
	Address string
	// Data is a file that contains the data and the position of the clock after every
	// request, and from which the server starts if it exists; "" keeps the data in memory.
	Data string
}

// Server is an emulated deployment. Its methods are safe for concurrent use.
type Server struct {
	URL     string // scheme, host and port; no prefix
	Clock   *Clock
	Profile Profile

	mux        *http.ServeMux
	operations []operation
	opts       Options

	mu      sync.Mutex
	http    *httptest.Server
	closed  bool      // by Close
	down    bool      // connections are refused during an upgrade
	ready   time.Time // when an upgrade ends
	users   []*User
	tokens  []*Token
	teams   []*Team
	nextID  int64
	adminID int64
	log     []Request
	faults  []*Fault
	buckets map[string]bucket // by client
}

// byID returns the element with an ID, or nil. The elements are sorted by ID.
func byID[T any](list []*T, id int64, idOf func(*T) int64) *T {
	at, found := slices.BinarySearchFunc(list, id, func(x *T, id int64) int { return cmp.Compare(idOf(x), id) })
	if !found {
		return nil
	}
	return list[at]
}

// NewServer starts a server with the teams Public, "Data Engineering", and "Data
// Quality", and a person with the role Admin.
func NewServer(opts Options) (*Server, error) {
	s := &Server{Clock: opts.Clock, opts: opts, nextID: 100, buckets: map[string]bucket{}}
	if s.Clock == nil {
		s.Clock = &Clock{}
	}
	s.Profile = Build202609()
	if opts.Profile != nil {
		s.Profile = *opts.Profile
	}
	s.teams = []*Team{
		{ID: -1, Name: publicTeam, Description: "Every user", Permission: "Viewer"},
		{ID: 1, Name: "Data Engineering", Description: "Pipelines", Permission: "Editor"},
		{ID: 2, Name: "Data Quality", Permission: "Author"},
	}
	admin := s.newUser(User{
		Name: "Ada Admin", UserID: "auth0|ada", UserName: "ada", Email: "ada@example.com", Role: "Admin", Type: "Human",
	})
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
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Stop()
}

// AdminToken returns the bearer token of the Admin.
func (s *Server) AdminToken() string { return s.Bearer(s.adminID) }

// AdminTokenID returns the ID of that token.
func (s *Server) AdminTokenID() int64 { return s.adminID }

// APIPath returns the value for the client's api_path.
func (s *Server) APIPath() string { return strings.Trim(s.Profile.Prefix, "/") }

// EditProfile changes the server's behavior, except for the prefix.
func (s *Server) EditProfile(edit func(*Profile)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.Profile)
}
