// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// protocol is everything that this provider has of Terraform's protocol.
type protocol interface {
	tfprotov6.ProviderServerWithListResource //nolint:staticcheck // Deprecated until it is part of ProviderServer, and needed until then.
	tfprotov6.ProviderServerWithActions      //nolint:staticcheck // The same.
}

// server is the framework's server, made to forget. The framework keeps the
// context of every call, with its loggers, until the process ends: some 10 KB a
// call, hundreds of megabytes in a plan of thousands of objects. So the calls
// that come once for each object get a context that lets go of its parent.
type server struct{ protocol }

// NewServer returns the provider as Terraform talks to it.
func NewServer(version string, env Environment) (tfprotov6.ProviderServer, error) {
	p, ok := providerserver.NewProtocol6(New(version, env)())().(protocol)
	if !ok {
		return nil, fmt.Errorf("the framework's server lacks a part of the protocol: %T", p)
	}
	return server{p}, nil
}

func (s server) ValidateResourceConfig(ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return lent(ctx, req, s.protocol.ValidateResourceConfig)
}

func (s server) UpgradeResourceState(ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return lent(ctx, req, s.protocol.UpgradeResourceState)
}

func (s server) UpgradeResourceIdentity(ctx context.Context, req *tfprotov6.UpgradeResourceIdentityRequest) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return lent(ctx, req, s.protocol.UpgradeResourceIdentity)
}

func (s server) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return lent(ctx, req, s.protocol.ReadResource)
}

func (s server) PlanResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	return lent(ctx, req, s.protocol.PlanResourceChange)
}

func (s server) ApplyResourceChange(ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return lent(ctx, req, s.protocol.ApplyResourceChange)
}

func (s server) ImportResourceState(ctx context.Context, req *tfprotov6.ImportResourceStateRequest) (*tfprotov6.ImportResourceStateResponse, error) {
	return lent(ctx, req, s.protocol.ImportResourceState)
}

// lent makes a call with a context that ends with it.
func lent[Req, Resp any](ctx context.Context, req Req, call func(context.Context, Req) (Resp, error)) (Resp, error) {
	l := &loan{}
	l.ctx.Store(&ctx)
	defer l.ctx.Store(&over) //nolint:contextcheck // What is left behind must not hold on to ctx.
	return call(l, req)      //nolint:contextcheck // The loan is ctx, for as long as the call takes.
}

// over is what is left of a context after its call.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// loan is a context that can be taken back.
type loan struct {
	ctx atomic.Pointer[context.Context]
}

func (l *loan) parent() context.Context     { return *l.ctx.Load() }
func (l *loan) Deadline() (time.Time, bool) { return l.parent().Deadline() }
func (l *loan) Done() <-chan struct{}       { return l.parent().Done() }
func (l *loan) Err() error                  { return l.parent().Err() }
func (l *loan) Value(key any) any           { return l.parent().Value(key) }
