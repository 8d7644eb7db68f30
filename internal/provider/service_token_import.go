// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// tokenForImport finds the token that wanted names: its id, or
// "<account id or user_id>/<token name>", where the name may contain slashes.
// It returns nil after an error.
func tokenForImport(ctx context.Context, client *qualytics.Client, wanted string, diags *diag.Diagnostics) *qualytics.Token {
	failed := fmt.Sprintf("The service token %q cannot be imported", wanted)
	tokens, err := client.ServiceTokens(ctx)
	if err != nil {
		addError(diags, failed, err)
		return nil
	}
	var found []qualytics.Token
	account, name, byName := strings.Cut(wanted, "/")
	for _, t := range tokens {
		id := strconv.FormatInt(t.ID, 10)
		ofAccount := account == strconv.FormatInt(t.User.ID, 10) || account == t.User.UserID
		if (!byName && id == wanted) || (byName && ofAccount && t.Name == name) {
			found = append(found, t)
		}
	}
	if len(found) > 1 { // a deactivated account may have had the same user_id
		found = slices.DeleteFunc(found, func(t qualytics.Token) bool { return t.User.Deactivated() })
	}
	switch len(found) {
	case 1:
		return &found[0]
	case 0:
		diags.AddError(failed, "No service token is called like that. The import takes the token's id, such as 456, "+
			"or its account and name, such as api_access@service/ci or 123/ci. "+
			"Deleted tokens and the personal tokens of people cannot be imported."+namesOfAccount(tokens, account, byName))
	default:
		diags.AddError(failed, fmt.Sprintf("%d service tokens are called like that. Import by id instead.", len(found)))
	}
	return nil
}

// namesOfAccount lists the names that an import could have meant.
func namesOfAccount(tokens []qualytics.Token, account string, byName bool) string {
	var names []string
	for _, t := range tokens {
		if byName && (account == strconv.FormatInt(t.User.ID, 10) || account == t.User.UserID) {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	const most = 10
	return " The tokens of this account are " + quoteList(names[:min(most, len(names))]) + "."
}
