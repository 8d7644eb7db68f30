// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP is the ingress: it responds itself or calls the application, and logs the
// request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == ClockPath {
		s.serveClock(w, r)
		return
	}
	body := &bytes.Buffer{}
	_, _ = body.ReadFrom(r.Body)
	r.Body = http.NoBody
	inside := strings.TrimPrefix(r.URL.Path, s.Profile.Prefix)
	entry := Request{
		Method: r.Method,
		Path:   inside,
		Query:  r.URL.Query(),
		Header: r.Header.Clone(),
		Body:   body.String(),
	}
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	rec := s.respond(r, inside, body.Bytes())
	if down, _ := s.state(); down {
		rec = lost()
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

// respond returns the response to a request whose path inside the API is given.
func (s *Server) respond(r *http.Request, inside string, body []byte) *recorder {
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	down, starting := s.state()
	switch {
	case down:
		return lost()
	case s.Profile.RequireHTTPS && r.TLS == nil:
		s.Profile.toHTTPS(r).write(rec)
	case s.limits(r):
		s.Profile.Response(http.StatusTooManyRequests, "local_rate_limited").write(rec)
	case s.Profile.tooLarge(len(body)):
		HTML(http.StatusRequestEntityTooLarge).write(rec)
	case starting:
		s.Profile.Response(http.StatusServiceUnavailable, "no healthy upstream").write(rec)
	default:
		return s.forward(r, inside, body)
	}
	return rec
}

// applyFault processes a request with a fault.
func (s *Server) applyFault(f *Fault, rec *recorder, r *http.Request, body []byte) {
	if f.Do != nil {
		f.Do()
	}
	if f.Wait > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(f.Wait):
		}
	}
	if f.Kind == Replay {
		s.application(&recorder{header: http.Header{}, status: http.StatusOK}, r, body)
	}
	if f.Kind != Respond && f.Kind != CloseBefore {
		s.application(rec, r, body)
	}
	switch f.Kind {
	case Respond, Replace:
		*rec = recorder{header: http.Header{}}
		f.write(rec)
	case CloseBefore, CloseAfter:
		rec.cut, rec.body = true, bytes.Buffer{}
	case Truncate:
		rec.cut = true
		rec.body.Truncate(rec.body.Len() / 2)
	case Delay, Replay:
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

// application responds like Qualytics.
func (s *Server) application(rec *recorder, r *http.Request, body []byte) {
	if !strings.HasPrefix(r.URL.Path, s.Profile.Prefix+"/") ||
		(s.Profile.Prefix != "" && r.URL.Path == s.Profile.Prefix) {
		HTML(http.StatusOK).write(rec) // the web app
		return
	}
	r.Body = &bodyReader{Reader: bytes.NewReader(body)}
	s.mux.ServeHTTP(rec, r)
}

type bodyReader struct{ *bytes.Reader }

func (*bodyReader) Close() error { return nil }

// recorder keeps a response until the faults have been applied.
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
		_, _ = w.Write(r.body.Bytes()) // #nosec G705 -- no browser sees it.
		return
	}
	if r.body.Len() > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(2*r.body.Len()+1))
		w.WriteHeader(r.status)
		_, _ = w.Write(r.body.Bytes()) // #nosec G705 -- no browser sees it.
		_ = http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler) // net/http closes the connection
}
