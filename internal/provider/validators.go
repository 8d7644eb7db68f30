// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// description describes a validator or plan modifier.
type description string

// Description returns the description.
func (d description) Description(context.Context) string { return string(d) }

// MarkdownDescription returns the description.
func (d description) MarkdownDescription(context.Context) string { return string(d) }

// check is a validator of known strings. Its diagnostics have no path, because Terraform
// would print the line with the value, which may be a pasted secret.
type check struct {
	description
	run func(attribute path.Path, value string, diags *diag.Diagnostics)
}

// ValidateString checks a value.
func (c check) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !req.ConfigValue.IsNull() && !req.ConfigValue.IsUnknown() {
		c.run(req.Path, req.ConfigValue.ValueString(), &resp.Diagnostics)
	}
}

// deploymentURL refuses a URL that the client cannot use.
var deploymentURL = check{"must be the URL of a deployment", func(_ path.Path, value string, diags *diag.Diagnostics) {
	if _, err := qualytics.BaseURL(value, ""); value != "" && err != nil {
		diags.AddError("Invalid provider URL", sentence(err.Error()))
	}
}}

const mustBeID = "must be the numeric ID of an object"

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// objectID refuses what cannot be an ID. It accepts any plain word, because mocks of
// "terraform test" invent IDs; call.id checks the rest when a request needs the number.
var objectID = check{mustBeID, func(attribute path.Path, value string, diags *diag.Diagnostics) {
	if !plainWord.MatchString(value) {
		addInvalidID(attribute, diags)
	}
}}

// reference refuses a user_id, a JWT, and a private key. It accepts everything else: the ID
// of an object may come from a mock, and apply checks it.
var reference = check{mustBeID, func(attribute path.Path, value string, diags *diag.Diagnostics) {
	if strings.Contains(value, "@") || jwtOrKey.MatchString(value) {
		addInvalidID(attribute, diags)
	}
}}

// oneOf accepts the given values. Its message names the value only if the value
// differs in case, because any other value may be a secret.
func oneOf(values ...string) validator.String {
	return check{
		description("must be one of " + quoteList(values)),
		func(attribute path.Path, value string, diags *diag.Diagnostics) {
			if slices.Contains(values, value) {
				return
			}
			detail := fmt.Sprintf("The value of %s must be one of %s.", attributeName(attribute), quoteList(values))
			for _, other := range values {
				if strings.EqualFold(other, value) {
					detail += fmt.Sprintf(" Did you mean %q?", other)
				}
			}
			diags.AddError("Invalid attribute value", detail)
		},
	}
}

// notBlank refuses text without a visible character.
func notBlank() validator.String {
	return stringvalidator.RegexMatches(regexp.MustCompile(`\S`), "must not be blank")
}

// trimmed refuses text that starts or ends with white space, because the server may remove it.
func trimmed() validator.String {
	return stringvalidator.RegexMatches(regexp.MustCompile(`(?s)^(\S(.*\S)?)?$|^\s*$`), "must not start or end with "+
		"a space")
}

// headersValidator refuses headers that cannot be sent.
type headersValidator struct{ description }

const mustBeHeaders = "must be names and values of HTTP headers, without Authorization"

func (headersValidator) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	elements := req.ConfigValue.Elements()
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		value, ok := elements[name].(types.String)
		if !ok {
			continue
		}
		if err := qualytics.CheckHeader(name, value.ValueString()); err != nil {
			resp.Diagnostics.AddError("Invalid header", sentence(err.Error())) // a path would show the value
		}
	}
}
