// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"bytes"
	"net"
	"net/http"
	"strings"
	"time"
)

// Envoy is the ingress of a profile that is a gateway of Envoy's kind. Any other one is
// nginx.
const Envoy = "envoy"

const envoySuffix = "-" + Envoy

// BehindEnvoy returns the profile with Envoy as its ingress.
func (p Profile) BehindEnvoy() Profile {
	p.Name += envoySuffix
	p.Ingress = Envoy
	return p
}

// What the kinds of ingress do, apart from passing requests on:
//
//	                          nginx                         Envoy
//	http instead of https     308, HTML                     301, empty
//	rate limit                per client, 429 in HTML       for all clients, 429 in plain text
//	body of more than 1 MiB   413 in HTML                   passed on
//	lost connection           3 tries, a POST has only one  4 tries
//	503 of the application    3 tries, a POST has only one  4 tries
//	no response in any try    502 in HTML                   503 in plain text
//	the application starts    503 in HTML                   503 in plain text
//
// Neither sends Retry-After.

// Response returns a response of the ingress itself, with a text that only Envoy sends.
func (p Profile) Response(status int, text string) Fault {
	if p.Ingress != Envoy {
		return HTML(status)
	}
	return Fault{Status: status, Header: http.Header{"Content-Type": {"text/plain"}}, Body: text}
}

// toHTTPS returns the redirect of a request.
func (p Profile) toHTTPS(r *http.Request) Fault {
	f := HTML(http.StatusPermanentRedirect)
	if p.Ingress == Envoy {
		f = Fault{Status: http.StatusMovedPermanently, Header: http.Header{}}
	}
	f.Header.Set("Location", "https://"+r.Host+r.URL.RequestURI())
	return f
}

// limits reports whether the rate limit of the ingress refuses a request.
func (s *Server) limits(r *http.Request) bool {
	if s.rate <= 0 {
		return false
	}
	client := ""
	if s.Profile.Ingress != Envoy {
		client, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	s.mu.Lock()
	b := s.buckets[client]
	if b == nil {
		b = newBucket(s.rate, s.burst)
		s.buckets[client] = b
	}
	s.mu.Unlock()
	return !b.take()
}

// maxBody is the limit of nginx for the body of a request.
const maxBody = 1 << 20

func (p Profile) tooLarge(body int) bool { return p.Ingress != Envoy && body > maxBody }

// tries returns how often the ingress sends a request to the application if the connection
// is lost or the response is 503.
func (p Profile) tries(method string) int {
	switch {
	case p.Ingress == Envoy:
		return 4
	case method == http.MethodPost:
		return 1
	default:
		return 3
	}
}

// forward sends a request to the application, and again if that fails. Faults apply to
// each try; one that is not Upstream is between the client and the ingress.
func (s *Server) forward(r *http.Request, path string, body []byte) *recorder {
	for left := s.Profile.tries(r.Method) - 1; ; left-- {
		rec := &recorder{header: http.Header{}, status: http.StatusOK}
		fault := s.faultFor(r.Method, path)
		if fault == nil {
			s.application(rec, r, body)
			return rec
		}
		s.applyFault(fault, rec, r, body)
		noResponse := rec.cut && rec.body.Len() == 0
		switch {
		case !fault.Upstream, !noResponse && rec.status != http.StatusServiceUnavailable:
			return rec
		case left > 0:
		case noResponse:
			return s.unreachable()
		default:
			return rec
		}
	}
}

// unreachable returns the response of the ingress if the application does not respond.
func (s *Server) unreachable() *recorder {
	rec := &recorder{header: http.Header{}}
	status := http.StatusBadGateway
	if s.Profile.Ingress == Envoy {
		status = http.StatusServiceUnavailable
	}
	s.Profile.Response(status, "upstream connect error or disconnect/reset before headers. reset reason: "+
		"connection termination").write(rec)
	return rec
}

// Upgrade replaces a deployment in place: the server refuses connections until its clock
// has advanced by refuse, and then responds with 503 until it has advanced by start. The
// responses to requests in progress are lost.
func (s *Server) Upgrade(refuse, start time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.http
	s.down, s.ready = true, s.Clock.Now().Add(refuse+start)
	_ = old.Listener.Close()
	go func() { // it waits for requests in progress, and one of them may have called Upgrade
		old.CloseClientConnections()
		old.Close()
	}()
	s.Clock.after(refuse, s.reopen)
}

// reopen serves on the same address as before. If another process uses that for the moment,
// it tries again.
func (s *Server) reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	server, err := s.open(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		time.AfterFunc(10*time.Millisecond, s.reopen)
		return
	}
	s.http, s.down = server, false
}

// state reports whether the server is down, and whether the application is starting.
func (s *Server) state() (down, starting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down, s.Clock.Now().Before(s.ready)
}

// lost returns a closed connection.
func lost() *recorder {
	return &recorder{header: http.Header{}, cut: true, body: bytes.Buffer{}}
}
