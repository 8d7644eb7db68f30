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
	"slices"
	"strings"
)

// BaseURL joins a deployment's URL and the API's path prefix as the official CLI
// does: it adds https if there is no scheme, removes trailing slashes and one
// trailing "/api", and appends the prefix.
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
		return nil, errors.New("the URL is invalid; expected a URL such as https://example.qualytics.io")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the URL has the scheme %q; expected https", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host; expected a URL such as https://example.qualytics.io")
	case u.User != nil:
		return nil, errors.New("the URL contains a user name or password; remove it: the token is the credential")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, errors.New("the URL has a query or a fragment; expected only https:// and the host")
	}
	u.Host = strings.ToLower(u.Host)
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimRight(strings.TrimSuffix(path, "/api"), "/")
	if _, rest, found := strings.Cut(path+"/", "/api/"); found && rest != "" {
		return nil, fmt.Errorf("the URL has the path %q; use only https://%s, and api_path for another path of the API",
			u.Path, u.Host)
	}
	if prefix := strings.Trim(strings.TrimSpace(apiPath), "/"); prefix != "" {
		if strings.ContainsAny(prefix, "?#%\\") || strings.Contains(prefix, "..") || strings.Contains(prefix, "//") {
			return nil, errors.New("the API path is invalid; expected a path such as \"api\" or \"gateway/api\"")
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

// reservedHeaders are set by the client, or describe a single connection and the encoding on it.
var reservedHeaders = []string{
	"Accept", "Accept-Encoding", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host",
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
}

// CheckHeader returns an error for a header that is not valid in HTTP or that the
// client sets itself. The error does not contain the value.
func CheckHeader(name, value string) error {
	switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
	case canonical == "Authorization":
		return errors.New("the header Authorization cannot be set: it contains the token")
	case slices.Contains(reservedHeaders, canonical):
		return fmt.Errorf("the header %s cannot be set: the client sets it itself", canonical)
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !tokenRune(r) }):
		return fmt.Errorf("%q is not a valid name of an HTTP header", name)
	case strings.ContainsFunc(value, func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f }):
		return fmt.Errorf("the value of the header %s contains a line break or another control character", canonical)
	}
	return nil
}

// tokenRune reports whether r is allowed in the name of a header (RFC 9110, 5.6.2).
func tokenRune(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return letter || r >= '0' && r <= '9' || r < 0x7f && strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// maxRedirects is how many redirects of a GET are followed.
const maxRedirects = 5

// checkRedirect follows a redirect of a GET within the same deployment. Any other
// redirect becomes the response, and the [Error] says where it points.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1]
	if via[0].Method != http.MethodGet || len(via) > maxRedirects || !sameDeployment(from.URL, req.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

// sameDeployment reports whether two URLs have the same origin, or differ only in
// http and https on the default ports.
func sameDeployment(from, to *url.URL) bool {
	if from.Scheme == to.Scheme {
		return strings.EqualFold(from.Host, to.Host)
	}
	return from.Scheme == "http" && to.Scheme == "https" &&
		strings.EqualFold(from.Hostname(), to.Hostname()) &&
		(from.Port() == "" || from.Port() == "80") && (to.Port() == "" || to.Port() == "443")
}

// Host returns the host of the deployment in lower case, with its port unless that is the default.
func (c *Client) Host() string {
	defaultPort := map[string]string{"http": ":80", "https": ":443"}[c.base.Scheme]
	return strings.TrimSuffix(strings.ToLower(c.base.Host), defaultPort)
}
