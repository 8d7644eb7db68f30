// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agext/levenshtein"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Summaries of diagnostics contain no names or numbers, so that they can be
// searched for; the detail names the object. Terraform shows several warnings
// with the same summary as one, so different causes have different summaries.
// The page "Troubleshooting" has an entry for each, which a test checks.

// detailOf returns the detail of a diagnostic about a client error. It is the only
// translation of such an error: what happened, why, what to do, and the request. object may
// be empty; more says what else to do.
func detailOf(object string, err error, more ...string) string {
	if object == "" {
		return explainError(err, more...)
	}
	return sentence(object) + "\n\n" + explainError(err, more...)
}

// asError returns the client error in err, or an empty one.
func asError(err error) *qualytics.Error {
	if e, ok := errors.AsType[*qualytics.Error](err); ok {
		return e
	}
	if err == nil {
		return &qualytics.Error{}
	}
	return &qualytics.Error{Problem: err.Error()}
}

// explainError returns what the server returned, what to do, and the request.
func explainError(err error, more ...string) string {
	e, ok := errors.AsType[*qualytics.Error](err)
	if !ok {
		return strings.Join(append([]string{sentence(err.Error())}, more...), "\n\n")
	}
	var parts []string
	for _, part := range append([]string{responseText(e), advice(e), lostCreateText(e)}, more...) {
		if part != "" {
			parts = append(parts, part)
		}
	}
	request := fmt.Sprintf("Request: %s %s", e.Method, e.URL)
	if e.Attempts > 1 {
		request += fmt.Sprintf(", sent %d times", e.Attempts)
	}
	return strings.Join(append(parts, request+"."), "\n\n")
}

// lostCreateText returns what is known of a create whose response was lost.
func lostCreateText(e *qualytics.Error) string {
	switch {
	case e.Method != http.MethodPost || !e.MaybeDone && len(e.Candidates) == 0:
		return ""
	case len(e.Candidates) > 0:
		lines := make([]string, len(e.Candidates))
		for i, c := range e.Candidates {
			lines[i] = fmt.Sprintf("  - %q, ID %d", c.Name, c.ID)
			if c.Created != nil {
				lines[i] += ", created at " + formatTime(*c.Created)
			}
		}
		return "The response was lost. This attempt or someone else may have created:\n\n" + strings.Join(lines, "\n") +
			"\n\nIf it is yours, import it by its ID. Otherwise, choose another name."
	case e.LookupFailed:
		return "The response was lost, so the server may have created the object, and looking for it failed. Before " +
			"the next apply, look for the name in Qualytics, and import or remove what is there."
	default:
		return "The server's list shows that nothing was created."
	}
}

// responseText returns the server's response, or why there is none.
func responseText(e *qualytics.Error) string {
	text := "The server did not respond"
	if e.Status != 0 {
		text = fmt.Sprintf("The server returned %d %s", e.Status, http.StatusText(e.Status))
	}
	for _, part := range []string{e.Detail, e.Problem} {
		if part != "" {
			text += ": " + part
		}
	}
	text = sentence(text)
	if e.Hint != "" {
		text += " " + sentence(e.Hint)
	}
	return text
}

// advice returns what to do about an error, by its status.
func advice(e *qualytics.Error) string {
	switch {
	case e.Configuration: // the problem says what to correct
		return ""
	case e.Stopped:
		return "The run was stopped. Run it again."
	case errors.Is(e, context.DeadlineExceeded):
		return "The deployment is slow or unreachable. If it is slow, increase timeout in the provider configuration."
	case qualytics.IsUnknownPath(e):
		return "The API has no such path: check url and api_path. A control plane without the /api prefix requires " +
			"api_path = \"\"."
	case e.Status == http.StatusUnauthorized:
		return "The provider's token is invalid, expired, or revoked. Set token, or " + envToken +
			", to a valid token of an Admin."
	case e.Status == http.StatusForbidden && e.FromAPI && strings.Contains(e.URL, "/teams"):
		return "The provider's token is valid, but its owner has no permission: reading teams requires the role " +
			"Manager or Admin."
	case e.Status == http.StatusForbidden && e.FromAPI:
		return "The provider's token is valid, but its owner has no permission: managing service accounts and tokens " +
			"requires the role Admin, and a token that is limited to SCIM cannot be used. Use the token of an Admin."
	case e.Status == http.StatusForbidden:
		return "This response does not come from Qualytics: a gateway or firewall in front of it refused the " +
			"request. Ask its administrator; if it requires a header, set headers in the provider configuration."
	case e.Status == http.StatusTooManyRequests:
		return "The rate limit of the deployment was exceeded. Run again later, lower terraform's -parallelism, or " +
			"increase max_retries."
	case e.Status == http.StatusRequestEntityTooLarge:
		return "The gateway in front of Qualytics limits the size of requests. Ask its administrator."
	case e.Status >= 500:
		return "The deployment or the gateway in front of it has a problem. Run again. If the problem persists, " +
			"check the health of the deployment."
	case e.Status == 0:
		return "Run again when the deployment is reachable."
	case e.Status < 300 || (e.Status == http.StatusNotFound && !e.FromAPI):
		return "If url and api_path are correct, a gateway or a login page may be in front of the API."
	}
	return ""
}

// sentence returns text with a capital first letter and a period at the end.
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

// printable returns a name from the server without control and formatting
// characters, which could disguise other output.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, name)
}

// sentenceStart returns text with a capital first letter.
func sentenceStart(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// nearestText returns a sentence with the existing names most similar to name, or
// "" if there are none.
func nearestText(name string, existing []string) string {
	if similar := nearest(name, existing); len(similar) > 0 {
		return " The nearest existing names are " + quoteList(similar) + "."
	}
	return ""
}

// nearest returns at most three existing names similar to name, best first.
func nearest(name string, existing []string) []string {
	const most = 3
	distance := func(other string) int {
		return levenshtein.Distance(strings.ToLower(name), strings.ToLower(other), nil)
	}
	similar := slices.DeleteFunc(slices.Clone(existing), func(other string) bool {
		return distance(other) > max(len(name), len(other))*2/3
	})
	slices.SortFunc(similar,
		func(a, b string) int { return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(a, b)) })
	return similar[:min(most, len(similar))]
}
