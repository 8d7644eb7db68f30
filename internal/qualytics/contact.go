// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"sync"
	"sync/atomic"
	"time"
)

// contact is whether a deployment has answered. Until it has, all requests share one
// budget for retries, so that a wrong host is reported once and soon; when it is used up,
// each request is sent once. Clients of the same deployment share one.
type contact struct {
	first    sync.Once
	until    time.Time // end of the budget, from the first request on
	answered atomic.Bool
}

// begin records that a request is sent.
func (k *contact) begin(now time.Time) {
	k.first.Do(func() { k.until = now.Add(firstContactBudget) })
}

// limit returns how much of a wait the budget allows, and false if none is left.
func (k *contact) limit(wait time.Duration, now time.Time) (time.Duration, bool) {
	if k.answered.Load() {
		return wait, true
	}
	wait = min(wait, k.until.Sub(now))
	return wait, wait > 0
}
