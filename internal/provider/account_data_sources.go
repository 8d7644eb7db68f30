// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"iter"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/list"
	listschema "github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// accountView is a service account in a data source.
type accountView struct {
	accountFields
	LastLoginAt timetypes.RFC3339 `tfsdk:"last_login_at"`
}

func newAccountView(u *qualytics.User) accountView {
	return accountView{newAccountModel(u).accountFields, timetypes.NewRFC3339TimePointerValue(u.LastLogin)}
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

func newServiceAccountDataSource() datasource.DataSource {
	attributes := accountAttributes()
	attributes["id"] = schema.StringAttribute{
		Optional: true, Computed: true,
		Validators: []validator.String{
			objectID,
			stringvalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("user_id"), path.MatchRoot("name")),
		},
		MarkdownDescription: accountDescriptions["id"] + " Exactly one of `id`, `user_id`, and `name` is required.",
	}
	attributes["user_id"] = optionalComputed(accountDescriptions["user_id"])
	attributes["name"] = optionalComputed(accountDescriptions["name"] + " Must match exactly.")
	return newDataSource("service_account",
		schema.Schema{MarkdownDescription: "An active service account.", Attributes: attributes}, readAccount)
}

func readAccount(ctx context.Context, c call, model *accountView) {
	var user *qualytics.User
	switch {
	case !model.ID.IsNull():
		user = c.accountByID(ctx, model.ID)
	case !model.UserID.IsNull():
		user = c.accountByUserID(ctx, model.UserID.ValueString())
	default:
		user = c.accountByName(ctx, model.Name.ValueString())
	}
	if user != nil {
		*model = newAccountView(user)
	}
}

type accountsModel struct {
	accountListModel
	IncludeDeactivated types.Bool    `tfsdk:"include_deactivated"`
	ServiceAccounts    []accountItem `tfsdk:"service_accounts"`
}

type accountItem struct {
	accountView
	DeactivatedAt timetypes.RFC3339 `tfsdk:"deactivated_at"`
}

// Descriptions of filters that several schemas have.
const (
	filterRole = "Role of the service accounts: `Admin`, `Manager`, `Editor`, or `Member`."
	filterTeam = "Name of a team of the service accounts, case-insensitive."
)

func newServiceAccountsDataSource() datasource.DataSource {
	item := accountAttributes()
	item["deactivated_at"] = computedTime("Time of deactivation in UTC (RFC 3339). Null if the account is active.")
	return newDataSource("service_accounts", schema.Schema{
		MarkdownDescription: "The service accounts of the deployment, sorted by ID. The list is empty if none matches.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Optional: true, MarkdownDescription: filterName},
			"role": schema.StringAttribute{
				Optional: true, Validators: []validator.String{oneOf(roles...)}, MarkdownDescription: filterRole,
			},
			"team": schema.StringAttribute{Optional: true, MarkdownDescription: filterTeam},
			"include_deactivated": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether deactivated service accounts are included. Defaults to `false`.",
			},
			"service_accounts": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The service accounts, sorted by ID.",
				NestedObject: schema.NestedAttributeObject{Attributes: item},
			},
		},
	}, readAccounts)
}

func readAccounts(ctx context.Context, c call, model *accountsModel) {
	model.ServiceAccounts = []accountItem{}
	filter, teamExists := c.accountFilter(ctx, model.accountListModel)
	if !teamExists {
		return
	}
	filter.IncludeDeleted = model.IncludeDeactivated.ValueBool()
	accounts, err := c.listAccounts(ctx, filter)
	if err != nil {
		c.fail(unableToListAccounts, "", err)
		return
	}
	for i := range accounts {
		model.ServiceAccounts = append(model.ServiceAccounts, accountItem{
			newAccountView(&accounts[i]), timetypes.NewRFC3339TimePointerValue(accounts[i].DeletedAt),
		})
	}
}

const unableToListAccounts = "Unable to list service accounts"

func newServiceAccountList() list.ListResource {
	return &listResource[accountListModel]{
		resourceBase{base: base{name: "service_account"}}, "service accounts", unableToListAccounts, listschema.Schema{
			MarkdownDescription: "Lists the active service accounts.",
			Attributes: map[string]listschema.Attribute{
				"name": listschema.StringAttribute{Optional: true, MarkdownDescription: filterName},
				"role": listschema.StringAttribute{
					Optional: true, Validators: []validator.String{oneOf(roles...)}, MarkdownDescription: filterRole,
				},
				"team": listschema.StringAttribute{Optional: true, MarkdownDescription: filterTeam},
			},
		}, eachAccount,
	}
}

// eachAccount returns the accounts as their pages arrive.
func eachAccount(ctx context.Context, c call, config accountListModel) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		filter, teamExists := c.accountFilter(ctx, config)
		if !teamExists {
			return
		}
		if isPublic(filter.Team) {
			filter.Team = ""
		}
		for user, err := range c.client.EachServiceAccount(ctx, filter) {
			if err != nil {
				yield(listed{}, err)
				return
			}
			name := fmt.Sprintf("%s (%s)", user.Name, user.UserID)
			if matchesFilter(filter, user) && !yield(listed{name, idValue(user.ID), newAccountModel(user)}, nil) {
				return
			}
		}
	}
}

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
