// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// With a rate limit no request fails, and most of the allowed rate is used,
// whatever the parallelism.
func TestPaceUnderALimit(t *testing.T) {
	t.Parallel()
	const limit, work = 50, 400 // beyond the burst
	for _, burst := range []int{50, 250} {
		for _, parallelism := range []int{1, 10, 100} {
			s, err := qualyticstest.NewServer(qualyticstest.Options{
				Rate: limit, Burst: burst, Latency: 5 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Config{
					URL: s.URL, APIPath: s.APIPath(), Token: Secret(s.AdminToken()), MaxRetries: DefaultMaxRetries,
				})
				if err != nil {
					t.Fatal(err)
				}
				c.http.Transport = direct(s)
				begin := time.Now()
				var left atomic.Int64
				left.Store(int64(work + burst))
				var wait sync.WaitGroup
				for range parallelism {
					wait.Go(func() {
						for left.Add(-1) >= 0 {
							if _, err := c.CurrentUser(t.Context()); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wait.Wait()
				took, atBest := time.Since(begin), work*time.Second/limit
				used := float64(atBest) / float64(took)
				t.Logf("burst %d, parallelism %d: %.0f %% of the limit", burst, parallelism, 100*used)
				// Without parallelism, the latency counts too.
				if parallelism > 1 && used < 0.77 {
					t.Errorf("burst %d, parallelism %d: took %s, the limit allows %s", burst, parallelism, took, atBest)
				}
			})
		}
	}
}

// The pace slows down after a 429, and recovers.
func TestPaceAdapts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	p := &pace{}
	if d := p.delay(now, false); d != 0 {
		t.Errorf("without a limit, the delay is %s", d)
	}
	for range 50 { // several at the same time count once
		p.record429(now, 0)
	}
	if p.limiter.Limit() != firstRate {
		t.Errorf("after the first 429: %v a second", p.limiter.Limit())
	}
	now = now.Add(rateInterval)
	p.record429(now, 0)
	if p.limiter.Limit() != firstRate*slowDown {
		t.Errorf("after another: %v a second", p.limiter.Limit())
	}
	now = now.Add(rateInterval)
	p.delay(now, false)
	if p.limiter.Limit() <= firstRate*slowDown {
		t.Errorf("after an interval without a 429: %v a second", p.limiter.Limit())
	}
	for range 100 {
		now = now.Add(rateInterval)
		p.record429(now, 0)
	}
	if p.limiter.Limit() != minRate {
		t.Errorf("at worst: %v a second", p.limiter.Limit())
	}
	p.record429(now, 10*time.Second)
	if d := p.delay(now, false); d < 10*time.Second {
		t.Errorf("a Retry-After of 10 s delays another request by %s", d)
	}
	p.record429(now, time.Hour)
	if d := p.delay(now.Add(11*time.Second), false); d > time.Minute {
		t.Errorf("a Retry-After of an hour delays other requests by %s", d)
	}
}
