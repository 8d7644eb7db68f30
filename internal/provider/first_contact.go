// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// contact is whether the deployment can be used, as far as a plan that creates something
// found out. Nothing else in such a plan has to send a request, so a wrong token or host
// would be found during apply, when other things have changed.
type contact struct {
	once sync.Once
	ok   bool
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
