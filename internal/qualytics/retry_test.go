// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func TestNextWait(t *testing.T) {
	t.Parallel()
	c := &Client{
		config:  Config{MaxRetries: 2, Jitter: func() float64 { return 1 }, Now: time.Now},
		contact: &contact{},
	}
	c.contact.answered.Store(true)
	get := func(after time.Duration) *Error {
		return &Error{Method: http.MethodGet, transient: true, retryAfter: after}
	}
	for _, tc := range []struct {
		name    string
		err     *Error
		attempt int
		asked   time.Duration // waited before because of Retry-After
		wait    time.Duration
		again   bool
	}{
		{"first retry", get(0), 1, 0, firstBackoff, true},
		{"last retry", get(0), 2, 0, backoffFactor * firstBackoff, true},
		{"retries used up", get(0), 3, 0, 0, false},
		{"not transient", &Error{Method: http.MethodGet}, 1, 0, 0, false},
		{"create that was sent", &Error{Method: http.MethodPost, transient: true, MaybeDone: true}, 1, 0, 0, false},
		{"create that was rejected", &Error{Method: http.MethodPost, transient: true}, 1, 0, firstBackoff, true},
		{"asked to wait", get(time.Minute), 1, 0, time.Minute + firstBackoff/10, true},
		{"the whole budget", get(retryAfterBudget), 1, 0, retryAfterBudget + firstBackoff/10, true},
		{"the rest of it", get(time.Minute), 1, retryAfterBudget - time.Minute, time.Minute + firstBackoff/10, true},
		{"more", get(time.Minute), 1, retryAfterBudget - time.Minute + 1, 0, false},
	} {
		asked := tc.asked
		wait, again := c.nextWait(tc.err, tc.attempt, &asked)
		if wait != tc.wait || again != tc.again {
			t.Errorf("%s: %s %t, want %s %t", tc.name, wait, again, tc.wait, tc.again)
		}
		if explained := strings.Contains(tc.err.Problem, "longer than this request may wait"); explained !=
			(tc.name == "more") {
			t.Errorf("%s: the problem is %q", tc.name, tc.err.Problem)
		}
		if again && asked != tc.asked+tc.err.retryAfter {
			t.Errorf("%s: asked to wait %s so far", tc.name, asked)
		}
	}
}

func TestClassifyStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct{ transient, received bool }{
		301: {}, 400: {}, 401: {}, 403: {}, 404: {}, 409: {}, 413: {}, 422: {}, 499: {},
		408: {received: true},
		429: {transient: true},
		500: {received: true}, 501: {received: true}, 507: {received: true},
		502: {transient: true, received: true}, 503: {transient: true, received: true},
		504: {transient: true, received: true},
	} {
		if got := classifyStatus(status); got.Status != status || got.transient != want.transient ||
			got.MaybeDone != want.received {
			t.Errorf("%d: %+v, want %+v", status, got, want)
		}
	}
}

func TestSystemReason(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: "no such host"}, " (no such host)"},
		{dial(syscall.ECONNREFUSED), " (connection refused)"},
		{dial(os.ErrDeadlineExceeded), " (timed out)"},
		{dial(errors.New("x")), ""},
		{errors.New("x"), ""},
	} {
		if got := systemReason(tc.err); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.err, got, tc.want)
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	c := &Client{base: &url.URL{Scheme: "https", Host: "q.example"}, config: Config{Timeout: time.Second}}
	operation := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	for _, tc := range []struct {
		name                string
		err                 error
		problem             string
		transient, received bool // neither: the settings are wrong, or the response is
	}{
		{"certificate", &tls.CertificateVerificationError{Err: errors.New("x")}, "set ca_cert_file", false, false},
		{
			"certificate of another host", &tls.CertificateVerificationError{
				Err: x509.HostnameError{Host: "q.example", Certificate: &x509.Certificate{}},
			}, "check the host in url", false, false,
		},
		{
			"expired certificate", &tls.CertificateVerificationError{
				Err: x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}},
			}, "check the clock", false, false,
		},
		{"no TLS", tls.RecordHeaderError{}, "does not speak TLS", false, false},
		{"http to a TLS port", http.ErrSchemeMismatch, "does not speak TLS", false, false},
		{"web page", errWebPage, "web page", false, true},
		{"empty", errEmptyResponse, "empty", false, true},
		{"too large", errTooLarge, "larger than", false, true},
		{"wrong shape", &shapeError{"the response is odd"}, "the response is odd", false, true},
		{"proxy", operation("proxyconnect", syscall.ECONNREFUSED), "no connection to the proxy", true, false},
		{
			"name of the proxy", operation("proxyconnect", &net.DNSError{Err: "no such host", IsNotFound: true}),
			"no connection to the proxy (no such host)", false, false,
		},
		{
			"certificate of the proxy", operation("proxyconnect",
				&tls.CertificateVerificationError{Err: errors.New("x")}), "no connection to the proxy", false, false,
		},
		{"socks", operation("socks connect", syscall.ECONNREFUSED), "no connection to the proxy", true, false},
		{
			"name", operation("dial", &net.DNSError{Err: "no such host", IsNotFound: true}), "cannot be resolved",
			false, false,
		},
		{
			"name server", operation("dial", &net.DNSError{Err: "server misbehaving", IsTemporary: true}),
			"cannot be resolved (server misbehaving)", true, false,
		},
		{"refused", operation("dial", syscall.ECONNREFUSED), "no connection to q.example", true, false},
		{"connection timed out", operation("dial", os.ErrDeadlineExceeded), "(timed out)", true, false},
		{"timeout", os.ErrDeadlineExceeded, "no response within 1s", true, true},
		{"truncated", &bodyError{io.ErrUnexpectedEOF}, "in the middle of the response", true, true},
		{"closed", io.EOF, "closed before a response arrived", true, true},
	} {
		got := c.classify(tc.err)
		if !strings.Contains(got.Problem, tc.problem) || got.transient != tc.transient || got.MaybeDone != tc.received {
			t.Errorf("%s: %+v, want %q, transient %t, received %t", tc.name, got, tc.problem, tc.transient, tc.received)
		}
		if got.Configuration != (!tc.transient && !tc.received) {
			t.Errorf("%s: configuration %t", tc.name, got.Configuration)
		}
	}
}

// With a rate limit no request fails, and most of the allowed rate is used,
// whatever the parallelism.
func TestPaceUnderALimit(t *testing.T) {
	t.Parallel()
	const limit, work = 50, 400 // beyond the burst
	for _, burst := range []int{50, 250} {
		for _, parallelism := range []int{1, 10, 100} {
			s, err := qualyticstest.NewServer(qualyticstest.Options{
				Rate: limit, Burst: burst, Latency: 5 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Config{
					URL: s.URL, APIPath: s.APIPath(), Token: Secret(s.AdminToken()), MaxRetries: DefaultMaxRetries,
				})
				if err != nil {
					t.Fatal(err)
				}
				c.http.Transport = direct(s)
				begin := time.Now()
				var left atomic.Int64
				left.Store(int64(work + burst))
				var wait sync.WaitGroup
				for range parallelism {
					wait.Go(func() {
						for left.Add(-1) >= 0 {
							if _, err := c.CurrentUser(t.Context()); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wait.Wait()
				took, atBest := time.Since(begin), work*time.Second/limit
				used := float64(atBest) / float64(took)
				t.Logf("burst %d, parallelism %d: %.0f %% of the limit", burst, parallelism, 100*used)
				// Without parallelism, the latency counts too.
				if parallelism > 1 && used < 0.77 {
					t.Errorf("burst %d, parallelism %d: took %s, the limit allows %s", burst, parallelism, took, atBest)
				}
			})
		}
	}
}

// The pace slows down after a 429, and recovers.
func TestPaceAdapts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	p := &pace{}
	if d := p.delay(now, false); d != 0 {
		t.Errorf("without a limit, the delay is %s", d)
	}
	for range 50 { // several at the same time count once
		p.record429(now, 0)
	}
	if p.limiter.Limit() != firstRate {
		t.Errorf("after the first 429: %v a second", p.limiter.Limit())
	}
	now = now.Add(rateInterval)
	p.record429(now, 0)
	if p.limiter.Limit() != firstRate*slowDown {
		t.Errorf("after another: %v a second", p.limiter.Limit())
	}
	now = now.Add(rateInterval)
	p.delay(now, false)
	if p.limiter.Limit() <= firstRate*slowDown {
		t.Errorf("after an interval without a 429: %v a second", p.limiter.Limit())
	}
	for range 100 {
		now = now.Add(rateInterval)
		p.record429(now, 0)
	}
	if p.limiter.Limit() != minRate {
		t.Errorf("at worst: %v a second", p.limiter.Limit())
	}
	p.record429(now, 10*time.Second)
	if d := p.delay(now, false); d < 10*time.Second {
		t.Errorf("a Retry-After of 10 s delays another request by %s", d)
	}
	p.record429(now, time.Hour)
	if d := p.delay(now.Add(11*time.Second), false); d > time.Minute {
		t.Errorf("a Retry-After of an hour delays other requests by %s", d)
	}
}
