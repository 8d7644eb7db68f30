// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ datasource.DataSourceWithConfigure = (*serviceAccountDataSource)(nil)

func newServiceAccountDataSource() datasource.DataSource { return &serviceAccountDataSource{} }

type serviceAccountDataSource struct{ dataSourceBase }

func (d *serviceAccountDataSource) Metadata(_ context.Context, req datasource.MetadataRequest,
	resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_service_account"
}

func (d *serviceAccountDataSource) Schema(_ context.Context, _ datasource.SchemaRequest,
	resp *datasource.SchemaResponse,
) {
	attributes := accountAttributes()
	attributes["id"] = schema.StringAttribute{
		Optional: true, Computed: true,
		Validators: []validator.String{
			idValidator{},
			stringvalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("user_id"), path.MatchRoot("name")),
		},
		MarkdownDescription: accountDescriptions["id"] + " Exactly one of `id`, `user_id`, and `name` is required.",
	}
	attributes["user_id"] = schema.StringAttribute{
		Optional:            true,
		Computed:            true,
		MarkdownDescription: accountDescriptions["user_id"],
	}
	attributes["name"] = schema.StringAttribute{
		Optional:            true,
		Computed:            true,
		MarkdownDescription: accountDescriptions["name"] + " Must match exactly.",
	}
	resp.Schema = schema.Schema{MarkdownDescription: "An active service account.", Attributes: attributes}
}

// accountAttributes returns the computed attributes of an accountView.
func accountAttributes() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{
		"teams": schema.SetAttribute{
			ElementType:         types.StringType,
			Computed:            true,
			MarkdownDescription: accountDescriptions["teams"],
		},
		"created_at":    computedTime(accountDescriptions["created_at"]),
		"last_login_at": computedTime("Time of the last use of the API in UTC (RFC 3339). Null if never."),
	}
	for name, description := range accountDescriptions {
		if attributes[name] == nil {
			attributes[name] = computedString(description)
		}
	}
	return attributes
}

func (d *serviceAccountDataSource) Read(ctx context.Context, req datasource.ReadRequest,
	resp *datasource.ReadResponse,
) {
	var config accountView
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	var user *qualytics.User
	switch {
	case !config.ID.IsNull():
		user = accountByID(ctx, client, config.ID, &resp.Diagnostics)
	case !config.UserID.IsNull():
		user = accountByUserID(ctx, client, config.UserID.ValueString(), &resp.Diagnostics)
	default:
		user = accountByName(ctx, client, config.Name.ValueString(), &resp.Diagnostics)
	}
	if user != nil {
		resp.Diagnostics.Append(resp.State.Set(ctx, newAccountView(user))...)
	}
}
