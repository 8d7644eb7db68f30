// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"fmt"
	"testing"
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
			t.Run(fmt.Sprint(burst, " ", parallelism), func(t *testing.T) {
				t.Parallel()
				profile := qualyticstest.Build202609()
				s, err := qualyticstest.NewServer(qualyticstest.Options{Profile: &profile, Rate: limit, Burst: burst})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				c, err := New(
					Config{
						URL:        s.URL,
						APIPath:    s.APIPath(),
						Token:      Secret(s.AdminToken()),
						MaxRetries: DefaultMaxRetries,
					},
				)
				if err != nil {
					t.Fatal(err)
				}
				requests := work + burst
				queue := make(chan int)
				failed := make(chan error, requests)
				begin := time.Now()
				for range parallelism {
					go func() {
						for range queue {
							_, err := c.CurrentUser(t.Context())
							failed <- err
						}
					}()
				}
				for i := range requests {
					queue <- i
				}
				close(queue)
				for range requests {
					if err := <-failed; err != nil {
						t.Error(err)
					}
				}
				atBest := time.Duration(float64(work) / limit * float64(time.Second))
				took := time.Since(begin)
				t.Logf("%.0f %% of the limit", 100*float64(atBest)/float64(took))
				// Without parallelism, the latency counts too.
				if parallelism > 1 && float64(atBest)/float64(took) < 0.77 {
					t.Errorf("%d requests took %s, the limit allows %s", requests, took, atBest)
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
