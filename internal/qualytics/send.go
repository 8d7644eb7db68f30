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
