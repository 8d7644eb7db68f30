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
	"github.com/hashicorp/terraform-plugin-framework/types"

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
		if owner := found[0].User; owner.UserType != "" && owner.UserType != qualytics.UserTypeService {
			diags.AddError(failed, fmt.Sprintf("It belongs to the user %q of the type %s. Only tokens of service accounts can be managed.", owner.UserID, owner.UserType))
			return nil
		}
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

// importSecret gives the secret of an imported token from the environment, once
// the server confirms that it is this token's; null where it is not known. No
// diagnostic shows it.
func (r *serviceTokenResource) importSecret(ctx context.Context, client *qualytics.Client, t *qualytics.Token, model serviceTokenModel, diags *diag.Diagnostics) types.String {
	secret, ok := r.data.lookupEnv(envImportToken)
	if secret = strings.TrimSpace(secret); !ok || secret == "" {
		diags.AddWarning("The secret of an imported token is unknown", unknownSecret(model)+
			" Where you have it, set "+envImportToken+" to it and import again.")
		return types.StringNull()
	}
	failed := "The secret in " + envImportToken + " is not stored"
	as, err := client.As(qualytics.Secret(secret))
	if err != nil {
		diags.AddError(failed, sentence(err.Error()))
		return types.StringNull()
	}
	owner, err := as.CurrentUser(ctx)
	if err != nil {
		diags.AddError(failed, "The server was asked whose token it is. "+said(asError(err))+" It may be expired, revoked, limited to SCIM, or not a token of this deployment.")
		return types.StringNull()
	}
	if owner.ID != t.User.ID {
		diags.AddError(failed, fmt.Sprintf("The server says that it belongs to another account than %s does. Set it to the secret of that token, or unset it.", describe(model)))
		return types.StringNull()
	}
	switch own, err := as.IsOwnToken(ctx, t); {
	case err == nil && own == qualytics.OwnYes:
		return types.StringValue(secret)
	case err == nil && own == qualytics.OwnNo:
		diags.AddWarning("The secret of an imported token is unknown", unknownSecret(model)+" The one in "+envImportToken+" is that of another token of the same account.")
	default:
		diags.AddWarning("The secret of an imported token is unknown", unknownSecret(model)+" The one in "+envImportToken+
			" is of the same account, but cannot be told apart from that of another token, so it is not stored.")
	}
	return types.StringNull()
}

func unknownSecret(model serviceTokenModel) string {
	return fmt.Sprintf("The server never shows the secret of %s again, so its attribute token is null: whatever uses it gets nothing. A rotation gives a known one.", describe(model))
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
