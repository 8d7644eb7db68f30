// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

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
	_ ephemeral.EphemeralResourceWithConfigure = (*tokenEphemeral)(nil)
	_ ephemeral.EphemeralResourceWithClose     = (*tokenEphemeral)(nil)
	// There is no Renew: a token is valid for at least a day, longer than a run.
)

func newTokenEphemeral() ephemeral.EphemeralResource {
	return &tokenEphemeral{base{name: "service_token"}}
}

type tokenEphemeral struct{ base }

// ephemeralTokenModel is a service token that exists during one run.
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

// closeKey is the key of the token's ID in the private data, which contains nothing else.
const closeKey = "id"

func (r *tokenEphemeral) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + r.name
}

func (r *tokenEphemeral) Configure(
	_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse,
) {
	r.configure(req.ProviderData, &resp.Diagnostics)
}

func (r *tokenEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A service token that exists during one run: created when it is opened, revoked and " +
			"deleted when it is closed, and never stored in a plan or state.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "Numeric ID of the service token."},
			"service_account_id": schema.StringAttribute{
				Optional:   true,
				Validators: []validator.String{objectID},
				MarkdownDescription: "`id` of the service account that owns the token. If it is null or unknown, no " +
					"token is created and the results are null.",
			},
			"name_prefix": schema.StringAttribute{
				Optional:   true,
				Computed:   true,
				Validators: []validator.String{stringvalidator.UTF8LengthBetween(1, maxPrefix), notBlank(), trimmed()},
				MarkdownDescription: fmt.Sprintf("Prefix of the generated name, 1 to %d characters. Defaults to `%s`.",
					maxPrefix, ephemeralPrefix),
			},
			"expires_in_days": schema.Int64Attribute{
				Optional: true,
				Computed: true,
				Validators: []validator.Int64{
					int64validator.Between(qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays),
				},
				MarkdownDescription: fmt.Sprintf("Lifetime of the service token in days, %d to %d, which matters "+
					"only if it cannot be deleted at the end of the run. Defaults to %d.",
					qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays, ephemeralDays),
			},
			"scim_endpoints_only": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				MarkdownDescription: "Whether the service token is limited to the SCIM endpoints (`/scim/v2/*`). " +
					"Defaults to `false`.",
			},
			"name": schema.StringAttribute{Computed: true, MarkdownDescription: "Generated name of the service token."},
			"token": schema.StringAttribute{
				Computed: true, Sensitive: true, MarkdownDescription: "The bearer token.",
			},
			"expires_at": schema.StringAttribute{
				CustomType: timetypes.RFC3339Type{},
				Computed:   true,
				MarkdownDescription: "Time of expiry in UTC (RFC 3339), which matters only if the token cannot be " +
					"deleted at the end of the run.",
			},
		},
	}
}

// Open creates the token. Terraform opens ephemeral resources while planning and during apply.
func (r *tokenEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var model ephemeralTokenModel
	c := r.call(&resp.Diagnostics)
	if c.diags.Append(req.Config.Get(ctx, &model)...); c.failed() {
		return
	}
	model.setDefaults()
	if c.checkLifetime(model.ExpiresInDays, false); c.failed() {
		return
	}
	if model.ServiceAccountID.IsNull() { // "terraform.applying ? id : null" while planning
		c.diags.Append(resp.Result.Set(ctx, model)...)
		return
	}
	accountID := c.id(model.ServiceAccountID, "service_account_id")
	if !c.ready() {
		return
	}
	c.warnOfLeftovers(ctx, accountID, model)
	name, ok := c.uniqueName(model.NamePrefix.ValueString())
	if !ok {
		return
	}
	c.open.names.Store(name, true)
	request := qualytics.TokenCreate{
		Name: name, UserID: accountID, ExpiresInDays: model.ExpiresInDays.ValueInt64Pointer(),
		SCIMEndpointsOnly: model.SCIMEndpointsOnly.ValueBool(),
	}
	token, err := c.client.CreateServiceToken(ctx, request, true)
	if err != nil {
		c.failCreateToken(ctx, request, err)
		return
	}
	c.open.tokens.Store(token.ID, openToken{token.ID, name, c.client})
	model.setCreated(token, name)
	c.diags.Append(resp.Private.SetKey(ctx, closeKey, []byte(strconv.Quote(model.ID.ValueString())))...)
	c.diags.Append(resp.Result.Set(ctx, model)...)
}

// generatedSuffix matches the suffix of uniqueName.
var generatedSuffix = regexp.MustCompile(`^[0-9]{17}[0-9a-f]{8}$`)

// warnOfLeftovers warns about active tokens with the same prefix and lifetime: a run
// that was killed may have left them. It says nothing if they cannot be listed.
func (c call) warnOfLeftovers(ctx context.Context, accountID int64, model ephemeralTokenModel) {
	prefix, days := model.NamePrefix.ValueString(), model.ExpiresInDays.ValueInt64()
	tokens, err := c.client.CachedServiceTokens(ctx)
	if err != nil {
		return
	}
	var lines []string
	for i := range tokens {
		t := &tokens[i]
		suffix, hasPrefix := strings.CutPrefix(t.Name, prefix)
		lifetime := lifetimeDays(t) // distinguishes them from tokens of resources
		sameLifetime := lifetime == nil && t.Expiration != nil || lifetime != nil && *lifetime == days
		if t.User.ID == accountID && hasPrefix && generatedSuffix.MatchString(suffix) && sameLifetime &&
			t.Usable(c.now()) && !c.open.openedHere(t.Name) {
			lines = append(lines, "  - "+tokenLabel(t))
		}
	}
	if len(lines) > 0 {
		c.warn("Ephemeral service tokens of another run are active", "The service account ID %d has active tokens "+
			"with the name prefix %q:\n\n%s\n\nIf no other run uses them now, a run that was killed left them: revoke "+
			"and delete them in Qualytics (Settings, Tokens). Otherwise, they expire.", accountID, prefix,
			strings.Join(lines, "\n"))
	}
}

// Close revokes and deletes the token, also if the run was interrupted.
func (r *tokenEphemeral) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	ctx = context.WithoutCancel(ctx)
	text, diags := req.Private.GetKey(ctx, closeKey)
	c := r.call(&resp.Diagnostics)
	c.diags.Append(diags...)
	var id string
	if err := json.Unmarshal(text, &id); err != nil {
		return // nothing was opened
	}
	number := c.id(types.StringValue(id), "id")
	if !c.ready() {
		return
	}
	if err := c.client.RevokeAndDeleteToken(ctx, number); err != nil {
		c.warn("Unable to delete ephemeral service token", "%s", detailOf(fmt.Sprintf("ephemeral service token ID "+
			"%d", number), err, "It stays valid until it expires. Revoke it in Qualytics (Settings, Tokens)."))
		return
	}
	c.open.tokens.Delete(number)
}

func (m *ephemeralTokenModel) setDefaults() {
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

func (m *ephemeralTokenModel) setCreated(t *qualytics.NewToken, name string) {
	m.ID = idValue(t.ID)
	m.Name = types.StringValue(name)
	m.Token = types.StringValue(string(t.Bearer))
	m.ExpiresAt = timetypes.NewRFC3339TimePointerValue(t.Expiration)
}

// warnings writes to the log: Terraform reads the level from the start of a line.
var warnings = log.New(os.Stderr, "", 0)

// closeTimeout is how long close takes at most: Terraform kills a plugin two
// seconds after it asked it to exit.
const closeTimeout = 1800 * time.Millisecond

// openedHere reports whether this process opened the token with a name.
func (o *openTokens) openedHere(name string) bool {
	_, found := o.names.Load(name)
	return found
}

// close removes all open tokens. It first revokes all of them in parallel, which
// is what matters, and then deletes them. It logs those that are still active.
func (o *openTokens) close(ctx context.Context) {
	var open []openToken
	for _, value := range o.tokens.Range {
		if t, ok := value.(openToken); ok {
			open = append(open, t)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	revoked, active := inParallel(ctx, open, func(t openToken) error { return t.client.RevokeToken(ctx, t.id) })
	for _, t := range active {
		warnings.Printf("[WARN] The ephemeral service token %q (ID %d) could not be revoked. It is valid until "+
			"it expires. Revoke it in Qualytics (Settings, Tokens).", t.name, t.id)
	}
	for _, t := range revoked {
		o.tokens.Delete(t.id)
	}
	_, kept := inParallel(ctx, revoked, func(t openToken) error { return t.client.DeleteToken(ctx, t.id) })
	for _, t := range kept {
		warnings.Printf("[WARN] The ephemeral service token %q (ID %d) was revoked, but its record could not be "+
			"deleted.", t.name, t.id)
	}
}

// inParallel calls f for every token. It returns those for which f succeeded before ctx
// ended, and the others.
func inParallel(ctx context.Context, tokens []openToken, f func(openToken) error) (done, others []openToken) {
	type result struct {
		token openToken
		err   error
	}
	results := make(chan result, len(tokens))
	for _, t := range tokens {
		go func() { results <- result{t, f(t)} }()
	}
	others = slices.Clone(tokens)
	for range tokens {
		select {
		case r := <-results:
			if r.err == nil {
				done = append(done, r.token)
				others = slices.DeleteFunc(others, func(t openToken) bool { return t == r.token })
			}
		case <-ctx.Done():
			return done, others
		}
	}
	return done, others
}
