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
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// baseWait doubles with each try; a wait is a random part of it (full jitter).
	baseWait = time.Second
	// maxWait bounds one such wait.
	maxWait = 30 * time.Second
	// retryAfterBudget bounds what a request waits altogether because servers
	// asked for it with Retry-After.
	retryAfterBudget = 2 * time.Minute
)

// try is one request and its repetitions: it decides whether and when to send
// it again, and makes the error when it does not.
type try struct {
	client *Client
	ctx    context.Context //nolint:containedctx // The caller's: waits end with it although a write that was sent does not.
	method string
	path   string

	count   int           // times sent
	wait    time.Duration // before the next try
	asked   time.Duration // the server's wish in the last answer
	spent   time.Duration // of retryAfterBudget
	tooLong bool          // the server asked for more than is left of the budget
	last    error         // of the last try
}

// retrying is the machinery of go-retryablehttp with this request's rules. The
// wait happens in PrepareRetry, so that the clock can be replaced.
func (t *try) retrying() *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:     t.client.http,
		RetryMax:       t.client.maxRetries,
		RequestLogHook: func(retryablehttp.Logger, *http.Request, int) { t.count++ },
		CheckRetry:     t.check,
		Backoff: func(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
			t.plan(attempt, resp)
			return 0
		},
		PrepareRetry: func(*http.Request) error {
			if err := t.client.sleep(t.ctx, t.wait); err != nil {
				return err
			}
			return t.client.keepPace(t.ctx, true)
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// check says whether the request may be sent again. Its error, when not nil,
// is the result.
func (t *try) check(_ context.Context, resp *http.Response, err error) (bool, error) {
	t.last = err
	if resp != nil {
		t.client.clock.observe(resp.Header, t.client.now())
		if resp.StatusCode == http.StatusTooManyRequests {
			t.client.pace.limited(t.client.now(), parseRetryAfter(resp.Header, t.client.now()))
		}
	}
	if err == nil && success(resp.StatusCode) {
		return false, nil
	}
	if t.ctx.Err() != nil || !t.repeatable(resp, err) {
		return false, err
	}
	if resp != nil {
		t.asked = parseRetryAfter(resp.Header, t.client.now())
		if t.asked > retryAfterBudget-t.spent {
			t.tooLong = true
			return false, nil
		}
	}
	return true, nil
}

func (t *try) repeatable(resp *http.Response, err error) bool {
	if err != nil {
		return t.repeatableError(err)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests: // never reached the application
		return true
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return t.method != http.MethodPost
	}
	return false
}

func (t *try) repeatableError(err error) bool {
	var (
		dial      *net.OpError
		body      *bodyError
		shape     *shapeError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verify), errors.As(err, &record):
		return false
	case errors.Is(err, http.ErrSchemeMismatch):
		return false
	case errors.As(err, &shape), errors.Is(err, errWebPage), errors.Is(err, errEmptyAnswer), errors.Is(err, errTooLarge):
		return false
	case t.method != http.MethodPost:
		return true
	case errors.As(err, &body):
		return false
	default:
		return errors.As(err, &dial) && dial.Op == "dial" // no connection was made
	}
}

// plan decides how long to wait before the next try, and says so.
func (t *try) plan(attempt int, resp *http.Response) {
	ceiling := min(maxWait, baseWait<<min(attempt, 10))
	t.wait = time.Duration(t.client.jitter() * float64(ceiling))
	fields := map[string]any{"method": t.method, "path": t.path, "status": statusOf(resp), "try": t.count}
	if resp != nil && t.asked > 0 {
		t.spent += t.asked
		t.wait = t.asked + t.wait/10 // those who were asked together do not come back together
		fields["retry_after"] = t.asked.String()
	}
	t.asked = 0
	fields["wait"] = t.wait.String()
	t.client.log(t.ctx, "Qualytics API: waiting before the next try", fields)
}

// result is nil for a success, and an [*Error] for everything else.
func (t *try) result(resp *http.Response, err error) error {
	if err == nil && resp != nil && success(resp.StatusCode) {
		return nil
	}
	var e *Error
	switch {
	case resp != nil && t.ctx.Err() != nil && errors.Is(err, t.ctx.Err()): // its body was read before the wait
		e = &Error{Status: resp.StatusCode, Problem: "stopped while waiting to try again", MaybeDone: resp.StatusCode >= 500}
	case resp != nil && !success(resp.StatusCode):
		e = t.client.statusError(resp)
		e.MaybeDone = resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout
		if t.tooLong {
			e.Problem = joinText(e.Problem, fmt.Sprintf("it asks to wait %s, longer than this request may wait", t.asked.Round(time.Second)))
		}
	default:
		e = &Error{Status: statusOf(resp), Problem: t.problem(err), MaybeDone: !t.noConnection(t.last), cause: err}
	}
	if t.ctx.Err() != nil {
		e.cause, e.Stopped = t.ctx.Err(), true
	}
	e.Base, e.Method, e.Path, e.Tries = t.client.base.String(), t.method, t.path, t.count
	e.GaveUp = t.ctx.Err() == nil && t.repeatable(resp, err)
	e.MaybeDone = e.MaybeDone && t.method != http.MethodGet
	return e
}

func (t *try) noConnection(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// problem describes why there is no answer, in words that hold no address, no
// header and no body.
func (t *try) problem(err error) string {
	var (
		netErr net.Error
		dns    *net.DNSError
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		body   *bodyError
		shape  *shapeError
	)
	host := t.client.base.Host
	switch {
	case t.ctx.Err() != nil && errors.Is(err, t.ctx.Err()):
		return "stopped before an answer came"
	case errors.Is(err, errWebPage), errors.Is(err, errEmptyAnswer), errors.Is(err, errTooLarge), errors.As(err, &shape):
		return unwrapAll(err).Error()
	case errors.As(err, &dns):
		return "the host " + host + " cannot be resolved: check url and the network"
	case errors.As(err, &verify):
		return "the certificate of " + host + " is not trusted (" + t.client.mask.clean(verify.Err.Error()) + "): set ca_cert_file to the authority that signed it"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return host + " does not speak TLS: check the scheme and port of url"
	case t.noConnection(err):
		return "no connection to " + host + ": check url, the network and proxies"
	case errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Sprintf("no answer within %s (timeout)", t.client.http.Timeout)
	case errors.As(err, &body):
		return "the answer broke off"
	default:
		return "the connection to " + host + " broke off"
	}
}

// unwrapAll gives the innermost error: the client's own, without what net/http
// wrapped around it.
func unwrapAll(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func joinText(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
