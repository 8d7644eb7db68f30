// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var _ list.ListResourceWithConfigure = (*serviceAccountList)(nil)

func newServiceAccountList() list.ListResource { return &serviceAccountList{} }

type serviceAccountList struct{ resourceBase }

type serviceAccountListModel struct {
	Name types.String `tfsdk:"name"`
	Role types.String `tfsdk:"role"`
	Team types.String `tfsdk:"team"`
}

func (l *serviceAccountList) Metadata(_ context.Context, req resource.MetadataRequest,
	resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_service_account"
}

func (l *serviceAccountList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest,
	resp *list.ListResourceSchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists the active service accounts.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Optional: true, MarkdownDescription: "Part of the name, case-insensitive."},
			"role": schema.StringAttribute{
				Optional: true, Validators: []validator.String{oneOf(roles...)},
				MarkdownDescription: "Role of the service accounts: `Admin`, `Manager`, `Editor`, or `Member`.",
			},
			"team": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of a team of the service accounts, case-insensitive.",
			},
		},
	}
}

// List returns the accounts as their pages arrive.
func (l *serviceAccountList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	var config serviceAccountListModel
	diags := req.Config.Get(ctx, &config)
	client := l.client(&diags)
	if diags.HasError() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	filter, teamExists := accountFilter(ctx, client, config.Name, config.Role, config.Team)
	if isPublic(filter.Team) {
		filter.Team = ""
	}
	if req.Limit < 0 {
		stream.Results = list.NoListResults
		return
	}
	if !teamExists {
		stream.Results = nothingListed("service accounts", client)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		sent := int64(0)
		for user, err := range client.EachServiceAccount(ctx, filter) {
			switch {
			case err != nil:
				var failed diag.Diagnostics
				addError(&failed, "Unable to list service accounts", "", err)
				push(list.ListResult{Diagnostics: failed})
				return
			case !matchesFilter(filter, user):
				continue
			}
			if !push(l.result(ctx, client, req, user)) {
				return
			}
			if sent++; sent == req.Limit {
				return
			}
		}
		if sent == 0 {
			nothingListed("service accounts", client)(push)
		}
	}
}

func (l *serviceAccountList) result(ctx context.Context, client *qualytics.Client, req list.ListRequest,
	user *qualytics.User,
) list.ListResult {
	result := req.NewListResult(ctx)
	model := newAccountModel(user)
	result.DisplayName = printable(fmt.Sprintf("%s (%s)", user.Name, user.UserID))
	result.Diagnostics.Append(result.Identity.Set(ctx, newIdentity(client, model.ID))...)
	if req.IncludeResource {
		result.Diagnostics.Append(result.Resource.Set(ctx, model)...)
	}
	return result
}
