// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The retry policy. Every limit of it is in this block.
const (
	// DefaultMaxRetries is how often a request is repeated. With the waits
	// below, five retries survive an outage of about half a minute.
	DefaultMaxRetries = 5
	// firstBackoff doubles with each retry, up to maxBackoff; the wait is a
	// random part of it, so that parallel requests do not return together.
	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
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

// repeatable reports whether a request may be sent again after e. A POST that
// the application may have processed is never repeated blindly.
func (e *Error) repeatable() bool {
	return e.transient && (e.Method != http.MethodPost || !e.MaybeDone)
}

// nextWait returns how long to wait before the next attempt, and false if there
// is none. asked is how long the request has waited because of Retry-After.
func (c *Client) nextWait(e *Error, attempt int, asked *time.Duration) (time.Duration, bool) {
	if !e.repeatable() || attempt > c.maxRetries {
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
	return wait, true
}

// backoff returns a random part of the exponential wait after an attempt,
// counted from 1.
func (c *Client) backoff(attempt int) time.Duration {
	ceiling := min(maxBackoff, firstBackoff<<min(attempt-1, 10))
	return time.Duration(c.jitter() * float64(ceiling))
}

// classifyStatus returns the error of an unsuccessful status.
func classifyStatus(status int) *Error {
	e := &Error{Status: status}
	switch status {
	case http.StatusTooManyRequests: // rejected by the ingress
		e.transient = true
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.transient, e.MaybeDone = true, true
	case http.StatusRequestTimeout:
		e.MaybeDone = true
	default:
		e.MaybeDone = status >= 500
	}
	return e
}

// notSent returns the error of a request that did not reach the deployment.
func notSent(problem string) *Error { return &Error{Problem: problem, transient: true} }

// lost returns the error of a request that the application may have processed although
// its response did not arrive.
func lost(problem string) *Error { return &Error{Problem: problem, transient: true, MaybeDone: true} }

// classify explains a request without a usable response, and whether to retry it. The
// explanation contains no header, no body, and no address but the deployment's.
func (c *Client) classify(err error) *Error {
	host := c.base.Host
	operation, _ := errors.AsType[*net.OpError](err)
	certificate, _ := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	dns, _ := errors.AsType[*net.DNSError](err)
	network, _ := errors.AsType[net.Error](err)
	_, truncated := errors.AsType[*bodyError](err)
	reason := systemReason(err)
	switch {
	case certificate != nil:
		return &Error{Problem: fmt.Sprintf("the certificate of %s is not trusted (%s): set ca_cert_file to the "+
			"authority that signed it", host, c.mask.clean(certificate.Err.Error()))}
	case record, errors.Is(err, http.ErrSchemeMismatch):
		return &Error{Problem: host + " does not speak TLS: check the scheme and port of url"}
	case isResponseError(err):
		return &Error{Problem: c.mask.clean(innermost(err).Error()), MaybeDone: true}
	case operation != nil && operation.Op == "proxyconnect":
		return notSent("no connection to the proxy" + reason + ": check HTTPS_PROXY, HTTP_PROXY, and NO_PROXY")
	case dns != nil:
		return notSent("the host " + host + " cannot be resolved" + reason + ": check url and the network")
	case operation != nil && operation.Op == "dial":
		return notSent("no connection to " + host + reason + ": check url, the network, and proxies")
	case network != nil && network.Timeout():
		return lost(fmt.Sprintf("no response within %s (timeout)", c.http.Timeout))
	case truncated:
		return lost("the connection closed in the middle of the response" + reason)
	default:
		return lost("the connection to " + host + " was closed before a response arrived" + reason)
	}
}

// isResponseError reports whether err says that a response arrived whole and is
// not what the API documents, or about another object.
func isResponseError(err error) bool {
	_, shape := errors.AsType[*shapeError](err)
	_, other := errors.AsType[*otherObjectError](err)
	return shape || other || errors.Is(err, errWebPage) || errors.Is(err, errEmptyResponse) || errors.Is(err, errTooLarge)
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

// innermost returns the error at the end of a chain: the client's own, without
// what net/http wrapped around it.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// parseRetryAfter returns the wait that a Retry-After header asks for: seconds,
// or a date. It returns 0 for everything that asks for none.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	const longest = 365 * 24 * time.Hour
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(max(0, min(seconds, int64(longest/time.Second)))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

func joinText(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
