// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// This file decides what happens to an existing token. It makes no request, reads no clock,
// and contains no text. ModifyPlan plans the decision, and Update and Delete execute it.

// tokenAction is what happens to an existing token.
type tokenAction int

const (
	tokenKeep    tokenAction = iota // what has changed is stored
	tokenRevoke                     // in place
	tokenRestore                    // in place
	tokenRotate                     // a new token is created beside it, in place
	tokenReplace                    // Terraform removes it, and then creates another
	tokenRefuse                     // it must be replaced, but Terraform may be applying a plan that does not say so
	tokenDestroy
)

// tokenLife is what decides about an existing token: the state and the private data as of
// the last refresh, and the configuration.
type tokenLife struct {
	state      tokenModel
	plan       tokenModel      // as Terraform proposes it
	configName types.String    // null if the configuration has name_prefix
	retiring   []retiringToken // in the state

	// destroys means that the configuration does not contain the token.
	destroys bool
	// wasRead means that this process has read the token. Terraform reads nothing during
	// apply, so a process that has not read it is applying, or plans without a refresh.
	wasRead bool
	// unchanged means that Terraform proposes the state as the plan.
	unchanged bool
	// byClock means that the status is that at the time of the plan.
	byClock bool
	// newAccounts means that the plan creates or replaces a service account.
	newAccounts bool
}

// tokenDecision is what happens to an existing token and to its retiring tokens.
type tokenDecision struct {
	action tokenAction
	// causes contains the attributes that require a new token. "status" stands for the
	// status, or for a rotation window that has begun.
	causes []string
	// uncertain means that values that are unknown while planning decide whether there is a
	// new token.
	uncertain bool
	// stay and leave contain the retiring tokens that are kept and removed.
	stay, leave []retiringToken
}

const statusAttribute = "status"

// decideAt returns what happens at now, and the life from which that was decided. If nothing
// has changed and this process has not read the token, the clock decides: Terraform does not
// plan an unchanged object again during apply.
func (l tokenLife) decideAt(now time.Time) (tokenLife, tokenDecision) {
	d := l.decide()
	if l.unchanged && !l.wasRead && d.changesNothing() {
		l = l.at(now)
		d = l.decide()
	}
	return l, d
}

// decide returns what happens without looking at the clock.
func (l tokenLife) decide() tokenDecision {
	var d tokenDecision
	d.action, d.causes, d.uncertain = l.action()
	for _, t := range l.retiring {
		if d.removesAll() || l.leaves(t) {
			d.leave = append(d.leave, t)
		} else {
			d.stay = append(d.stay, l.withOverlap(t))
		}
	}
	return d
}

// removesAll reports whether the current token and all retiring tokens are removed.
func (d tokenDecision) removesAll() bool { return d.action == tokenReplace || d.action == tokenDestroy }

// changesNothing reports whether nothing but values of the configuration can change.
func (d tokenDecision) changesNothing() bool {
	return d.action == tokenKeep && !d.uncertain && len(d.leave) == 0
}

// action returns what happens to the current token, the attributes that require a new one,
// and whether unknown values decide that.
func (l tokenLife) action() (action tokenAction, causes []string, uncertain bool) {
	if l.destroys {
		return tokenDestroy, nil, false
	}
	switch account := l.plan.ServiceAccountID; {
	case account.IsUnknown() && l.newAccounts:
		return tokenReplace, []string{"service_account_id"}, false
	case !account.IsUnknown() && !account.Equal(l.state.ServiceAccountID):
		return l.replacement(), []string{"service_account_id"}, false
	}
	causes, uncertain = l.changedArguments()
	changed := len(causes) > 0
	if required, mayBe := l.statusRequiresNew(); required {
		causes = append(causes, statusAttribute)
	} else {
		uncertain = uncertain || mayBe
	}
	switch {
	case len(causes) > 0 && l.hasFixedName() && (changed || l.wasRead):
		return l.replacement(), causes, false
	case len(causes) > 0 && l.hasFixedName():
		return tokenRotate, causes, true // Terraform reads it and plans again, or Update refuses it
	case len(causes) > 0:
		return tokenRotate, causes, uncertain
	case l.plan.Revoked.IsUnknown() || l.plan.Revoked.Equal(l.state.Revoked):
		return tokenKeep, nil, uncertain || l.mayBecomeDue()
	case l.plan.Revoked.ValueBool():
		return tokenRevoke, nil, uncertain
	default:
		return tokenRestore, nil, uncertain
	}
}

// mayBecomeDue reports whether unknown values may change nothing, and the token may become
// due until they are known: then the clock decides during apply.
func (l tokenLife) mayBecomeDue() bool { return l.hasUnknown() && !l.state.ExpiresAt.IsNull() }

// hasUnknown reports whether an argument is unknown.
func (l tokenLife) hasUnknown() bool {
	return l.plan.ServiceAccountID.IsUnknown() || slices.ContainsFunc(l.plan.arguments(), attr.Value.IsUnknown)
}

// replacement returns how a token is replaced, which a process that may be applying cannot
// plan: Terraform does not accept it if a value was unknown in the plan of this apply.
func (l tokenLife) replacement() tokenAction {
	if l.wasRead {
		return tokenReplace
	}
	return tokenRefuse
}

// hasFixedName reports whether the configuration has a fixed name that stays the same. The
// server allows a name once, so another token cannot exist beside this one.
func (l tokenLife) hasFixedName() bool {
	return !l.configName.IsNull() && !l.configName.IsUnknown() && l.configName.Equal(l.state.Name)
}

// changedArguments returns the arguments whose change requires a new token, and whether
// unknown values may change another. What the API does not report cannot be compared after
// an import, so its first configured value is adopted.
func (l tokenLife) changedArguments() (changed []string, mayBe bool) {
	state, plan := l.state, l.plan
	fixed := !l.configName.IsNull()
	for _, a := range []struct {
		attribute string
		known     bool
		changes   bool
	}{
		{"name", !l.configName.IsUnknown(), fixed && !l.configName.Equal(state.Name)},
		{
			"name_prefix",
			!plan.NamePrefix.IsUnknown(), !fixed && !plan.NamePrefix.Equal(state.NamePrefix) && !l.adoptsPrefix(),
		},
		{
			"expires_in_days", !plan.ExpiresInDays.IsUnknown(),
			!plan.ExpiresInDays.Equal(state.ExpiresInDays) && !l.adoptsLifetime(),
		},
		{
			"scim_endpoints_only", !plan.SCIMEndpointsOnly.IsUnknown(),
			!plan.SCIMEndpointsOnly.Equal(state.SCIMEndpointsOnly) && !l.state.memory.Imported,
		},
		{
			"encryption", !hasUnknown(plan.Encryption),
			!plan.Encryption.Equal(state.Encryption) && !l.adoptsEncryption(),
		},
		{
			"rotate_when_changed", !hasUnknown(plan.RotateWhenChanged),
			!state.RotateWhenChanged.IsNull() && !plan.RotateWhenChanged.IsNull() &&
				!plan.RotateWhenChanged.Equal(state.RotateWhenChanged),
		},
	} {
		switch {
		case !a.known:
			mayBe = true
		case a.changes:
			changed = append(changed, a.attribute)
		}
	}
	return changed, mayBe
}

// adoptsPrefix reports whether a configured prefix is stored without a new token: the token
// was imported, or its name has that prefix.
func (l tokenLife) adoptsPrefix() bool {
	return l.state.NamePrefix.IsNull() && (l.state.memory.Imported || l.plan.hasPrefixOf(l.state))
}

// adoptsLifetime reports whether a configured lifetime is stored without a new token: the
// token expires, but after how many days is not known.
func (l tokenLife) adoptsLifetime() bool {
	return l.state.ExpiresInDays.IsNull() && !l.state.ExpiresAt.IsNull() && !l.plan.ExpiresInDays.IsNull()
}

// adoptsEncryption reports whether a configured encryption is stored without a new token:
// the token was imported.
func (l tokenLife) adoptsEncryption() bool {
	return l.state.memory.Imported && l.state.Encryption.IsNull() && !l.plan.Encryption.IsNull()
}

// statusRequiresNew reports whether the status requires a new token, or may do so.
func (l tokenLife) statusRequiresNew() (required, mayBe bool) {
	switch status := l.state.Status.ValueString(); {
	case l.plan.Revoked.ValueBool():
		return false, false
	case status == statusExpired:
		required = true
	case status == statusRevoked:
		required = !l.state.memory.RevokedByConfig
	case l.plan.RotateBeforeDays.IsUnknown():
		mayBe = !l.state.ExpiresAt.IsNull()
	case l.state.memory.DaysLeft == nil:
		required = status == statusRotationDue
	default:
		required = l.state.isDue(*l.state.memory.DaysLeft, l.plan.RotateBeforeDays)
	}
	if l.plan.Revoked.IsUnknown() {
		return false, required || mayBe
	}
	return required, mayBe
}

// keepsOld reports whether a rotation leaves the old token valid: it works, an overlap is
// configured, and it is not to be revoked.
func (l tokenLife) keepsOld() bool { return !l.endsOverlaps() && l.state.works() }

// endsOverlaps reports whether the configuration lets no replaced token stay valid.
func (l tokenLife) endsOverlaps() bool {
	return l.plan.Revoked.ValueBool() || !l.plan.OverlapDays.IsUnknown() && l.plan.OverlapDays.ValueInt64() == 0
}

// leaves reports whether a retiring token is removed. One that the provider uses stays.
func (l tokenLife) leaves(t retiringToken) bool {
	switch {
	case t.own:
		return false
	case l.endsOverlaps(), t.memory.Status == retiringRevoked:
		return true
	}
	// With a longer overlap, the next refresh decides again.
	return t.memory.Status == retiringEnded && l.plan.OverlapDays.ValueInt64() <= l.state.OverlapDays.ValueInt64()
}

// withOverlap returns a retiring token with the end of its overlap: overlap_days may have changed.
func (l tokenLife) withOverlap(t retiringToken) retiringToken {
	if !l.plan.OverlapDays.IsUnknown() && !l.plan.OverlapDays.Equal(l.state.OverlapDays) &&
		!t.memory.ReplacedAt.IsZero() {
		t.RetireAt = timetypes.NewRFC3339TimeValue(t.memory.endOfOverlap(days(l.plan.OverlapDays)).UTC())
	}
	return t
}

// at returns the life as a refresh at now would find it, as far as the state tells. If a
// retiring token has ended, the current one stays as it is: the plan may be applied when
// another is due, too, and must then still agree.
func (l tokenLife) at(now time.Time) tokenLife {
	l.byClock = true
	l.retiring = slices.Clone(l.retiring)
	for i, t := range l.retiring {
		if t.memory.Status != retiringRevoked {
			l.retiring[i].memory.Status = t.statusAt(now, days(l.state.OverlapDays), t.memory.LastUsed)
		}
	}
	if slices.ContainsFunc(l.retiring, l.leaves) || l.state.Revoked.ValueBool() {
		return l
	}
	l.state.memory.DaysLeft = l.state.daysLeft(now)
	l.state.Status = types.StringValue(l.state.statusAt(now))
	return l
}

// planned returns the plan of a decision. What depends on the server, or on a value that
// is unknown, is unknown.
func (l tokenLife) planned(d tokenDecision) tokenModel {
	p := l.plan
	switch {
	case d.action == tokenRotate, d.action == tokenReplace, d.uncertain:
		l.planNew(&p)
	case !p.Revoked.Equal(l.state.Revoked):
		p.Status = types.StringUnknown()
	case l.state.Status.ValueString() == statusRotationDue && !p.Revoked.ValueBool() && !p.RotateBeforeDays.IsUnknown():
		p.Status = types.StringValue(statusActive) // another window ends what was due
	default:
		p.Status = l.state.Status
	}
	if d.action != tokenRotate && !d.uncertain && l.adoptsEncryption() {
		p.Token, p.EncryptedToken = types.StringNull(), types.StringNull()
		if !l.state.Token.IsNull() {
			p.EncryptedToken = types.StringUnknown()
		}
	}
	p.RetiringTokens = l.plannedRetiring(d)
	return p
}

// planNew marks what the server decides for a new token as unknown.
func (l tokenLife) planNew(p *tokenModel) {
	if l.configName.IsNull() {
		p.Name = types.StringUnknown()
	}
	p.planSecret()
	p.ID, p.Status = types.StringUnknown(), types.StringUnknown()
	p.CreatedAt, p.ExpiresAt = timetypes.NewRFC3339Unknown(), timetypes.NewRFC3339Unknown()
}

// plannedRetiring returns the plan of retiring_tokens. It is unknown if it depends on
// unknown values or the clock, and if tokens are removed: one that is still used, or that
// cannot be removed, stays.
func (l tokenLife) plannedRetiring(d tokenDecision) types.List {
	switch {
	case d.action == tokenReplace:
		return retiringList(nil)
	case d.uncertain, len(d.leave) > 0, len(l.retiring) > 0 && l.hasUnknown():
		return types.ListUnknown(retiringTokenType)
	case d.action != tokenRotate:
		return retiringList(d.stay)
	case l.hasUnknown(), l.byClock, !l.keepsOld():
		return types.ListUnknown(retiringTokenType)
	}
	old := retiringToken{ID: l.state.ID, Name: l.state.Name, RetireAt: timetypes.NewRFC3339Unknown()}
	return retiringList(append(slices.Clone(d.stay), old))
}

// mayEnd reports whether unknown values decide that the current token, or retiring tokens that
// stay otherwise, end in the same apply.
func (l tokenLife) mayEnd(d tokenDecision) (current, retiring bool) {
	overlap := l.plan.OverlapDays
	mayRevoke := l.plan.Revoked.IsUnknown() && !l.state.Revoked.ValueBool()
	mayRemove := overlap.IsUnknown() && (d.uncertain || d.action == tokenRotate) ||
		d.uncertain && overlap.ValueInt64() == 0
	current = l.state.works() && (mayRevoke || mayRemove && !l.hasFixedName())
	return current, l.plan.Revoked.IsUnknown() || overlap.IsUnknown()
}

// unknownForCreation returns the first argument whose unknown value may make the creation of
// a token fail, or "". It returns none if the account is replaced, which ends the token anyway.
func (l tokenLife) unknownForCreation() string {
	unknown := unknownNames(
		argument{"name", l.configName}, argument{"name_prefix", l.plan.NamePrefix},
		argument{"expires_in_days", l.plan.ExpiresInDays}, argument{"rotate_before_days", l.plan.RotateBeforeDays},
		argument{"overlap_days", l.plan.OverlapDays}, argument{"deletion_policy", l.plan.DeletionPolicy},
		argument{"encryption", l.plan.Encryption})
	if l.plan.ServiceAccountID.IsUnknown() || len(unknown) == 0 {
		return ""
	}
	return unknown[0]
}

// isReconfigured reports whether the configuration changes a token that stays, other than
// by revoking it, which must always be possible.
func (l tokenLife) isReconfigured() bool {
	if l.plan.Revoked.ValueBool() && !l.state.Revoked.ValueBool() {
		return false
	}
	return !slices.EqualFunc(l.plan.arguments(), l.state.arguments(), attr.Value.Equal)
}
