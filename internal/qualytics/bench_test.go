// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// responseOf returns the response of an emulated deployment with accounts and tokens.
func responseOf(b *testing.B, path string, accounts, tokens int) string {
	b.Helper()
	s, err := qualyticstest.NewServer(qualyticstest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	s.SeedForeign(accounts, tokens)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+"/"+s.APIPath()+path, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.AdminToken())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status, err)
	}
	return string(text)
}

func responseWith(text string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(text)),
	}
}

func BenchmarkDecodeTokens(b *testing.B) {
	for _, n := range []int{300, 50_000} {
		text := responseOf(b, "/user-tokens/service", min(n, 20_000), n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var p page[Token]
				if err := decode(responseWith(text), &p); err != nil || len(byID(p.items)) != n {
					b.Fatal(len(p.items), err)
				}
			}
		})
	}
}

func BenchmarkDecodeAccounts(b *testing.B) {
	text := responseOf(b, "/users?type=Service&size=100", 100, 0)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var p page[User]
		if err := decode(responseWith(text), &p); err != nil || len(p.items) != PageSize {
			b.Fatal(len(p.items), err)
		}
	}
}

// A refresh of 300 accounts and 300 tokens with ten parallel reads and a new
// client, as in a plan. The server returns prepared responses.
func BenchmarkRefresh(b *testing.B) {
	const n = 300
	s, err := qualyticstest.NewServer(qualyticstest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	s.SeedForeign(n, n)
	var responses sync.Map
	ready := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if text, ok := responses.Load(r.URL.String()); ok {
			_, _ = io.WriteString(w, text.(string))
			return
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		responses.Store(r.URL.String(), rec.Body.String())
		_, _ = io.WriteString(w, rec.Body.String())
	}))
	defer ready.Close()
	accounts, tokens := s.ServiceAccounts(), s.Tokens()
	for b.Loop() {
		c, err := New(Config{URL: ready.URL, APIPath: s.APIPath(), Token: Secret(s.AdminToken())})
		if err != nil {
			b.Fatal(err)
		}
		work := make(chan int)
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() {
				for i := range work {
					if u, err := c.CachedServiceAccount(b.Context(), accounts[i].ID); err != nil || u == nil {
						b.Error(u, err)
					}
					if _, ok, err := c.CachedServiceToken(b.Context(), tokens[i].ID); err != nil || !ok {
						b.Error(ok, err)
					}
				}
			})
		}
		for i := range n {
			work <- i
		}
		close(work)
		wait.Wait()
	}
}
