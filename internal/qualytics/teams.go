// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
)

// TeamPublic is the team that everybody is in. It cannot be left.
const TeamPublic = "Public"

// Team is a group of users with a permission on assets.
type Team struct {
	ID          int64
	Name        string
	Description string // "" when the build does not say
	Permission  string // Editor, Author, Drafter, Viewer or Reporter; "" when the build does not say
}

// UnmarshalJSON reads every variant of a team.
func (t *Team) UnmarshalJSON(data []byte) error {
	var wire struct {
		ID          *int64 `json:"id"`
		Name        string `json:"name"`
		Description string `json:"description"`
		Permission  string `json:"permission"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if wire.ID == nil || wire.Name == "" {
		return &shapeError{"the answer describes a team without an id or a name, which the API does not document"}
	}
	*t = Team{ID: *wire.ID, Name: wire.Name, Description: wire.Description, Permission: wire.Permission}
	return nil
}

// Teams lists the teams: GET /teams, page by page. It needs Manager or Admin.
func (c *Client) Teams(ctx context.Context) ([]Team, error) {
	return listAll(ctx, c, "/teams", nil, func(t Team) int64 { return t.ID })
}

// teamNames keeps the names of the teams.
type teamNames struct {
	mu    sync.Mutex
	known []string
}

// TeamNames are the names of all teams, asked once.
func (c *Client) TeamNames(ctx context.Context) ([]string, error) {
	c.teams.mu.Lock()
	defer c.teams.mu.Unlock()
	if c.teams.known != nil {
		return c.teams.known, nil
	}
	teams, err := c.Teams(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range teams {
		c.teams.known = append(c.teams.known, t.Name)
	}
	return c.teams.known, nil
}

// TeamListing lists the teams' essentials: GET /teams/listing. Members may ask.
func (c *Client) TeamListing(ctx context.Context) ([]Team, error) {
	var out page[Team]
	if err := c.do(ctx, request{method: http.MethodGet, path: "/teams/listing", out: &out}); err != nil {
		return nil, err
	}
	return out.items, nil
}

// Team reads one team: GET /teams/{id}.
func (c *Client) Team(ctx context.Context, id int64) (*Team, error) {
	var out Team
	if err := c.do(ctx, request{method: http.MethodGet, path: "/teams/" + strconv.FormatInt(id, 10), out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}
