// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// BaseURL joins a deployment's URL and the API's path prefix the way the
// official CLI does: https when no scheme is given, no trailing slash, one
// trailing "/api" removed, then the prefix appended.
func BaseURL(raw, apiPath string) (*url.URL, error) {
	s := strings.TrimSpace(raw)
	if s == "" {
		return nil, errors.New("the URL is empty")
	}
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("the URL cannot be read; expected something like https://example.qualytics.io")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the URL has the scheme %q; expected https", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host; expected something like https://example.qualytics.io")
	case u.User != nil:
		return nil, errors.New("the URL contains a user name or password; remove it, the token is the credential")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, errors.New("the URL has a query or a fragment; expected only the deployment's address")
	}
	u.Host = strings.ToLower(u.Host)
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimRight(strings.TrimSuffix(path, "/api"), "/")
	if prefix := strings.Trim(strings.TrimSpace(apiPath), "/"); prefix != "" {
		if strings.ContainsAny(prefix, "?#%\\") || strings.Contains(prefix, "..") || strings.Contains(prefix, "//") {
			return nil, errors.New("the API path is not a plain path such as \"api\" or \"gateway/api\"")
		}
		path += "/" + prefix
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}, nil
}

// IsLoopback reports whether host (without a port) is this machine.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && ip.IsLoopback())
}

// CheckHeader refuses a header that HTTP cannot carry or that the client sets
// itself. The error never quotes the value.
func CheckHeader(name, value string) error {
	switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
	case canonical == "Authorization":
		return errors.New("the header Authorization cannot be set: it carries the token")
	case canonical == "Content-Type", canonical == "Accept", canonical == "Host", canonical == "Content-Length", canonical == "Transfer-Encoding", canonical == "Connection":
		return fmt.Errorf("the header %s cannot be set: the client sets it itself", canonical)
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !tokenRune(r) }):
		return fmt.Errorf("%q is not the name of an HTTP header", name)
	case strings.ContainsFunc(value, func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f }):
		return fmt.Errorf("the value of the header %s contains a line break or another control character", canonical)
	}
	return nil
}

// tokenRune reports whether r may stand in a header's name (RFC 9110, 5.6.2).
func tokenRune(r rune) bool {
	return r < 0x7f && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

func validHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// maxRedirects is how many redirects of a read are followed.
const maxRedirects = 5

// checkRedirect follows a read within the same deployment only. Anything else
// is not an error here: the redirect itself becomes the answer, and [Error]
// says where it pointed.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1]
	if via[0].Method != http.MethodGet || len(via) > maxRedirects || !sameDeployment(from.URL, req.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

// sameDeployment allows the same origin, and the step from http to https on
// the default ports of the same host.
func sameDeployment(from, to *url.URL) bool {
	if from.Scheme == to.Scheme {
		return strings.EqualFold(from.Host, to.Host)
	}
	return from.Scheme == "http" && to.Scheme == "https" &&
		strings.EqualFold(from.Hostname(), to.Hostname()) &&
		(from.Port() == "" || from.Port() == "80") && (to.Port() == "" || to.Port() == "443")
}
