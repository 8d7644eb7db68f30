// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"sync"
	"time"
)

func (s *Server) listen(address string) error {
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(s)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // cut connections are on purpose
	server.Start()
	s.http, s.URL = server, server.URL
	return nil
}

// Stop closes the port, as a crash does: connections are refused until Resume.
// What the server knows stays.
func (s *Server) Stop() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Resume serves what the server knows again, on a port of its own choice: the
// old one may be somebody else's by now. URL changes.
func (s *Server) Resume() error { return s.listen("") }

// bucket is the ingress's rate limit: rate requests a second, and a burst on
// top. It runs on the real time, because the requests do.
type bucket struct {
	mu    sync.Mutex
	rate  float64
	size  float64
	level float64
	last  time.Time
}

func newBucket(rate, burst int) *bucket {
	return &bucket{rate: float64(rate), size: float64(burst) + 1, level: float64(burst) + 1, last: time.Now()}
}

func (b *bucket) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.level = min(b.size, b.level+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
