// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"net"
	"net/http"
	"strings"
	"time"
)

// Envoy is the ingress of a profile that is a gateway of Envoy's kind. Any other one is nginx.
const Envoy = "envoy"

const envoySuffix = "-" + Envoy

// BehindEnvoy returns the profile with Envoy as its ingress.
func (p Profile) BehindEnvoy() Profile {
	p.Name += envoySuffix
	p.Ingress = Envoy
	return p
}

// ingress is what a kind of ingress does, apart from passing requests on. Its responses are
// HTML, or else plain text, and it never sends Retry-After.
type ingress struct {
	html        bool
	perClient   bool // the rate limit is for each client, or else for all of them
	maxBody     int  // of a request, in bytes; 0: no limit
	tries       int  // of a request whose connection is lost, or whose response is 503
	triesOfPost int
	unreachable int // status if no try has a response
}

var (
	nginx = ingress{
		html: true, perClient: true, maxBody: 1 << 20, tries: 3, triesOfPost: 1, unreachable: http.StatusBadGateway,
	}
	envoy = ingress{tries: 4, triesOfPost: 4, unreachable: http.StatusServiceUnavailable}
)

func (p Profile) ingress() ingress {
	if p.Ingress == Envoy {
		return envoy
	}
	return nginx
}

// fault returns the ingress's own response, with a text that is not in HTML.
func (i ingress) fault(status int, text string) Fault {
	if i.html {
		return HTML(status)
	}
	return Fault{Status: status, Header: http.Header{"Content-Type": {"text/plain"}}, Body: text}
}

// Response returns a response of the ingress itself, with a text that is not in HTML.
func (p Profile) Response(status int, text string) Fault { return p.ingress().fault(status, text) }

// toHTTPS returns the redirect of a request.
func (i ingress) toHTTPS(r *http.Request) *recorder {
	f := HTML(http.StatusPermanentRedirect)
	if !i.html {
		f = Fault{Status: http.StatusMovedPermanently, Header: http.Header{}}
	}
	f.Header.Set("Location", "https://"+r.Host+r.URL.RequestURI())
	return f.response()
}

// bucket is what is left of the rate limit for a client. It uses the real clock.
type bucket struct {
	level float64 // requests
	at    time.Time
}

// limits reports whether the rate limit of the ingress refuses a request: rate requests per
// second, plus a burst.
func (s *Server) limits(r *http.Request) bool {
	if s.opts.Rate <= 0 {
		return false
	}
	client := ""
	if s.Profile.ingress().perClient {
		client, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last, now, size := s.buckets[client], time.Now(), float64(s.opts.Burst)+1
	// A new bucket is full, because its last request was in the year 1.
	level := min(size, last.level+float64(s.opts.Rate)*now.Sub(last.at).Seconds())
	if level < 1 {
		s.buckets[client] = bucket{level, now}
		return true
	}
	s.buckets[client] = bucket{level - 1, now}
	return false
}

// forward sends a request to the application, and again if that fails. Faults apply to
// each try; one that is not Upstream is between the client and the ingress.
func (s *Server) forward(r *http.Request, path string, body []byte) *recorder {
	gateway := s.Profile.ingress()
	left := gateway.tries
	if r.Method == http.MethodPost {
		left = gateway.triesOfPost
	}
	for {
		left--
		fault := s.faultFor(r.Method, path)
		if fault == nil {
			return s.application(r, body)
		}
		rec := s.withFault(fault, r, body)
		noResponse := rec.cut && rec.Body.Len() == 0
		switch {
		case !fault.Upstream, !noResponse && rec.Code != http.StatusServiceUnavailable:
			return rec
		case left > 0:
		case noResponse:
			return gateway.fault(gateway.unreachable, "upstream connect error or disconnect/reset before headers. "+
				"reset reason: connection termination").response()
		default:
			return rec
		}
	}
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
