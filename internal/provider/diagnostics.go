// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// addError is the only translation of a client's error: what failed, what the
// server said, what to do.
func addError(diags *diag.Diagnostics, failed string, err error) {
	diags.AddError(failed, explain(err))
}

// addOtherDeployment reports an object that has the id but not the features of
// the one in state: what a wrong url looks like.
func addOtherDeployment(diags *diag.Diagnostics, client *qualytics.Client, failed, difference string) {
	diags.AddError(failed, difference+" The provider may be pointed at another deployment than the one this state was made with: it asked "+
		client.URL()+". Nothing was changed. Check url; if the state really belongs here, take the object out with \"terraform state rm\" and import the right one.")
}

// asError is the client's error in err; a bare one where there is none.
func asError(err error) *qualytics.Error {
	var e *qualytics.Error
	switch {
	case errors.As(err, &e):
		return e
	case err == nil:
		return &qualytics.Error{}
	default:
		return &qualytics.Error{Problem: err.Error()}
	}
}

// explain says what the server said and what to do about it.
func explain(err error) string {
	var e *qualytics.Error
	if !errors.As(err, &e) {
		return sentence(err.Error())
	}
	parts := []string{said(e), advice(e), outcome(e)}
	request := fmt.Sprintf("Request: %s %s", e.Method, e.Base+e.Path)
	if e.Tries > 1 {
		request += fmt.Sprintf(", sent %d times", e.Tries)
	}
	return strings.Join(append(nonEmpty(parts), request+"."), "\n\n")
}

// outcome says what is known of a create whose answer was lost.
func outcome(e *qualytics.Error) string {
	switch {
	case e.Method != http.MethodPost || !e.MaybeDone && len(e.Candidates) == 0:
		return ""
	case len(e.Candidates) > 0:
		lines := make([]string, len(e.Candidates))
		for i, c := range e.Candidates {
			lines[i] = fmt.Sprintf("  - %q, id %d", c.Name, c.ID)
			if c.Created != nil {
				lines[i] += ", made at " + stamp(*c.Created)
			}
		}
		return "The answer was lost, and this may be what the attempt made, or somebody else's:\n\n" + strings.Join(lines, "\n") +
			"\n\nIf it is yours, import it by its id; otherwise choose another name."
	case e.NotLooked:
		return "The server may have done the work before the answer was lost, and that could not be looked up. " +
			"Before the next apply, look for the name in Qualytics: what is there has to be imported, or removed."
	default:
		return "The server's list shows that nothing was made."
	}
}

func nonEmpty(parts []string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// said is the server's answer, or why there is none.
func said(e *qualytics.Error) string {
	var b strings.Builder
	if e.Status != 0 {
		fmt.Fprintf(&b, "The server answered %d %s", e.Status, http.StatusText(e.Status))
	} else {
		b.WriteString("There was no answer")
	}
	var words []string
	for _, w := range []string{e.Title, e.Detail, e.Problem} {
		if w != "" {
			words = append(words, w)
		}
	}
	if len(words) > 0 {
		b.WriteString(": " + strings.Join(words, ": "))
	}
	text := sentence(b.String())
	if e.Hint != "" {
		text += " " + sentence(e.Hint)
	}
	return text
}

// advice is what to do, by status.
func advice(e *qualytics.Error) string {
	switch {
	case e.Stopped:
		return "The run was stopped. Run it again."
	case errors.Is(e, context.DeadlineExceeded):
		return "The deployment is slow or out of reach. If it is slow, raise timeout in the provider block."
	case isUnknownPath(e):
		return "This is how the API answers a path that it does not have: check url and api_path. A bare control plane wants api_path = \"\"."
	case e.Status == http.StatusUnauthorized:
		return "The provider's token is wrong, expired or revoked. Set token, or " + envToken + ", to the valid token of an Admin."
	case e.Status == http.StatusForbidden && e.FromAPI:
		return "The provider's token is valid, but its owner may not do this: managing service accounts and tokens needs the role Admin, " +
			"and a token that is limited to SCIM cannot do it at all. Use the token of an Admin."
	case e.Status == http.StatusForbidden:
		return "This is not about permissions in Qualytics: something in front of it refused the request. Ask who runs the gateway or firewall; " +
			"if it wants a header, set headers in the provider block."
	case e.Status == http.StatusTooManyRequests:
		return "The deployment's rate limit was reached. Run again later, lower terraform's -parallelism, or raise max_retries."
	case e.Status == http.StatusRequestEntityTooLarge:
		return "The gateway in front of Qualytics limits the size of requests. Ask who runs it."
	case e.Status >= 500:
		return "The deployment, or the gateway in front of it, has a problem. Run again; if it persists, check the deployment's health."
	case e.Status == 0:
		return "Run again once the deployment can be reached."
	case e.Status < 300 || (e.Status == http.StatusNotFound && !e.FromAPI):
		return "If url and api_path are right, a gateway or a login page may stand in front of the API."
	}
	return ""
}

// isUnknownPath reports whether an answer is that of the API's framework to a
// path that it does not have, rather than of the API to an object.
func isUnknownPath(err error) bool {
	var e *qualytics.Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.FromAPI && e.Detail == "Not Found"
}

// sentence makes a sentence of a message: capital first, full stop last.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text
}
