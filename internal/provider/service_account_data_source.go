// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
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

// accountAttributes returns the computed attributes of a serviceAccountView.
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
	var config serviceAccountView
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	var user *qualytics.User
	switch {
	case !config.ID.IsNull():
		user = accountByID(ctx, client, config.ID, "id", &resp.Diagnostics)
	case !config.UserID.IsNull():
		user = accountByUserID(ctx, client, config.UserID.ValueString(), &resp.Diagnostics)
	default:
		user = accountByName(ctx, client, config.Name.ValueString(), &resp.Diagnostics)
	}
	if user != nil {
		resp.Diagnostics.Append(resp.State.Set(ctx, newServiceAccountView(user))...)
	}
}

// accountByUserID returns the active service account with a user_id, or nil after
// an error.
func accountByUserID(ctx context.Context, client *qualytics.Client, userID string,
	diags *diag.Diagnostics,
) *qualytics.User {
	accounts, err := accountsWithUserID(ctx, client, userID)
	if err != nil {
		addError(diags, unableToReadAccount, fmt.Sprintf("user_id %q", userID), err)
		return nil
	}
	return exactlyOne(client, activeAccounts(accounts), "service account", "user_id", userID,
		func(u *qualytics.User) string { return u.UserID }, diags)
}

// accountByName returns the active service account with a name, or nil after an
// error.
func accountByName(ctx context.Context, client *qualytics.Client, name string,
	diags *diag.Diagnostics,
) *qualytics.User {
	accounts, err := client.ReadAccountsNamed(ctx, name)
	if accounts = activeAccounts(accounts); err == nil && len(accounts) == 0 {
		accounts, err = listAccounts(ctx, client, qualytics.UserFilter{}) // also for the nearest names
	}
	if err != nil {
		addError(diags, unableToReadAccount, fmt.Sprintf("name %q", name), err)
		return nil
	}
	return exactlyOne(client, accounts, "service account", "name", name,
		func(u *qualytics.User) string { return u.Name }, diags)
}

func activeAccounts(accounts []qualytics.User) []qualytics.User {
	var active []qualytics.User
	for i := range accounts {
		if matchesFilter(qualytics.UserFilter{}, &accounts[i]) {
			active = append(active, accounts[i])
		}
	}
	return active
}
