// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
	"github.com/qualytics/terraform-provider-qualytics/internal/seal"
)

// Values of status.
const (
	statusActive      = "active"
	statusRotationDue = "rotation_due"
	statusExpired     = "expired"
	statusRevoked     = "revoked"
)

// listStatuses are the statuses that do not depend on a configuration.
var listStatuses = []string{statusActive, statusExpired, statusRevoked}

// Values of deletion_policy.
const (
	policyDelete = "delete"
	policyRevoke = "revoke"
)

// defaultOverlapDays is the default of overlap_days.
const defaultOverlapDays = 7

const day = 24 * time.Hour

const rotatesToken = " Changing this rotates the service token."

// tokenModel is a service token in configuration, plan, and state.
type tokenModel struct {
	ID                types.String      `tfsdk:"id"`
	ServiceAccountID  types.String      `tfsdk:"service_account_id"`
	Name              types.String      `tfsdk:"name"`
	NamePrefix        types.String      `tfsdk:"name_prefix"`
	ExpiresInDays     types.Int64       `tfsdk:"expires_in_days"`
	SCIMEndpointsOnly types.Bool        `tfsdk:"scim_endpoints_only"`
	RotateBeforeDays  types.Int64       `tfsdk:"rotate_before_days"`
	RotateWhenChanged types.Map         `tfsdk:"rotate_when_changed"`
	OverlapDays       types.Int64       `tfsdk:"overlap_days"`
	Revoked           types.Bool        `tfsdk:"revoked"`
	DeletionPolicy    types.String      `tfsdk:"deletion_policy"`
	Encryption        types.Object      `tfsdk:"encryption"`
	Token             types.String      `tfsdk:"token"`
	EncryptedToken    types.String      `tfsdk:"encrypted_token"`
	Status            types.String      `tfsdk:"status"`
	CreatedAt         timetypes.RFC3339 `tfsdk:"created_at"`
	ExpiresAt         timetypes.RFC3339 `tfsdk:"expires_at"`
	RetiringTokens    types.List        `tfsdk:"retiring_tokens"`

	memory tokenMemory
}

// tokenMemory is the private data of a token: what the API does not report, and what the
// last refresh found. It contains no secret.
type tokenMemory struct {
	// Imported means that nothing is known of the attributes that the API does
	// not report, so their first configured value is adopted.
	Imported bool `json:"imported,omitempty"`
	// RevokedByConfig means that this configuration revoked the token, so it may restore it.
	RevokedByConfig bool `json:"revoked_by_config,omitempty"`
	// DaysLeft is the number of days until the token expires, rounded up, at the
	// last refresh; nil if it never expires. A rotation is due if the window is at
	// least that long, so the plan needs no clock.
	DaysLeft *int64 `json:"days_left,omitempty"`
	// IssuedAt is when the provider created the token: some deployments do not report it.
	IssuedAt *time.Time `json:"issued_at,omitempty"`
	// Retiring is about the elements of retiring_tokens, by ID.
	Retiring map[string]retiringMemory `json:"retiring,omitempty"`
}

// memoryKey is the key of tokenMemory in the private data.
const memoryKey = "token"

// newTokenModel returns the model of a token that was not created here:
// with the schema's defaults for what the API does not report. A token that no
// longer works is imported as revoked, so that it is not replaced.
func newTokenModel(t *qualytics.Token, now time.Time) tokenModel {
	m := tokenModel{
		Revoked: types.BoolValue(!t.Usable(now)), ExpiresInDays: types.Int64PointerValue(lifetimeDays(t)),
		SCIMEndpointsOnly: types.BoolValue(false), DeletionPolicy: types.StringValue(policyDelete),
		OverlapDays:       types.Int64Value(defaultOverlapDays),
		RotateWhenChanged: types.MapNull(types.StringType), Encryption: types.ObjectNull(encryptionTypes),
		RetiringTokens: retiringList(nil),
	}
	m.refresh(t, now)
	return m
}

// hasFixedName reports whether a configuration certainly has name and not name_prefix. In
// a module, both may be unknown during validation, and one of them null.
func (m tokenModel) hasFixedName() bool {
	return !m.Name.IsNull() && (!m.Name.IsUnknown() || m.NamePrefix.IsNull())
}

// setSecret stores the secret, or its ciphertext if encrypt is not nil.
func (m *tokenModel) setSecret(secret string, encrypt encrypter, random io.Reader) error {
	m.Token, m.EncryptedToken = types.StringValue(secret), types.StringNull()
	if encrypt == nil {
		return nil
	}
	ciphertext, err := encrypt(random, secret)
	m.Token, m.EncryptedToken = types.StringNull(), types.StringValue(ciphertext)
	return err
}

// planSecret plans token and encrypted_token of a new token: one of them is null as
// soon as it is known whether the secret is encrypted.
func (m *tokenModel) planSecret() {
	m.Token, m.EncryptedToken = types.StringUnknown(), types.StringUnknown()
	switch {
	case m.Encryption.IsUnknown():
	case m.Encryption.IsNull():
		m.EncryptedToken = types.StringNull()
	default:
		m.Token = types.StringNull()
	}
}

// createRequest returns the request for a new token with the given name.
func (m tokenModel) createRequest(accountID int64, name string) qualytics.TokenCreate {
	return qualytics.TokenCreate{
		Name: name, UserID: accountID, ExpiresInDays: m.ExpiresInDays.ValueInt64Pointer(),
		SCIMEndpointsOnly: m.SCIMEndpointsOnly.ValueBool(),
	}
}

// refresh copies the server's response and decides the status at now. What the API
// does not report stays unchanged.
func (m *tokenModel) refresh(t *qualytics.Token, now time.Time) {
	m.ID = idValue(t.ID)
	if t.User.ID != 0 {
		m.ServiceAccountID = idValue(t.User.ID)
	}
	if t.Name != "" {
		m.Name = types.StringValue(t.Name)
	}
	// Some deployments refuse to revoke an expired token, which does not work either.
	revokedByExpiry := t.Active && m.Revoked.ValueBool() && t.Expired(now)
	m.Revoked = types.BoolValue(!t.Active || revokedByExpiry)
	if t.Created != nil || m.CreatedAt.IsUnknown() {
		m.CreatedAt = timetypes.NewRFC3339TimePointerValue(t.Created)
	}
	m.ExpiresAt = timetypes.NewRFC3339TimePointerValue(t.Expiration)
	m.Status = types.StringValue(m.statusAt(now))
	if revokedByExpiry {
		m.Status = types.StringValue(statusExpired)
	}
}

// differenceFrom returns why a token of the server cannot be the one in the state,
// although the ID is the same, or "".
func (m tokenModel) differenceFrom(t *qualytics.Token) string {
	owner := formatID(t.User.ID)
	switch {
	case t.User.ID != 0 && !m.ServiceAccountID.IsNull() && m.ServiceAccountID.ValueString() != owner:
		return fmt.Sprintf("On the server, the token with this ID belongs to the service account %s. The owner of a "+
			"token never changes.", owner)
	case t.Name != "" && !m.Name.IsNull() && m.Name.ValueString() != t.Name:
		return fmt.Sprintf("On the server, the token with this ID has the name %q. The name of a token never changes.",
			t.Name)
	}
	return ""
}

// lifetimeTolerance is how far a lifetime may differ from a whole number of days:
// the server may determine the two times at different moments of a request.
const lifetimeTolerance = time.Minute

// lifetimeDays returns the expires_in_days of a token. It returns nil if the token never expires,
// if the deployment does not report its creation, or if its lifetime is not a whole number of days.
func lifetimeDays(t *qualytics.Token) *int64 {
	if t.Expiration == nil || t.Created == nil {
		return nil
	}
	lifetime := t.Expiration.Sub(*t.Created)
	days := int64(lifetime.Round(day) / day)
	if (lifetime-time.Duration(days)*day).Abs() > lifetimeTolerance || days < qualytics.MinExpiresInDays ||
		days > qualytics.MaxExpiresInDays {
		return nil
	}
	return &days
}

// statusAt returns the status at now from revoked, expires_at, and rotate_before_days.
func (m tokenModel) statusAt(now time.Time) string {
	expires, limited := timeOf(m.ExpiresAt)
	switch {
	case m.Revoked.ValueBool():
		return statusRevoked
	case limited && !now.Before(expires):
		return statusExpired
	case limited && m.isDue(*m.daysLeft(now), m.RotateBeforeDays):
		return statusRotationDue
	}
	return statusActive
}

// works reports whether the token worked at the last refresh.
func (m tokenModel) works() bool {
	status := m.Status.ValueString()
	return status == statusActive || status == statusRotationDue
}

// daysLeft returns the number of days until the token expires, rounded up, or nil if it never does.
func (m tokenModel) daysLeft(now time.Time) *int64 {
	expires, limited := timeOf(m.ExpiresAt)
	if !limited {
		return nil
	}
	left := expires.Sub(now)
	days := int64(left / day)
	if left%day > 0 {
		days++
	}
	return &days
}

// isDue reports whether a rotation window has begun.
func (m tokenModel) isDue(daysLeft int64, window types.Int64) bool {
	return !window.IsNull() && !window.IsUnknown() && daysLeft <= window.ValueInt64() &&
		!m.windowCoversLifetime(window)
}

// windowCoversLifetime reports whether the server limited the lifetime of the
// token to the rotation window or less. Such a token is rotated when it expires:
// the next one would be due immediately, so every run would rotate it.
func (m tokenModel) windowCoversLifetime(window types.Int64) bool {
	created, known := timeOf(m.CreatedAt)
	if !known && m.memory.IssuedAt != nil {
		created, known = *m.memory.IssuedAt, true
	}
	expires, limited := timeOf(m.ExpiresAt)
	return known && limited && expires.Sub(created) <= days(window)
}

// days returns a number of days as a duration.
func days(number types.Int64) time.Duration { return time.Duration(number.ValueInt64()) * day }

// arguments returns the arguments that an update can store.
func (m tokenModel) arguments() []attr.Value {
	return []attr.Value{
		m.NamePrefix, m.ExpiresInDays, m.SCIMEndpointsOnly, m.RotateBeforeDays, m.RotateWhenChanged, m.OverlapDays,
		m.Revoked, m.DeletionPolicy, m.Encryption,
	}
}

// hasPrefixOf reports whether the name of a token has the configured prefix.
func (m tokenModel) hasPrefixOf(token tokenModel) bool {
	return strings.HasPrefix(token.Name.ValueString(), m.NamePrefix.ValueString())
}

// apiToken returns the token with the fields that the state contains.
func (m tokenModel) apiToken() *qualytics.Token {
	t := &qualytics.Token{Name: m.Name.ValueString(), Active: !m.Revoked.ValueBool()}
	t.ID, _ = parseID(m.ID.ValueString())
	t.User.ID, _ = parseID(m.ServiceAccountID.ValueString())
	if expires, ok := timeOf(m.ExpiresAt); ok {
		t.Expiration = &expires
	}
	if created, ok := timeOf(m.CreatedAt); ok {
		t.Created = &created
	}
	return t
}

// hardEndText returns when a token stops working in any case.
func hardEndText(expires *time.Time) string {
	if expires == nil {
		return ""
	}
	return ", at the latest until it expires at " + formatTime(*expires)
}

// label names the token in messages.
func (m tokenModel) label() string {
	return fmt.Sprintf("service token %q (ID %s, service account ID %s)", m.Name.ValueString(), m.ID.ValueString(),
		m.ServiceAccountID.ValueString())
}

// title names the token in summaries, which Terraform shows once if they are equal.
func (m tokenModel) title() string {
	return fmt.Sprintf("%q (ID %s)", m.Name.ValueString(), m.ID.ValueString())
}

// tokenLabel names a token of the server in messages.
func tokenLabel(t *qualytics.Token) string {
	return fmt.Sprintf("service token %q (ID %d)", t.Name, t.ID)
}

// The suffix of a generated name: 17 digits of time and 8 of randomness.
const (
	suffixTime   = "20060102150405.000"
	suffixRandom = 4 // bytes
	suffixLength = len(suffixTime) - 1 + 2*suffixRandom
	maxPrefix    = qualytics.MaxName - suffixLength
)

// listStatus returns the status of a token without a configuration.
func listStatus(t *qualytics.Token, now time.Time) string {
	m := tokenModel{Revoked: types.BoolValue(false)}
	m.refresh(t, now)
	return m.Status.ValueString()
}

// uniqueName returns prefix with a suffix that sorts by time (UTC, milliseconds) and differs
// between two runs at the same time. It reports false after an error.
func (c call) uniqueName(prefix string) (string, bool) {
	b := make([]byte, suffixRandom)
	if _, err := io.ReadFull(c.random, b); err != nil {
		c.refuse("Unable to generate service token name", "%s", sentence("no random data is available: "+err.Error()))
		return "", false
	}
	return prefix + strings.Replace(c.now().UTC().Format(suffixTime), ".", "", 1) + hex.EncodeToString(b), true
}

// encryptionModel is the attribute encryption: the secret of a token is encrypted to
// a public key in memory, and the state contains the ciphertext only.
type encryptionModel struct {
	Algorithm types.String `tfsdk:"algorithm"`
	PublicKey types.String `tfsdk:"public_key"`
}

var encryptionTypes = map[string]attr.Type{"algorithm": types.StringType, "public_key": types.StringType}

// encrypter returns the ciphertext of a secret.
type encrypter = seal.Func

func encryptionAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Encrypts the secret to a public key. `encrypted_token` contains the ciphertext and " +
			"`token` is null, so that the secret is in no plan and no state." + rotatesToken,
		Attributes: map[string]schema.Attribute{
			"algorithm": schema.StringAttribute{
				Required: true, Validators: []validator.String{oneOf(seal.Algorithms()...)},
				MarkdownDescription: "`age` (ASCII armor) or `sealed_box` (standard base64 of libsodium's " +
					"`crypto_box_seal`, as GitHub expects).",
			},
			"public_key": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Public key of the consumer: an age recipient (`age1…`, `age1pq1…`; not one of " +
					"a plugin) or an SSH public key (`ssh-ed25519`, `ssh-rsa`) for `age`, the standard base64 of 32 " +
					"bytes for `sealed_box`.",
			},
		},
	}
}

// encrypterOf returns the encrypter of the attribute encryption, or nil if that is
// null or not completely known. An invalid key is an error that does not show it, and
// that has no path, because Terraform prints the source line of an attribute.
func encrypterOf(ctx context.Context, value types.Object, diags *diag.Diagnostics) encrypter {
	if value.IsNull() || value.IsUnknown() {
		return nil
	}
	var model encryptionModel
	diags.Append(value.As(ctx, &model, basetypes.ObjectAsOptions{})...)
	algorithm := model.Algorithm.ValueString()
	if diags.HasError() || !slices.Contains(seal.Algorithms(), algorithm) || model.PublicKey.IsNull() ||
		model.PublicKey.IsUnknown() {
		return nil
	}
	encrypt, err := seal.To(algorithm, model.PublicKey.ValueString())
	if err != nil {
		diags.AddError("Invalid encryption key", fmt.Sprintf("The value of encryption.public_key cannot be used with "+
			"the algorithm %q: %s. The value is not shown, because it may be a private key.", algorithm, err))
		return nil
	}
	return encrypt
}
