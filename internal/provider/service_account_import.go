// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// importID is what the user gave: an id on the command line or in an import
// block, or an identity.
func importID(ctx context.Context, req resource.ImportStateRequest, diags *diag.Diagnostics) string {
	if req.ID != "" {
		return req.ID
	}
	var identity identityModel
	if req.Identity != nil && !req.Identity.Raw.IsNull() {
		diags.Append(req.Identity.Get(ctx, &identity)...)
	}
	if identity.ID.ValueString() == "" {
		diags.AddError("Nothing to import", "The id to import is empty. If it comes from a variable, check that it is set.")
	}
	return identity.ID.ValueString()
}

// accountForImport finds an account by its id or user_id, and refuses what is
// not an active service account. It returns nil after an error.
func accountForImport(ctx context.Context, client *qualytics.Client, wanted string, diags *diag.Diagnostics) *qualytics.User {
	failed := fmt.Sprintf("The service account %q cannot be imported", wanted)
	user, err := findAccount(ctx, client, wanted)
	switch {
	case err != nil:
		addError(diags, failed, err)
	case user == nil:
		diags.AddError(failed, "There is no account with this id or user_id. The import takes either the number that Qualytics gave the account, "+
			"such as 123, or its user_id, such as api_access@service. A deactivated account has to be reactivated in Qualytics first.")
	case user.UserType != "" && user.UserType != qualytics.UserTypeService:
		diags.AddError(failed, fmt.Sprintf("This is the user %q of the type %s. Only service accounts can be managed.", user.UserID, user.UserType))
	case user.Deactivated():
		diags.AddError(failed, fmt.Sprintf("The account %q (id %d) is deactivated. Reactivate it in Qualytics first, then import it.", user.UserID, user.ID))
	default:
		return user
	}
	return nil
}

// findAccount finds a user by id, or a service account by user_id. Nil is none.
func findAccount(ctx context.Context, client *qualytics.Client, wanted string) (*qualytics.User, error) {
	if id, err := strconv.ParseInt(wanted, 10, 64); err == nil {
		user, err := client.User(ctx, id)
		if qualytics.IsNotFound(err) {
			return nil, nil
		}
		return user, err
	}
	accounts, err := client.ServiceAccounts(ctx, qualytics.UserFilter{IncludeDeleted: true})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(accounts, activeFirst) // a deactivated one may have had the same user_id
	if i := slices.IndexFunc(accounts, func(u qualytics.User) bool { return u.UserID == wanted }); i >= 0 {
		return &accounts[i], nil
	}
	return nil, nil
}
