// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

var (
	_ ephemeral.EphemeralResourceWithConfigure = (*serviceTokenEphemeral)(nil)
	_ ephemeral.EphemeralResourceWithClose     = (*serviceTokenEphemeral)(nil)
	// There is no Renew: a token lives for a day at least, longer than a run.
)

func newServiceTokenEphemeral() ephemeral.EphemeralResource { return &serviceTokenEphemeral{} }

type serviceTokenEphemeral struct{ ephemeralBase }

// ephemeralTokenModel is a token that exists for one run.
type ephemeralTokenModel struct {
	ServiceAccountID  types.String      `tfsdk:"service_account_id"`
	NamePrefix        types.String      `tfsdk:"name_prefix"`
	ExpiresInDays     types.Int64       `tfsdk:"expires_in_days"`
	SCIMEndpointsOnly types.Bool        `tfsdk:"scim_endpoints_only"`
	ID                types.String      `tfsdk:"id"`
	Name              types.String      `tfsdk:"name"`
	Token             types.String      `tfsdk:"token"`
	ExpiresAt         timetypes.RFC3339 `tfsdk:"expires_at"`
}

// Defaults of an ephemeral token.
const (
	ephemeralPrefix = "terraform-"
	ephemeralDays   = 1
)

// closeKey is where the private data holds the token's id, and nothing else.
const closeKey = "id"

func (r *serviceTokenEphemeral) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_token"
}

func (r *serviceTokenEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A service token for the time of one run: made when it opens, revoked and deleted when it closes, never in a plan or a state.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "Number that Qualytics gave the token."},
			"service_account_id": schema.StringAttribute{
				Optional: true, Validators: []validator.String{idValidator{}},
				MarkdownDescription: "`id` of the service account that owns the token. While it is not known, or where it is null, nothing opens and the results are null.",
			},
			"name_prefix": schema.StringAttribute{
				Optional: true, Computed: true,
				Validators:          []validator.String{stringvalidator.UTF8LengthBetween(1, maxPrefix), notBlank()},
				MarkdownDescription: fmt.Sprintf("Start of the token's name, 1 to %d characters; a unique suffix follows. Defaults to `%s`.", maxPrefix, ephemeralPrefix),
			},
			"expires_in_days": schema.Int64Attribute{
				Optional: true, Computed: true,
				Validators: []validator.Int64{int64validator.Between(qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays)},
				MarkdownDescription: fmt.Sprintf("Lifetime in days, %d to %d, should closing fail. Defaults to %d.",
					qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays, ephemeralDays),
			},
			"scim_endpoints_only": schema.BoolAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: "Whether the token works on the SCIM endpoints (`/scim/v2/*`) and nowhere else. Defaults to false.",
			},
			"name": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the token, unique for every opening."},
			"token": schema.StringAttribute{
				Computed: true, Sensitive: true, MarkdownDescription: "The bearer token.",
			},
			"expires_at": schema.StringAttribute{
				CustomType: timetypes.RFC3339Type{}, Computed: true, MarkdownDescription: "When the token expires if closing fails, in UTC (RFC 3339).",
			},
		},
	}
}

// Open makes the token. Terraform opens in plan and in apply.
func (r *serviceTokenEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var model ephemeralTokenModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	model.fillDefaults()
	if model.ServiceAccountID.IsNull() { // "terraform.applying ? id : null" while planning
		resp.Diagnostics.Append(resp.Result.Set(ctx, model)...)
		return
	}
	client := r.client(&resp.Diagnostics)
	accountID := parseID(model.ServiceAccountID, "service_account_id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	name, err := uniqueName(model.NamePrefix.ValueString(), r.data.now(), r.data.random)
	if err != nil {
		resp.Diagnostics.AddError("No name for the service token", sentence(err.Error()))
		return
	}
	token, err := client.CreateServiceToken(ctx, model.createRequest(accountID, name), true)
	if err != nil {
		explainTokenCreate(ctx, client, accountID, name, err, &resp.Diagnostics)
		return
	}
	model.take(token, name)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, closeKey, []byte(strconv.Quote(model.ID.ValueString())))...)
	resp.Diagnostics.Append(resp.Result.Set(ctx, model)...)
}

// Close revokes and deletes the token, also when the run was interrupted.
func (r *serviceTokenEphemeral) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	ctx = context.WithoutCancel(ctx)
	text, diags := req.Private.GetKey(ctx, closeKey)
	resp.Diagnostics.Append(diags...)
	var id string
	if err := json.Unmarshal(text, &id); err != nil {
		return // nothing was opened
	}
	client := r.client(&resp.Diagnostics)
	number := parseID(types.StringValue(id), "id", &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if err := client.RevokeAndDeleteToken(ctx, number); err != nil {
		resp.Diagnostics.AddWarning(fmt.Sprintf("The ephemeral service token with the id %s could not be removed", id),
			explain(err)+"\n\nIt stays valid until it expires. Revoke it in Qualytics (Settings, Tokens).")
	}
}

func (m *ephemeralTokenModel) fillDefaults() {
	if m.NamePrefix.IsNull() {
		m.NamePrefix = types.StringValue(ephemeralPrefix)
	}
	if m.ExpiresInDays.IsNull() {
		m.ExpiresInDays = types.Int64Value(ephemeralDays)
	}
	if m.SCIMEndpointsOnly.IsNull() {
		m.SCIMEndpointsOnly = types.BoolValue(false)
	}
}

// createRequest is a resource's: the two kinds make the same token.
func (m ephemeralTokenModel) createRequest(accountID int64, name string) qualytics.TokenCreate {
	return serviceTokenModel{ExpiresInDays: m.ExpiresInDays, SCIMEndpointsOnly: m.SCIMEndpointsOnly}.createRequest(accountID, name)
}

func (m *ephemeralTokenModel) take(t *qualytics.NewToken, name string) {
	m.ID = types.StringValue(strconv.FormatInt(t.ID, 10))
	m.Name = types.StringValue(name)
	m.Token = types.StringValue(string(t.Bearer))
	m.ExpiresAt = timetypes.NewRFC3339TimePointerValue(t.Expiration)
}
