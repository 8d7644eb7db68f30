// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"sync"
	"time"
)

// contact is whether a deployment has answered. Until it has, all requests share one
// budget for retries, so that a wrong host is reported once and soon; when it is used up,
// each request is sent once. Clients of the same deployment share one.
type contact struct {
	mu       sync.Mutex
	answered bool
	until    time.Time // end of the budget; zero before the first request
}

// begin records that a request is sent.
func (k *contact) begin(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.until.IsZero() {
		k.until = now.Add(firstContactBudget)
	}
}

// answer records that the deployment has answered.
func (k *contact) answer() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answered = true
}

// limit returns how much of a wait the budget allows, and false if none is left.
func (k *contact) limit(wait time.Duration, now time.Time) (time.Duration, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.answered {
		wait = min(wait, k.until.Sub(now))
	}
	return wait, k.answered || wait > 0
}
