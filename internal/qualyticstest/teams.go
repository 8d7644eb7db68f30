// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"net/http"
	"strings"
)

// publicTeam contains every user.
const publicTeam = "Public"

// Team is a team in the server's data.
type Team struct {
	ID                            int64
	Name, Description, Permission string
}

// AddTeam adds a team.
func (s *Server) AddTeam(name string) Team {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.newTeam(name)
}

func (s *Server) newTeam(name string) *Team {
	s.nextID++
	t := &Team{ID: s.nextID, Name: name, Permission: "Viewer"}
	s.teams = append(s.teams, t)
	return t
}

func (s *Server) teamByName(name string) *Team {
	for _, t := range s.teams {
		if t.Name == name {
			return t
		}
	}
	return nil
}

func (s *Server) teamResponse(t *Team) map[string]any {
	out := map[string]any{"id": t.ID, "name": t.Name}
	if s.Profile.TeamDetails {
		out["display_label"], out["permission"], out["description"] = t.Name, t.Permission, nullable(t.Description)
	}
	return out
}

func (s *Server) listTeams(c *call) (any, *problem) {
	items := []any{}
	part := strings.ToLower(c.URL.Query().Get("name"))
	for _, t := range s.teams {
		if strings.Contains(strings.ToLower(t.Name), part) {
			items = append(items, s.teamResponse(t))
		}
	}
	return s.pageOf(c, items)
}

func (s *Server) teamListing(*call) (any, *problem) {
	items := []any{}
	for _, t := range s.teams {
		items = append(items, map[string]any{"id": t.ID, "name": t.Name})
	}
	return items, nil
}

func (s *Server) findTeam(id int64) (*Team, *problem) {
	if t := byID(s.teams, id, func(t *Team) int64 { return t.ID }); t != nil {
		return t, nil
	}
	return nil, s.fail(http.StatusNotFound, "Team not found")
}

func (s *Server) getTeam(_ *call, t *Team) (any, *problem) { return s.teamResponse(t), nil }
