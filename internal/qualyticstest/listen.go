// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
)

func (s *Server) listen(address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	server, err := s.open(address)
	if err == nil {
		s.http, s.URL = server, server.URL
	}
	return err
}

// open starts to serve on an address.
func (s *Server) open(address string) (*httptest.Server, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	server := httptest.NewUnstartedServer(s)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections are closed on purpose
	server.Start()
	return server, nil
}

// Stop closes the port, as a crash does: connections are refused until Resume. The data stays.
func (s *Server) Stop() {
	s.mu.Lock()
	server := s.http
	s.mu.Unlock()
	server.CloseClientConnections()
	server.Close()
}

// Resume serves the data again after Stop: on the same address, or, if another
// process uses that now, on another port.
func (s *Server) Resume() error {
	if s.listen(strings.TrimPrefix(s.URL, "http://")) == nil {
		return nil
	}
	return s.listen("")
}
