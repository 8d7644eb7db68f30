// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-qualytics serves the provider to Terraform.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/qualytics/terraform-provider-qualytics/internal/process"
	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
)

// version is set by the linker flags of a release.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "print the value of TF_REATTACH_PROVIDERS for a debugger")
	flag.Parse()
	if !*debug {
		if err := process.Tune(); err != nil {
			log.Fatal(err)
		}
	}
	server, err := provider.NewServer(version, provider.Environment{CLI: process.CLI()})
	if err != nil {
		log.Fatal(err)
	}
	var opts []tf6server.ServeOpt
	if *debug {
		opts = append(opts, tf6server.WithManagedDebug())
	}
	err = tf6server.Serve("registry.terraform.io/qualytics/qualytics",
		func() tfprotov6.ProviderServer { return server }, opts...)
	server.Close(context.Background())
	if err != nil {
		log.Fatal(err)
	}
}
