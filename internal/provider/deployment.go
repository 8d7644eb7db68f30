// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"net/http"
	"slices"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Private data contains the deployment that an object belongs to, as host and path of the
// API, so that a wrong url or api_path does not empty a state. The identity contains the
// host too, but only since Terraform 1.12.

// otherHost returns the deployment from which an object was last read if that is not the
// provider's, else "".
func (c call) otherHost(ctx context.Context) string {
	var host string
	if c.load(ctx, hostKey, &host); host == c.deployment() {
		return ""
	}
	return host
}

// mayWrite reports whether an object may be changed or deleted: it was last read from the
// provider's deployment. With -refresh=false or a saved plan, the ID may be that of another object.
func (c call) mayWrite(ctx context.Context, object string) bool {
	host := c.otherHost(ctx)
	if host != "" {
		c.refuse("Object was read from another deployment", "%s\n\nThe object was last read from %s, and the provider "+
			"is configured for %s. Nothing is changed, because the ID may be that of another object there. Check url "+
			"and api_path in the provider configuration. If the deployment moved, run \"%s apply -refresh-only\" "+
			"first.", sentence(object), host, c.deployment(), c.cli)
	}
	return host == ""
}

// onSameHost reports whether an object that is missing was stored for the
// provider's deployment. If it was stored for another one, that is an error.
func (c call) onSameHost(ctx context.Context, object string) bool {
	host := c.otherHost(ctx)
	if host != "" {
		c.refuse("State is of another deployment", "%s\n\nThe object was last read from %s, and the provider "+
			"is configured for %s, which does not have it. The state is unchanged. Check url and api_path in the "+
			"provider configuration. If the deployment moved and the object is really gone, remove it from the state "+
			"with \"%s state rm ADDRESS\".", sentence(object), host, c.deployment(), c.cli)
	}
	return host == ""
}

// refuseOtherDeployment adds an error about an object that has the ID but not the features
// of the one in the state, which happens if url is wrong.
func (c call) refuseOtherDeployment(object, difference string) {
	c.refuse("Object belongs to another deployment", "%s\n\n%s The provider is configured for %s, which may be "+
		"another deployment than the one that this state describes. The state is unchanged. Check url in the provider "+
		"configuration. If the state does belong here, remove the object from the state with \"%s state rm ADDRESS\" "+
		"and import the right one.", sentence(object), difference, c.client.URL(), c.cli)
}

// firstContact reports whether the deployment can be used. The first call of a process
// finds out, and says why not.
func (c call) firstContact(ctx context.Context) bool {
	if c.client == nil {
		return false
	}
	c.contact.once.Do(func() {
		me, err := c.client.Me(ctx)
		switch status := asError(err).Status; {
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			c.fail("Provider has no access", "the apply would fail, because the deployment refuses the provider's "+
				"token", err)
		case err != nil:
			c.warn("Deployment cannot be checked while planning", "%s", detailOf("", err, "The plan did not check the "+
				"provider's token, names in use, or teams. The apply fails if the deployment still does not respond "+
				"as expected."))
		case slices.Contains([]string{qualytics.RoleManager, qualytics.RoleEditor, qualytics.RoleMember}, me.Role):
			c.refuse("Provider has no access", "The provider is logged in as %q, which has the role %q. Managing "+
				"service accounts and service tokens requires the role Admin, so the apply would fail. Set token, or "+
				"%s, to the token of an Admin.", me.UserID, me.Role, envToken)
		default:
			c.contact.ok = true
		}
	})
	return c.contact.ok
}
