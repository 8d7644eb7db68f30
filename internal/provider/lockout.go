// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// lockout is the guard against operations after which the provider could not log
// in any more: those on its own account and its own token. While planning, it
// refuses what is certain. During apply, it also refuses what is uncertain.
type lockout struct {
	call
	planning bool
}

const lockoutSummary = "Operation would lock out the provider"

// planGuard returns the guard for a plan, and applyGuard the one for an apply.
func (c call) planGuard() lockout { return lockout{c, true} }

func (c call) applyGuard() lockout { return lockout{c, false} }

// allowsRemoval reports whether an account may be destroyed or replaced.
func (l lockout) allowsRemoval(ctx context.Context, account accountModel, operation string) bool {
	own, ok := l.ownAccount(ctx, account)
	if ok && own != nil {
		l.refuseAccount(account, operation)
	}
	return ok && own == nil
}

// allowsRole reports whether an account may get a role. The provider's own account
// must not lose the role Admin, whatever the state says.
func (l lockout) allowsRole(ctx context.Context, account accountModel, role types.String) bool {
	if role.IsUnknown() || role.ValueString() == qualytics.RoleAdmin {
		return true
	}
	own, ok := l.ownAccount(ctx, account)
	// The server may not report the role. Whoever manages accounts is an Admin.
	if ok && own != nil && (own.Role == qualytics.RoleAdmin || own.Role == "") {
		l.refuseAccount(account, "Demoting")
		return false
	}
	return ok
}

// ownAccount returns the user that the provider is logged in as if that is the
// account, else nil. It reports false if that is unknown and not to be ignored.
func (l lockout) ownAccount(ctx context.Context, account accountModel) (*qualytics.User, bool) {
	me, err := l.client.Me(ctx)
	switch {
	case err != nil && l.planning:
		return nil, true
	case err != nil:
		l.fail("Unable to determine the provider's own account",
			account.label()+" is unchanged, because it may be the account that the provider uses", err)
		return nil, false
	case account.ID.ValueString() != formatID(me.ID):
		return nil, true
	}
	return me, true
}

func (l lockout) refuseAccount(account accountModel, operation string) {
	l.refuse(lockoutSummary, "%s %s is refused, because the provider is logged in as this "+
		"account. Run Terraform with the token of another Admin, or remove the account from the state with "+
		"\"%s state rm ADDRESS\".", operation, account.label(), l.cli)
}

// allowsRevocation reports whether a token may be revoked or deleted. secret is "" if
// it is not known; label names the token in messages.
func (l lockout) allowsRevocation(ctx context.Context, token *qualytics.Token, secret qualytics.Secret,
	label string,
) bool {
	own, err := l.client.TokenOwnership(ctx, token, secret)
	switch {
	case own == qualytics.NotOwn, l.planning && own == qualytics.MaybeOwn:
		return true
	case err != nil:
		l.fail("Unable to determine the provider's own token",
			label+" is unchanged, because it may be the token that the provider uses", err)
	case own == qualytics.Own:
		l.refuseToken(lockoutSummary, label, "this is the token that the provider uses")
	default:
		l.refuseToken("Operation might lock out the provider", label, "it belongs to the account that the provider "+
			"is logged in as, and the provider cannot tell it apart from its own token")
	}
	return false
}

// allowsRevocationOf is allowsRevocation for the current token of a resource.
func (l lockout) allowsRevocationOf(ctx context.Context, token tokenModel) bool {
	return l.allowsRevocation(ctx, token.apiToken(), qualytics.Secret(token.Token.ValueString()), token.label())
}

func (l lockout) refuseToken(summary, label, reason string) {
	l.refuse(summary, "Revoking or deleting %s is refused: %s. Configure the provider with the token of another "+
		"Admin, or, to keep the token outside of Terraform, remove it from the state with \"%s state rm ADDRESS\".",
		label, reason, l.cli)
}
