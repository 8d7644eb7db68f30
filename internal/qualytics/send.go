// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"time"
)

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
	body, err := encode(in)
	if err != nil {
		return nil, c.failure(r, &Error{Problem: "the request could not be encoded", cause: err})
	}
	if err := c.waitForRate(ctx, false); err != nil {
		return nil, c.failure(r, &Error{Problem: "stopped before it was sent", Stopped: true, cause: err})
	}
	sendCtx := ctx
	if method != http.MethodGet { // a write that was sent is not abandoned, as in do
		sendCtx = context.WithoutCancel(ctx)
	}
	req, err := c.newRequest(sendCtx, r, body)
	if err != nil {
		return nil, c.failure(r, &Error{Problem: "the request could not be created", cause: err})
	}
	start := c.now()
	resp, err := c.http.Do(req)
	response := &Response{}
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		c.observe(resp)
		response.Body, err = io.ReadAll(&limitedReader{r: resp.Body, left: MaxResponseBytes})
	}
	if err != nil {
		return nil, c.stopped(ctx, c.failure(r, &Error{Problem: c.classify(err).problem, cause: err}))
	}
	response.Status, response.Header, response.Took = resp.StatusCode, resp.Header, c.now().Sub(start)
	if resp.TLS != nil {
		response.TLS = tls.VersionName(resp.TLS.Version)
	}
	response.HTML = isHTML(resp.Header)
	return response, nil
}
