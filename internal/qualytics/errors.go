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
	"strconv"
	"strings"
	"time"
)

// Error is a call of the API that failed. It is always used as a pointer.
// No field holds a secret: the server's words are masked and bounded.
type Error struct {
	// Method and Path of the request, the path without the deployment's prefix.
	Method, Path string
	// Base is the deployment's address with its prefix.
	Base string
	// Stopped is true when the caller's context ended, rather than the request.
	Stopped bool
	// Status of the last answer, 0 when there was none.
	Status int
	// Detail is what the API said, in one line; empty when it said nothing or
	// when the answer did not come from the API.
	Detail string
	// Title and Hint come from the answer's fault context.
	Title, Hint string
	// Problem says what was wrong with an answer that is not the API's own
	// error, or why there was none.
	Problem string
	// FromAPI is true when the body is the API's own JSON error.
	FromAPI bool
	// Tries is how many times the request was sent.
	Tries int
	// GaveUp is true when the request would have been repeated once more, had
	// the limits allowed it.
	GaveUp bool
	// MaybeDone is true for a write that may have taken effect although its
	// answer is missing, unreadable or a gateway's.
	MaybeDone bool
	// Candidates are what a create with a lost answer may have made, where it
	// could not be decided. NotLooked is true when looking for them failed.
	Candidates []Candidate
	NotLooked  bool

	cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Method, e.Path)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d %s", e.Status, http.StatusText(e.Status))
	}
	for _, s := range []string{e.Title, e.Detail, e.Problem} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (after %d tries)", e.Tries)
	}
	return b.String()
}

// Unwrap gives the cause, such as context.Canceled or a network error.
func (e *Error) Unwrap() error { return e.cause }

// IsNotFound reports whether the API itself said that the object does not
// exist. A 404 that is a proxy's page does not count.
func IsNotFound(err error) bool { return apiStatus(err, http.StatusNotFound) }

// IsConflict reports whether the API said that a name is taken.
func IsConflict(err error) bool { return apiStatus(err, http.StatusConflict) }

// IsBadRequest reports whether the API refused the request with a 400.
func IsBadRequest(err error) bool { return apiStatus(err, http.StatusBadRequest) }

// IsInvalid reports whether the API refused a value with a 422.
func IsInvalid(err error) bool { return apiStatus(err, http.StatusUnprocessableEntity) }

// IsRefused reports whether the API understood the request and would not do
// it: any 4xx of its own other than a missing permission or a rate limit.
func IsRefused(err error) bool {
	return IsBadRequest(err) || IsNotFound(err) || IsConflict(err) || IsInvalid(err)
}

func apiStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status && e.FromAPI
}

// Problems of an answer that is not what the API documents.
var (
	errWebPage     = errors.New("got a web page instead of the API: check url and api_path")
	errEmptyAnswer = errors.New("the answer is empty where the API documents a JSON body")
	errTooLarge    = fmt.Errorf("the answer is larger than %d MiB", MaxResponseBytes>>20)
)

// bodyError is an answer that broke off while it was read.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "the answer broke off: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// shapeError is an answer whose JSON is not what the API documents.
type shapeError struct{ text string }

func (e *shapeError) Error() string { return e.text }

// errTrailing is JSON with something behind it.
var errTrailing = errors.New("something follows the answer")

// describeJSON says what is wrong with an answer without quoting it.
func describeJSON(err error) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var shape *shapeError
	switch {
	case errors.As(err, &shape):
		return shape
	case errors.As(err, &wrongType) && wrongType.Field != "":
		kind, _, _ := strings.Cut(wrongType.Value, " ")
		return &shapeError{fmt.Sprintf("the answer's field %q is a %s, which the API does not document", wrongType.Field, kind)}
	case errors.As(err, &wrongType):
		kind, _, _ := strings.Cut(wrongType.Value, " ")
		return &shapeError{fmt.Sprintf("the answer is a %s where the API documents something else", kind)}
	case errors.As(err, &syntax) && strings.Contains(syntax.Error(), "unexpected end"):
		return &bodyError{io.ErrUnexpectedEOF}
	default:
		return &shapeError{"the answer is not JSON: check url and api_path"}
	}
}

// statusError makes an error of an answer that is not a success.
func (c *Client) statusError(resp *http.Response) *Error {
	e := &Error{Status: resp.StatusCode}
	if to, err := resp.Location(); err == nil && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Problem = c.redirectProblem(to)
		return e
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	var answer struct {
		Detail json.RawMessage `json:"detail"`
		Fault  json.RawMessage `json:"fault_context"`
	}
	if isHTML(resp.Header) || json.Unmarshal(body, &answer) != nil || len(answer.Detail) == 0 {
		e.Problem = notFromAPI(resp, len(body) == 0)
		return e
	}
	e.FromAPI = true
	e.Detail = c.mask.clean(flattenDetail(answer.Detail))
	var fault struct {
		Title string `json:"title"`
		Hint  string `json:"hint"`
	}
	if json.Unmarshal(answer.Fault, &fault) == nil {
		e.Title, e.Hint = c.mask.clean(fault.Title), c.mask.clean(fault.Hint)
	}
	if e.Title == e.Detail {
		e.Title = ""
	}
	return e
}

func (c *Client) redirectProblem(to *url.URL) string {
	origin := c.mask.clean(to.Scheme + "://" + to.Host)
	if to.Scheme == "https" && c.base.Scheme == "http" && strings.EqualFold(to.Hostname(), c.base.Hostname()) {
		return "the server redirects to " + origin + ": set url to an https address"
	}
	return "the server redirects to " + origin + ", which is not followed: check url"
}

func notFromAPI(resp *http.Response, empty bool) string {
	switch {
	case empty:
		return "the answer is empty, so it comes from a gateway in front of the API rather than from the API"
	case resp.StatusCode == http.StatusNotFound:
		return "got a web page instead of the API: check url and api_path"
	default:
		return "the answer is not the API's own error, so it comes from a gateway or firewall in front of it"
	}
}

// flattenDetail turns every shape of an error's detail into one line: a
// string, a list of strings, a list of {loc, msg}, or an object.
func flattenDetail(raw json.RawMessage) string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return flatten(value)
}

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

// flattenObject reads {loc, msg} as "loc: msg", and of any other object the
// fields that are known to carry text. The rest may hold what was sent.
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

// parseRetryAfter reads a Retry-After header: seconds, or a date. Zero, the
// past and nonsense are no wish at all.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		if seconds <= 0 {
			return 0
		}
		if seconds > int64((365 * 24 * time.Hour).Seconds()) {
			return 365 * 24 * time.Hour
		}
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil && date.After(now) {
		return date.Sub(now)
	}
	return 0
}
