// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace limits the request rate of a client. It is unlimited until the ingress returns 429,
// and then follows what the ingress allows. Clients of the same deployment share one.
type pace struct {
	mu      sync.Mutex
	limiter *rate.Limiter // nil: unlimited
	changed time.Time     // when the rate changed last
	until   time.Time     // no request is sent before: a Retry-After holds all of them
}

// delay returns how long a request has to wait before it is sent. A retry has
// waited for its Retry-After already.
func (p *pace) delay(now time.Time, retry bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	if !retry && p.until.After(now) {
		at = p.until
	}
	if p.limiter == nil {
		return at.Sub(now)
	}
	if now.Sub(p.changed) >= rateInterval {
		p.limiter.SetLimitAt(now, p.limiter.Limit()*speedUp)
		p.changed = now
	}
	return max(at.Sub(now), p.limiter.ReserveN(now, 1).DelayFrom(now))
}

// record429 records a 429 and the wait that it asks for.
func (p *pace) record429(now time.Time, asked time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if asked > 0 && asked <= retryAfterBudget && now.Add(asked).After(p.until) {
		p.until = now.Add(asked)
	}
	switch {
	case p.limiter == nil:
		p.limiter = rate.NewLimiter(firstRate, 1)
		p.changed = now
	case now.Sub(p.changed) >= rateInterval/2:
		p.limiter.SetLimitAt(now, max(minRate, p.limiter.Limit()*slowDown))
		p.changed = now
	}
}

// waitForRate waits until a request may be sent.
func (c *Client) waitForRate(ctx context.Context, retry bool) error {
	if d := c.pace.delay(c.Now(), retry); d > 0 {
		return c.config.Sleep(ctx, d)
	}
	return ctx.Err()
}
