// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"77d":    77 * day,
		"-8d":    -8 * day,
		"1d12h":  36 * time.Hour,
		"-1d12h": -36 * time.Hour,
		"90m":    90 * time.Minute,
	} {
		if got, err := qualyticstest.ParseDuration(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "8", "1.5d", "--8d", "1d-2h", "1d2", "99999d", "week"} {
		if got, err := qualyticstest.ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestClockPath(t *testing.T) {
	t.Parallel()
	for _, profile := range qualyticstest.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, qualyticstest.Options{Profile: &profile})
			s.Clock.Stop()
			begin := s.Clock.Now()
			for _, tc := range []struct {
				name, method, remote, body string
				status                     int
				ahead                      time.Duration // afterwards
			}{
				{"read", "GET", "127.0.0.1:1", "", 200, 0},
				{"move", "POST", "[::1]:1", "76d\n", 200, 76 * 24 * time.Hour},
				{"move back", "POST", "127.0.0.1:1", "-75d", 200, 24 * time.Hour},
				{"no duration", "POST", "127.0.0.1:1", "tomorrow", 400, 24 * time.Hour},
				{"another machine", "POST", "192.0.2.1:1", "8d", 403, 24 * time.Hour},
				{"another method", "DELETE", "127.0.0.1:1", "", 405, 24 * time.Hour},
			} {
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(t.Context(), tc.method, qualyticstest.ClockPath,
					strings.NewReader(tc.body))
				r.RemoteAddr = tc.remote
				s.ServeHTTP(w, r)
				want := begin.Add(tc.ahead)
				if w.Code != tc.status || !s.Clock.Now().Equal(want) {
					t.Errorf("%s: %d %s, the clock says %v, want %v", tc.name, w.Code, w.Body, s.Clock.Now(), want)
				}
				if w.Code == http.StatusOK && (w.Header().Get("Date") != want.Format(http.TimeFormat) ||
					w.Body.String() != want.Format(time.RFC3339)+"\n") {
					t.Errorf("%s: %v %s", tc.name, w.Header(), w.Body)
				}
			}
			if len(s.Requests()) != 0 {
				t.Errorf("the request log has %v", s.Requests())
			}
		})
	}
}
