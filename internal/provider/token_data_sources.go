// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/list"
	listschema "github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

type tokensModel struct {
	tokenListModel
	ServiceTokens []tokenItem `tfsdk:"service_tokens"`
}

// tokenItem is a service token without its secret.
type tokenItem struct {
	ID               types.String      `tfsdk:"id"`
	Name             types.String      `tfsdk:"name"`
	ServiceAccountID types.String      `tfsdk:"service_account_id"`
	Status           types.String      `tfsdk:"status"`
	CreatedAt        timetypes.RFC3339 `tfsdk:"created_at"`
	ExpiresAt        timetypes.RFC3339 `tfsdk:"expires_at"`
	LastUsedAt       timetypes.RFC3339 `tfsdk:"last_used_at"`
}

func newTokenItem(t *qualytics.Token, now time.Time) tokenItem {
	m := tokenModel{Revoked: types.BoolValue(false)}
	m.refresh(t, now)
	return tokenItem{
		ID: m.ID, Name: m.Name, ServiceAccountID: m.ServiceAccountID, Status: m.Status,
		CreatedAt: m.CreatedAt, ExpiresAt: m.ExpiresAt, LastUsedAt: timetypes.NewRFC3339TimePointerValue(t.LastUsed),
	}
}

// Descriptions that several schemas have.
const (
	createdDescription = "Time of creation in UTC (RFC 3339). Null if the deployment does not report it."
	expiresDescription = "Time of expiry in UTC (RFC 3339). Null if the service token never expires."
	ownerDescription   = "`id` of the service account that owns the tokens."
	statusDescription  = "Status of the service tokens: `active`, `expired`, or `revoked`."
)

func newServiceTokensDataSource() datasource.DataSource {
	return newDataSource("service_tokens", schema.Schema{
		MarkdownDescription: "The service tokens of the deployment, sorted by ID, without their secrets. The list is " +
			"empty if none matches.",
		Attributes: map[string]schema.Attribute{
			"service_account_id": schema.StringAttribute{
				Optional: true, Validators: []validator.String{objectID}, MarkdownDescription: ownerDescription,
			},
			"status": schema.StringAttribute{
				Optional: true, Validators: []validator.String{oneOf(listStatuses...)},
				MarkdownDescription: statusDescription,
			},
			"service_tokens": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The service tokens, sorted by ID.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id":                 computedString("Numeric ID of the service token."),
					"name":               computedString("Name of the service token."),
					"service_account_id": computedString("`id` of the service account that owns the token."),
					"status":             computedString("Status: `active`, `expired`, or `revoked`."),
					"created_at":         computedTime(createdDescription),
					"expires_at":         computedTime(expiresDescription),
					"last_used_at": computedTime("Time of the last use in UTC (RFC 3339). Null if never, or if the " +
						"deployment does not report it."),
				}},
			},
		},
	}, readTokens)
}

func readTokens(ctx context.Context, c call, model *tokensModel) {
	tokens, err := c.listTokens(ctx, model.tokenListModel)
	if err != nil {
		c.fail(unableToListTokens, "", err)
		return
	}
	model.ServiceTokens = []tokenItem{}
	for i := range tokens {
		model.ServiceTokens = append(model.ServiceTokens, newTokenItem(&tokens[i], c.now()))
	}
}

// tokenListModel is a filter of service tokens.
type tokenListModel struct {
	ServiceAccountID types.String `tfsdk:"service_account_id"`
	Status           types.String `tfsdk:"status"`
}

func newServiceTokenList() list.ListResource {
	return &listResource[tokenListModel]{
		resourceBase{base: base{name: "service_token"}}, "service tokens", unableToListTokens, listschema.Schema{
			MarkdownDescription: "Lists service tokens, without their secrets.",
			Attributes: map[string]listschema.Attribute{
				"service_account_id": listschema.StringAttribute{
					Optional:            true,
					Validators:          []validator.String{objectID},
					MarkdownDescription: ownerDescription,
				},
				"status": listschema.StringAttribute{
					Optional: true, Validators: []validator.String{oneOf(listStatuses...)},
					MarkdownDescription: statusDescription + " Defaults to `active`.",
				},
			},
		}, eachToken,
	}
}

// eachToken sends one request: the API has one list of all service tokens.
func eachToken(ctx context.Context, c call, config tokenListModel) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		if config.Status.IsNull() {
			config.Status = types.StringValue(statusActive)
		}
		tokens, err := c.listTokens(ctx, config)
		if err != nil {
			yield(listed{}, err)
			return
		}
		now := c.now()
		for i := range tokens {
			t := &tokens[i]
			name := fmt.Sprintf("%s of %s, %s", t.Name, cmp.Or(t.User.Name, t.User.UserID), validityText(t, now))
			if !yield(listed{name, idValue(t.ID), newTokenModel(t, now)}, nil) {
				return
			}
		}
	}
}

// validityText returns how long a token is valid.
func validityText(t *qualytics.Token, now time.Time) string {
	switch {
	case !t.Active:
		return "revoked"
	case t.Expiration == nil:
		return "never expires"
	case t.Expired(now):
		return "expired " + t.Expiration.Format(time.DateOnly)
	default:
		return "expires " + t.Expiration.Format(time.DateOnly)
	}
}

// listTokens returns the tokens that match a filter, by ID.
func (c call) listTokens(ctx context.Context, filter tokenListModel) ([]qualytics.Token, error) {
	accountID, status := filter.ServiceAccountID.ValueString(), filter.Status.ValueString()
	tokens, err := c.client.CachedServiceTokens(ctx)
	var found []qualytics.Token
	for i := range tokens {
		t := &tokens[i]
		if (accountID == "" || accountID == formatID(t.User.ID)) && (status == "" || status == listStatus(t, c.now())) {
			found = append(found, *t)
		}
	}
	return found, err
}
