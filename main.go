// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-qualytics serves the provider to Terraform.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
)

// version is set by the release's linker flags.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "print what TF_REATTACH_PROVIDERS needs, for a debugger")
	flag.Parse()
	err := providerserver.Serve(context.Background(), provider.New(version, provider.Environment{}), providerserver.ServeOpts{
		Address: "registry.terraform.io/qualytics/qualytics",
		Debug:   *debug,
	})
	if err != nil {
		log.Fatal(err)
	}
}
