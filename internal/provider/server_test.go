// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

type weightKey struct{}

// The server does not retain the context of a call.
func TestServerForgetsItsCalls(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"name": "x", "role": "Member"}
	o := h.created(accountType, config)
	const calls = 50
	var freed atomic.Int64
	own := h.ctx
	for range calls {
		weight := new([1 << 16]byte)
		runtime.AddCleanup(weight, func(int) { freed.Add(1) }, 0)
		h.ctx = context.WithValue(own, weightKey{}, weight)
		if diags := append(h.reread(o), h.validate(accountType, config)...); len(diags) > 0 {
			t.Fatal(diags.errors(), diags.warnings())
		}
	}
	h.ctx = own
	for range 50 {
		runtime.GC()
		if freed.Load() >= calls-1 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("what came with %d of %d calls is kept", calls-freed.Load(), calls)
}
