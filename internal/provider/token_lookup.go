// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// listTokens returns the tokens of an account and with a status by ID; "" matches
// all.
func listTokens(ctx context.Context, client *qualytics.Client, accountID, status string,
	now time.Time,
) ([]qualytics.Token, error) {
	tokens, err := client.CachedServiceTokens(ctx)
	var found []qualytics.Token
	for i := range tokens {
		t := &tokens[i]
		if (accountID == "" || accountID == formatID(t.User.ID)) && (status == "" || status == listStatus(t, now)) {
			found = append(found, *t)
		}
	}
	return found, err
}

// activeTokens returns the tokens of an account that are not revoked.
func activeTokens(ctx context.Context, client *qualytics.Client, accountID int64) ([]qualytics.Token, error) {
	tokens, err := client.ServiceTokens(ctx)
	var active []qualytics.Token
	for _, t := range tokens {
		if t.User.ID == accountID && t.Active {
			active = append(active, t)
		}
	}
	return active, err
}
