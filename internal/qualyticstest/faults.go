// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"net/http"
	"path"
	"time"
)

// FaultKind is the kind of a fault.
type FaultKind int

// The kinds of faults.
const (
	// Respond sends the fault's response without processing the request.
	Respond FaultKind = iota
	// CloseBefore closes the connection without processing the request.
	CloseBefore
	// CloseAfter processes the request and closes the connection without a response.
	CloseAfter
	// Truncate processes the request and sends the first half of the response.
	Truncate
	// Replace processes the request and sends the fault's response.
	Replace
	// Delay waits, then continues as usual.
	Delay
	// Replay processes the request twice, as if a gateway had repeated it, and
	// sends the second response.
	Replay
)

// Forever applies a fault to every matching request.
const Forever = -1

// Fault applies to the requests that match it.
type Fault struct {
	Method string // "" for any
	Path   string // without the prefix, with path.Match wildcards: "/users/*"; "" for any
	Skip   int    // matching requests to which it does not apply first
	Times  int    // number of requests after that: 0 means one, Forever means all

	Kind   FaultKind
	Status int         // of Respond and Replace
	Header http.Header // of Respond and Replace
	Body   string      // of Respond and Replace
	Wait   time.Duration
	// Upstream means that it is a fault between the ingress and the application: the
	// ingress tries again as its kind does, and answers for the application in the end.
	Upstream bool
	// Do is called first.
	Do func()
}

// HTML returns a response of the ingress in front of the application.
func HTML(status int) Fault {
	return Fault{
		Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: "<html><head><title>" + http.StatusText(status) + "</title></head><body>ingress</body></html>",
	}
}

// JSON returns a response of the application.
func JSON(status int, body string) Fault {
	return Fault{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// On returns a copy of f for a method and a path.
func (f Fault) On(method, path string) Fault {
	f.Method, f.Path = method, path
	return f
}

// Repeat returns a copy of f that applies n times.
func (f Fault) Repeat(n int) Fault {
	f.Times = n
	return f
}

// Fail adds a fault. The first one that matches a request applies.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// Heal removes every fault.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// faultFor returns the fault that applies to a request, or nil.
func (s *Server) faultFor(method, urlPath string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Times == 0 || (f.Method != "" && f.Method != method) {
			continue
		}
		if ok, _ := path.Match(f.Path, urlPath); f.Path != "" && !ok {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		applied := *f
		return &applied
	}
	return nil
}
