// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"net/http"
)

// Status is the state of the parts of a deployment.
type Status struct {
	Database string `json:"database_connection"` // "OK" if it works
	RabbitMQ string `json:"rabbitmq_connection"` // "OK" if it works
}

// Health returns nil if the deployment is up: GET /health.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodGet, path: "/health"})
}

// Status returns the state of the parts of the deployment: GET /status.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var out Status
	if err := c.do(ctx, request{method: http.MethodGet, path: "/status", out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}
