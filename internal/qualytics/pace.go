// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// firstPace is the speed after the first 429, in requests a second: a bit
	// less than the 50 that the ingress of a deployment allows by default.
	firstPace = 45
	// slowestPace is what no amount of 429s goes below.
	slowestPace = 1
	// slower and faster are what a 429, and paceSilence without one, multiply
	// the speed by.
	slower = 0.8
	faster = 1.1
	// paceSilence is how long no 429 has to come before the speed changes again,
	// in either direction: those of one moment count once.
	paceSilence = 2 * time.Second
)

// pace is the speed of all requests of a client. It is unlimited until the
// ingress answers 429; from then on it follows what the ingress allows. A
// Retry-After holds everybody.
type pace struct {
	mu      sync.Mutex
	limiter *rate.Limiter // nil: unlimited
	changed time.Time     // when the speed was changed last
	hold    time.Time     // nobody sends before
}

// delay is how long a request has to wait before it is sent. One that waited
// already for the server's sake is held no more.
func (p *pace) delay(now time.Time, waited bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	if !waited && p.hold.After(now) {
		at = p.hold
	}
	if p.limiter == nil {
		return at.Sub(now)
	}
	if now.Sub(p.changed) >= paceSilence {
		p.limiter.SetLimitAt(now, p.limiter.Limit()*faster)
		p.changed = now
	}
	return max(at.Sub(now), p.limiter.ReserveN(now, 1).DelayFrom(now))
}

// limited notes a 429, and how long the server asked to wait.
func (p *pace) limited(now time.Time, asked time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if asked > 0 && asked <= retryAfterBudget && now.Add(asked).After(p.hold) {
		p.hold = now.Add(asked)
	}
	switch {
	case p.limiter == nil:
		p.limiter = rate.NewLimiter(firstPace, 1)
		p.changed = now
	case now.Sub(p.changed) >= paceSilence/2:
		p.limiter.SetLimitAt(now, max(slowestPace, p.limiter.Limit()*slower))
		p.changed = now
	}
}

// keepPace waits until a request may be sent.
func (c *Client) keepPace(ctx context.Context, waited bool) error {
	if d := c.pace.delay(c.now(), waited); d > 0 {
		return c.sleep(ctx, d)
	}
	return ctx.Err()
}
