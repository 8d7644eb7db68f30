// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Clock is a clock that can be advanced and stopped.
type Clock struct {
	mu      sync.Mutex
	ahead   time.Duration
	stopped time.Time // zero: not stopped
	alarms  []alarm
}

// alarm is a function that is called when the clock reaches a time.
type alarm struct {
	at time.Time
	do func()
}

// Now returns the time in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if !c.stopped.IsZero() {
		return c.stopped
	}
	return time.Now().Add(c.ahead).UTC()
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	c.ahead += d
	if !c.stopped.IsZero() {
		c.stopped = c.stopped.Add(d)
	}
	c.mu.Unlock()
	c.ring()
}

// after calls do once the clock has advanced by d.
func (c *Clock) after(d time.Duration, do func()) {
	c.mu.Lock()
	c.alarms = append(c.alarms, alarm{c.now().Add(d), do})
	c.mu.Unlock()
	time.AfterFunc(d, c.ring)
}

// ring calls the functions whose time has come.
func (c *Clock) ring() {
	c.mu.Lock()
	var due []func()
	now := c.now()
	c.alarms = slices.DeleteFunc(c.alarms, func(a alarm) bool {
		if a.at.After(now) {
			return false
		}
		due = append(due, a.do)
		return true
	})
	c.mu.Unlock()
	for _, do := range due {
		do()
	}
}

// Ahead returns how far the clock is ahead of the real time.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// Stop stops the clock. Advance still moves it.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = c.now()
}

// ParseDuration parses a duration with days, such as "77d", "1d12h", or "-8d", or without,
// as [time.ParseDuration] does.
func ParseDuration(text string) (time.Duration, error) {
	unsigned, negative := strings.CutPrefix(text, "-")
	days, rest, found := strings.Cut(unsigned, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 15)
	d, restErr := time.ParseDuration(fmt.Sprintf("%dh%s", n*24, rest))
	switch {
	case err != nil || restErr != nil:
		return 0, fmt.Errorf("%q is not a duration such as 77d or 1d12h", text)
	case negative:
		return -d, nil
	}
	return d, nil
}

// ClockPath is where programs on the same machine read and move the clock of a server:
// "curl -d 8d URL/_clock" moves it forward by eight days. It is not a path of the API.
const ClockPath = "/_clock"

func (s *Server) serveClock(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !net.ParseIP(host).IsLoopback() {
		http.Error(w, "only programs on the emulator's machine can use its clock", http.StatusForbidden)
		return
	}
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		text, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 100))
		d, err := ParseDuration(strings.TrimSpace(string(text)))
		if err == nil {
			s.Clock.Advance(d)
			s.mu.Lock()
			err = s.save()
			s.mu.Unlock()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	default:
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		return
	}
	now := s.Clock.Now()
	w.Header().Set("Date", now.Format(http.TimeFormat))
	_, _ = fmt.Fprintln(w, now.Format(time.RFC3339))
}
