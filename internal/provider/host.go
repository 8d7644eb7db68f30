// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import "context"

// Private data contains the host of the deployment that an object belongs to, so
// that a wrong url does not empty a state. The identity contains it too, but only
// since Terraform 1.12.

const hostKey = "host"

// rememberHost stores the host of the provider's deployment.
func (c call) rememberHost(ctx context.Context) { c.store(ctx, hostKey, c.client.Host()) }

// otherHost returns the host from which an object was last read if that is not the
// provider's deployment, else "".
func (c call) otherHost(ctx context.Context) string {
	var host string
	if c.load(ctx, hostKey, &host); host == c.client.Host() {
		return ""
	}
	return host
}

// mayWrite reports whether an object may be changed or deleted: it was last read from
// the provider's deployment. With -refresh=false or a saved plan, the ID may be that of
// another object.
func (c call) mayWrite(ctx context.Context, object string) bool {
	host := c.otherHost(ctx)
	if host != "" {
		c.refuse("Object was read from another deployment", "%s\n\nThe object was last read from %s, and the provider "+
			"is configured for %s. Nothing is changed, because the ID may be that of another object there. Check url "+
			"in the provider configuration. If the deployment moved, run a refresh first.", sentence(object), host,
			c.client.Host())
	}
	return host == ""
}

// onSameHost reports whether an object that is missing was stored for the
// provider's deployment. If it was stored for another one, that is an error.
func (c call) onSameHost(ctx context.Context, object string) bool {
	host := c.otherHost(ctx)
	if host != "" {
		c.refuse("Object not found on another deployment", "%s\n\nThe object was last read from %s, and the provider "+
			"is configured for %s, which does not have it. The state is unchanged. Check url in the provider "+
			"configuration. If the deployment moved and the object is really gone, remove it from the state with "+
			"\"terraform state rm\".", sentence(object), host, c.client.Host())
	}
	return host == ""
}
