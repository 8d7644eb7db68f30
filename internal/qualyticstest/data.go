// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// data is the content of the data file.
type data struct {
	Users           []*User
	Tokens          []*Token
	Teams           []*Team
	NextID, AdminID int64
	Ahead           time.Duration // of the clock
}

// load reads the data file if it exists.
func (s *Server) load() error {
	if s.opts.Data == "" {
		return nil
	}
	text, err := os.ReadFile(s.opts.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return s.save()
	}
	if err != nil {
		return err
	}
	var d data
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("%s is not a data file of the emulator: %w", s.opts.Data, err)
	}
	s.users, s.tokens, s.teams, s.nextID, s.adminID = d.Users, d.Tokens, d.Teams, d.NextID, d.AdminID
	s.Clock.Advance(d.Ahead - s.Clock.Ahead())
	return nil
}

// save replaces the data file atomically, so that it is valid even if the server is
// killed. It is called before a response is sent.
func (s *Server) save() error {
	if s.opts.Data == "" {
		return nil
	}
	text, err := json.Marshal(data{s.users, s.tokens, s.teams, s.nextID, s.adminID, s.Clock.Ahead()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.opts.Data+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(s.opts.Data+".new", s.opts.Data)
}
