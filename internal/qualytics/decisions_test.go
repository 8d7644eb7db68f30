// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The small functions that decide about a create whose response was lost, as tables.

func second(seconds float64) *time.Time {
	t := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	return &t
}

func TestMayHaveCreated(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		attempt createAttempt
		created *time.Time
		want    bool
	}{
		{"unique name", createAttempt{unique: true, start: *second(10)}, second(1), true},
		{"existed before", createAttempt{existing: map[int64]bool{7: true}}, second(99), false},
		{"appeared", createAttempt{existing: map[int64]bool{8: true}}, second(-99), true},
		{"unknown time", createAttempt{start: *second(10)}, nil, false},
		{"before", createAttempt{start: *second(10.5)}, second(10.4), false},
		{"at the start", createAttempt{start: *second(10.5)}, second(10.5), true},
		{"whole seconds", createAttempt{start: *second(10.5)}, second(10), true},
		{"whole seconds, before", createAttempt{start: *second(10.5)}, second(9), false},
	} {
		if got := tc.attempt.mayHaveCreated(7, tc.created); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestOwnsLostToken(t *testing.T) {
	t.Parallel()
	month := int64(30)
	request := TokenCreate{ExpiresInDays: &month}
	token := Token{ID: 7, Active: true, Created: second(20), Expiration: second(20 + 30*86400)}
	lost := &Error{MaybeDone: true}
	attempt := createAttempt{start: *second(10)}
	for _, tc := range []struct {
		name    string
		attempt createAttempt
		change  func(*Token)
		lost    error
		want    bool
	}{
		{"new, as requested", attempt, func(*Token) {}, lost, true},
		{"unique name", createAttempt{unique: true}, func(t *Token) { t.Active = false }, nil, true},
		{"revoked", attempt, func(t *Token) { t.Active = false }, lost, false},
		{"used", attempt, func(t *Token) { t.LastUsed = second(21) }, lost, false},
		{"older", attempt, func(t *Token) { t.Created = second(5) }, lost, false},
		{"other lifetime", attempt, func(t *Token) { t.Expiration = second(20 + 60*86400) }, lost, false},
		{"response of a gateway", attempt, func(*Token) {}, &Error{MaybeDone: true, Status: 502}, false},
		{"unreadable success", attempt, func(*Token) {}, &Error{MaybeDone: true, Status: 200}, true},
	} {
		changed := token
		tc.change(&changed)
		if got := tc.attempt.owns(&changed, request, tc.lost); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestHasLifetime(t *testing.T) {
	t.Parallel()
	day, month := int64(1), int64(30)
	for _, tc := range []struct {
		name  string
		token Token
		days  *int64
		want  bool
	}{
		{"never, as requested", Token{}, nil, true},
		{"never, requested 30", Token{}, &month, false},
		{"limited, requested never", Token{Expiration: second(1)}, nil, false},
		{"creation unknown", Token{Expiration: second(1)}, &month, true},
		{"30 days", Token{Created: second(0), Expiration: second(30 * 86400)}, &month, true},
		{"almost a day more", Token{Created: second(0), Expiration: second(31*86400 - 1)}, &month, true},
		{"a day more", Token{Created: second(0), Expiration: second(31 * 86400)}, &month, false},
		{"a day less", Token{Created: second(0), Expiration: second(0)}, &day, false},
	} {
		if got := tc.token.hasLifetime(tc.days); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

// The server's clock counts as equal within the precision of a Date header.
func TestServerClock(t *testing.T) {
	t.Parallel()
	local := *second(0)
	var clock serverClock
	for _, tc := range []struct {
		header string
		want   time.Duration
	}{
		{second(100).Format(http.TimeFormat), 100 * time.Second},
		{"", 100 * time.Second}, // no header: the last one counts
		{"nonsense", 100 * time.Second},
		{second(2).Format(http.TimeFormat), 0},
		{second(3).Format(http.TimeFormat), 3 * time.Second},
		{second(-3).Format(http.TimeFormat), -3 * time.Second},
		{second(-2).Format(http.TimeFormat), 0},
	} {
		clock.observe(http.Header{"Date": {tc.header}}, local)
		if got := clock.now(local).Sub(local); got != tc.want {
			t.Errorf("Date %q: the clock is %s ahead, want %s", tc.header, got, tc.want)
		}
	}
	c := &Client{now: func() time.Time { return local }}
	if got := local.Sub(c.startOfAttempt()); got != startTolerance {
		t.Errorf("equal clocks: %s of tolerance, want %s", got, startTolerance)
	}
	c.clock.observe(http.Header{"Date": {second(60).Format(http.TimeFormat)}}, local)
	if got := local.Add(time.Minute).Sub(c.startOfAttempt()); got != dateResolution {
		t.Errorf("different clocks: %s of tolerance, want %s", got, dateResolution)
	}
}

func TestWaitToCreateAgain(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var slept time.Duration
	c := &Client{
		maxRetries: 2,
		jitter:     func() float64 { return 0.5 },
		sleep: func(_ context.Context, d time.Duration) error {
			slept = d
			return nil
		},
	}
	conflict := &Error{Status: http.StatusConflict, FromAPI: true}
	for _, tc := range []struct {
		name    string
		ctx     context.Context
		err     error
		attempt int
		want    bool
		wait    time.Duration
	}{
		{"no response", t.Context(), &Error{MaybeDone: true}, 1, true, firstBackoff / 2},
		{"last retry", t.Context(), &Error{MaybeDone: true}, 2, true, firstBackoff},
		{"retries used up", t.Context(), &Error{MaybeDone: true}, 3, false, 0},
		{"interrupted", ended, &Error{MaybeDone: true}, 1, false, 0},
		{"another error", t.Context(), errors.New("x"), 1, false, 0},
		{"refused by the API", t.Context(), &Error{Status: 422, FromAPI: true}, 1, false, 0},
		{
			"transient error of the API", t.Context(), &Error{Status: 503, FromAPI: true, transient: true}, 1, true,
			firstBackoff / 2,
		},
		{"conflict with an earlier copy", t.Context(), conflict, 1, true, firstBackoff / 2},
		{"asked to wait", t.Context(), &Error{Status: 429, retryAfter: time.Minute}, 1, true, time.Minute},
		{"the whole budget", t.Context(), &Error{Status: 429, retryAfter: retryAfterBudget}, 1, true, retryAfterBudget},
		{"more", t.Context(), &Error{Status: 429, retryAfter: retryAfterBudget + 1}, 1, false, 0},
	} {
		slept = 0
		if got := c.waitToCreateAgain(tc.ctx, tc.err, tc.attempt); got != tc.want || slept != tc.wait {
			t.Errorf("%s: %t after %s, want %t after %s", tc.name, got, slept, tc.want, tc.wait)
		}
	}
}

func TestWithCandidates(t *testing.T) {
	t.Parallel()
	original := &Error{Problem: "the connection broke"}
	err := withCandidates(original, []Candidate{{ID: 7}}, errors.New("refused"))
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.LookupFailed || len(e.Candidates) != 1 || original.LookupFailed ||
		!strings.Contains(e.Problem, "the connection broke; and looking for what it may have created failed "+
			"(refused)") {
		t.Errorf("%+v", e)
	}
	if e, _ := errors.AsType[*Error](withCandidates(original, nil, nil)); e.LookupFailed ||
		e.Problem != original.Problem {
		t.Errorf("%+v", e)
	}
	if other := errors.New("x"); !errors.Is(withCandidates(other, nil, nil), other) {
		t.Error("another error is not returned as it is")
	}
}

func TestUnixClaim(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1": 1, "1.9": 1, "0": 0, "-5": 0, "1e11": 1e11, "1.0000001e11": 0, "1e400": 0,
	} {
		got := unixClaim(json.Number(text))
		if want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%s: %s, want %d", text, got, want)
		}
	}
	if got := unixClaim("1"); !got.IsZero() {
		t.Errorf("a string: %s", got)
	}
}

// Claims fit a token within their tolerance, and a claim that is missing is not compared.
func TestClaimsMatch(t *testing.T) {
	t.Parallel()
	token := &Token{ID: 7, Created: second(0), Expiration: second(100)}
	for _, tc := range []struct {
		name   string
		claims claims
		want   match
	}{
		{"none", claims{}, matchNone},
		{"no times", claims{read: true}, matchNone},
		{"ID", claims{read: true, ids: []string{"7"}}, matchID},
		{"another ID", claims{read: true, ids: []string{"8"}, issued: *second(0)}, matchLifetime},
		{"both times", claims{read: true, issued: *second(0), expires: *second(100)}, matchLifetime},
		{"within the tolerance", claims{read: true, issued: *second(2), expires: *second(98)}, matchLifetime},
		{"issued later", claims{read: true, issued: *second(2.5)}, matchNone},
		{"expires later", claims{read: true, expires: *second(103)}, matchNone},
		{"issued only", claims{read: true, issued: *second(0)}, matchLifetime},
		{"expires only", claims{read: true, expires: *second(100)}, matchLifetime},
	} {
		if got := tc.claims.match(token); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
	never := &Token{ID: 7, Created: second(0)}
	if got := (claims{read: true, issued: *second(0), expires: *second(100)}).match(never); got != matchNone {
		t.Errorf("a claim without a listed time: %d, want %d", got, matchNone)
	}
}

func TestMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	conflict := &Error{Status: http.StatusConflict, FromAPI: true}
	for _, tc := range []struct {
		name    string
		err     error
		attempt int
		unique  bool
		want    bool
	}{
		{"lost response", &Error{MaybeDone: true}, 1, false, true},
		{"refused", &Error{Status: http.StatusBadRequest, FromAPI: true}, 2, true, false},
		{"another error", errors.New("x"), 2, true, false},
		{"name in use", conflict, 1, false, false},
		{"conflict with an earlier attempt", conflict, 2, false, true},
		{"conflict with an earlier copy", conflict, 1, true, true},
	} {
		if got := mayHaveTakenEffect(tc.err, tc.attempt, tc.unique); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestAccountMatchesRequest(t *testing.T) {
	t.Parallel()
	request := ServiceAccountCreate{Role: RoleMember, Teams: []string{"Data Quality"}}
	for _, tc := range []struct {
		name string
		user User
		want bool
	}{
		{"as requested", User{Role: RoleMember, Teams: []string{TeamPublic, "data quality"}}, true},
		{"team ignored", User{Role: RoleMember, Teams: []string{TeamPublic}}, true},
		{"another team", User{Role: RoleMember, Teams: []string{"Data Quality", "Finance"}}, false},
		{"another role", User{Role: RoleAdmin}, false},
		{"role not reported", User{}, true},
	} {
		if got := request.matches(&tc.user); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestNextWait(t *testing.T) {
	t.Parallel()
	c := &Client{maxRetries: 2, jitter: func() float64 { return 1 }}
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
		{"last retry", get(0), 2, 0, 2 * firstBackoff, true},
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
	for status, want := range map[int]attemptResult{
		301: {}, 400: {}, 401: {}, 403: {}, 404: {}, 409: {}, 413: {}, 422: {}, 499: {},
		408: {received: true},
		429: {transient: true},
		500: {received: true}, 501: {received: true}, 507: {received: true},
		502: {transient: true, received: true}, 503: {transient: true, received: true},
		504: {transient: true, received: true},
	} {
		if got := classifyStatus(status); got != want {
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
	c := &Client{base: &url.URL{Scheme: "https", Host: "q.example"}, http: &http.Client{Timeout: time.Second}}
	operation := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	for _, tc := range []struct {
		name                string
		err                 error
		problem             string
		transient, received bool
	}{
		{"certificate", &tls.CertificateVerificationError{Err: errors.New("x")}, "set ca_cert_file", false, false},
		{"no TLS", tls.RecordHeaderError{}, "does not speak TLS", false, false},
		{"http to a TLS port", http.ErrSchemeMismatch, "does not speak TLS", false, false},
		{"web page", errWebPage, "web page", false, true},
		{"empty", errEmptyResponse, "empty", false, true},
		{"too large", errTooLarge, "larger than", false, true},
		{"wrong shape", &shapeError{"the response is odd"}, "the response is odd", false, true},
		{"proxy", operation("proxyconnect", syscall.ECONNREFUSED), "no connection to the proxy", true, false},
		{"name", operation("dial", &net.DNSError{Err: "no such host"}), "cannot be resolved", true, false},
		{"refused", operation("dial", syscall.ECONNREFUSED), "no connection to q.example", true, false},
		{"connection timed out", operation("dial", os.ErrDeadlineExceeded), "(timed out)", true, false},
		{"timeout", os.ErrDeadlineExceeded, "no response within 1s", true, true},
		{"truncated", &bodyError{io.ErrUnexpectedEOF}, "in the middle of the response", true, true},
		{"closed", io.EOF, "closed before a response arrived", true, true},
	} {
		got := c.classify(tc.err)
		if !strings.Contains(got.problem, tc.problem) || got.transient != tc.transient || got.received != tc.received {
			t.Errorf("%s: %+v, want %q, transient %t, received %t", tc.name, got, tc.problem, tc.transient, tc.received)
		}
	}
}
