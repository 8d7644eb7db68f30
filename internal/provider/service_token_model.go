// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Values of a token's status.
const (
	statusActive      = "active"
	statusRotationDue = "rotation_due"
	statusExpired     = "expired"
	statusRevoked     = "revoked"
)

// Values of deletion_policy.
const (
	policyDelete  = "delete"
	policyRevoke  = "revoke"
	policyAbandon = "abandon"
)

var deletionPolicies = []string{policyDelete, policyRevoke, policyAbandon}

const day = 24 * time.Hour

// serviceTokenModel is a service token in configuration, plan and state.
type serviceTokenModel struct {
	ID                types.String      `tfsdk:"id"`
	ServiceAccountID  types.String      `tfsdk:"service_account_id"`
	Name              types.String      `tfsdk:"name"`
	NamePrefix        types.String      `tfsdk:"name_prefix"`
	ExpiresInDays     types.Int64       `tfsdk:"expires_in_days"`
	SCIMEndpointsOnly types.Bool        `tfsdk:"scim_endpoints_only"`
	RotateBeforeDays  types.Int64       `tfsdk:"rotate_before_days"`
	RotateWhenChanged types.Map         `tfsdk:"rotate_when_changed"`
	Revoked           types.Bool        `tfsdk:"revoked"`
	DeletionPolicy    types.String      `tfsdk:"deletion_policy"`
	Token             types.String      `tfsdk:"token"`
	Status            types.String      `tfsdk:"status"`
	CreatedAt         timetypes.RFC3339 `tfsdk:"created_at"`
	ExpiresAt         timetypes.RFC3339 `tfsdk:"expires_at"`
}

// createRequest is for the account with the id accountID; name is the final one.
func (m serviceTokenModel) createRequest(accountID int64, name string) qualytics.TokenCreate {
	return qualytics.TokenCreate{
		Name: name, UserID: accountID, ExpiresInDays: m.ExpiresInDays.ValueInt64Pointer(),
		SCIMEndpointsOnly: m.SCIMEndpointsOnly.ValueBool(),
	}
}

// refresh takes over what the server says, and decides the status at the
// instant now. What the server never echoes stays as it is.
func (m *serviceTokenModel) refresh(t *qualytics.Token, now time.Time) {
	m.ID = types.StringValue(strconv.FormatInt(t.ID, 10))
	if t.User.ID != 0 {
		m.ServiceAccountID = types.StringValue(strconv.FormatInt(t.User.ID, 10))
	}
	if t.Name != "" {
		m.Name = types.StringValue(t.Name)
	}
	// Some builds refuse to revoke what has expired; it is as good as revoked.
	asGood := t.Active && m.Revoked.ValueBool() && t.Expired(now)
	m.Revoked = types.BoolValue(!t.Active || asGood)
	if t.Created != nil || m.CreatedAt.IsUnknown() {
		m.CreatedAt = timetypes.NewRFC3339TimePointerValue(t.Created)
	}
	m.ExpiresAt = timetypes.NewRFC3339TimePointerValue(t.Expiration)
	m.decideStatus(now)
	if asGood {
		m.Status = types.StringValue(statusExpired)
	}
}

// differsFrom says what of a token on the server cannot belong to the one in
// state, although the id is the same. "" is nothing.
func (m serviceTokenModel) differsFrom(t *qualytics.Token) string {
	owner := strconv.FormatInt(t.User.ID, 10)
	switch {
	case t.User.ID != 0 && !m.ServiceAccountID.IsNull() && m.ServiceAccountID.ValueString() != owner:
		return fmt.Sprintf("On the server it belongs to the service account %s. A token never changes hands.", owner)
	case t.Name != "" && !m.Name.IsNull() && m.Name.ValueString() != t.Name:
		return fmt.Sprintf("On the server it is called %q. A token's name never changes.", t.Name)
	}
	return ""
}

// adopt fills the model of a token that was not made here: with what the server
// says, and the schema's defaults for what it cannot. One that no longer works
// comes in as revoked, so that taking over what exists makes no new token.
func (m *serviceTokenModel) adopt(t *qualytics.Token, now time.Time) {
	m.Revoked = types.BoolValue(!t.Usable(now))
	m.ExpiresInDays = types.Int64PointerValue(lifetimeDays(t))
	m.SCIMEndpointsOnly = types.BoolValue(false)
	m.DeletionPolicy = types.StringValue(policyDelete)
	m.RotateWhenChanged = types.MapNull(types.StringType)
	m.refresh(t, now)
}

// lifetimeTolerance is how far a lifetime may be from a whole number of days
// and still count as that number: the server may take the two instants at
// different moments of one request.
const lifetimeTolerance = time.Minute

// lifetimeDays is the expires_in_days that a token was made with, or nil where
// it never expires, the build does not say when it was made, or its lifetime
// is no whole number of days.
func lifetimeDays(t *qualytics.Token) *int64 {
	if t.Expiration == nil || t.Created == nil {
		return nil
	}
	lifetime := t.Expiration.Sub(*t.Created)
	days := int64(lifetime.Round(day) / day)
	if (lifetime-time.Duration(days)*day).Abs() > lifetimeTolerance || days < qualytics.MinExpiresInDays || days > qualytics.MaxExpiresInDays {
		return nil
	}
	return &days
}

// decideStatus sets the status at the instant now, from revoked, expires_at and
// rotate_before_days.
func (m *serviceTokenModel) decideStatus(now time.Time) {
	status := statusActive
	switch expires, ok := m.expiry(); {
	case m.Revoked.ValueBool():
		status = statusRevoked
	case !ok:
	case !now.Before(expires):
		status = statusExpired
	case !now.Before(m.rotationDueAt(expires)):
		status = statusRotationDue
	}
	m.Status = types.StringValue(status)
}

// expiry is when the token expires; false where it never does.
func (m serviceTokenModel) expiry() (time.Time, bool) {
	if m.ExpiresAt.IsNull() || m.ExpiresAt.IsUnknown() {
		return time.Time{}, false
	}
	expires, diags := m.ExpiresAt.ValueRFC3339Time()
	return expires, !diags.HasError()
}

// rotationDueAt is the first instant of the rotation window, or the expiry
// where there is no window.
func (m serviceTokenModel) rotationDueAt(expires time.Time) time.Time {
	return expires.Add(-time.Duration(m.RotateBeforeDays.ValueInt64()) * day)
}

// suffixLength is how much a prefix leaves to the generated suffix: 17 digits
// of time, 8 of randomness.
const (
	suffixTime   = "20060102150405.000"
	suffixRandom = 4 // bytes
	suffixLength = len(suffixTime) - 1 + 2*suffixRandom
	maxPrefix    = qualytics.MaxName - suffixLength
)

// uniqueName appends a suffix that sorts by time (UTC, milliseconds) and that
// two runs at the same instant do not share.
func uniqueName(prefix string, now time.Time, random io.Reader) (string, error) {
	b := make([]byte, suffixRandom)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("no randomness for a unique name: %w", err)
	}
	return prefix + strings.Replace(now.UTC().Format(suffixTime), ".", "", 1) + hex.EncodeToString(b), nil
}

// tokenOrigin is the private data of a token: what the provider has to remember
// and the API does not tell. It holds no secret.
type tokenOrigin struct {
	// Imported: nothing is known of what the API never echoes, so the first
	// value that is configured is taken as it is.
	Imported bool `json:"imported,omitempty"`
	// RevokedHere: this configuration revoked the token, so it may restore it.
	RevokedHere bool `json:"revoked_here,omitempty"`
}

// originKey is where the private data is kept.
const originKey = "origin"

// asToken is the token as the API would list it, as far as the state knows.
func (m serviceTokenModel) asToken() *qualytics.Token {
	t := &qualytics.Token{Name: m.Name.ValueString(), Active: !m.Revoked.ValueBool()}
	t.ID, _ = strconv.ParseInt(m.ID.ValueString(), 10, 64)
	if expires, ok := m.expiry(); ok {
		t.Expiration = &expires
	}
	if created, diags := m.CreatedAt.ValueRFC3339Time(); !m.CreatedAt.IsNull() && !m.CreatedAt.IsUnknown() && !diags.HasError() {
		t.Created = &created
	}
	return t
}
