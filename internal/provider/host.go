// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Private data contains the host of the deployment that an object belongs to, so
// that a wrong url does not empty a state. The identity contains it too, but only
// since Terraform 1.12.

const hostKey = "host"

// rememberHost stores the host of the provider's deployment.
func rememberHost(ctx context.Context, client *qualytics.Client, private privateData, diags *diag.Diagnostics) {
	var host string
	if readPrivate(ctx, private, hostKey, &host, diags); host != client.Host() {
		writePrivate(ctx, private, hostKey, client.Host(), diags)
	}
}

// otherHost returns the host from which an object was last read if that is not the
// provider's deployment, else "".
func otherHost(ctx context.Context, client *qualytics.Client, private privateData, diags *diag.Diagnostics) string {
	var host string
	if readPrivate(ctx, private, hostKey, &host, diags); host == client.Host() {
		return ""
	}
	return host
}

// mayWrite reports whether an object may be changed or deleted: it was last read from
// the provider's deployment. With -refresh=false or a saved plan, the ID may be that of
// another object.
func mayWrite(ctx context.Context, client *qualytics.Client, private privateData, object string,
	diags *diag.Diagnostics,
) bool {
	host := otherHost(ctx, client, private, diags)
	if host == "" {
		return true
	}
	diags.AddError("Object was read from another deployment", fmt.Sprintf("%s\n\nThe object was last read from %s, "+
		"and the provider is configured for %s. Nothing is changed, because the ID may be that of another object "+
		"there. Check url in the provider configuration. If the deployment moved, run a refresh first.",
		sentence(object), host, client.Host()))
	return false
}

// onSameHost reports whether an object that is missing was stored for the
// provider's deployment. If it was stored for another one, that is an error.
func onSameHost(ctx context.Context, client *qualytics.Client, private privateData, object string,
	diags *diag.Diagnostics,
) bool {
	host := otherHost(ctx, client, private, diags)
	if host == "" {
		return true
	}
	diags.AddError("Object not found on another deployment", fmt.Sprintf("%s\n\nThe object was last read from %s, "+
		"and the provider is configured for %s, which does not have it. The state is unchanged. Check url in the "+
		"provider configuration. If the deployment moved and the object is really gone, remove it from the state "+
		"with \"terraform state rm\".", sentence(object), host, client.Host()))
	return false
}
