// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"strconv"

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

func (d *currentUserDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_current_user"
}

func (d *currentUserDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The user, person or service account, whose token the provider uses. Any valid token may ask.",
		Attributes: map[string]schema.Attribute{
			"id":        text("Number that Qualytics gave the user."),
			"user_id":   text("Identifier of the user."),
			"name":      text("Name of the user. May be null."),
			"email":     text("Email address of the user. May be null."),
			"role":      text("Role of the user. May be null."),
			"user_type": text("`Human`, `Service` or `Internal`."),
			"teams":     schema.SetAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "Names of the user's teams, without `Public`, which everybody is in."},
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
		addError(&resp.Diagnostics, "The current user could not be read", err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, currentUserModel{
		ID: types.StringValue(strconv.FormatInt(me.ID, 10)), UserID: types.StringValue(me.UserID), Name: stringOrNull(me.Name),
		Email: stringOrNull(me.Email), Role: stringOrNull(me.Role), UserType: types.StringValue(me.UserType), Teams: setOf(spelledLike(nil, me.Teams)),
	})...)
}
