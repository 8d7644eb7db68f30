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

// unknownGuardrails are the guardrails while the whole argument is unknown.
var unknownGuardrails = guardrailsModel{types.SetUnknown(types.StringType), types.Int64Unknown()}

// checkRole reports a role that is not allowed. What is unknown is checked during apply,
// but not for a replacement: it would have destroyed the account by then.
func (c call) checkRole(account accountModel, replaces bool) {
	limit := c.guardrails.AllowedRoles
	allowed := stringsOf(limit)
	slices.Sort(allowed)
	switch {
	case limit.IsNull() || account.Role.IsNull():
	case hasUnknown(limit) || account.Role.IsUnknown():
		if replaces {
			c.refuseUnchecked("guardrails or role", account.label())
		}
	case !slices.Contains(allowed, account.Role.ValueString()):
		c.failAt("role", "Role not allowed by guardrails", "The %s would have the role %q. guardrails.allowed_roles "+
			"in the provider configuration allows %s. Choose one of these, or change the guardrails.", account.label(),
			account.Role.ValueString(), quoteList(allowed))
	}
}

// checkLifetime reports a lifetime that is not allowed. What is unknown is checked during
// apply, but not for a replacement: it would have destroyed the token by then.
func (c call) checkLifetime(expiresInDays types.Int64, replaces bool) {
	limit := c.guardrails.MaxExpiresInDays
	lifetime := "would never expire: expires_in_days is not set"
	if !expiresInDays.IsNull() {
		lifetime = fmt.Sprintf("would have expires_in_days = %d", expiresInDays.ValueInt64())
	}
	switch {
	case limit.IsNull():
	case limit.IsUnknown() || expiresInDays.IsUnknown():
		if replaces {
			c.refuseUnchecked("guardrails or expires_in_days", "service token")
		}
	case expiresInDays.IsNull() || expiresInDays.ValueInt64() > limit.ValueInt64():
		c.failAt("expires_in_days", "Lifetime not allowed by guardrails", "The service token %s. "+
			"guardrails.max_expires_in_days in the provider configuration is %d. Set expires_in_days to at most "+
			"%[2]d, or change the guardrails.", lifetime, limit.ValueInt64())
	}
}

// refuseUnchecked refuses a replacement whose creation cannot be checked while planning.
func (c call) refuseUnchecked(argument, object string) {
	c.refuse("Replacement cannot be checked while planning", "The %s would be replaced, and the value of %s is only "+
		"known after apply. If the new one is then refused, the old one is already destroyed. Apply what the value "+
		"depends on first, with \"%s apply -target=ADDRESS\", or use a known value.", object, argument, c.cli)
}
