// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// tokenForImport returns the token with an import ID: its ID, or
// "<account ID or user_id>/<token name>", in which the name may contain slashes. It
// returns nil after an error.
func tokenForImport(ctx context.Context, client *qualytics.Client, wanted string,
	diags *diag.Diagnostics,
) *qualytics.Token {
	const summary = "Unable to import service token"
	tokens, err := client.CachedServiceTokens(ctx)
	found := tokensWithImportID(tokens, wanted)
	if err == nil && len(found) == 0 {
		tokens, err = client.ServiceTokens(ctx) // it may be newer
		found = tokensWithImportID(tokens, wanted)
	}
	switch {
	case err != nil:
		call{diags: diags}.fail(summary, fmt.Sprintf("import ID %q", wanted), err)
	case len(found) == 0:
		diags.AddError(summary, fmt.Sprintf("No service token has the import ID %q. The import ID is the numeric ID "+
			"of the token, such as 456, or its account and name, such as api_access@service/ci or 123/ci. "+
			"Deleted tokens and personal tokens cannot be imported.%s Deployment: %s.", wanted,
			tokenNamesText(tokens, wanted), client.URL()))
	case len(found) > 1:
		diags.AddError(summary,
			fmt.Sprintf("%d service tokens have the import ID %q. Import by numeric ID instead.", len(found), wanted))
	case found[0].User.UserType != "" && found[0].User.UserType != qualytics.UserTypeService:
		diags.AddError(summary, fmt.Sprintf("The token belongs to %q, a user of type %s. Only tokens of service "+
			"accounts can be managed.", found[0].User.UserID, found[0].User.UserType))
	default:
		return &found[0]
	}
	return nil
}

func tokensWithImportID(tokens []qualytics.Token, wanted string) []qualytics.Token {
	account, name, byName := strings.Cut(wanted, "/")
	var found []qualytics.Token
	for _, t := range tokens {
		if (!byName && formatID(t.ID) == wanted) || (byName && isOwnedBy(t, account) && t.Name == name) {
			found = append(found, t)
		}
	}
	if len(found) > 1 { // a deactivated account may have had the same user_id
		found = slices.DeleteFunc(found, func(t qualytics.Token) bool { return t.User.Deactivated() })
	}
	return found
}

// isOwnedBy reports whether a token belongs to the account with an ID or user_id.
func isOwnedBy(t qualytics.Token, account string) bool {
	return account == formatID(t.User.ID) || account == t.User.UserID
}

// tokenNamesText returns a sentence with the names of the tokens that an import by
// account and name may have meant, or "".
func tokenNamesText(tokens []qualytics.Token, wanted string) string {
	const most = 10
	account, _, byName := strings.Cut(wanted, "/")
	var names []string
	for _, t := range tokens {
		if byName && isOwnedBy(t, account) {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " The tokens of this account are " + quoteList(names[:min(most, len(names))]) + "."
}
