// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"net/http"
	"path"
	"time"
)

// FaultKind is what goes wrong with a request.
type FaultKind int

// The kinds of faults.
const (
	// Answer answers in place of the application, which is not asked.
	Answer FaultKind = iota
	// CloseBefore closes the connection before the work is done.
	CloseBefore
	// CloseAfter does the work and closes the connection without an answer.
	CloseAfter
	// Truncate does the work and cuts the answer in the middle.
	Truncate
	// Replace does the work and answers with the fault's status and body.
	Replace
	// Delay waits, then goes on as usual.
	Delay
)

// Forever makes a fault strike every time.
const Forever = -1

// Fault strikes the requests that match it.
type Fault struct {
	Method string // "" for any
	Path   string // without the prefix, with path.Match wildcards: "/users/*"; "" for any
	Skip   int    // matching requests that pass first
	Times  int    // how many are struck after that: 0 is one, Forever is all

	Kind   FaultKind
	Status int         // of Answer and Replace
	Header http.Header // of Answer and Replace
	Body   string      // of Answer and Replace
	Wait   time.Duration
	// Do runs when the fault strikes, before anything else.
	Do func()
}

// HTML is an answer of the ingress in front of the application.
func HTML(status int) Fault {
	return Fault{
		Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: "<html><head><title>" + http.StatusText(status) + "</title></head><body>ingress</body></html>",
	}
}

// JSON is an answer of the application.
func JSON(status int, body string) Fault {
	return Fault{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// On makes a copy of f for a method and a path.
func (f Fault) On(method, path string) Fault {
	f.Method, f.Path = method, path
	return f
}

// Repeat makes a copy of f that strikes n times.
func (f Fault) Repeat(n int) Fault {
	f.Times = n
	return f
}

// Fail adds a fault. Faults are tried in the order in which they were added.
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

// strike takes the fault for a request, if there is one.
func (s *Server) strike(method, urlPath string) *Fault {
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
		struck := *f
		return &struck
	}
	return nil
}
