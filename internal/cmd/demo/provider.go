// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-exec/tfexec"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
	"github.com/qualytics/terraform-provider-qualytics/internal/settings"
)

// serveProvider serves the provider in this process until ctx ends, because it must see
// the time of the deployment. It returns how Terraform and OpenTofu reach it.
func serveProvider(ctx context.Context, deployment *qualyticstest.Server) (tfexec.ReattachInfo, error) {
	for _, key := range []string{"TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_PROVIDER_QUALYTICS"} {
		if err := os.Setenv(key, "off"); err != nil { // Terraform does not filter the log of this process
			return nil, err
		}
	}
	env := map[string]string{settings.EnvURL: deployment.URL, settings.EnvToken: deployment.AdminToken()}
	server, err := provider.NewServer("demo", provider.Environment{
		LookupEnv: func(key string) (string, bool) { value, ok := env[key]; return value, ok },
		HomeDir:   func() (string, error) { return "", errors.New("the demo has none") },
		Now:       deployment.Clock.Now,
	})
	if err != nil {
		return nil, err
	}
	const terraform, tofu = "registry.terraform.io/qualytics/qualytics", "registry.opentofu.org/qualytics/qualytics"
	served, failed := make(chan *plugin.ReattachConfig, 1), make(chan error, 1)
	go func() {
		failed <- tf6server.Serve(terraform, func() tfprotov6.ProviderServer { return server },
			tf6server.WithDebug(ctx, served, make(chan struct{})), tf6server.WithGoPluginLogger(hclog.NewNullLogger()))
	}()
	select {
	case err := <-failed:
		return nil, fmt.Errorf("serving the provider: %w", err)
	case c := <-served:
		config := tfexec.ReattachConfig{
			Protocol: string(c.Protocol), ProtocolVersion: c.ProtocolVersion, Pid: c.Pid, Test: c.Test,
			Addr: tfexec.ReattachConfigAddr{Network: c.Addr.Network(), String: c.Addr.String()},
		}
		return tfexec.ReattachInfo{terraform: config, tofu: config}, nil
	}
}
