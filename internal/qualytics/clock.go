// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// serverClock estimates the server's clock from the Date header of its last response.
type serverClock struct{ ahead atomic.Int64 }

const (
	// dateResolution is the precision of a Date header. Clocks that differ by
	// less count as equal.
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

// SyncClock makes sure that the server's clock is known: any response tells it.
func (c *Client) SyncClock(ctx context.Context) error {
	_, err := c.Me(ctx)
	return err
}
