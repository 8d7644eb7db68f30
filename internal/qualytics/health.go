// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"net/http"
)

// Status is what a deployment says of its parts.
type Status struct {
	Database string `json:"database_connection"` // "OK" when it works
	RabbitMQ string `json:"rabbitmq_connection"` // "OK" when it works
}

// Health asks whether the deployment is up: GET /health.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodGet, path: "/health"})
}

// Status asks for the state of the deployment's parts: GET /status.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var out Status
	if err := c.do(ctx, request{method: http.MethodGet, path: "/status", out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}
