// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"context"
	"sync/atomic"
	"time"
)

// WithDetachableContext calls a method with a context that releases ctx afterwards, for
// callers that retain the context of a call.
func WithDetachableContext[Req, Resp any](ctx context.Context, req Req,
	call func(context.Context, Req) (Resp, error),
) (Resp, error) {
	released := &detachableContext{}
	released.ctx.Store(&ctx)
	defer released.ctx.Store(&ended) //nolint:contextcheck // What remains must not refer to ctx.
	return call(released, req)       //nolint:contextcheck // It is ctx during the call.
}

// ended is the context that remains after a call.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// detachableContext is a context whose parent can be replaced.
type detachableContext struct {
	ctx atomic.Pointer[context.Context]
}

func (r *detachableContext) parent() context.Context     { return *r.ctx.Load() }
func (r *detachableContext) Deadline() (time.Time, bool) { return r.parent().Deadline() }
func (r *detachableContext) Done() <-chan struct{}       { return r.parent().Done() }
func (r *detachableContext) Err() error                  { return r.parent().Err() }
func (r *detachableContext) Value(key any) any           { return r.parent().Value(key) }
