// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"context"
	"errors"
	"testing"
)

type callKey struct{}

// During a call, the context is that of the call. Afterwards, it has ended, and what came
// with the call is released.
func TestWithDetachableContext(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(t.Context(), callKey{}, "value")
	var retained context.Context
	resp, err := WithDetachableContext(ctx, "request", func(ctx context.Context, req string) (string, error) {
		retained = ctx
		if ctx.Value(callKey{}) != "value" || ctx.Err() != nil {
			t.Errorf("during the call: value %v, error %v", ctx.Value(callKey{}), ctx.Err())
		}
		return req + " answered", errors.New("failed")
	})
	if resp != "request answered" || err == nil {
		t.Errorf("got %q, %v", resp, err)
	}
	if retained.Value(callKey{}) != nil || !errors.Is(retained.Err(), context.Canceled) {
		t.Errorf("after the call: value %v, error %v", retained.Value(callKey{}), retained.Err())
	}
	<-retained.Done()
}
