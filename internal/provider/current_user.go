// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type currentUserModel struct {
	ID       types.String `tfsdk:"id"`
	UserID   types.String `tfsdk:"user_id"`
	Name     types.String `tfsdk:"name"`
	Email    types.String `tfsdk:"email"`
	Role     types.String `tfsdk:"role"`
	UserType types.String `tfsdk:"user_type"`
	Teams    types.Set    `tfsdk:"teams"`
}

func newCurrentUserDataSource() datasource.DataSource {
	return newDataSource("current_user", schema.Schema{
		MarkdownDescription: "The user or service account that owns the provider's token. Every role may read it.",
		Attributes: map[string]schema.Attribute{
			"id":        computedString("Numeric ID of the user."),
			"user_id":   computedString("Identifier of the user."),
			"name":      computedString("Name of the user. May be null."),
			"email":     computedString("Email address of the user. May be null."),
			"role":      computedString("Role of the user. May be null."),
			"user_type": computedString("Type of the user: `Human`, `Service`, or `Internal`."),
			"teams": schema.SetAttribute{
				ElementType:         types.StringType,
				Computed:            true,
				MarkdownDescription: "Names of the user's teams, without `Public`, which contains every user.",
			},
		},
	}, readCurrentUser)
}

func readCurrentUser(ctx context.Context, c call, model *currentUserModel) {
	me, err := c.client.CurrentUser(ctx)
	if err != nil {
		c.fail("Unable to read current user", "", err)
		return
	}
	*model = currentUserModel{
		ID:       idValue(me.ID),
		UserID:   types.StringValue(me.UserID),
		Name:     stringOrNull(me.Name),
		Email:    stringOrNull(me.Email),
		Role:     stringOrNull(me.Role),
		UserType: types.StringValue(me.UserType),
		Teams:    setOf(withoutPublic(me.Teams)),
	}
}
