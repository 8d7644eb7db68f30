// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// tokenPlan is what becomes of a token that exists.
type tokenPlan struct {
	plan     serviceTokenModel
	replace  []string    // names of the attributes that force a new token
	warnings [][2]string // each a title and a text
	problem  string      // why a new token cannot be made, if so
}

// planToken decides what becomes of a token: from the state as it was last
// refreshed, the plan that Terraform proposes, and what the provider remembers.
// It never looks at a clock, so that a saved plan stays valid; now serves a
// warning only.
func planToken(state, plan serviceTokenModel, configName types.String, origin tokenOrigin, now time.Time) tokenPlan {
	p := tokenPlan{plan: plan}
	p.editedByUser(state, configName, origin)
	if len(p.replace) == 0 {
		p.decidedByProvider(state, origin)
	}
	if len(p.replace) > 0 {
		p.checkName(state, configName)
		p.forget(configName)
		return p
	}
	p.adopted(state, origin)
	p.updateInPlace(state, now)
	return p
}

// editedByUser finds the edits that force a new token. What the API never
// echoes cannot be compared after an import: the first value is adopted.
func (p *tokenPlan) editedByUser(state serviceTokenModel, configName types.String, origin tokenOrigin) {
	plan := p.plan
	if !plan.ServiceAccountID.Equal(state.ServiceAccountID) {
		p.replace = append(p.replace, "service_account_id")
	}
	if !configName.IsNull() && !plan.Name.Equal(state.Name) {
		p.replace = append(p.replace, "name")
	}
	if configName.IsNull() && !plan.NamePrefix.Equal(state.NamePrefix) && !adoptsPrefix(state, plan, origin) {
		p.replace = append(p.replace, "name_prefix")
	}
	neverTold := state.ExpiresInDays.IsNull() && !state.ExpiresAt.IsNull()
	if !plan.ExpiresInDays.Equal(state.ExpiresInDays) && !neverTold {
		p.replace = append(p.replace, "expires_in_days")
	}
	if !plan.SCIMEndpointsOnly.Equal(state.SCIMEndpointsOnly) && !origin.Imported {
		p.replace = append(p.replace, "scim_endpoints_only")
	}
	if !state.RotateWhenChanged.IsNull() && !plan.RotateWhenChanged.IsNull() && !plan.RotateWhenChanged.Equal(state.RotateWhenChanged) {
		p.replace = append(p.replace, "rotate_when_changed")
	}
}

// adopted warns of what is taken over for an imported token although the API
// cannot confirm it.
func (p *tokenPlan) adopted(state serviceTokenModel, origin tokenOrigin) {
	if !origin.Imported {
		return
	}
	if state.Token.IsNull() && state.Status.ValueString() == statusActive {
		p.warn("The secret of an imported token is unknown", unknownSecret(state)+" For example with \"terraform apply -replace\".")
	}
	if !p.plan.SCIMEndpointsOnly.Equal(state.SCIMEndpointsOnly) {
		p.warn("The token is taken to be what the configuration says",
			fmt.Sprintf("The API never tells whether a token is limited to SCIM. As %s was imported, scim_endpoints_only = %t is adopted without a change on the server. "+
				"To be sure of it, make a new token with \"terraform apply -replace\".", describe(state), p.plan.SCIMEndpointsOnly.ValueBool()))
	}
	if prefix := p.plan.NamePrefix; !prefix.IsNull() && !prefix.IsUnknown() && state.NamePrefix.IsNull() && !strings.HasPrefix(state.Name.ValueString(), prefix.ValueString()) {
		p.warn("The prefix counts from the next rotation on",
			fmt.Sprintf("As %s was imported, name_prefix = %q is adopted and the token keeps its name until it is replaced.", describe(state), prefix.ValueString()))
	}
}

// checkName finds a replacement that the server would refuse, because the old
// token's record keeps the name.
func (p *tokenPlan) checkName(state serviceTokenModel, configName types.String) {
	policy := state.DeletionPolicy.ValueString()
	if configName.IsNull() || !p.plan.Name.Equal(state.Name) || !p.plan.ServiceAccountID.Equal(state.ServiceAccountID) || policy == policyDelete {
		return
	}
	p.problem = fmt.Sprintf("%s has to be replaced because of %s. In the state it has deletion_policy = %q, so its record stays and keeps the name, "+
		"and the server would refuse another token of the same name. Use name_prefix instead of name, or another name.",
		sentenceStart(describe(state)), strings.Join(p.replace, " and "), policy)
}

// adoptsPrefix reports whether a prefix can be taken over for the token's
// present name.
func adoptsPrefix(state, plan serviceTokenModel, origin tokenOrigin) bool {
	if !state.NamePrefix.IsNull() || plan.NamePrefix.IsUnknown() {
		return false
	}
	return origin.Imported || strings.HasPrefix(state.Name.ValueString(), plan.NamePrefix.ValueString())
}

// decidedByProvider finds the reasons for a new token that lie in its status.
func (p *tokenPlan) decidedByProvider(state serviceTokenModel, origin tokenOrigin) {
	if p.plan.Revoked.ValueBool() { // unknown counts as false: a planned replacement can still come out revoked
		return
	}
	var reason string
	switch state.Status.ValueString() {
	case statusRotationDue:
		expires, _ := state.expiry()
		reason = fmt.Sprintf("its rotation has been due since %s (rotate_before_days = %d), and it expires at %s",
			stamp(state.rotationDueAt(expires)), state.RotateBeforeDays.ValueInt64(), stamp(expires))
	case statusExpired:
		expires, _ := state.expiry()
		reason = fmt.Sprintf("it has been expired since %s and no longer works", stamp(expires))
	case statusRevoked:
		if origin.RevokedHere {
			return
		}
		reason = "the last refresh found it revoked, and not by this configuration, or expired since. It may have leaked, so it is never switched on again"
	default:
		return
	}
	p.replace = append(p.replace, "status")
	text := fmt.Sprintf("%s is replaced because %s.", sentenceStart(describe(state)), reason)
	if p.plan.NamePrefix.IsNull() {
		text += " Its name is fixed, so the old token is removed before the new one exists: consumers have no valid token in between, and the server refuses " +
			"the new one where create_before_destroy is set. For a rotation without an outage use name_prefix instead of name, together with lifecycle { create_before_destroy = true }."
	} else {
		text += " With lifecycle { create_before_destroy = true } the new token and everything that depends on it come first, and the old one goes last; " +
			"without it, the old one is removed first and consumers have no valid token in between."
	}
	p.warn("A service token is rotated", text)
}

// forget makes everything that the server decides unknown again.
func (p *tokenPlan) forget(configName types.String) {
	if configName.IsNull() {
		p.plan.Name = types.StringUnknown()
	}
	p.plan.ID, p.plan.Token, p.plan.Status = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	p.plan.CreatedAt, p.plan.ExpiresAt = timetypes.NewRFC3339Unknown(), timetypes.NewRFC3339Unknown()
}

// updateInPlace keeps the status where nothing can change it.
func (p *tokenPlan) updateInPlace(state serviceTokenModel, now time.Time) {
	if p.plan.Revoked.Equal(state.Revoked) && p.plan.RotateBeforeDays.Equal(state.RotateBeforeDays) {
		p.plan.Status = state.Status
		return
	}
	p.plan.Status = types.StringUnknown()
	next := p.plan
	next.decideStatus(now)
	if !p.plan.Revoked.ValueBool() && !p.plan.RotateBeforeDays.Equal(state.RotateBeforeDays) && next.Status.ValueString() == statusRotationDue {
		expires, _ := state.expiry()
		p.warn("The next plan rotates this token",
			fmt.Sprintf("With rotate_before_days = %d the rotation of %s has been due since %s. This apply only stores the new window; the plan after it replaces the token.",
				p.plan.RotateBeforeDays.ValueInt64(), describe(state), stamp(p.plan.rotationDueAt(expires))))
	}
}

func (p *tokenPlan) warn(title, text string) { p.warnings = append(p.warnings, [2]string{title, text}) }

// describe names a token in a message.
func describe(m serviceTokenModel) string {
	return fmt.Sprintf("the service token %q (id %s, service account %s)", m.Name.ValueString(), m.ID.ValueString(), m.ServiceAccountID.ValueString())
}

func sentenceStart(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
