// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// recentUse is how long a token counts as in use after its last use.
const recentUse = 7 * day

// usedTokens returns the tokens with their last use, none if no request can be sent. If they
// cannot be listed, it warns once, and returns none.
func (c call) usedTokens(ctx context.Context) []qualytics.Token {
	if c.client == nil {
		return nil
	}
	c.planTokens.once.Do(func() {
		var err error
		if c.planTokens.tokens, err = c.client.CachedServiceTokens(ctx); err != nil {
			c.warn("Use of service tokens is unknown", "%s",
				detailOf("", err, "The plan cannot say whether the tokens that it ends are in use."))
		}
	})
	return c.planTokens.tokens
}

// warnOfAccount warns that an operation takes something away from the tokens of an
// account that are in use.
func (c call) warnOfAccount(ctx context.Context, account accountModel, summary, effect string) {
	if use := c.useText(ctx, account); use != "" {
		c.warn(summary, "The %s %s %s", account.label(), use, effect)
	}
}

// useText returns how many active tokens an account has, and which was used last. It returns
// "" if none is in use, if the server does not report it, or if they cannot be listed.
func (c call) useText(ctx context.Context, account accountModel) string {
	active, last := c.inUse(ctx,
		func(t *qualytics.Token) bool { return formatID(t.User.ID) == account.ID.ValueString() })
	if last == nil {
		return ""
	}
	tokens := fmt.Sprintf("%d active tokens", active)
	if active == 1 {
		tokens = "1 active token"
	}
	return fmt.Sprintf("has %s. %q was last used %s.", tokens, last.Name, c.agoText(*last.LastUsed))
}

// warnOfToken warns that an operation ends the validity of a token.
func (c call) warnOfToken(ctx context.Context, token tokenModel, effect string) {
	_, last := c.inUse(ctx, func(t *qualytics.Token) bool { return formatID(t.ID) == token.ID.ValueString() })
	if last != nil {
		c.warn(fmt.Sprintf("Service token %s is in use", token.title()), "The %s was last used %s. %s",
			token.label(), c.agoText(*last.LastUsed), effect)
	}
}

// lastUseText returns when a token was last used: "last used 2 hours ago", "never used", or
// "last use unknown".
func (c call) lastUseText(ctx context.Context, id string) string {
	for _, t := range c.usedTokens(ctx) {
		switch {
		case formatID(t.ID) != id:
		case t.LastUsed == nil:
			return "never used, as far as the server reports"
		default:
			return "last used " + c.agoText(*t.LastUsed)
		}
	}
	return "last use unknown"
}

// inUse returns the number of selected tokens that work, and the one that was used
// last if that was recently.
func (c call) inUse(ctx context.Context, selects func(*qualytics.Token) bool) (active int, last *qualytics.Token) {
	tokens, now := c.usedTokens(ctx), c.now()
	for i := range tokens {
		t := &tokens[i]
		if !selects(t) || !t.Usable(now) {
			continue
		}
		active++
		recent := t.LastUsed != nil && now.Sub(*t.LastUsed) < recentUse
		if recent && (last == nil || t.LastUsed.After(*last.LastUsed)) {
			last = t
		}
	}
	return active, last
}

// agoText returns a duration such as "2 hours ago".
func agoText(d time.Duration) string {
	count, unit := int(d/day), "day"
	switch {
	case d < time.Minute:
		return "less than a minute ago"
	case d < time.Hour:
		count, unit = int(d/time.Minute), "minute"
	case d < day:
		count, unit = int(d/time.Hour), "hour"
	}
	if count != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s ago", count, unit)
}

// agoText returns how long ago a time was, by the server's clock.
func (c call) agoText(t time.Time) string { return agoText(c.now().Sub(t)) }

// activeTokens returns the tokens of an account that are not revoked.
func (c call) activeTokens(ctx context.Context, accountID int64) ([]qualytics.Token, error) {
	tokens, err := c.client.ServiceTokens(ctx)
	var active []qualytics.Token
	for _, t := range tokens {
		if t.User.ID == accountID && t.Active {
			active = append(active, t)
		}
	}
	return active, err
}

const unableToListTokens = "Unable to list service tokens" // #nosec G101 -- a message, not a credential.
