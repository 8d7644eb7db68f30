// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"encoding/json"
)

// TeamPublic is the team that every user is in.
const TeamPublic = "Public"

// Team is a group of users with a permission on assets.
type Team struct {
	ID          int64
	Name        string
	Description string // "" if the deployment does not report it
	Permission  string // Editor, Author, Drafter, Viewer, or Reporter; "" if the deployment does not report it
}

func (t Team) id() int64 { return t.ID }

// read decodes every variant of a team.
func (t *Team) read(dec *json.Decoder) error {
	var wire struct {
		ID          *int64 `json:"id"`
		Name        string `json:"name"`
		Description string `json:"description"`
		Permission  string `json:"permission"`
	}
	if err := dec.Decode(&wire); err != nil {
		return err
	}
	if wire.ID == nil || wire.Name == "" {
		return &shapeError{"the response has a team without an ID or a name, which the API does not document"}
	}
	*t = Team{ID: *wire.ID, Name: wire.Name, Description: wire.Description, Permission: wire.Permission}
	return nil
}

// Teams returns all teams: GET /teams, page by page. It requires Manager or Admin.
func (c *Client) Teams(ctx context.Context) ([]Team, error) {
	return listAll[Team](ctx, c, list{path: "/teams", size: PageSize})
}

// TeamNames returns the names of all teams, requested once. After
// ForgetTeamNames, they are requested again.
func (c *Client) TeamNames(ctx context.Context) ([]string, error) {
	return c.teamNames.get(func() ([]string, error) {
		teams, err := c.Teams(ctx)
		names := make([]string, len(teams))
		for i, t := range teams {
			names[i] = t.Name
		}
		return names, err
	})
}

// ForgetTeamNames discards the names of the teams, because one may have been created since.
func (c *Client) ForgetTeamNames() { c.teamNames.invalidate() }
