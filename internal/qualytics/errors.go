// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Error is a failed call of the API. It is always used as a pointer. No field
// contains a secret: the server's text is masked and its length is limited.
type Error struct {
	// Method and URL of the request, without its query.
	Method, URL string
	// Status of the last response, or 0 if there was none.
	Status int
	// FromAPI is true if the body is the API's own JSON error.
	FromAPI bool
	// Detail is the API's error text in one line. It is empty if the response has
	// none or does not come from the API.
	Detail string
	// Hint is the API's advice; it may be empty.
	Hint string
	// Problem says why there is no usable response, or what is wrong with it.
	Problem string
	// Configuration is true if the settings are wrong, such as the host, the scheme, a
	// certificate, or a proxy: another attempt cannot succeed.
	Configuration bool
	// Attempts is how often the request was sent.
	Attempts int
	// Stopped is true if the caller's context ended.
	Stopped bool
	// MaybeDone is true if a write may have taken effect although its response is
	// missing, unreadable, or a gateway's.
	MaybeDone bool
	// Candidates are the objects that a create whose response was lost may have
	// created. LookupFailed is true if they could not be looked up.
	Candidates   []Candidate
	LookupFailed bool

	transient  bool          // another attempt may succeed
	retryAfter time.Duration // that the server asked for; 0 if it did not
	cause      error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Method, e.URL)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d %s", e.Status, http.StatusText(e.Status))
	}
	for _, s := range []string{e.Detail, e.Problem} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (after %d attempts)", e.Attempts)
	}
	return b.String()
}

// Unwrap returns the cause, such as context.Canceled or a network error.
func (e *Error) Unwrap() error { return e.cause }

// IsNotFound reports whether the API said that the object does not exist. A 404
// that is a proxy's page does not count.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsUnknownPath reports whether the API said that it has no such path, rather
// than no such object: the response of its framework.
func IsUnknownPath(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && IsNotFound(err) && e.Detail == "Not Found"
}

// IsConflict reports whether the API said that a name is already used.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsBadRequest reports whether the API refused the request with a 400.
func IsBadRequest(err error) bool { return hasStatus(err, http.StatusBadRequest) }

// IsInvalid reports whether the API refused a value with a 422.
func IsInvalid(err error) bool { return hasStatus(err, http.StatusUnprocessableEntity) }

// IsRefused reports whether the API understood the request and refused it: any
// 4xx of its own other than a missing permission or a rate limit.
func IsRefused(err error) bool {
	return IsBadRequest(err) || IsNotFound(err) || IsConflict(err) || IsInvalid(err)
}

func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status && e.FromAPI
}

// Problems of a response that is not what the API documents.
var (
	errWebPage       = &shapeError{"got a web page instead of the API: check url and api_path"}
	errEmptyResponse = &shapeError{"the response is empty, but the API documents a JSON body"}
	errTooLarge      = &shapeError{fmt.Sprintf("the response is larger than %d MiB", MaxResponseBytes>>20)}
	errNoJSON        = &shapeError{"the response is not JSON: check url and api_path"}
)

// bodyError is a response whose body could not be read to its end.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "the response is incomplete: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// shapeError is a response that arrived whole and is not what the API documents.
type shapeError struct{ text string }

func (e *shapeError) Error() string { return e.text }

// decodeError returns why a response could not be decoded, without quoting it.
func decodeError(err error) error {
	if shape, ok := errors.AsType[*shapeError](err); ok {
		return shape
	}
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind, _, _ := strings.Cut(wrongType.Value, " ")
		what := "response"
		if wrongType.Field != "" {
			what = fmt.Sprintf("response's field %q", wrongType.Field)
		}
		return &shapeError{fmt.Sprintf("the %s is a %s, which the API does not document", what, kind)}
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return errNoJSON
	}
	return &bodyError{err} // the reader's: a decoder has no other errors
}

// statusError returns the error for a response that is not a success.
func (c *Client) statusError(resp *http.Response) *Error {
	e := classifyStatus(resp.StatusCode)
	e.retryAfter = parseRetryAfter(resp.Header, c.Now())
	if to, err := resp.Location(); err == nil && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Problem = c.redirectProblem(to)
		return e
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	var response struct {
		Detail json.RawMessage `json:"detail"`
		Fault  json.RawMessage `json:"fault_context"`
	}
	if isHTML(resp.Header) || json.Unmarshal(body, &response) != nil || len(response.Detail) == 0 {
		e.Problem, e.Configuration = c.gatewayProblem(resp, strings.ToLower(string(body)))
		return e
	}
	e.FromAPI = true
	var detail any
	_ = json.Unmarshal(response.Detail, &detail) // it was decoded before
	e.Detail = c.mask.clean(flatten(detail))
	var fault struct {
		Title     string `json:"title"`
		Hint      string `json:"hint"`
		Retryable bool   `json:"retryable"`
	}
	if json.Unmarshal(response.Fault, &fault) != nil {
		return e
	}
	e.Hint = c.mask.clean(fault.Hint)
	e.transient = e.transient || fault.Retryable && e.Status >= http.StatusInternalServerError
	switch title := c.mask.clean(fault.Title); {
	case e.Detail == "":
		e.Detail = title
	case title != "" && title != e.Detail:
		e.Detail = title + ": " + e.Detail
	}
	return e
}

func (c *Client) redirectProblem(to *url.URL) string {
	origin := c.mask.clean(to.Scheme + "://" + to.Host)
	if to.Scheme == "https" && c.base.Scheme == "http" && strings.EqualFold(to.Hostname(), c.base.Hostname()) {
		return "the server redirects to " + origin + ": set url to an https URL"
	}
	return "the server redirects to " + origin + ", which is not followed: check url"
}

// gatewayProblem describes an error that the API did not send, and reports whether the
// settings are wrong. text is the body in lower case.
func (c *Client) gatewayProblem(resp *http.Response, text string) (problem string, configuration bool) {
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired: // by http, where a proxy needs no CONNECT
		return "a proxy requires a user name and a password: set them in HTTP_PROXY, or add the host to NO_PROXY", true
	case resp.StatusCode == http.StatusBadRequest && c.base.Scheme == "http" &&
		strings.Contains(text, "http request") && strings.Contains(text, "https"): // Go, nginx, and Apache say so
		return httpsExpected(c.base.Host), true
	case text == "":
		return "the response is empty, so it comes from a gateway in front of the API", false
	case resp.StatusCode == http.StatusNotFound:
		return errWebPage.Error(), false
	default:
		return "the response is not an error of the API, so it comes from a gateway or firewall in front of it", false
	}
}

// flatten returns an error's detail as one line, whatever its shape: a string, a list of
// strings, a list of {loc, msg}, or an object.
func flatten(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			if s := flatten(item); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, "; ")
	case map[string]any:
		return flattenObject(v)
	default:
		return fmt.Sprint(v)
	}
}

// flattenObject returns {loc, msg} as "loc: msg", and of any other object the
// first field that is known to contain text. The rest may repeat the request.
func flattenObject(v map[string]any) string {
	var loc []string
	if steps, ok := v["loc"].([]any); ok {
		for _, step := range steps {
			if s := fmt.Sprint(step); s != "body" {
				loc = append(loc, s)
			}
		}
	}
	for _, key := range []string{"msg", "message", "detail", "error", "title", "reason"} {
		text := flatten(v[key])
		if text == "" {
			continue
		}
		if len(loc) > 0 {
			return strings.Join(loc, ".") + ": " + text
		}
		return text
	}
	return ""
}

// subject is what a request asks for, or what a response describes. A zero value is not known.
type subject struct {
	id    int64
	name  string
	owner int64 // of a token: the ID of its account
}

// differs returns an error if a response describes another object than the one that was
// asked for. What a response lacks is not compared.
func (asked subject) differs(response any) error {
	described, ok := response.(interface{ subject() subject })
	if !ok {
		return nil
	}
	got := described.subject()
	var difference string
	switch {
	case asked.id != 0 && got.id != 0 && got.id != asked.id:
		difference = fmt.Sprintf("it has the ID %d instead of %d", got.id, asked.id)
	case asked.name != "" && got.name != "" && got.name != asked.name:
		difference = fmt.Sprintf("it has the ID %d and the name %q instead of %q", got.id, got.name, asked.name)
	case asked.owner != 0 && got.owner != 0 && got.owner != asked.owner:
		difference = fmt.Sprintf("it has the ID %d and belongs to the account %d instead of %d", got.id, got.owner,
			asked.owner)
	default:
		return nil
	}
	text := "the response describes another object: " + difference + "; nothing of it was stored"
	return &otherObjectError{&shapeError{text}, got}
}

// otherObjectError is a success whose response describes another object than the one that
// was asked for.
type otherObjectError struct {
	*shapeError
	got subject
}

func (e *otherObjectError) Unwrap() error { return e.shapeError }
