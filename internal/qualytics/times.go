// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// layouts are the formats of a time in responses. A time without a zone is in UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
}

// timestamp decodes a time in UTC; null, "", and the zero time are nil.
type timestamp struct{ at *time.Time }

func (t *timestamp) UnmarshalText(text []byte) error {
	t.at = nil
	trimmed := string(bytes.TrimSpace(text))
	if trimmed == "" {
		return nil
	}
	for _, layout := range layouts {
		if parsed, err := time.Parse(layout, trimmed); err == nil {
			if parsed = parsed.UTC(); !parsed.IsZero() {
				t.at = &parsed
			}
			return nil
		}
	}
	return &shapeError{"the response has an invalid time, which the API does not document"}
}

// lenientTime decodes a time that nothing depends on. An invalid one is nil.
type lenientTime struct{ timestamp }

func (t *lenientTime) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil || t.UnmarshalText([]byte(text)) != nil {
		t.at = nil
	}
	return nil
}

// serverClock estimates the server's clock from the Date header of its last response.
type serverClock struct{ ahead atomic.Int64 }

const (
	// dateResolution is the precision of a Date header. Clocks that differ by less count as equal.
	dateResolution = 2 * time.Second
	// startTolerance covers the remaining difference of clocks that count as equal.
	startTolerance = 250 * time.Millisecond
)

func (s *serverClock) observe(h http.Header, now time.Time) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	ahead := date.Sub(now)
	if ahead.Abs() <= dateResolution {
		ahead = 0
	}
	s.ahead.Store(int64(ahead))
}

// now returns the server's time at the local time.
func (s *serverClock) now(local time.Time) time.Time {
	return local.Add(time.Duration(s.ahead.Load()))
}

// startOfAttempt returns the server's time, minus what the estimate may be off.
func (c *Client) startOfAttempt() time.Time {
	local := c.Now()
	server := c.clock.now(local)
	if server.Equal(local) {
		return server.Add(-startTolerance)
	}
	return server.Add(-dateResolution)
}

// ServerTime returns the time of the server's clock, as its last responses say.
func (c *Client) ServerTime() time.Time { return c.clock.now(c.Now()) }
