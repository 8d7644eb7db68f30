// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// The retry policy. Every limit of it is in this block.
const (
	// DefaultMaxRetries is how often a request is repeated. Five retries wait 52
	// seconds on average and 35 at least, longer than an upgrade of a deployment with
	// one replica (about 22 seconds of refused connections, 502, and 503).
	DefaultMaxRetries = 5
	// firstBackoff is multiplied by backoffFactor with each retry, up to maxBackoff.
	// The wait is between half of that and all of it: a random part, so that parallel
	// requests do not return together, and a floor, so that retries last.
	firstBackoff  = time.Second
	backoffFactor = 3
	maxBackoff    = 30 * time.Second
	// firstContactBudget is how long after the first request retries are allowed
	// until the deployment has answered. It outlasts an upgrade.
	firstContactBudget = 30 * time.Second
	// dialTimeout ends an attempt to connect. With it, a host that does not respond
	// is reported within 40 seconds.
	dialTimeout = 10 * time.Second
	// retryAfterBudget limits how long one request waits because of
	// Retry-After headers: a run should fail rather than hang.
	retryAfterBudget = 2 * time.Minute

	// firstRate is the request rate per second after the first 429: slightly
	// below the 50 that the ingress allows by default.
	firstRate = 45
	// minRate is the lowest request rate, whatever the number of 429s.
	minRate = 1
	// A 429 multiplies the rate by slowDown, and rateInterval without one by
	// speedUp. Several 429s within half of that interval count once.
	slowDown     = 0.8
	speedUp      = 1.1
	rateInterval = 2 * time.Second

	// maxListAttempts is how often a listing starts again because its total
	// changed between two pages.
	maxListAttempts = 3
)

// contact is whether a deployment has answered. Until it has, all requests share one
// budget for retries, so that a wrong host is reported once and soon; when it is used up,
// each request is sent once. Clients of the same deployment share one.
type contact struct {
	first    sync.Once
	until    time.Time // end of the budget, from the first request on
	answered atomic.Bool
}

// begin records that a request is sent.
func (k *contact) begin(now time.Time) {
	k.first.Do(func() { k.until = now.Add(firstContactBudget) })
}

// limit returns how much of a wait the budget allows, and false if none is left.
func (k *contact) limit(wait time.Duration, now time.Time) (time.Duration, bool) {
	if k.answered.Load() {
		return wait, true
	}
	wait = min(wait, k.until.Sub(now))
	return wait, wait > 0
}

// repeatable reports whether a request may be sent again after e. A POST that
// the application may have processed is never repeated blindly.
func (e *Error) repeatable() bool {
	return e.transient && (e.Method != http.MethodPost || !e.MaybeDone)
}

// isAnswer reports whether e is an answer of the deployment: any response but a gateway's
// 502, 503, or 504, unless that asks to wait.
func (e *Error) isAnswer() bool {
	return e.Status != 0 && (!isGatewayFailure(e.Status) || e.FromAPI || e.retryAfter > 0)
}

// nextWait returns how long to wait before the next attempt, and false if there
// is none. asked is how long the request has waited because of Retry-After.
func (c *Client) nextWait(e *Error, attempt int, asked *time.Duration) (time.Duration, bool) {
	if !e.repeatable() || attempt > c.config.MaxRetries {
		return 0, false
	}
	if e.retryAfter > retryAfterBudget-*asked {
		e.Problem = joinText(e.Problem,
			fmt.Sprintf("it asks to wait %s, longer than this request may wait", e.retryAfter.Round(time.Second)))
		return 0, false
	}
	wait := c.backoff(attempt)
	if e.retryAfter > 0 {
		*asked += e.retryAfter
		wait = e.retryAfter + wait/10
	}
	return c.contact.limit(wait, c.Now())
}

// backoff returns half of the exponential wait after an attempt, counted from 1, and a
// random part of the other half.
func (c *Client) backoff(attempt int) time.Duration {
	ceiling := firstBackoff
	for range attempt - 1 {
		ceiling = min(maxBackoff, ceiling*backoffFactor)
	}
	return time.Duration((1 + c.config.Jitter()) / 2 * float64(ceiling))
}

// isGatewayFailure reports whether a status means that a gateway got no response from the
// application.
func isGatewayFailure(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable ||
		status == http.StatusGatewayTimeout
}

// classifyStatus returns the error of an unsuccessful status.
func classifyStatus(status int) *Error {
	return &Error{
		Status:    status,
		transient: status == http.StatusTooManyRequests || isGatewayFailure(status), // 429: rejected by the ingress
		MaybeDone: status == http.StatusRequestTimeout || status >= 500,
	}
}

// misconfigured returns the error of a request that cannot succeed with these settings.
func misconfigured(problem string) *Error { return &Error{Problem: problem, Configuration: true} }

// notSent returns the error of a request that did not reach the deployment.
func notSent(problem string) *Error { return &Error{Problem: problem, transient: true} }

// lost returns the error of a request that the application may have processed although
// its response did not arrive.
func lost(problem string) *Error { return &Error{Problem: problem, transient: true, MaybeDone: true} }

// classify explains a request without a usable response, and whether to retry it. The explanation
// contains no header, no body, and no address but the deployment's and the proxy's.
func (c *Client) classify(err error) *Error {
	host := c.base.Host
	operation, _ := errors.AsType[*net.OpError](err)
	refusal, _ := errors.AsType[*proxyError](err)
	certificate, _ := errors.AsType[*tls.CertificateVerificationError](err)
	dns, _ := errors.AsType[*net.DNSError](err)
	network, _ := errors.AsType[net.Error](err)
	shape, _ := errors.AsType[*shapeError](err)
	_, truncated := errors.AsType[*bodyError](err)
	reason := systemReason(err)
	switch {
	case refusal != nil:
		return refusal.explain(host)
	case operation != nil && (operation.Op == "proxyconnect" || operation.Op == "socks connect"):
		e := notSent("no connection to the proxy" + reason + ": check HTTPS_PROXY, HTTP_PROXY, and NO_PROXY")
		e.Configuration = certificate != nil || isSchemeMismatch(err) || dns != nil && dns.IsNotFound
		e.transient = !e.Configuration
		return e
	case certificate != nil:
		return misconfigured(fmt.Sprintf("the certificate of %s is not trusted (%s): %s", host,
			c.mask.clean(certificate.Err.Error()), certificateAdvice(certificate)))
	case isSchemeMismatch(err) && c.base.Scheme == "http":
		return misconfigured(httpsExpected(host))
	case isSchemeMismatch(err):
		return misconfigured(host + " does not speak TLS: check the scheme and port of url")
	case shape != nil:
		return &Error{Problem: c.mask.clean(shape.text), MaybeDone: true}
	case dns != nil && dns.IsNotFound:
		return misconfigured("the host " + host + " cannot be resolved" + reason + ": check url and the network")
	case dns != nil:
		return notSent("the host " + host + " cannot be resolved" + reason + ": check url and the network")
	case operation != nil && operation.Op == "dial":
		return notSent("no connection to " + host + reason + ": check url, the network, and proxies")
	case network != nil && network.Timeout():
		return lost(fmt.Sprintf("no response within %s (timeout)", c.config.Timeout))
	case truncated:
		return lost("the connection closed in the middle of the response" + reason)
	default:
		return lost("the connection to " + host + " was closed before a response arrived" + reason)
	}
}

// certificateAdvice returns what to do about a certificate that is not trusted.
func certificateAdvice(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "check the host in url"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "check the clock of this machine, or ask the administrator of the deployment"
	}
	return "set ca_cert_file or ca_cert_pem to the authority that signed it"
}

// tlsRecord is how net/http quotes the start of an alert or a handshake of TLS that it got
// instead of a response.
var tlsRecord = regexp.MustCompile(`malformed HTTP response "\\x1[56]\\x03`)

// isSchemeMismatch reports whether one side spoke TLS and the other did not.
func isSchemeMismatch(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	return record || errors.Is(err, http.ErrSchemeMismatch) || tlsRecord.MatchString(err.Error())
}

func httpsExpected(host string) string { return host + " expects TLS: set url to an https URL" }

// proxyError is a response of a proxy to CONNECT that is not a success.
type proxyError struct {
	proxy  string // host and port, without credentials
	status int
}

func (e *proxyError) Error() string { return fmt.Sprintf("%d from the proxy %s", e.status, e.proxy) }

// explain returns the error of a request that a proxy did not forward to host. A proxy that
// found the host unreachable may reach it later.
func (e *proxyError) explain(host string) *Error {
	what := fmt.Sprintf("the proxy %s responded to CONNECT %s with %d %s", e.proxy, host, e.status,
		http.StatusText(e.status))
	switch {
	case e.status >= http.StatusInternalServerError:
		return notSent(what + ": check url, and whether the proxy can reach it")
	case e.status == http.StatusProxyAuthRequired:
		return misconfigured(what + ": set user name and password in HTTPS_PROXY, or add the host to NO_PROXY")
	default:
		return misconfigured(what + ": ask its administrator to allow the host, check HTTPS_PROXY, or add the host " +
			"to NO_PROXY")
	}
}

// checkProxy returns an error that names the proxy if it refuses to connect.
func checkProxy(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy: proxy.Host, status: resp.StatusCode}
}

// systemReason returns the operating system's reason for a network error in
// parentheses, such as " (connection refused)", or "" if there is none.
func systemReason(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return " (" + strings.TrimSpace(dns.Err) + ")"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return " (" + errno.Error() + ")"
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Timeout() {
		return " (timed out)"
	}
	return ""
}

// parseRetryAfter returns the wait that a Retry-After header asks for: seconds, or a date, which is
// one of the clock in the Date header. It returns 0 for everything that asks for none.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	const longest = 365 * 24 * time.Hour
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(max(0, min(seconds, int64(longest/time.Second)))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		if sent, err := http.ParseTime(h.Get("Date")); err == nil {
			now = sent
		}
		return max(0, date.Sub(now))
	}
	return 0
}

func joinText(a, b string) string { return strings.TrimPrefix(a+"; "+b, "; ") }

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// pace limits the request rate of a client. It is unlimited until the ingress returns 429,
// and then follows what the ingress allows. Clients of the same deployment share one.
type pace struct {
	mu      sync.Mutex
	limiter *rate.Limiter // nil: unlimited
	changed time.Time     // when the rate changed last
	until   time.Time     // no request is sent before: a Retry-After holds all of them
}

// delay returns how long a request has to wait before it is sent. A retry has
// waited for its Retry-After already.
func (p *pace) delay(now time.Time, retry bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	if !retry && p.until.After(now) {
		at = p.until
	}
	if p.limiter == nil {
		return at.Sub(now)
	}
	if now.Sub(p.changed) >= rateInterval {
		p.limiter.SetLimitAt(now, p.limiter.Limit()*speedUp)
		p.changed = now
	}
	return max(at.Sub(now), p.limiter.ReserveN(now, 1).DelayFrom(now))
}

// record429 records a 429 and the wait that it asks for.
func (p *pace) record429(now time.Time, asked time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if asked > 0 && asked <= retryAfterBudget && now.Add(asked).After(p.until) {
		p.until = now.Add(asked)
	}
	switch {
	case p.limiter == nil:
		p.limiter = rate.NewLimiter(firstRate, 1)
		p.changed = now
	case now.Sub(p.changed) >= rateInterval/2:
		p.limiter.SetLimitAt(now, max(minRate, p.limiter.Limit()*slowDown))
		p.changed = now
	}
}

// waitForRate waits until a request may be sent.
func (c *Client) waitForRate(ctx context.Context, retry bool) error {
	if d := c.pace.delay(c.Now(), retry); d > 0 {
		return c.config.Sleep(ctx, d)
	}
	return ctx.Err()
}
