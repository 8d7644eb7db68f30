// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func refused() error { return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED} }

// clientIn returns a client in a bubble of synctest, where waits take no time.
func clientIn(t *testing.T, jitter float64, send roundTripper) *Client {
	t.Helper()
	c, err := New(Config{
		URL: "https://q.example", Token: "x", MaxRetries: DefaultMaxRetries,
		Jitter: func() float64 { return jitter },
	})
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport = send
	return c
}

// A host that does not answer is reported within 40 seconds, however many requests there
// are. After that, each request is sent once.
func TestNoFirstAnswer(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() (*http.Response, error){
		"connection refused": func() (*http.Response, error) { return nil, refused() },
		"no response to a connection": func() (*http.Response, error) {
			time.Sleep(dialTimeout)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
		},
		"gateway": func() (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody}, nil
		},
	} {
		for _, jitter := range []float64{0, 0.5, 1} {
			synctest.Test(t, func(t *testing.T) {
				var requests atomic.Int64
				c := clientIn(t, jitter, func(*http.Request) (*http.Response, error) {
					requests.Add(1)
					return fail()
				})
				start := time.Now()
				var wait sync.WaitGroup
				for range 10 {
					wait.Go(func() {
						if _, err := c.CurrentUser(t.Context()); asError(t, err).Attempts < 3 {
							t.Errorf("%s, jitter %g: %v", name, jitter, err)
						}
					})
				}
				wait.Wait()
				if took := time.Since(start); took < 25*time.Second || took > 40*time.Second {
					t.Errorf("%s, jitter %g: reported after %s", name, jitter, took)
				}
				other, err := c.WithToken("y")
				if err != nil {
					t.Fatal(err)
				}
				requests.Store(0)
				for _, c := range []*Client{c, other} {
					if _, err := c.Teams(t.Context()); asError(t, err).Attempts != 1 {
						t.Errorf("%s, jitter %g, later: %v", name, jitter, err)
					}
				}
				if requests.Load() != 2 {
					t.Errorf("%s, jitter %g, later: %d requests, want 2", name, jitter, requests.Load())
				}
			})
		}
	}
}

// An upgrade of a deployment with one replica fails no request, neither the first one nor a
// later one. Later ones outlast 40 seconds on average.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		outage  time.Duration
		first   bool // the outage begins before the first request
		jitters []float64
	}{
		{"first contact", 22 * time.Second, true, []float64{0, 0.25, 0.5, 0.75, 1}},
		{"later", 34 * time.Second, false, []float64{0, 0.25, 0.5, 0.75, 1}},
		{"on average", 50 * time.Second, false, []float64{0.5, 0.75, 1}},
	} {
		for _, jitter := range tc.jitters {
			synctest.Test(t, func(t *testing.T) {
				down := time.Now()
				if !tc.first {
					down = down.Add(time.Hour)
				}
				c := clientIn(t, jitter, func(*http.Request) (*http.Response, error) {
					switch since := time.Since(down); {
					case since < 0 || since > tc.outage:
						return responseWith(`{"id":1}`), nil
					case since < tc.outage*3/4:
						return nil, refused()
					default:
						return &http.Response{StatusCode: http.StatusBadGateway, Body: http.NoBody}, nil
					}
				})
				if !tc.first {
					if _, err := c.CurrentUser(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Until(down))
				}
				if _, err := c.CurrentUser(t.Context()); err != nil {
					t.Errorf("%s, jitter %g: %v", tc.name, jitter, err)
				}
			})
		}
	}
}

// The waits of a request with default settings take 45 to 60 seconds on average, and have a
// floor. max_retries limits the attempts.
func TestWaits(t *testing.T) {
	t.Parallel()
	sum := func(jitter float64) (total time.Duration) {
		c := &Client{config: Config{Jitter: func() float64 { return jitter }}}
		for attempt := range DefaultMaxRetries {
			total += c.backoff(attempt + 1)
		}
		return total
	}
	if least, average, most := sum(0), sum(0.5), sum(1); least*2 != most || average < 45*time.Second ||
		average > 60*time.Second {
		t.Errorf("waits of %s to %s, on average %s", least, most, average)
	}
	c := &Client{config: Config{Jitter: func() float64 { return 1 }}}
	if wait := c.backoff(100); wait != maxBackoff {
		t.Errorf("wait %s after 100 attempts", wait)
	}
	for _, retries := range []int{0, 1, 3} {
		s := newServer(t, qualyticstest.Build202609())
		c, _ := newClient(t, s, func(cfg *Config) { cfg.MaxRetries = retries })
		s.Fail(qualyticstest.HTML(503).Repeat(qualyticstest.Forever))
		if _, err := c.CurrentUser(t.Context()); asError(t, err).Attempts != retries+1 {
			t.Errorf("max_retries = %d: %v", retries, err)
		}
	}
}

// What counts as an answer: any response but a gateway's that reached no application.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault qualyticstest.Fault
		want  bool
	}{
		{"API error", qualyticstest.JSON(401, `{"detail":"no"}`), true},
		{"API error of a gateway's status", qualyticstest.JSON(503, `{"detail":"starting"}`), true},
		{"rate limit", qualyticstest.HTML(429), true},
		{"firewall", qualyticstest.HTML(403), true},
		{"gateway", qualyticstest.HTML(502), false},
		{"maintenance that says how long", qualyticstest.Fault{
			Status: 503, Header: http.Header{"Retry-After": {"10"}},
		}, true},
		{"no response", qualyticstest.Fault{Kind: qualyticstest.CloseBefore}, false},
		{"success", qualyticstest.JSON(200, `{"id":1}`), true},
	} {
		s := newServer(t, qualyticstest.Build202609())
		c, _ := newClient(t, s, func(cfg *Config) { cfg.MaxRetries = 0 })
		s.Fail(tc.fault)
		_, _ = c.CurrentUser(t.Context())
		if c.contact.answered.Load() != tc.want {
			t.Errorf("%s: answered %t, want %t", tc.name, c.contact.answered.Load(), tc.want)
		}
	}
}

// proxied returns a client for base with a proxy, which has credentials in its URL.
func proxied(t *testing.T, base string, proxy *httptest.Server) (*Client, *recordedWaits) {
	t.Helper()
	w := &recordedWaits{}
	c, err := New(Config{URL: base, Token: "x", MaxRetries: DefaultMaxRetries, Sleep: w.sleep})
	if err != nil {
		t.Fatal(err)
	}
	transport, ok := c.http.Transport.(*http.Transport)
	if !ok {
		t.Fatalf("transport %T", c.http.Transport)
	}
	transport.Proxy = func(*http.Request) (*url.URL, error) {
		u, err := url.Parse(proxy.URL)
		u.User = url.UserPassword("canary", "canary")
		return u, err
	}
	return c, w
}

// A proxy that does not connect is named, with its status. A refusal is not repeated.
func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		base     string
		status   int
		want     string
		attempts int
	}{
		{"https://q.example", 407, "407 Proxy Authentication Required: set user name and password in HTTPS_PROXY", 1},
		{"https://q.example", 403, "403 Forbidden: ask its administrator", 1},
		{"https://q.example", 503, "503 Service Unavailable: check url", 1 + DefaultMaxRetries},
		{"http://q.example", 407, "set them in HTTP_PROXY", 1},
	} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(tc.status)
		}))
		t.Cleanup(proxy.Close)
		c, w := proxied(t, tc.base, proxy)
		_, err := c.postServiceAccount(t.Context(), wanted)
		e := asError(t, err)
		if !contains(e.Problem, tc.want) || contains(e.Error(), "canary") || e.MaybeDone ||
			e.Attempts != tc.attempts || len(w.all) != tc.attempts-1 || e.Configuration != (tc.attempts == 1) {
			t.Errorf("%s through a proxy that returns %d: %+v", tc.base, tc.status, e)
		}
		if named := contains(e.Problem, proxy.Listener.Addr().String()); tc.base == "https://q.example" && !named {
			t.Errorf("the proxy is not named: %s", e.Problem)
		}
	}
}

// A mismatch of http and https is recognized from both sides, and not repeated.
func TestSchemeMismatch(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	encrypted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(encrypted.Close)
	nginx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("<html><center>The plain HTTP request was sent to HTTPS port</center></html>"))
	}))
	t.Cleanup(nginx.Close)
	alert, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = alert.Close() })
	go func() {
		for {
			conn, err := alert.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("\x15\x03\x01\x00\x02\x02\x46"))
			_ = conn.Close()
		}
	}()
	for _, tc := range []struct{ name, url, want string }{
		{"https to a port without TLS", "https://" + plain.Listener.Addr().String(), "does not speak TLS"},
		{"http to a TLS port", "http://" + encrypted.Listener.Addr().String(), "set url to an https URL"},
		{"http to a TLS port of nginx", nginx.URL, "set url to an https URL"},
		{"http to a TLS port that sends an alert", "http://" + alert.Addr().String(), "set url to an https URL"},
	} {
		w := &recordedWaits{}
		c, err := New(Config{URL: tc.url, Token: "x", MaxRetries: DefaultMaxRetries, Sleep: w.sleep})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.CurrentUser(t.Context())
		if e := asError(t, err); !contains(e.Problem, tc.want) || e.Attempts != 1 || !e.Configuration {
			t.Errorf("%s: %+v, want %q", tc.name, e, tc.want)
		}
	}
}

// A name that does not resolve is not repeated.
func TestUnknownHost(t *testing.T) {
	t.Parallel()
	w := &recordedWaits{}
	c, err := New(Config{URL: "https://q.example", Token: "x", MaxRetries: DefaultMaxRetries, Sleep: w.sleep})
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	})
	_, err = c.CurrentUser(context.WithoutCancel(t.Context()))
	if e := asError(t, err); e.Attempts != 1 || len(w.all) > 0 || !e.Configuration ||
		!contains(e.Problem, "cannot be resolved (no such host)") {
		t.Errorf("got %+v after %v", e, w.all)
	}
}

// What Envoy does otherwise than nginx: a rate limit in plain text without Retry-After, and a
// redirect to https that would turn a POST into a GET.
func TestEnvoy(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Build202609())
	c, w := newClient(t, s, nil)
	limited := qualyticstest.Fault{
		Status: http.StatusTooManyRequests, Body: "local_rate_limited",
		Header: http.Header{"Content-Type": {"text/plain"}},
	}
	s.Fail(limited.On(http.MethodPost, "/users").Repeat(2))
	if _, err := c.CreateServiceAccount(t.Context(), wanted); err != nil || len(w.all) != 2 {
		t.Errorf("a rate limit in plain text: %v after %v", err, w.all)
	}
	secure := "https" + s.URL[len("http"):] + "/api/users"
	s.Fail(qualyticstest.Fault{Status: 301, Header: http.Header{"Location": {secure}}}.On(http.MethodPost, "/users"))
	s.ClearRequests()
	_, err := c.postServiceAccount(t.Context(), ServiceAccountCreate{Name: "x", Role: RoleMember})
	if e := asError(t, err); e.Status != 301 || e.MaybeDone || !contains(e.Problem, "set url to an https URL") ||
		len(s.Requests()) != 1 {
		t.Errorf("a redirect to https: %+v after %v", e, s.Requests())
	}
}
