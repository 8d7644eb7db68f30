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
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// urlValidator refuses a URL that the client cannot use.
type urlValidator struct{}

func (urlValidator) Description(context.Context) string { return "must be the URL of a deployment" }

func (v urlValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (urlValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || req.ConfigValue.ValueString() == "" {
		return
	}
	if _, err := qualytics.BaseURL(req.ConfigValue.ValueString(), ""); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid provider URL", sentence(err.Error()))
	}
}

// headersValidator refuses headers that cannot be sent.
type headersValidator struct{}

func (headersValidator) Description(context.Context) string {
	return "must be names and values of HTTP headers, without Authorization"
}

func (v headersValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (headersValidator) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	elements := req.ConfigValue.Elements()
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		value, ok := elements[name].(types.String)
		if !ok {
			continue
		}
		if err := qualytics.CheckHeader(name, value.ValueString()); err != nil {
			resp.Diagnostics.AddAttributeError(req.Path.AtMapKey(name), "Invalid header", sentence(err.Error()))
		}
	}
}

// notBlank refuses text without a visible character.
func notBlank() validator.String {
	return stringvalidator.RegexMatches(regexp.MustCompile(`\S`), "must not be blank")
}

// trimmed refuses text that starts or ends with white space, because the server
// may remove it.
func trimmed() validator.String {
	return stringvalidator.RegexMatches(regexp.MustCompile(`(?s)^(\S(.*\S)?)?$|^\s*$`), "must not start or end with "+
		"a space")
}

// idValidator refuses what cannot be an ID. It accepts any plain word, because
// mocks of "terraform test" invent IDs; idAttribute checks the rest when a request
// needs the number.
type idValidator struct{}

func (idValidator) Description(context.Context) string {
	return "must be the numeric ID of an object"
}

func (v idValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (idValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !req.ConfigValue.IsNull() && !req.ConfigValue.IsUnknown() &&
		!plainWord.MatchString(req.ConfigValue.ValueString()) {
		addInvalidID(req.Path, &resp.Diagnostics)
	}
}

// referenceValidator refuses what looks like a user_id or a secret. It accepts everything
// else: the ID of an object may come from a mock, and apply checks it.
type referenceValidator struct{}

func (referenceValidator) Description(context.Context) string {
	return "must be the numeric ID of an object"
}

func (v referenceValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (referenceValidator) ValidateString(
	_ context.Context,
	req validator.StringRequest,
	resp *validator.StringResponse,
) {
	if value := req.ConfigValue.ValueString(); strings.Contains(value, "@") || looksLikeSecret(value) {
		addInvalidID(req.Path, &resp.Diagnostics)
	}
}

// oneOf accepts the given values. Its message names the value only if the value
// differs in case, because any other value may be a secret.
func oneOf(values ...string) validator.String { return oneOfValidator{values} }

type oneOfValidator struct{ values []string }

func (v oneOfValidator) Description(context.Context) string {
	return "must be one of " + quoteList(v.values)
}

func (v oneOfValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v oneOfValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	value := req.ConfigValue.ValueString()
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || slices.Contains(v.values, value) {
		return
	}
	detail := fmt.Sprintf("The value of %s must be one of %s.", req.Path, quoteList(v.values))
	for _, other := range v.values {
		if strings.EqualFold(other, value) {
			detail += fmt.Sprintf(" Did you mean %q?", other)
		}
	}
	resp.Diagnostics.AddAttributeError(req.Path, "Invalid attribute value", detail)
}
