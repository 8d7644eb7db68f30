// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// guardrailsModel is the argument guardrails of the provider configuration: limits on
// what a plan may create or change.
type guardrailsModel struct {
	AllowedRoles     types.Set   `tfsdk:"allowed_roles"`
	MaxExpiresInDays types.Int64 `tfsdk:"max_expires_in_days"`
}

func guardrailsAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Limits on what a plan may create or change. They protect against mistakes, not against " +
			"someone who can edit the configuration. What exists and does not change is not checked.",
		Attributes: map[string]schema.Attribute{
			"allowed_roles": schema.SetAttribute{
				ElementType: types.StringType, Optional: true,
				Validators: []validator.Set{
					setvalidator.SizeAtLeast(1),
					setvalidator.NoNullValues(),
					setvalidator.ValueStringsAre(oneOf(roles...)),
				},
				MarkdownDescription: "Roles that service accounts may have: `Admin`, `Manager`, `Editor`, or `Member`.",
			},
			"max_expires_in_days": schema.Int64Attribute{
				Optional: true,
				Validators: []validator.Int64{
					int64validator.Between(qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays),
				},
				MarkdownDescription: fmt.Sprintf("Longest lifetime of service tokens in days, %d to %d. Tokens that "+
					"never expire are refused too.", qualytics.MinExpiresInDays, qualytics.MaxExpiresInDays),
			},
		},
	}
}

// checkRole reports a role that is not allowed. Unknown values are checked during
// apply.
func (c call) checkRole(account accountModel) {
	g := c.guardrails
	if g.AllowedRoles.IsNull() || g.AllowedRoles.IsUnknown() || account.Role.IsNull() || account.Role.IsUnknown() {
		return
	}
	for _, role := range g.AllowedRoles.Elements() {
		if role.IsUnknown() {
			return
		}
	}
	allowed := stringsOf(g.AllowedRoles)
	if slices.Contains(allowed, account.Role.ValueString()) {
		return
	}
	slices.Sort(allowed)
	c.failAt("role", "Role not allowed by guardrails", "The %s would have the role %q. guardrails.allowed_roles in the "+
		"provider configuration allows %s.", account.label(), account.Role.ValueString(), quoteList(allowed))
}

// checkLifetime reports a lifetime that is not allowed. Unknown values are checked
// during apply.
func (c call) checkLifetime(expiresInDays types.Int64) {
	limit := c.guardrails.MaxExpiresInDays
	if limit.IsNull() || limit.IsUnknown() || expiresInDays.IsUnknown() ||
		!expiresInDays.IsNull() && expiresInDays.ValueInt64() <= limit.ValueInt64() {
		return
	}
	lifetime := "would never expire: expires_in_days is not set"
	if !expiresInDays.IsNull() {
		lifetime = fmt.Sprintf("would have expires_in_days = %d", expiresInDays.ValueInt64())
	}
	c.failAt("expires_in_days", "Lifetime not allowed by guardrails", "The service token %s. "+
		"guardrails.max_expires_in_days in the provider configuration is %d.", lifetime, limit.ValueInt64())
}
