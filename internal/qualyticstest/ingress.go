// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP is the ingress: it responds itself or calls the application, and logs the request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == ClockPath {
		s.serveClock(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	inside := strings.TrimPrefix(r.URL.Path, s.Profile.Prefix)
	entry := Request{
		Method: r.Method, Path: inside, Query: r.URL.Query(), Header: r.Header.Clone(), Body: string(body),
	}
	time.Sleep(s.opts.Latency)
	rec := s.respond(r, inside, body)
	if down, _ := s.state(); down {
		rec = lost()
	}
	entry.Bytes = rec.Body.Len()
	if !rec.cut {
		entry.Status = rec.Code
	}
	s.mu.Lock()
	s.log = append(s.log, entry)
	s.mu.Unlock()
	w.Header().Set("Date", s.Clock.Now().Format(http.TimeFormat))
	rec.send(w)
}

// respond returns the response to a request whose path inside the API is given.
func (s *Server) respond(r *http.Request, inside string, body []byte) *recorder {
	down, starting := s.state()
	gateway := s.Profile.ingress()
	switch {
	case down:
		return lost()
	case s.Profile.RequireHTTPS && r.TLS == nil:
		return gateway.toHTTPS(r)
	case s.limits(r):
		return gateway.fault(http.StatusTooManyRequests, "local_rate_limited").response()
	case gateway.maxBody > 0 && len(body) > gateway.maxBody:
		return gateway.fault(http.StatusRequestEntityTooLarge, "").response()
	case starting:
		return gateway.fault(http.StatusServiceUnavailable, "no healthy upstream").response()
	default:
		return s.forward(r, inside, body)
	}
}

// withFault returns the response to a request with a fault.
func (s *Server) withFault(f *Fault, r *http.Request, body []byte) *recorder {
	if f.Do != nil {
		f.Do()
	}
	if f.Wait > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(f.Wait):
		}
	}
	switch f.Kind {
	case Respond:
		return f.response()
	case CloseBefore:
		return lost()
	case Replay:
		s.application(r, body)
	default:
	}
	rec := s.application(r, body)
	switch f.Kind {
	case Replace:
		return f.response()
	case CloseAfter:
		return lost()
	case Truncate:
		rec.cut = true
		rec.Body.Truncate(rec.Body.Len() / 2)
	default:
	}
	return rec
}

// application responds like Qualytics.
func (s *Server) application(r *http.Request, body []byte) *recorder {
	if !strings.HasPrefix(r.URL.Path, s.Profile.Prefix+"/") {
		return HTML(http.StatusOK).response() // the web app
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := &recorder{ResponseRecorder: httptest.NewRecorder()}
	s.mux.ServeHTTP(rec, r)
	return rec
}

// recorder keeps a response until the faults have been applied.
type recorder struct {
	*httptest.ResponseRecorder
	cut bool // the connection is closed after the body
}

// response returns the response of f.
func (f Fault) response() *recorder {
	rec := &recorder{ResponseRecorder: httptest.NewRecorder()}
	maps.Copy(rec.Header(), f.Header)
	rec.Code = cmp.Or(f.Status, http.StatusOK)
	rec.Body.WriteString(f.Body)
	return rec
}

// lost returns a closed connection.
func lost() *recorder { return &recorder{httptest.NewRecorder(), true} }

func (r *recorder) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.Header())
	if r.cut && r.Body.Len() == 0 {
		panic(http.ErrAbortHandler) // net/http closes the connection
	}
	if r.cut {
		w.Header().Set("Content-Length", strconv.Itoa(2*r.Body.Len()+1))
	}
	w.WriteHeader(r.Code)
	_, _ = w.Write(r.Body.Bytes()) // #nosec G705 -- no browser sees it.
	if r.cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
