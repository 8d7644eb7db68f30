// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"net/http"
	"net/url"
	"slices"
)

// Request is an entry of the request log.
type Request struct {
	Method string
	Path   string // without the prefix
	Query  url.Values
	Header http.Header
	Body   string
	Status int // as sent; 0 if the connection was closed
	Bytes  int // length of the response's body
}

// Write reports whether the request is a write.
func (r Request) Write() bool { return r.Method != http.MethodGet }

func (r Request) String() string { return r.Method + " " + r.Path }

// Requests returns the request log.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Writes returns the writes in the request log, such as "POST /users".
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
