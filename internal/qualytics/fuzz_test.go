// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
)

// seed adds the golden files and some invalid JSON to a corpus.
func seed(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal("no golden files")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		"", "null", "[]", "{}", `{"id":1e400}`, `{"id":-1,"teams":[null]}`, `{"items":null}`,
		`[[[`, `{"id":9223372036854775808}`,
	} {
		f.Add([]byte(text))
	}
}

const fuzzToken = "canary-token-of-the-admin"

func FuzzError(f *testing.F) {
	for _, body := range []string{
		`{"detail":"no"}`, `{"detail":["a"]}`, `{"detail":[{"loc":["body"],"msg":"x"}]}`, `{"detail":{"message":"x"},` +
			`"fault_context":{"title":"t","hint":"h"}}`,
		`<html>`, ``, `{"detail":"` + fuzzToken + `"}`, `{"detail":{"error":{"msg":["x"]}}}`, `{"detail":5,` +
			`"fault_context":[]}`,
	} {
		f.Add(403, "application/json", []byte(body))
	}
	c, err := New(Config{URL: "https://x", Token: fuzzToken})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		e := c.statusError(
			&http.Response{
				StatusCode: status,
				Header:     http.Header{"Content-Type": {kind}},
				Body:       io.NopCloser(bytes.NewReader(body)),
			},
		)
		text := e.Error()
		if strings.Contains(text, fuzzToken) || strings.Contains(text, fuzzToken[:gramSize]) {
			t.Errorf("the error contains a secret: %q", text)
		}
		if strings.ContainsFunc(e.Detail, unicode.IsControl) || len(text) > 4*maxDetail {
			t.Errorf("the error has control characters or is too long: %q", text)
		}
	})
}

func FuzzUser(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var u User
		if err := decode(responseWith(string(text)), &u); err != nil {
			_ = err.Error()
			return
		}
		var plain struct {
			ID json.Number `json:"id"`
		}
		if json.Unmarshal(text, &plain) == nil && plain.ID.String() != "" {
			if n, err := plain.ID.Int64(); err == nil && n != u.ID {
				t.Errorf("the ID %s was decoded as %d", plain.ID, u.ID)
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var created NewToken
		if err := decode(responseWith(string(text)), &created); err != nil {
			_ = err.Error()
			return
		}
		if created.Bearer == "" {
			t.Error("a new token without a secret")
		}
	})
}

func FuzzPage(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var p page[Team]
		if err := decode(responseWith(string(text)), &p); err != nil {
			_ = err.Error()
			return
		}
		if !p.last(1<<30) && len(p.items) == 0 {
			t.Error("an empty page is not the last")
		}
		for _, team := range p.items {
			if team.Name == "" {
				t.Error("a team without a name")
			}
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, text := range []string{
		`"2026-09-10T10:00:00Z"`, `"2026-09-10T10:00:00.5+02:00"`, `"2026-09-10 10:00:00"`,
		`null`, `""`, `5`, `"0001-01-01T00:00:00Z"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v timestamp
		if json.Unmarshal(text, &v) != nil {
			return
		}
		if v.at != nil && v.at.Location() != time.UTC {
			t.Errorf("%s is not in UTC", text)
		}
	})
}

func FuzzBaseURL(f *testing.F) {
	for _, text := range []string{
		"https://x.qualytics.io/api/", "x", "http://[::1]:80", "https://me:pw@x", "//x",
		"https://x/%2e%2e/api", "\x00",
	} {
		f.Add(text, "api")
	}
	f.Fuzz(func(t *testing.T, raw, path string) {
		u, err := BaseURL(raw, path)
		if err != nil {
			return
		}
		if u.Host == "" || u.User != nil || u.RawQuery != "" || (u.Scheme != "https" && u.Scheme != "http") ||
			strings.HasSuffix(u.Path, "/") {
			t.Errorf("BaseURL(%q, %q) = %q", raw, path, u)
		}
		again, err := BaseURL(
			u.Scheme+"://"+u.Host+strings.TrimSuffix(u.Path, "/"+strings.Trim(strings.TrimSpace(path), "/")), path)
		if err == nil && again.Host != u.Host {
			t.Errorf("BaseURL(%q) = %q", u, again)
		}
	})
}
