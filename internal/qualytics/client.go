// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package qualytics is a client for the part of the Qualytics API that manages
// service accounts, their tokens and the teams they belong to. It knows nothing
// of Terraform.
//
// Every method is one call of the API and names its verb and path. All of them
// pass through [Client.do], the only place that touches HTTP, and all of them
// return a [*Error] when something goes wrong.
package qualytics

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"
)

// Defaults and limits of a client.
const (
	DefaultAPIPath    = "api"
	DefaultTimeout    = 30 * time.Second
	DefaultMaxRetries = 5

	// MaxResponseBytes bounds the body of a successful answer. A list of
	// 50,000 tokens is about 30 MB.
	MaxResponseBytes = 64 << 20
	// maxErrorBytes bounds what is read of the body of a failed answer.
	maxErrorBytes = 64 << 10

	maxConnections = 100
)

// Config says how to reach a deployment. URL and Token are required.
type Config struct {
	// URL of the deployment, with or without scheme, trailing slash or /api.
	URL string
	// Token of an Admin, sent as a bearer token.
	Token Secret
	// APIPath is the path prefix of the API: "api" on a tenant, "" for a bare
	// control plane, possibly several segments.
	APIPath string
	// Headers are sent with every request, for gateways in front of a deployment.
	Headers map[string]Secret
	// InsecureSkipVerify turns off the verification of the server's certificate.
	InsecureSkipVerify bool
	// RootCAs replaces the system's roots when not nil.
	RootCAs *x509.CertPool
	// Timeout of one request, the answer's body included. 0 is [DefaultTimeout].
	Timeout time.Duration
	// MaxRetries is how often a request is repeated, at most. 0 is never.
	MaxRetries int
	// UserAgent is sent as it is.
	UserAgent string
	// Log receives one line for every request and every wait; never a secret.
	Log func(ctx context.Context, message string, fields map[string]any)

	// Now, Sleep and Jitter replace the clock, the waiting between tries and
	// the random part of a wait (0 ≤ x < 1). Nil is the real thing.
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error
	Jitter func() float64
}

// Client talks to one deployment with one token. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	token   Secret
	headers map[string]Secret
	agent   string

	http       *http.Client
	maxRetries int
	mask       masker
	clock      serverClock
	pace       *pace // shared with clients made by As
	me         me
	teams      teamNames

	tokenSnapshot snapshot[Token]
	userSnapshot  snapshot[User]
	reads         accountReads

	log    func(ctx context.Context, message string, fields map[string]any)
	now    func() time.Time
	sleep  func(ctx context.Context, d time.Duration) error
	jitter func() float64
}

// New returns a client for cfg, or an error that says which value is wrong.
// It makes no request.
func New(cfg Config) (*Client, error) {
	base, err := BaseURL(cfg.URL, cfg.APIPath)
	if err != nil {
		return nil, err
	}
	if cfg.Token == "" {
		return nil, errors.New("the token is empty")
	}
	if !validHeaderValue(string(cfg.Token)) {
		return nil, errors.New("the token contains a space or a control character; it was probably copied together with something else")
	}
	for name, value := range cfg.Headers {
		if err := CheckHeader(name, string(value)); err != nil {
			return nil, err
		}
	}
	c := &Client{
		base: base, token: cfg.Token, headers: cfg.Headers, agent: cfg.UserAgent,
		maxRetries: cfg.MaxRetries, mask: newMasker(cfg), pace: &pace{},
		log: cfg.Log, now: cfg.Now, sleep: cfg.Sleep, jitter: cfg.Jitter,
	}
	if c.log == nil {
		c.log = func(context.Context, string, map[string]any) {}
	}
	if c.now == nil {
		c.now = time.Now //nolint:forbidigo // The one place where the clock is the real one.
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	if c.jitter == nil {
		c.jitter = rand.Float64
	}
	c.http = httpClient(cfg)
	return c, nil
}

func httpClient(cfg Config) *http.Client {
	transport := cleanhttp.DefaultPooledTransport()
	transport.MaxIdleConnsPerHost = maxConnections
	transport.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            cfg.RootCAs,
		InsecureSkipVerify: cfg.InsecureSkipVerify, // #nosec G402 -- the user's own ssl_verify = false, which warns.
	}
	timeout := cfg.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: checkRedirect}
}

// As is a client for the same deployment with another token. It shares the
// connections.
func (c *Client) As(token Secret) (*Client, error) {
	if token == "" || !validHeaderValue(string(token)) {
		return nil, errors.New("the token is empty, or contains a space or a control character")
	}
	cfg := Config{Token: token, Headers: c.headers}
	other := &Client{
		base: c.base, token: token, headers: c.headers, agent: c.agent, http: c.http, maxRetries: c.maxRetries, pace: c.pace,
		log: c.log, now: c.now, sleep: c.sleep, jitter: c.jitter, mask: newMasker(cfg),
	}
	other.mask.add(string(c.token))
	return other, nil
}

// Now is the client's clock.
func (c *Client) Now() time.Time { return c.now() }

// URL is the base of every request, without credentials.
func (c *Client) URL() string { return c.base.String() }

// Format shows the client's address and nothing else, whatever the verb.
func (c *Client) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "qualytics.Client(%s)", c.base)
}

// request is one call of the API: what is sent, and where the answer goes.
type request struct {
	method string
	path   string // below the base, starts with "/", made of constants and integers only
	query  url.Values
	in     any // sent as JSON when not nil
	out    any // decoded from JSON when not nil
}

// do sends a request, repeats it where that is safe, and decodes the answer.
// Whatever goes wrong comes back as a [*Error].
//
// A write that was sent is not abandoned when ctx ends: its answer may hold the
// only copy of a secret. It is waited for within the timeout of one request,
// and never repeated after that.
func (c *Client) do(ctx context.Context, r request) error {
	if err := c.keepPace(ctx, false); err != nil {
		return &Error{Method: r.method, Path: r.path, Problem: "stopped before it was sent", Stopped: true, cause: err}
	}
	body, err := encode(r.in)
	if err != nil {
		return &Error{Method: r.method, Path: r.path, Problem: "the request could not be encoded", cause: err}
	}
	sendCtx := ctx
	if r.method != http.MethodGet {
		sendCtx = context.WithoutCancel(ctx)
	}
	target := *c.base
	target.Path += r.path
	target.RawQuery = r.query.Encode()
	req, err := retryablehttp.NewRequestWithContext(sendCtx, r.method, target.String(), body)
	if err != nil {
		return &Error{Method: r.method, Path: r.path, Problem: "the request could not be made", cause: err}
	}
	c.setHeaders(req.Header, body != nil)

	t := &try{client: c, ctx: ctx, method: r.method, path: r.path}
	req.SetResponseHandler(func(resp *http.Response) error { return decode(resp, r.out) })
	resp, err := t.retrying().Do(req)
	if resp != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	c.log(ctx, "Qualytics API request", map[string]any{
		"method": r.method, "path": r.path, "status": statusOf(resp), "tries": t.count,
	})
	return t.result(resp, err)
}

func (c *Client) setHeaders(h http.Header, hasBody bool) {
	for name, value := range c.headers {
		h.Set(name, string(value))
	}
	h.Set("Authorization", "Bearer "+string(c.token))
	h.Set("Accept", "application/json")
	if hasBody {
		h.Set("Content-Type", "application/json")
	}
	if c.agent != "" {
		h.Set("User-Agent", c.agent)
	}
}

// encode returns nil for nil: a request without a body.
func encode(in any) ([]byte, error) {
	if in == nil {
		return nil, nil
	}
	return json.Marshal(in)
}

// decode reads a successful answer into out. An answer without a use for its
// body may have any but a web page's, which is the ingress, not the API: none at
// all is fine, whatever its type is said to be. Answers that are no success are
// left alone.
func decode(resp *http.Response, out any) error {
	if !success(resp.StatusCode) {
		return nil
	}
	bounded := &boundedReader{r: resp.Body, left: MaxResponseBytes}
	err := decodeBody(bufio.NewReader(bounded), isHTML(resp.Header), out)
	switch {
	case bounded.err != nil: // whatever the decoder made of it
		return &bodyError{bounded.err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &bodyError{io.ErrUnexpectedEOF}
	case err == nil, errors.Is(err, errWebPage), errors.Is(err, errEmptyAnswer):
		return err
	default:
		return describeJSON(err)
	}
}

// streamed is an answer that is read as it comes, because it may be long.
type streamed interface{ read(dec *json.Decoder) error }

// decodeBody reads a body to its end, so that its connection can be used again.
func decodeBody(body *bufio.Reader, html bool, out any) error {
	switch first, err := firstByte(body); {
	case errors.Is(err, io.EOF) && out == nil:
		return nil
	case errors.Is(err, io.EOF):
		return errEmptyAnswer
	case err != nil:
		return err
	case html, first == '<':
		return errWebPage
	case out == nil:
		_, err := io.Copy(io.Discard, body)
		return err
	}
	dec := json.NewDecoder(body)
	var err error
	if s, ok := out.(streamed); ok {
		err = s.read(dec)
	} else {
		err = dec.Decode(out)
	}
	if err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.Join(errTrailing, err)
	}
	return nil
}

// firstByte is the first byte of a body that is no white space; it stays there.
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

func success(status int) bool { return status >= 200 && status < 300 }

func statusOf(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

func isHTML(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && strings.HasSuffix(kind, "html")
}

// boundedReader fails, rather than ends, when more than left bytes are read.
type boundedReader struct {
	r    io.Reader
	left int64
	err  error // why it ended, other than at the end
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = errTooLarge
		return 0, b.err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

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
