// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"net/http"
	"testing"
	"time"
)

func second(seconds float64) *time.Time {
	t := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	return &t
}

// The server's clock counts as equal within the precision of a Date header.
func TestServerClock(t *testing.T) {
	t.Parallel()
	local := *second(0)
	var clock serverClock
	for _, tc := range []struct {
		header string
		want   time.Duration
	}{
		{second(100).Format(http.TimeFormat), 100 * time.Second},
		{"", 100 * time.Second}, // no header: the last one counts
		{"nonsense", 100 * time.Second},
		{second(2).Format(http.TimeFormat), 0},
		{second(3).Format(http.TimeFormat), 3 * time.Second},
		{second(-3).Format(http.TimeFormat), -3 * time.Second},
		{second(-2).Format(http.TimeFormat), 0},
	} {
		clock.observe(http.Header{"Date": {tc.header}}, local)
		if got := clock.now(local).Sub(local); got != tc.want {
			t.Errorf("Date %q: the clock is %s ahead, want %s", tc.header, got, tc.want)
		}
	}
	c := &Client{config: Config{Now: func() time.Time { return local }}}
	if got := local.Sub(c.startOfAttempt()); got != startTolerance {
		t.Errorf("equal clocks: %s of tolerance, want %s", got, startTolerance)
	}
	c.clock.observe(http.Header{"Date": {second(60).Format(http.TimeFormat)}}, local)
	if got := local.Add(time.Minute).Sub(c.startOfAttempt()); got != dateResolution {
		t.Errorf("different clocks: %s of tolerance, want %s", got, dateResolution)
	}
}
