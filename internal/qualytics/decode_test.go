// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func golden[T any](t *testing.T, name string) T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := decode(responseWith(string(text)), &out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func at(t *testing.T, text string) *time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	v = v.UTC()
	return &v
}

// Users of each build are read completely.
func TestDecodeUser(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]User{
		"user_seed.json": {
			ID: 123, UserID: "api_access@service", UserName: "api_access@service", Email: "service@example.com",
			Name:     "API Access",
			UserType: "Service", Role: "Editor", Teams: []string{"Public", "Data Engineering", "Data Quality"},
		},
		"user_docs.json": {
			ID: 124, UserID: "airflow@service", UserName: "svc_airflow", Email: "airflow@service", Name: "Airflow",
			UserType: "Service", Role: "Manager", Teams: []string{"Public"}, Created: at(t, "2026-04-02T10:00:00Z"),
		},
		"user_2026_09.json": {
			ID: 9007199254740993, UserID: "dbt@service", UserName: "dbt@service", Name: "dbt", UserType: "Service",
			Role:  "Member",
			Teams: []string{"Public", "Data Quality"}, Created: at(t, "2026-09-10T08:15:30.123456Z"),
			LastLogin: at(t, "2026-09-11T08:15:30Z"), DeletedAt: at(t, "2026-09-12T08:15:30Z"),
		},
		"user_minimal.json": {ID: 5, UserID: "x@service", UserName: "x", UserType: "Service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, golden[User](t, name)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// The request of the oldest documentation, byte for byte.
func TestSeedRequest(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "user_seed_request.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(
		ServiceAccountCreate{Name: "API Access", Role: RoleEditor, Teams: []string{"Data Engineering", "Data Quality"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// Tokens of each build are read completely, in an array and in an envelope.
func TestDecodeTokens(t *testing.T) {
	t.Parallel()
	owner := User{ID: 123, UserID: "api_access@service", UserName: "api_access@service", UserType: "Service"}
	named := owner
	named.Name, named.Created = "API Access", at(t, "2025-11-06T10:00:00Z")
	got := golden[page[Token]](t, "tokens_array.json")
	want := []Token{
		{ID: 41, Name: "ci", Active: true, Created: at(t, "2026-09-10T10:00:00Z"), User: named},
		{
			ID: 42, Name: "old", Created: at(t, "2026-09-10T08:00:00Z"), Expiration: at(t, "2026-10-10T08:00:00.5Z"),
			LastUsed: at(t, "2026-09-11T10:00:00Z"), User: owner,
		},
	}
	if diff := cmp.Diff(want, got.items); diff != "" {
		t.Errorf("array: want -, got +:\n%s", diff)
	}
	if got := golden[page[Token]](t, "tokens_envelope.json"); len(got.items) != 1 || got.total != 1 ||
		got.items[0].ID != 41 {
		t.Errorf("envelope: got %+v, want one token with ID 41", got)
	}
	made := golden[NewToken](t, "token_create_2025_11.json")
	if string(made.Bearer) != "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiI0MSJ9.c2ln" || made.Created != nil || !made.Active ||
		made.User.ID != 123 {
		t.Errorf("created: got %+v", made)
	}
}

func TestDecodePages(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"page_total.json", "page_total_count.json"} {
		if p := golden[page[Team]](t, name); p.total != 1 || len(p.items) != 1 || !p.last(1) {
			t.Errorf("%s: got %+v, want one team and no other page", name, p)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	var user User
	var token Token
	var made NewToken
	var team Team
	var teams page[Team]
	for _, c := range []struct {
		name, text string
		into       any
		want       string
	}{
		{"user without an ID", `{"user_id":"x"}`, &user, "without an ID"},
		{"user with a string as ID", `{"id":"1"}`, &user, `"id" is a string`},
		{"user with a fraction as ID", `{"id":1.5}`, &user, `"id" is a number`},
		{"invalid time", `{"id":1,"created":"yesterday"}`, &user, "invalid time"},
		{"number as time", `{"id":1,"created":17}`, &user, `"created" is a number`},
		{"token without an ID", `{"name":"x"}`, &token, "without an ID"},
		{"new token without a secret", `{"id":1,"name":"x"}`, &made, "no bearer_token"},
		{"team without an ID", `{"name":"x"}`, &team, "without an ID"},
		{"page without items", `{"total":1}`, &teams, "no items"},
		{"truncated", `{"items":[{"id":1`, &teams, "the response is incomplete"},
		{"not JSON", `hello`, &teams, "not JSON"},
		{"wrong type", `"hello"`, &user, "the response is a string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := decode(responseWith(c.text), c.into); err == nil || !contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that contains %q", err, c.want)
			}
		})
	}
}

func TestFlattenDetail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, detail, want string }{
		{"string", `"no"`, "no"},
		{"null", `null`, ""},
		{"list of strings", `["a","b"]`, "a; b"},
		{"validation", `[{"loc":["body","role"],"msg":"bad role","type":"enum","input":"secret"},{"loc":["query",` +
			`"size",0],"msg":"too large"}]`, "role: bad role; query.size.0: too large"},
		{"object", `{"message":"no","sent":"secret"}`, "no"},
		{"nested object", `{"error":{"message":"deep"}}`, "deep"},
		{"unknown object", `{"sent":"secret"}`, ""},
		{"number", `17`, "17"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var detail any
			if err := json.Unmarshal([]byte(c.detail), &detail); err != nil {
				t.Fatal(err)
			}
			if got := flatten(detail); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, path, want string }{
		{"plain", "https://x.qualytics.io", "api", "https://x.qualytics.io/api"},
		{"no scheme", "x.qualytics.io", "api", "https://x.qualytics.io/api"},
		{"no scheme with a port", "localhost:8080", "api", "https://localhost:8080/api"},
		{"http is kept", "http://localhost:8080", "api", "http://localhost:8080/api"},
		{"slashes and /api are removed", "https://x.qualytics.io/api//", "api", "https://x.qualytics.io/api"},
		{"no prefix", "https://x.qualytics.io/api", "", "https://x.qualytics.io"},
		{"several segments", "https://x.qualytics.io", "/gateway/v1/", "https://x.qualytics.io/gateway/v1"},
		{"below a path", "HTTPS://X.qualytics.io/tenant/api/", "api", "https://x.qualytics.io/tenant/api"},
		{"one /api only", "https://x/api/api", "api", "https://x/api/api"},
		{"IPv6", "http://[::1]:80", "api", "http://[::1]:80/api"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := BaseURL(c.url, c.path)
			if err != nil || got.String() != c.want {
				t.Errorf("got %v, %v, want %s", got, err, c.want)
			}
		})
	}
	for _, c := range []struct{ name, url, path string }{
		{"empty", " ", "api"},
		{"scheme", "ftp://x", "api"},
		{"no host", "https://", "api"},
		{"password", "https://me:hunter2@x", "api"},
		{"query", "https://x?token=hunter2", "api"},
		{"control character", "https://x\n", "a\x00pi?"},
		{"path with a query", "https://x", "api?x"},
		{"path with ..", "https://x", "../api"},
	} {
		t.Run("invalid: "+c.name, func(t *testing.T) {
			t.Parallel()
			got, err := BaseURL(c.url, c.path)
			if err == nil {
				t.Fatalf("got %s, want an error", got)
			}
			if contains(err.Error(), "hunter2") {
				t.Errorf("the error contains a credential: %v", err)
			}
		})
	}
}

func TestCheckHeader(t *testing.T) {
	t.Parallel()
	if err := CheckHeader("X-Gateway", "value with spaces"); err != nil {
		t.Errorf("a valid header is refused: %v", err)
	}
	for name, value := range map[string]string{
		"authorization": "x", "Content-Type": "x", "": "x", "a b": "x", "X-Y:": "x", "X-Break": "a\r\nb",
	} {
		if CheckHeader(name, value) == nil {
			t.Errorf("the header %q: %q is accepted", name, value)
		}
	}
}

// No way of printing shows a secret.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	const token = "canary-token-of-the-admin"
	c, err := New(Config{URL: "https://x", Token: token, Headers: map[string]Secret{"X-Key": "canary-header-value"}})
	if err != nil {
		t.Fatal(err)
	}
	made := NewToken{Token: Token{ID: 1}, Bearer: token}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d"} {
		for _, value := range []any{c, made, &made, Config{Token: token}, Secret(token)} {
			if text := fmt.Sprintf(verb, value); contains(text, "canary") || contains(text, "63616e617279") {
				t.Errorf("%s of %T prints a secret: %s", verb, value, text)
			}
		}
	}
	const bearer = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiI0MSJ9.c2lnbmF0dXJl"
	for _, c2 := range []struct{ name, text string }{
		{"complete", "bad token canary-token-of-the-admin!"},
		{"truncated", "bad token canary-token-of"},
		{"base64", "bad Y2FuYXJ5LXRva2VuLW9mLXRoZS1hZG1pbg=="},
		{"base64 shifted", "bad Ymxpc3M6Y2FuYXJ5LXRva2VuLW9mLXRoZS1hZG1pbjo="},
		{"hexadecimal", "bad 63616e6172792d746f6b656e2d6f662d7468652d61646d696e"},
		{"upper case", "bad CANARY-TOKEN-OF-THE-ADMIN"},
		{"control characters", "bad canary-\x00token-\u200bof-the-admin"},
		{"header", "header canary-header-value refused"},
		{"any bearer", "got " + bearer},
		{"any bearer, truncated", "got " + bearer[:20]},
	} {
		got := c.mask.clean(c2.text)
		if contains(strings.ToLower(got), "canary") || contains(got, "63616e") || contains(got, "LXRva2VuLW9m") ||
			contains(got, "eyJhb") ||
			!contains(got, hidden) {
			t.Errorf("%s: got %q", c2.name, got)
		}
	}
	if got := c.mask.clean("an ordinary\nmessage\x1b[31m about teams"); got != "an ordinary message[31m about teams" {
		t.Errorf("text without a secret became %q", got)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	e := &Error{
		Method:   "GET",
		URL:      "https://x/api/users/1",
		Status:   403,
		Detail:   "no",
		Hint:     "ask",
		Attempts: 2,
		cause:    cause,
	}
	want := "GET https://x/api/users/1: 403 Forbidden: no (ask) (after 2 attempts)"
	if e.Error() != want || !errors.Is(e, cause) {
		t.Errorf("got %q, want %q", e.Error(), want)
	}
}
