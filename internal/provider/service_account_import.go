// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// accountForImport returns the active service account with an ID or user_id, or
// nil after an error.
func accountForImport(ctx context.Context, client *qualytics.Client, wanted string,
	diags *diag.Diagnostics,
) *qualytics.User {
	const summary = "Unable to import service account"
	user, err := findAccount(ctx, client, wanted)
	switch {
	case err != nil:
		addError(diags, summary, fmt.Sprintf("import ID %q", wanted), err)
	case user == nil:
		diags.AddError(summary, fmt.Sprintf("No service account has the ID or user_id %q. The import ID is the "+
			"numeric ID of the account, such as 123, or its user_id, such as api_access@service. A deactivated "+
			"account must be reactivated in Qualytics first. Deployment: %s.", wanted, client.URL()))
	case user.UserType != "" && user.UserType != qualytics.UserTypeService:
		diags.AddError(summary,
			fmt.Sprintf("%q is a user of type %s. Only service accounts can be managed.", user.UserID, user.UserType))
	case user.Deactivated():
		diags.AddError(summary, fmt.Sprintf("The account %s is deactivated. Reactivate it in Qualytics first, then "+
			"import it.", userLabel(user)))
	default:
		return user
	}
	return nil
}
