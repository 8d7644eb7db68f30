// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package qualytics is a client for the part of the Qualytics API that manages service
// accounts, their tokens, and the teams they belong to. It knows nothing of Terraform.
//
// A method that names a verb and a path sends that request through [Client.do], which
// repeats it if that is safe. Methods whose names begin with Cached share downloaded lists
// (cache.go), and those that create look for what a lost response left (create.go). Every
// failure is a [*Error]. [Client.Send] is for tools: it does not retry.
package qualytics

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"
)

// Defaults and limits of a client.
const (
	DefaultAPIPath = "api"
	DefaultTimeout = 30 * time.Second

	// MaxResponseBytes limits the body of a successful response. A list of
	// 50,000 tokens is about 30 MB.
	MaxResponseBytes = 64 << 20
	// maxErrorBytes limits how much is read of the body of an error.
	maxErrorBytes = 64 << 10

	maxConnections = 100
)

// Config configures a client. URL and Token are required.
type Config struct {
	// URL of the deployment, with or without scheme, trailing slash, or /api.
	URL string
	// Token of an Admin, sent as a bearer token.
	Token Secret
	// APIPath is the path prefix of the API: "api" on a tenant, "" for a bare
	// control plane. It may have several segments.
	APIPath string
	// Headers are sent with every request, for gateways in front of a deployment.
	Headers map[string]Secret
	// InsecureSkipVerify turns off the verification of the server's certificate.
	InsecureSkipVerify bool
	// RootCAs replaces the system's root certificates if it is not nil.
	RootCAs *x509.CertPool
	// Timeout of one request, including the body of the response. 0 means [DefaultTimeout].
	Timeout time.Duration
	// MaxRetries is the maximum number of retries of a request. 0 means none.
	MaxRetries int
	// UserAgent is the User-Agent header.
	UserAgent string
	// Log receives one line for every request and every wait, without secrets.
	Log func(ctx context.Context, message string, fields map[string]any)

	// Now, Sleep, and Jitter (which returns a number from 0 to 1) replace the
	// clock, the waits, and the random part of a wait. Nil means the real one.
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error
	Jitter func() float64
}

// Client talks to one deployment with one token. It is safe for concurrent use.
type Client struct {
	config  Config // with defaults
	base    *url.URL
	mask    masker
	clock   serverClock
	http    *http.Client // shared with the clients that WithToken returns, like pace and contact
	pace    *pace
	contact *contact

	me           cached[*User]
	teamNames    cached[[]string]
	tokens       sharedList[Token]
	users        sharedList[User]
	accountReads accountReads
}

// New returns a client for cfg, or an error that says which value is invalid. It sends no request.
func New(cfg Config) (*Client, error) {
	base, err := BaseURL(cfg.URL, cfg.APIPath)
	if err != nil {
		return nil, err
	}
	if cfg.Token == "" {
		return nil, errors.New("the token is empty")
	}
	if strings.ContainsFunc(string(cfg.Token), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New(
			"the token contains a space or a control character; it was probably copied together with other text")
	}
	for name, value := range cfg.Headers {
		if err := CheckHeader(name, string(value)); err != nil {
			return nil, err
		}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = func(context.Context, string, map[string]any) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // The only place that uses the real clock.
	}
	if cfg.Sleep == nil {
		cfg.Sleep = Sleep
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	c := &Client{
		config: cfg, base: base, mask: newMasker(cfg), http: httpClient(cfg), pace: &pace{}, contact: &contact{},
	}
	c.tokens.now, c.tokens.load = c.Now, c.ServiceTokens
	c.users.now, c.users.load = c.Now, c.downloadAccounts
	return c, nil
}

func httpClient(cfg Config) *http.Client {
	transport := cleanhttp.DefaultPooledTransport()
	transport.MaxIdleConnsPerHost = maxConnections
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	transport.OnProxyConnectResponse = checkProxy
	transport.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            cfg.RootCAs,
		InsecureSkipVerify: cfg.InsecureSkipVerify, // #nosec G402 -- the user set ssl_verify = false, which warns.
	}
	return &http.Client{Transport: transport, Timeout: cfg.Timeout, CheckRedirect: checkRedirect}
}

// WithToken returns a client for the same deployment with another token. It
// shares the connections and the request rate, but no cached data.
func (c *Client) WithToken(token Secret) (*Client, error) {
	cfg := c.config
	cfg.Token = token
	other, err := New(cfg)
	if err != nil {
		return nil, err
	}
	other.http, other.pace, other.contact = c.http, c.pace, c.contact
	other.mask.add(string(c.config.Token))
	return other, nil
}

// Now returns the time of the client's clock.
func (c *Client) Now() time.Time { return c.config.Now() }

// URL returns the base URL of every request, without credentials.
func (c *Client) URL() string { return c.base.String() }

// Format writes the client's URL and nothing else, whatever the verb.
func (c *Client) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "qualytics.Client(%s)", c.base)
}

// request is one call of the API: what is sent, and where the response goes.
type request struct {
	method string
	path   string // below the base URL; starts with "/", made of constants and integers only
	query  url.Values
	in     any // sent as JSON if not nil
	out    any // decoded from JSON if not nil
	asked  subject
}

// do sends a request, repeats it if that is safe, and decodes the response. Every
// failure is a [*Error].
//
// A write that was sent is not abandoned when ctx ends, because its response may
// contain the only copy of a secret: do waits for it within the timeout of one
// request, and does not repeat it after that.
func (c *Client) do(ctx context.Context, r request) error {
	if e := c.admit(ctx, r); e != nil {
		return e
	}
	c.contact.begin(c.Now())
	var asked time.Duration
	for attempt := 1; ; attempt++ {
		e := c.attempt(ctx, r)
		if e == nil || e.isAnswer() {
			c.contact.answered.Store(true)
		}
		if e == nil {
			c.config.Log(ctx, "Qualytics API request",
				map[string]any{"method": r.method, "path": r.path, "attempts": attempt})
			return nil
		}
		e.Attempts = attempt
		wait, again := c.nextWait(e, attempt, &asked)
		if e.Stopped || !again {
			c.config.Log(ctx, "Qualytics API request failed",
				map[string]any{"method": r.method, "path": r.path, "status": e.Status, "attempts": attempt})
			return e
		}
		c.config.Log(ctx, "Qualytics API request: waiting before the next attempt", map[string]any{
			"method": r.method, "path": r.path, "status": e.Status, "attempt": attempt,
			"wait": wait.String(), "retry_after": e.retryAfter.String(),
		})
		err := c.config.Sleep(ctx, wait)
		if err == nil {
			err = c.waitForRate(ctx, true)
		}
		if err != nil {
			e.Problem, e.Stopped, e.cause = "stopped while waiting to try again", true, err
			return e
		}
	}
}

// call sends a request, as do does, and returns the response.
func call[T any](ctx context.Context, c *Client, r request) (*T, error) {
	var out T
	r.out = &out
	if err := c.do(ctx, r); err != nil {
		return nil, err
	}
	return &out, nil
}

// attempt sends a request once. It returns nil if the response is a success and was decoded.
func (c *Client) attempt(ctx context.Context, r request) *Error {
	return c.exchange(ctx, r, func(resp *http.Response) error {
		if resp.StatusCode < 200 || resp.StatusCode > 299 {
			return c.statusError(resp)
		}
		if err := decode(resp, r.out); err != nil {
			return err
		}
		return r.asked.differs(r.out)
	})
}

// admit waits until a request may be sent.
func (c *Client) admit(ctx context.Context, r request) *Error {
	if err := c.waitForRate(ctx, false); err != nil {
		return c.failure(ctx, r, &Error{Problem: "stopped before it was sent", Stopped: true, cause: err})
	}
	return nil
}

// exchange sends a request once, and returns nil if read accepts the response.
func (c *Client) exchange(ctx context.Context, r request, read func(*http.Response) error) *Error {
	sendCtx := ctx
	if r.method != http.MethodGet {
		sendCtx = context.WithoutCancel(ctx)
	}
	req, err := c.newRequest(sendCtx, r)
	if err != nil {
		return c.failure(ctx, r, &Error{Problem: "the request could not be created", cause: err})
	}
	status := 0
	resp, err := c.http.Do(req)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		status = resp.StatusCode
		received := c.Now()
		if status == http.StatusTooManyRequests {
			c.pace.record429(received, parseRetryAfter(resp.Header, received))
		}
		err = read(resp)
		if answer, ok := errors.AsType[*Error](err); err == nil || ok && answer.FromAPI {
			c.clock.observe(resp.Header, received) // a gateway's clock is another one
		}
		if err == nil {
			return nil
		}
	}
	e, ok := err.(*Error) //nolint:errorlint // A canceled request wraps the error that canceled it.
	if !ok {
		e = c.classify(err)
		e.Status, e.cause = status, err
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			e.Problem = "stopped before a response arrived"
		}
	}
	return c.failure(ctx, r, e)
}

// failure completes e with the request, and marks it if ctx has ended.
func (c *Client) failure(ctx context.Context, r request, e *Error) *Error {
	e.Method, e.URL = r.method, c.base.String()+r.path
	e.MaybeDone = e.MaybeDone && r.method != http.MethodGet
	if ctx.Err() != nil {
		e.cause, e.Stopped = ctx.Err(), true
	}
	return e
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	target := *c.base
	target.Path += r.path
	target.RawQuery = r.query.Encode()
	var body io.Reader
	if r.in != nil {
		text, err := json.Marshal(r.in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	for name, value := range c.config.Headers {
		req.Header.Set(name, string(value))
	}
	req.Header.Set("Authorization", "Bearer "+string(c.config.Token))
	req.Header.Set("Accept", "application/json")
	if r.in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.config.UserAgent != "" {
		req.Header.Set("User-Agent", c.config.UserAgent)
	}
	return req, nil
}

// decode reads a successful response into out. If out is nil, the body may be
// anything but a web page, which comes from the ingress rather than the API.
func decode(resp *http.Response, out any) error {
	body := limitedBody(resp)
	err := decodeBody(bufio.NewReader(body), isHTML(resp.Header), out)
	switch {
	case body.N <= 0: // whatever the decoder reported
		return errTooLarge
	case err != nil:
		return decodeError(err)
	}
	return nil
}

// streamed is an object that decodes itself from a stream: in every variant, and a list
// item by item because it may be long.
type streamed interface{ read(dec *json.Decoder) error }

// decodeNext decodes the next value of a stream.
func decodeNext(dec *json.Decoder, out any) error {
	if s, ok := out.(streamed); ok {
		return s.read(dec)
	}
	return dec.Decode(out)
}

// decodeBody reads a body to its end, so that the connection can be used again.
func decodeBody(body *bufio.Reader, html bool, out any) error {
	switch first, err := firstByte(body); {
	case errors.Is(err, io.EOF) && out == nil:
		return nil
	case errors.Is(err, io.EOF):
		return errEmptyResponse
	case err != nil:
		return err
	case html, first == '<':
		return errWebPage
	case out == nil:
		_, err := io.Copy(io.Discard, body)
		return err
	}
	dec := json.NewDecoder(body)
	if err := decodeNext(dec, out); err != nil {
		return err
	}
	switch _, err := dec.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errNoJSON // more data after the response
}

// firstByte returns the first byte of a body that is not white space, without consuming it.
func firstByte(body *bufio.Reader) (byte, error) {
	for {
		first, err := body.ReadByte()
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(first)) {
			return first, body.UnreadByte()
		}
	}
}

func isHTML(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && strings.HasSuffix(kind, "html")
}

// limitedBody returns the body of a response. If nothing is left of N, it is too large.
func limitedBody(resp *http.Response) *io.LimitedReader {
	return &io.LimitedReader{R: resp.Body, N: MaxResponseBytes}
}

// Response is a response of the deployment as it was sent, whatever its status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration // from the request to the end of the body
	TLS    string        // such as "TLS 1.3"; "" without TLS
	HTML   bool          // a web page, which comes from the ingress rather than the API
}

// Send sends one request without retries, for tools that examine a deployment. path
// is below the base URL, and in is sent as JSON if it is not nil. An error is a
// [*Error], and means that there is no complete response.
func (c *Client) Send(ctx context.Context, method, path string, query url.Values, in any) (*Response, error) {
	r := request{method: method, path: path, query: query, in: in}
	if e := c.admit(ctx, r); e != nil {
		return nil, e
	}
	var response *Response
	start := c.Now()
	e := c.exchange(ctx, r, func(resp *http.Response) error {
		body := limitedBody(resp)
		text, err := io.ReadAll(body)
		response = &Response{
			Status: resp.StatusCode, Header: resp.Header, Body: text, Took: c.Now().Sub(start),
			HTML: isHTML(resp.Header),
		}
		if resp.TLS != nil {
			response.TLS = tls.VersionName(resp.TLS.Version)
		}
		switch {
		case body.N <= 0:
			return errTooLarge
		case err != nil:
			return &bodyError{err}
		}
		return nil
	})
	if e != nil {
		return nil, e
	}
	return response, nil
}
