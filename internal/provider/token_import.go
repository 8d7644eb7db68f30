// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// tokenForImport returns the token with an import ID: its ID, or "<account ID or user_id>/<token
// name>", in which the name may contain slashes. It returns nil after an error.
func (c call) tokenForImport(ctx context.Context, wanted string) *qualytics.Token {
	const summary = "Unable to import service token"
	tokens, err := c.client.CachedServiceTokens(ctx)
	found := tokensWithImportID(tokens, wanted)
	if err == nil && len(found) == 0 {
		tokens, err = c.client.ServiceTokens(ctx) // it may be newer
		found = tokensWithImportID(tokens, wanted)
	}
	switch {
	case err != nil:
		c.fail(summary, fmt.Sprintf("import ID %q", wanted), err)
	case len(found) == 0:
		c.refuse(summary, "No service token has the import ID %q. The import ID is the numeric ID of the token, such "+
			"as 456, or its account and name, such as api_access@service/ci or 123/ci. Deleted tokens and personal "+
			"tokens cannot be imported.%s Deployment: %s.", wanted, tokenNamesText(tokens, wanted), c.client.URL())
	case len(found) > 1:
		c.refuse(summary, "%d service tokens have the import ID %q. Import by numeric ID instead.", len(found), wanted)
	case found[0].User.UserType != "" && found[0].User.UserType != qualytics.UserTypeService:
		c.refuse(summary, "The token belongs to %q, a user of type %s. Only tokens of service accounts can be managed.",
			found[0].User.UserID, found[0].User.UserType)
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

// importSecret returns the secret of an imported token from the environment if the server
// confirms that it belongs to this token, else null. No diagnostic contains it.
func (c call) importSecret(ctx context.Context, t *qualytics.Token, model tokenModel) types.String {
	const notStored = "Unable to import secret of service token"
	value, _ := c.lookupEnv(envImportToken)
	secret := qualytics.Secret(strings.TrimSpace(value))
	if secret == "" {
		c.warnOfUnknownSecret(model, "If you have the secret, set "+envImportToken+" to it and import again.")
		return types.StringNull()
	}
	withSecret, err := c.client.WithToken(secret)
	if err != nil {
		c.refuse(notStored, "%s", sentence(envImportToken+" is invalid: "+err.Error()))
		return types.StringNull()
	}
	own, err := withSecret.TokenOwnership(ctx, t, "")
	me, meErr := withSecret.Me(ctx)
	switch {
	case meErr != nil:
		c.refuse(notStored, "Unable to look up the owner of the secret in %s. %s The secret may be expired, revoked, "+
			"limited to SCIM, or of another deployment.", envImportToken, responseText(asError(meErr)))
	case me.ID != t.User.ID:
		c.warnOfUnknownSecret(model, "The secret in "+envImportToken+" belongs to another account.")
	case err == nil && own == qualytics.Own:
		return types.StringValue(string(secret))
	case err == nil && own == qualytics.NotOwn:
		c.warnOfUnknownSecret(model, "The secret in "+envImportToken+" belongs to another token of the same account.")
	default:
		c.warnOfUnknownSecret(model, "The secret in "+envImportToken+" belongs to the same account, but the API does "+
			"not report which of its tokens it is, so it is not stored.")
	}
	return types.StringNull()
}

// warnOfSiblings names the other live tokens of the account with the same prefix as an
// imported token: a rotation may have replaced one of them by another.
func (c call) warnOfSiblings(ctx context.Context, t *qualytics.Token) {
	prefix := t.Name[:max(0, len(t.Name)-suffixLength)]
	if !generatedSuffix.MatchString(t.Name[len(prefix):]) {
		return
	}
	tokens, err := c.client.CachedServiceTokens(ctx)
	var lines []string
	for i := range tokens {
		o := &tokens[i]
		suffix, hasPrefix := strings.CutPrefix(o.Name, prefix)
		if err == nil && o.ID != t.ID && o.User.ID == t.User.ID && o.Usable(c.now()) &&
			hasPrefix && generatedSuffix.MatchString(suffix) {
			lines = append(lines, fmt.Sprintf("  - %s, %s", tokenLabel(o), c.lastUseText(ctx, formatID(o.ID))))
		}
	}
	if len(lines) > 0 {
		c.warn(fmt.Sprintf("Other service tokens have the prefix of %q", t.Name), "These tokens of the same account "+
			"are valid too:\n\n%s\n\nA rotation may have replaced one of them by another. The import takes the given "+
			"one only: import the newest, and revoke the others in Qualytics (Settings, Tokens) when they are not "+
			"used any more.", strings.Join(lines, "\n"))
	}
}

// warnOfUnknownSecret explains what an unknown secret means.
func (c call) warnOfUnknownSecret(model tokenModel, reason string) {
	c.warn("Secret of imported service token is unknown", "The server does not return "+
		"the secret of the existing %s, so its attribute token is null, and configurations that use it may fail. A "+
		"rotation creates a known secret, for example after a change of rotate_when_changed. %s", model.label(), reason)
}
