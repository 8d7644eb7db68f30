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

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ datasource.DataSourceWithConfigure = (*serviceAccountDataSource)(nil)

func newServiceAccountDataSource() datasource.DataSource { return &serviceAccountDataSource{} }

type serviceAccountDataSource struct{ dataSourceBase }

func (d *serviceAccountDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_account"
}

func (d *serviceAccountDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := accountAttributes()
	attributes["id"] = schema.StringAttribute{
		Optional: true, Computed: true,
		Validators: []validator.String{
			idValidator{}, stringvalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("user_id"), path.MatchRoot("name")),
		},
		MarkdownDescription: aboutAccountID + " Exactly one of `id`, `user_id` and `name` is needed.",
	}
	attributes["user_id"] = schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: aboutUserID}
	attributes["name"] = schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: "Name of the account, exactly."}
	resp.Schema = schema.Schema{MarkdownDescription: "One service account that exists and is not deactivated.", Attributes: attributes}
}

func (d *serviceAccountDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var config serviceAccountView
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	client := d.client(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	var user *qualytics.User
	if config.ID.IsNull() {
		user = accountByText(ctx, client, config.UserID.ValueString(), config.Name.ValueString(), &resp.Diagnostics)
	} else {
		user = accountByID(ctx, client, config.ID.ValueString(), &resp.Diagnostics)
	}
	if user != nil {
		resp.Diagnostics.Append(resp.State.Set(ctx, viewAccount(user))...)
	}
}

// accountByID reads a service account. Nil is an error that was reported.
func accountByID(ctx context.Context, client *qualytics.Client, id string, diags *diag.Diagnostics) *qualytics.User {
	user, err := findAccount(ctx, client, id)
	switch {
	case err != nil:
		addError(diags, fmt.Sprintf("The service account with the id %s could not be read", id), err)
	case user == nil || user.Deactivated():
		diags.AddAttributeError(path.Root("id"), "There is no such service account", fmt.Sprintf("No active service account has the id %s.", id))
	case user.UserType != "" && user.UserType != qualytics.UserTypeService:
		diags.AddAttributeError(path.Root("id"), "This is not a service account", fmt.Sprintf("The id %s is that of %q, of the type %s.", id, user.UserID, user.UserType))
	default:
		return user
	}
	return nil
}

// accountByText finds the one account of a user_id or, if that is empty, of a
// name. Nil is an error that was reported.
func accountByText(ctx context.Context, client *qualytics.Client, userID, name string, diags *diag.Diagnostics) *qualytics.User {
	attribute, wanted := "user_id", userID
	of := func(u qualytics.User) string { return u.UserID }
	if userID == "" {
		attribute, wanted = "name", name
		of = func(u qualytics.User) string { return u.Name }
	}
	accounts, err := listAccounts(ctx, client, qualytics.UserFilter{})
	if err != nil {
		addError(diags, fmt.Sprintf("The service account with the %s %q could not be read", attribute, wanted), err)
		return nil
	}
	var found []qualytics.User
	var others []string
	for _, u := range accounts {
		if of(u) == wanted {
			found = append(found, u)
		} else {
			others = append(others, of(u))
		}
	}
	if len(found) == 1 {
		return &found[0]
	}
	detail := fmt.Sprintf("%d active service accounts have the %s %q; exactly one was expected.", len(found), attribute, wanted)
	if near := nearest(wanted, others); len(found) == 0 && len(near) > 0 {
		detail += " The nearest existing ones are " + quoteList(near) + "."
	}
	diags.AddAttributeError(path.Root(attribute), "There is no such service account", detail)
	return nil
}
