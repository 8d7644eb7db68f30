// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// addError is the only translation of a client's error: what failed, what the
// server said, what to do.
func addError(diags *diag.Diagnostics, failed string, err error) {
	diags.AddError(failed, explain(err))
}

// explain says what the server said and what to do about it.
func explain(err error) string {
	var e *qualytics.Error
	if !errors.As(err, &e) {
		return sentence(err.Error())
	}
	parts := []string{said(e), advice(e)}
	if e.MaybeDone && e.Method == http.MethodPost {
		parts = append(parts, "It is not known whether the server did the work before the answer was lost.")
	}
	request := fmt.Sprintf("Request: %s %s", e.Method, e.Path)
	if e.Tries > 1 {
		request += fmt.Sprintf(", sent %d times", e.Tries)
	}
	return strings.Join(append(nonEmpty(parts), request+"."), "\n\n")
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
	case errors.Is(e, context.Canceled), errors.Is(e, context.DeadlineExceeded):
		return "The run was stopped. Run it again."
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

// sentence makes a sentence of a message: capital first, full stop last.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text
}
