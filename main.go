// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-qualytics serves the provider to Terraform.
package main

import (
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
)

// version is set by the release's linker flags.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "print what TF_REATTACH_PROVIDERS needs, for a debugger")
	flag.Parse()
	if !*debug { // a debugger's user reads the log where it is written
		if err := tune(); err != nil {
			log.Fatal(err)
		}
	}
	server, err := provider.NewServer(version, provider.Environment{})
	if err != nil {
		log.Fatal(err)
	}
	var opts []tf6server.ServeOpt
	if *debug {
		opts = append(opts, tf6server.WithManagedDebug())
	}
	if err := tf6server.Serve("registry.terraform.io/qualytics/qualytics", func() tfprotov6.ProviderServer { return server }, opts...); err != nil {
		log.Fatal(err)
	}
}
