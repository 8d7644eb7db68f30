// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// roles that can be configured, in descending order of permissions.
var roles = []string{qualytics.RoleAdmin, qualytics.RoleManager, qualytics.RoleEditor, qualytics.RoleMember}

// accountFields is what the resource and the data sources have in common.
type accountFields struct {
	ID        types.String      `tfsdk:"id"`
	Name      types.String      `tfsdk:"name"`
	Role      types.String      `tfsdk:"role"`
	Teams     types.Set         `tfsdk:"teams"`
	UserID    types.String      `tfsdk:"user_id"`
	UserName  types.String      `tfsdk:"user_name"`
	Email     types.String      `tfsdk:"email"`
	CreatedAt timetypes.RFC3339 `tfsdk:"created_at"`
}

// accountModel is a service account in configuration, plan, and state.
type accountModel struct {
	accountFields
	RevokeTokensOnDestroy types.Bool `tfsdk:"revoke_tokens_on_destroy"`
}

// accountDescriptions describe the attributes of accountFields, without what only one schema says.
var accountDescriptions = map[string]string{
	"id":         "Numeric ID of the service account.",
	"name":       "Name of the service account.",
	"role":       "Role of the service account.",
	"teams":      "Names of the service account's teams, without `Public`, which contains every user.",
	"user_id":    "Identifier that the server derives from the name, such as `api_access@service`.",
	"user_name":  "Login name of the service account.",
	"email":      "Email address of the service account. May be null.",
	"created_at": "Time of creation in UTC (RFC 3339). Null if the deployment does not report it.",
}

// newAccountModel returns the model of an account that was not created
// here: with the schema's defaults for what the API does not report.
func newAccountModel(u *qualytics.User) accountModel {
	m := accountModel{accountFields{Teams: types.SetNull(types.StringType)}, types.BoolValue(false)}
	m.refresh(u)
	return m
}

// createRequest returns the request for a new account. teams are in the server's
// spelling, or nil if they are not managed.
func (m accountModel) createRequest(teams []string) qualytics.ServiceAccountCreate {
	return qualytics.ServiceAccountCreate{Name: m.Name.ValueString(), Role: m.Role.ValueString(), Teams: teams}
}

// updateRequest returns the request that changes an account. teams are in the server's spelling.
func (m accountModel) updateRequest(teams []string) qualytics.ServiceAccountUpdate {
	return qualytics.ServiceAccountUpdate{Role: m.Role.ValueString(), Teams: teams}
}

// refresh copies the server's response. The spelling of teams, and what the response
// does not contain, stay unchanged.
func (m *accountFields) refresh(u *qualytics.User) {
	m.ID = idValue(u.ID)
	if u.Name != "" {
		m.Name = types.StringValue(u.Name)
	}
	if u.Role != "" {
		m.Role = types.StringValue(u.Role)
	}
	// Every user is in Public, so a response without teams does not report them.
	if len(u.Teams) > 0 || m.Teams.IsNull() || m.Teams.IsUnknown() {
		m.Teams = setOf(keepSpelling(stringsOf(m.Teams), u.Teams))
	}
	m.UserID = types.StringValue(u.UserID)
	m.UserName = types.StringValue(u.UserName)
	m.Email = stringOrNull(u.Email)
	m.CreatedAt = timetypes.NewRFC3339TimePointerValue(u.Created)
}

// label names the account in messages.
func (m accountFields) label() string {
	if m.ID.IsNull() || m.ID.IsUnknown() {
		return fmt.Sprintf("service account %q", m.Name.ValueString())
	}
	return fmt.Sprintf("service account %q (ID %s)", m.Name.ValueString(), m.ID.ValueString())
}

// userLabel names a user in messages.
func userLabel(u *qualytics.User) string {
	return fmt.Sprintf("%q (%s, ID %d)", u.Name, u.UserID, u.ID)
}
