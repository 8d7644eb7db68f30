// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/process"
)

// protocol is the part of Terraform's protocol that this provider implements.
type protocol interface {
	tfprotov6.ProviderServerWithListResource //nolint:staticcheck // Deprecated, but still required.
	tfprotov6.ProviderServerWithActions      //nolint:staticcheck // Deprecated, but still required.
}

// Server is the framework's server with three additions: it removes ephemeral
// tokens that are still open when the provider is stopped, it releases the
// context of every call, and it sees the accounts in the state.
//
// The framework's server keeps the cancel function of every call until the process ends, to stop
// all of them at once (internal/fwserver and internal/proto6server/serve.go, registerContext). Each
// keeps the context with its loggers alive, about 10 KB: hundreds of megabytes in a plan of
// thousands of objects. With this, memory does not depend on the number of calls.
type Server struct {
	protocol
	provider *qualyticsProvider
}

// NewServer returns the provider as a server of Terraform's protocol.
func NewServer(version string, env Environment) (*Server, error) {
	p := newProvider(version, env)
	inner, ok := providerserver.NewProtocol6(p)().(protocol)
	if !ok {
		return nil, fmt.Errorf("the framework's server lacks a part of the protocol: %T", inner)
	}
	return &Server{inner, p}, nil
}

// Close removes the ephemeral tokens that are still open. It takes less than the
// two seconds after which Terraform kills a plugin.
func (s *Server) Close(ctx context.Context) { s.provider.open.close(ctx) }

// StopProvider stops all calls, and removes the ephemeral tokens.
func (s *Server) StopProvider(ctx context.Context,
	req *tfprotov6.StopProviderRequest,
) (*tfprotov6.StopProviderResponse, error) {
	resp, err := s.protocol.StopProvider(ctx, req)
	s.Close(ctx)
	return resp, err
}

// The calls for each object get a context that is released after the call.

// ValidateResourceConfig validates the configuration of an object.
func (s *Server) ValidateResourceConfig(ctx context.Context,
	req *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return process.WithDetachableContext(ctx, req, s.protocol.ValidateResourceConfig)
}

// UpgradeResourceState decodes the state of an object, and records an account.
func (s *Server) UpgradeResourceState(ctx context.Context,
	req *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	accounts := s.provider.accounts.Load()
	if req.TypeName == "qualytics_service_account" && req.RawState != nil && accounts != nil {
		accounts.sawState(req.RawState.JSON)
	}
	return process.WithDetachableContext(ctx, req, s.protocol.UpgradeResourceState)
}

// UpgradeResourceIdentity decodes the identity of an object.
func (s *Server) UpgradeResourceIdentity(ctx context.Context,
	req *tfprotov6.UpgradeResourceIdentityRequest,
) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return process.WithDetachableContext(ctx, req, s.protocol.UpgradeResourceIdentity)
}

// ReadResource refreshes an object.
func (s *Server) ReadResource(ctx context.Context,
	req *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return process.WithDetachableContext(ctx, req, s.protocol.ReadResource)
}

// PlanResourceChange plans a change of an object.
func (s *Server) PlanResourceChange(ctx context.Context,
	req *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	return process.WithDetachableContext(ctx, req, s.protocol.PlanResourceChange)
}

// ApplyResourceChange applies a change of an object.
func (s *Server) ApplyResourceChange(ctx context.Context,
	req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return process.WithDetachableContext(ctx, req, s.protocol.ApplyResourceChange)
}

// ImportResourceState imports an object.
func (s *Server) ImportResourceState(ctx context.Context,
	req *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	return process.WithDetachableContext(ctx, req, s.protocol.ImportResourceState)
}
