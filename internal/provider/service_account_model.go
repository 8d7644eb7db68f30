// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// serviceAccountModel is a service account in configuration, plan and state.
type serviceAccountModel struct {
	ID                    types.String      `tfsdk:"id"`
	Name                  types.String      `tfsdk:"name"`
	Role                  types.String      `tfsdk:"role"`
	Teams                 types.Set         `tfsdk:"teams"`
	RevokeTokensOnDestroy types.Bool        `tfsdk:"revoke_tokens_on_destroy"`
	UserID                types.String      `tfsdk:"user_id"`
	UserName              types.String      `tfsdk:"user_name"`
	Email                 types.String      `tfsdk:"email"`
	CreatedAt             timetypes.RFC3339 `tfsdk:"created_at"`
}

// identityModel is what identifies an object of any type of this provider.
type identityModel struct {
	ID types.String `tfsdk:"id"`
}

// keepIdentity sets the identity of an object that has none yet: it was made by
// an older Terraform, or by an older version of this provider.
func keepIdentity(ctx context.Context, before, after *tfsdk.ResourceIdentity, id types.String, diags *diag.Diagnostics) {
	if after != nil && (before == nil || before.Raw.IsNull()) {
		diags.Append(after.Set(ctx, identityModel{ID: id})...)
	}
}

// createRequest takes the server's spelling of the teams, nil where membership
// is left to others.
func (m serviceAccountModel) createRequest(teams []string) qualytics.ServiceAccountCreate {
	return qualytics.ServiceAccountCreate{Name: m.Name.ValueString(), Role: m.Role.ValueString(), Teams: teams}
}

// updateRequest takes the server's spelling of the teams.
func (m serviceAccountModel) updateRequest(teams []string) qualytics.ServiceAccountUpdate {
	return qualytics.ServiceAccountUpdate{Role: m.Role.ValueString(), Teams: teams}
}

// refresh takes over what the server says. The spelling of teams, and what the
// server does not say, stay as they are.
func (m *serviceAccountModel) refresh(u *qualytics.User) {
	m.ID = types.StringValue(strconv.FormatInt(u.ID, 10))
	if u.Name != "" {
		m.Name = types.StringValue(u.Name)
	}
	if u.Role != "" {
		m.Role = types.StringValue(u.Role)
	}
	if len(u.Teams) > 0 || m.Teams.IsNull() || m.Teams.IsUnknown() { // everybody is in Public: none is an answer without teams
		m.Teams = setOf(spelledLike(namesOf(m.Teams), u.Teams))
	}
	m.UserID = types.StringValue(u.UserID)
	m.UserName = types.StringValue(u.UserName)
	m.Email = stringOrNull(u.Email)
	m.CreatedAt = timetypes.NewRFC3339TimePointerValue(u.Created)
	if m.RevokeTokensOnDestroy.IsNull() {
		m.RevokeTokensOnDestroy = types.BoolValue(false)
	}
}

// int64ID is the id as the API counts it. Only the provider writes it, so it
// is a number.
func (m serviceAccountModel) int64ID(diags *diag.Diagnostics) int64 {
	return parseID(m.ID, "id", diags)
}

func parseID(value types.String, attribute string, diags *diag.Diagnostics) int64 {
	id, err := strconv.ParseInt(value.ValueString(), 10, 64)
	if err != nil {
		diags.AddAttributeError(path.Root(attribute), "This is not an id of Qualytics",
			fmt.Sprintf("Expected the number that Qualytics gave the object, got %q.", value.ValueString()))
	}
	return id
}

func stringOrNull(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// checkTaken compares the server's answer with what was asked, and reports what
// the server ignored. managed is false where the teams are left to others: then
// only one that was lost counts.
func checkTaken(asked qualytics.ServiceAccountUpdate, managed bool, got *qualytics.User, diags *diag.Diagnostics) {
	if got.Role != "" && got.Role != asked.Role {
		diags.AddAttributeError(path.Root("role"), "The server did not take the role",
			fmt.Sprintf("It was asked for %q and answered with %q. %s", asked.Role, got.Role, tookNothing))
	}
	if len(got.Teams) == 0 { // everybody is in Public: this answer says nothing of teams
		return
	}
	var parts []string
	if refused := missingFrom(asked.Teams, got.Teams); len(refused) > 0 {
		parts = append(parts, "It did not take "+quoteList(refused)+".")
	}
	if kept := missingFrom(got.Teams, asked.Teams); managed && len(kept) > 0 {
		parts = append(parts, "It did not remove "+quoteList(kept)+".")
	}
	if len(parts) > 0 {
		diags.AddAttributeError(path.Root("teams"), "The server did not take the teams", strings.Join(parts, " ")+" "+tookNothing)
	}
}

// tookNothing is what to do when the server ignored a part of a write.
const tookNothing = "The account exists and the state holds what the server says it is. Make the configuration match, or change it in Qualytics. " +
	"If Terraform has marked a new account as tainted, run \"terraform untaint\" on it before the next apply: " +
	"replacing it would deactivate it, and its name may then stay taken."

// missingFrom are the names of a that are not among b, other than Public.
func missingFrom(a, b []string) []string {
	var out []string
	for _, name := range a {
		if !isPublic(name) && !containsFold(b, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
