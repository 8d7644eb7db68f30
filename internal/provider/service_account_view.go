// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// serviceAccountView is a service account as the data sources show it: the
// resource's attributes, and when it last logged in.
type serviceAccountView struct {
	ID          types.String      `tfsdk:"id"`
	Name        types.String      `tfsdk:"name"`
	Role        types.String      `tfsdk:"role"`
	Teams       types.Set         `tfsdk:"teams"`
	UserID      types.String      `tfsdk:"user_id"`
	UserName    types.String      `tfsdk:"user_name"`
	Email       types.String      `tfsdk:"email"`
	CreatedAt   timetypes.RFC3339 `tfsdk:"created_at"`
	LastLoginAt timetypes.RFC3339 `tfsdk:"last_login_at"`
}

func viewAccount(u *qualytics.User) serviceAccountView {
	m := serviceAccountModel{Teams: types.SetNull(types.StringType)}
	m.refresh(u) // the one mapping
	return serviceAccountView{
		ID: m.ID, Name: m.Name, Role: m.Role, Teams: m.Teams, UserID: m.UserID, UserName: m.UserName, Email: m.Email,
		CreatedAt: m.CreatedAt, LastLoginAt: timetypes.NewRFC3339TimePointerValue(u.LastLogin),
	}
}

// Descriptions of what several data sources show.
const (
	aboutAccountID = "Number that Qualytics gave the account."
	aboutUserID    = "Identifier that the server made of the name, such as `api_access@service`."
)

func text(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

func instant(description string) schema.StringAttribute {
	return schema.StringAttribute{CustomType: timetypes.RFC3339Type{}, Computed: true, MarkdownDescription: description}
}

// accountAttributes are the computed attributes of a serviceAccountView.
func accountAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":            text(aboutAccountID),
		"name":          text("Name of the account."),
		"role":          text("Role of the account."),
		"teams":         schema.SetAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "Names of the account's teams, without `Public`, which everybody is in."},
		"user_id":       text(aboutUserID),
		"user_name":     text("Login name of the account."),
		"email":         text("Email address of the account. May be null."),
		"created_at":    instant("When the account was made, in UTC (RFC 3339). Null where the deployment does not say."),
		"last_login_at": instant("When the account last used the API, in UTC (RFC 3339). Null if never."),
	}
}

// listAccounts lists the service accounts that match a filter, by id. The
// server filters where it can; what it returns is checked all the same.
func listAccounts(ctx context.Context, client *qualytics.Client, filter qualytics.UserFilter) ([]qualytics.User, error) {
	if isPublic(filter.Team) {
		filter.Team = "" // everybody is in it
	}
	accounts, err := client.ServiceAccounts(ctx, filter)
	accounts = slices.DeleteFunc(accounts, func(u qualytics.User) bool { return !matches(filter, &u) })
	slices.SortFunc(accounts, func(a, b qualytics.User) int { return cmp.Compare(a.ID, b.ID) })
	return accounts, err
}

// matches checks what the server was asked to filter by.
func matches(f qualytics.UserFilter, u *qualytics.User) bool {
	return (u.UserType == "" || u.UserType == qualytics.UserTypeService) &&
		(f.Name == "" || strings.Contains(strings.ToLower(u.Name), strings.ToLower(f.Name))) &&
		(f.Role == "" || u.Role == f.Role) &&
		(f.Team == "" || isPublic(f.Team) || containsFold(u.Teams, f.Team)) &&
		(f.IncludeDeleted || !u.Deactivated())
}
