// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var _ datasource.DataSourceWithConfigure = (*currentUserDataSource)(nil)

func newCurrentUserDataSource() datasource.DataSource { return &currentUserDataSource{} }

type currentUserDataSource struct{ dataSourceBase }

type currentUserModel struct {
	ID       types.String `tfsdk:"id"`
	UserID   types.String `tfsdk:"user_id"`
	Name     types.String `tfsdk:"name"`
	Email    types.String `tfsdk:"email"`
	Role     types.String `tfsdk:"role"`
	UserType types.String `tfsdk:"user_type"`
	Teams    types.Set    `tfsdk:"teams"`
}

func (d *currentUserDataSource) Metadata(_ context.Context, req datasource.MetadataRequest,
	resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_current_user"
}

func (d *currentUserDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The user or service account that owns the provider's token. It requires no role.",
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
	}
}

func (d *currentUserDataSource) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	me, err := client.CurrentUser(ctx)
	if err != nil {
		addError(&resp.Diagnostics, "Unable to read current user", "", err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, currentUserModel{
		ID:       idValue(me.ID),
		UserID:   types.StringValue(me.UserID),
		Name:     stringOrNull(me.Name),
		Email:    stringOrNull(me.Email),
		Role:     stringOrNull(me.Role),
		UserType: types.StringValue(me.UserType),
		Teams:    setOf(withoutPublic(me.Teams)),
	})...)
}
