// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var lifeStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	lifeDays   = 30
	lifeWindow = 10
)

// newLife returns the life of a token as a refresh at the given age found it, with a
// configuration that is the state.
func newLife(age time.Duration, fixed bool) tokenLife {
	m := tokenModel{
		ID: types.StringValue("5"), ServiceAccountID: types.StringValue("1"), Name: types.StringValue("ci"),
		NamePrefix: types.StringNull(), ExpiresInDays: types.Int64Value(lifeDays),
		SCIMEndpointsOnly: types.BoolValue(false), RotateBeforeDays: types.Int64Value(lifeWindow),
		RotateWhenChanged: triggers("1"), OverlapDays: types.Int64Value(5), Revoked: types.BoolValue(false),
		DeletionPolicy: types.StringValue(policyDelete), Encryption: types.ObjectNull(encryptionTypes),
		Token: types.StringValue("secret"), EncryptedToken: types.StringNull(),
		CreatedAt:      timetypes.NewRFC3339TimeValue(lifeStart),
		ExpiresAt:      timetypes.NewRFC3339TimeValue(lifeStart.Add(lifeDays * day)),
		RetiringTokens: retiringList(nil),
	}
	configName := types.StringValue("ci")
	if !fixed {
		m.NamePrefix, m.Name, configName = types.StringValue("ci-"), types.StringValue("ci-1"), types.StringNull()
	}
	now := lifeStart.Add(age)
	m.Status = types.StringValue(m.statusAt(now))
	m.memory = tokenMemory{DaysLeft: m.daysLeft(now)}
	return tokenLife{state: m, plan: m, configName: configName, wasRead: true}
}

func triggers(value string) types.Map {
	return types.MapValueMust(types.StringType, map[string]attr.Value{"n": types.StringValue(value)})
}

func unknownTrigger() types.Map {
	return types.MapValueMust(types.StringType, map[string]attr.Value{"n": types.StringUnknown()})
}

// revokedLife returns the life of a token that is revoked, by this configuration or by
// someone else. By someone else, the configuration does not want that.
func revokedLife(byConfig, fixed bool) tokenLife {
	l := newLife(day, fixed)
	l.state.Revoked, l.state.Status = types.BoolValue(true), types.StringValue(statusRevoked)
	l.state.memory.RevokedByConfig = byConfig
	l.plan.Revoked = types.BoolValue(byConfig)
	return l
}

// The ages at which a token has a status.
const (
	ageActive  = day
	ageDue     = (lifeDays - lifeWindow) * day
	ageExpired = lifeDays * day
)

// lifeWith returns a life with changes of the configuration, or of what else a plan knows.
func lifeWith(l tokenLife, changes ...func(*tokenLife)) tokenLife {
	for _, change := range changes {
		change(&l)
	}
	return l
}

func revokes(l *tokenLife)   { l.plan.Revoked = types.BoolValue(true) }
func restores(l *tokenLife)  { l.plan.Revoked = types.BoolValue(false) }
func notRead(l *tokenLife)   { l.wasRead = false }
func destroyed(l *tokenLife) { l.destroys = true }
func imported(l *tokenLife)  { l.state.memory.Imported = true }

type lifeChange = func(*tokenLife)

func inPlan(change func(m *tokenModel)) func(*tokenLife) {
	return func(l *tokenLife) { change(&l.plan) }
}

// Each cell of the table of statuses, each reason for a new token, and each argument that is
// unknown.
func TestTokenDecision(t *testing.T) {
	t.Parallel()
	const here, others = "revoked here", "revoked by someone else"
	status := []string{statusAttribute}
	type change = lifeChange
	overlap := func(days int64) change { return inPlan(func(m *tokenModel) { m.OverlapDays = types.Int64Value(days) }) }
	window := func(v types.Int64) change { return inPlan(func(m *tokenModel) { m.RotateBeforeDays = v }) }
	account := func(v types.String) change { return inPlan(func(m *tokenModel) { m.ServiceAccountID = v }) }
	lifetime := func(v types.Int64) change { return inPlan(func(m *tokenModel) { m.ExpiresInDays = v }) }
	scim := func(v types.Bool) change { return inPlan(func(m *tokenModel) { m.SCIMEndpointsOnly = v }) }
	trigger := func(v types.Map) change { return inPlan(func(m *tokenModel) { m.RotateWhenChanged = v }) }
	encrypt := func(v types.Object) change { return inPlan(func(m *tokenModel) { m.Encryption = v }) }
	revoked := func(v types.Bool) change { return inPlan(func(m *tokenModel) { m.Revoked = v }) }
	key := types.ObjectValueMust(encryptionTypes, map[string]attr.Value{
		"algorithm": types.StringValue("age"), "public_key": types.StringUnknown(),
	})
	known := types.ObjectValueMust(encryptionTypes, map[string]attr.Value{
		"algorithm": types.StringValue("age"), "public_key": types.StringValue("age1"),
	})
	stateOf := func(f func(m *tokenModel)) change { return func(l *tokenLife) { f(&l.state) } }
	neverExpires := func(l *tokenLife) {
		for _, m := range []*tokenModel{&l.state, &l.plan} {
			m.ExpiresAt, m.ExpiresInDays = timetypes.NewRFC3339Null(), types.Int64Null()
			m.RotateBeforeDays = types.Int64Null()
		}
		l.state.memory.DaysLeft, l.state.Status = nil, types.StringValue(statusActive)
	}
	newAccounts := func(l *tokenLife) { l.newAccounts = true }
	const sure, unsure, ends, keeps = false, true, false, true
	for _, tc := range []struct {
		name      string
		start     any // the age, or who revoked it
		changes   []change
		prefix    tokenAction // with name_prefix
		fixed     tokenAction // with a fixed name that stays the same
		causes    []string
		uncertain bool
		keepsOld  bool // with name_prefix
	}{
		{"active", ageActive, nil, tokenKeep, tokenKeep, nil, sure, ends},
		{"active, revoke", ageActive, []change{revokes}, tokenRevoke, tokenRevoke, nil, sure, ends},
		{"due", ageDue, nil, tokenRotate, tokenReplace, status, sure, keeps},
		{"due, not read", ageDue, []change{notRead}, tokenRotate, tokenRotate, status, sure, keeps},
		{"due, revoke", ageDue, []change{revokes}, tokenRevoke, tokenRevoke, nil, sure, ends},
		{"due, no overlap", ageDue, []change{overlap(0)}, tokenRotate, tokenReplace, status, sure, ends},
		{
			"due, new overlap", ageDue,
			[]change{stateOf(func(m *tokenModel) { m.OverlapDays = types.Int64Value(0) })},
			tokenRotate, tokenReplace, status, sure, keeps,
		},
		{"expired", ageExpired, nil, tokenRotate, tokenReplace, status, sure, ends},
		{"expired, revoke", ageExpired, []change{revokes}, tokenRevoke, tokenRevoke, nil, sure, ends},
		{"revoked here", here, nil, tokenKeep, tokenKeep, nil, sure, ends},
		{"revoked here, restore", here, []change{restores}, tokenRestore, tokenRestore, nil, sure, ends},
		{"revoked by someone else", others, nil, tokenRotate, tokenReplace, status, sure, ends},
		{"revoked by someone else, as configured", others, []change{revokes}, tokenKeep, tokenKeep, nil, sure, ends},
		{"destroyed", ageDue, []change{destroyed}, tokenDestroy, tokenDestroy, nil, sure, ends},

		{
			"longer window", ageActive,
			[]change{window(types.Int64Value(29))},
			tokenRotate, tokenReplace, status, sure,
			keeps,
		},
		{"shorter window", ageDue, []change{window(types.Int64Value(9))}, tokenKeep, tokenKeep, nil, sure, ends},
		{"no window", ageDue, []change{window(types.Int64Null())}, tokenKeep, tokenKeep, nil, sure, ends},
		{
			"window covers the lifetime", ageActive,
			[]change{window(types.Int64Value(30))},
			tokenKeep, tokenKeep, nil,
			sure, ends,
		},
		{
			"due, but the memory is lost", ageDue,
			[]change{func(l *tokenLife) { l.state.memory.DaysLeft = nil }},
			tokenRotate, tokenReplace, status, sure, keeps,
		},
		{
			"another account", ageActive,
			[]change{account(types.StringValue("2"))},
			tokenReplace, tokenReplace,
			[]string{"service_account_id"},
			sure, ends,
		},
		{
			"another account, not read", ageActive,
			[]change{account(types.StringValue("2")), notRead},
			tokenRefuse,
			tokenRefuse,
			[]string{"service_account_id"},
			sure, ends,
		},
		{
			"another account, due", ageDue,
			[]change{account(types.StringValue("2"))},
			tokenReplace, tokenReplace,
			[]string{"service_account_id"},
			sure, ends,
		},
		{
			"lifetime", ageActive,
			[]change{lifetime(types.Int64Value(60))},
			tokenRotate, tokenReplace,
			[]string{"expires_in_days"},
			sure, keeps,
		},
		{
			"lifetime, not read", ageActive,
			[]change{lifetime(types.Int64Value(60)), notRead},
			tokenRotate,
			tokenRefuse,
			[]string{"expires_in_days"},
			sure, keeps,
		},
		{
			"no lifetime", ageActive,
			[]change{lifetime(types.Int64Null())},
			tokenRotate, tokenReplace,
			[]string{"expires_in_days"},
			sure, keeps,
		},
		{
			"lifetime of one that never expires", ageActive,
			[]change{neverExpires, lifetime(types.Int64Value(30))},
			tokenRotate, tokenReplace,
			[]string{"expires_in_days"},
			sure, keeps,
		},
		{
			"lifetime that is not known", ageActive,
			[]change{stateOf(func(m *tokenModel) { m.ExpiresInDays = types.Int64Null() })},
			tokenKeep, tokenKeep, nil, sure, ends,
		},
		{
			"SCIM", ageActive,
			[]change{scim(types.BoolValue(true))},
			tokenRotate, tokenReplace,
			[]string{"scim_endpoints_only"},
			sure, keeps,
		},
		{
			"SCIM of an imported token", ageActive,
			[]change{imported, scim(types.BoolValue(true))},
			tokenKeep,
			tokenKeep, nil, sure, ends,
		},
		{
			"encryption", ageActive,
			[]change{encrypt(known)},
			tokenRotate, tokenReplace,
			[]string{"encryption"},
			sure,
			keeps,
		},
		{
			"encryption of an imported token", ageActive,
			[]change{imported, encrypt(known)},
			tokenKeep, tokenKeep, nil,
			sure, ends,
		},
		{
			"trigger", ageActive,
			[]change{trigger(triggers("2"))},
			tokenRotate, tokenReplace,
			[]string{"rotate_when_changed"},
			sure, keeps,
		},
		{
			"trigger and expired", ageExpired,
			[]change{trigger(triggers("2"))},
			tokenRotate, tokenReplace,
			[]string{"rotate_when_changed", statusAttribute},
			sure, ends,
		},
		{
			"trigger and revoke", ageActive,
			[]change{trigger(triggers("2")), revokes},
			tokenRotate, tokenReplace,
			[]string{"rotate_when_changed"},
			sure, ends,
		},
		{
			"trigger and restore", here,
			[]change{trigger(triggers("2")), restores},
			tokenRotate, tokenReplace,
			[]string{"rotate_when_changed"},
			sure, ends,
		},
		{
			"triggers removed", ageActive,
			[]change{trigger(types.MapNull(types.StringType))},
			tokenKeep, tokenKeep,
			nil, sure, ends,
		},
		{
			"triggers added", ageActive,
			[]change{stateOf(func(m *tokenModel) { m.RotateWhenChanged = types.MapNull(types.StringType) })},
			tokenKeep, tokenKeep, nil, sure, ends,
		},
		{
			"policy", ageActive,
			[]change{inPlan(func(m *tokenModel) { m.DeletionPolicy = types.StringValue(policyRevoke) })},
			tokenKeep, tokenKeep, nil, sure, ends,
		},
		{"longer overlap", ageActive, []change{overlap(9)}, tokenKeep, tokenKeep, nil, sure, ends},

		{
			"unknown account", ageActive,
			[]change{account(types.StringUnknown())},
			tokenKeep, tokenKeep, nil, unsure,
			ends,
		},
		{
			"unknown account, due", ageDue,
			[]change{account(types.StringUnknown())},
			tokenRotate, tokenReplace, status,
			sure, keeps,
		},
		{
			"unknown account, new accounts", ageActive,
			[]change{account(types.StringUnknown()), newAccounts},
			tokenReplace, tokenReplace,
			[]string{"service_account_id"},
			sure, ends,
		},
		{
			"unknown lifetime", ageActive,
			[]change{lifetime(types.Int64Unknown())},
			tokenKeep, tokenKeep, nil, unsure,
			ends,
		},
		{"unknown SCIM", ageActive, []change{scim(types.BoolUnknown())}, tokenKeep, tokenKeep, nil, unsure, ends},
		{"unknown window", ageDue, []change{window(types.Int64Unknown())}, tokenKeep, tokenKeep, nil, unsure, ends},
		{
			"unknown window, never expires", ageActive,
			[]change{neverExpires, window(types.Int64Unknown())},
			tokenKeep,
			tokenKeep, nil, sure, ends,
		},
		{
			"unknown window, expired", ageExpired,
			[]change{window(types.Int64Unknown())},
			tokenRotate, tokenReplace,
			status, sure, ends,
		},
		{"unknown trigger", ageActive, []change{trigger(unknownTrigger())}, tokenKeep, tokenKeep, nil, unsure, ends},
		{"unknown encryption", ageActive, []change{encrypt(key)}, tokenKeep, tokenKeep, nil, unsure, ends},
		{
			"unknown encryption, lifetime", ageActive,
			[]change{encrypt(key), lifetime(types.Int64Value(60))},
			tokenRotate, tokenReplace,
			[]string{"expires_in_days"},
			unsure, keeps,
		},
		{"unknown revoked", ageActive, []change{revoked(types.BoolUnknown())}, tokenKeep, tokenKeep, nil, unsure, ends},
		{
			"unknown revoked, due", ageDue,
			[]change{revoked(types.BoolUnknown())},
			tokenKeep, tokenKeep, nil, unsure,
			ends,
		},
		{
			"unknown revoked, revoked by someone else", others,
			[]change{revoked(types.BoolUnknown())},
			tokenKeep,
			tokenKeep, nil, unsure, ends,
		},
		{
			"unknown overlap", ageActive,
			[]change{inPlan(func(m *tokenModel) { m.OverlapDays = types.Int64Unknown() })},
			tokenKeep, tokenKeep, nil, unsure, ends,
		},
		{
			"unknown overlap, never expires", ageActive,
			[]change{neverExpires, inPlan(func(m *tokenModel) { m.OverlapDays = types.Int64Unknown() })},
			tokenKeep, tokenKeep, nil, sure, ends,
		},
		{
			"unknown overlap, due", ageDue,
			[]change{inPlan(func(m *tokenModel) { m.OverlapDays = types.Int64Unknown() })},
			tokenRotate, tokenReplace, status, sure, keeps,
		},
		{
			"unknown policy", ageActive,
			[]change{inPlan(func(m *tokenModel) { m.DeletionPolicy = types.StringUnknown() })},
			tokenKeep, tokenKeep, nil, unsure, ends,
		},
	} {
		for _, fixed := range []bool{false, true} {
			var l tokenLife
			switch start := tc.start.(type) {
			case time.Duration:
				l = newLife(start, fixed)
			default:
				l = revokedLife(start == here, fixed)
			}
			l = lifeWith(l, tc.changes...)
			d := l.decide()
			keepsOld := d.action == tokenRotate && l.keepsOld()
			want, uncertain := tc.prefix, tc.uncertain
			if fixed {
				want = tc.fixed
				uncertain = uncertain && want == tokenKeep || want == tokenRotate
			}
			if d.action != want || !slices.Equal(d.causes, tc.causes) || d.uncertain != uncertain ||
				!fixed && keepsOld != tc.keepsOld {
				t.Errorf("%s, fixed name: %t: action %d, causes %q, uncertain %t, keeps %t, want %d, %q, %t, %t",
					tc.name, fixed, d.action, d.causes, d.uncertain, keepsOld, want, tc.causes, uncertain,
					tc.keepsOld)
			}
		}
	}
}

// A changed name rotates, except the first prefix that an imported token gets, and a name or
// a prefix that the token has already.
func TestTokenDecisionOfNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		fixed     bool // in the state
		config    types.String
		prefix    types.String
		imported  bool
		causes    []string
		uncertain bool
	}{
		{name: "fixed name renamed", fixed: true, config: types.StringValue("other"), causes: []string{"name"}},
		{
			name: "fixed name to a prefix", fixed: true, config: types.StringNull(), prefix: types.StringValue("x-"),
			causes: []string{"name_prefix"},
		},
		{name: "fixed name to its prefix", fixed: true, config: types.StringNull(), prefix: types.StringValue("c")},
		{
			name: "prefix of an imported token", fixed: true, config: types.StringNull(),
			prefix: types.StringValue("x-"), imported: true,
		},
		{
			name: "prefix changed", config: types.StringNull(), prefix: types.StringValue("x-"),
			causes: []string{"name_prefix"},
		},
		{
			name: "prefix changed to another of the name", config: types.StringNull(), prefix: types.StringValue("c"),
			causes: []string{"name_prefix"},
		},
		{name: "prefix to the name", config: types.StringValue("ci-1")},
		{name: "prefix to another name", config: types.StringValue("x"), causes: []string{"name"}},
		{name: "unknown name", fixed: true, config: types.StringUnknown(), uncertain: true},
		{name: "unknown prefix", config: types.StringNull(), prefix: types.StringUnknown(), uncertain: true},
	} {
		l := newLife(ageActive, tc.fixed)
		l.configName, l.plan.NamePrefix, l.state.memory.Imported = tc.config, tc.prefix, tc.imported
		want := tokenKeep
		if len(tc.causes) > 0 {
			want = tokenRotate
		}
		if d := l.decide(); d.action != want || !slices.Equal(d.causes, tc.causes) || d.uncertain != tc.uncertain {
			t.Errorf("%s: action %d, causes %q, uncertain %t, want %d, %q, %t", tc.name, d.action, d.causes,
				d.uncertain, want, tc.causes, tc.uncertain)
		}
	}
}

// Which retiring tokens stay.
func TestTokenDecisionOfRetiringTokens(t *testing.T) {
	t.Parallel()
	retiring := func(status retiringStatus) retiringToken {
		m := retiringMemory{ReplacedAt: lifeStart, Status: status}
		return retiringToken{
			ID: types.StringValue(fmt.Sprintf("1%d", len(status))), Name: types.StringValue("old"), memory: m,
			RetireAt: timetypes.NewRFC3339TimeValue(m.endOfOverlap(5 * day)),
		}
	}
	own := retiring(retiringEnded)
	own.own = true
	overlap := func(days int64) func(*tokenLife) {
		return inPlan(func(m *tokenModel) { m.OverlapDays = types.Int64Value(days) })
	}
	for _, tc := range []struct {
		name   string
		token  retiringToken
		change func(*tokenLife)
		stays  bool
	}{
		{"overlaps", retiring(retiringOverlaps), nil, true},
		{"ended", retiring(retiringEnded), nil, false},
		{"in use", retiring(retiringInUse), nil, true},
		{"revoked by someone else", retiring(retiringRevoked), nil, false},
		{"own", own, nil, true},
		{"own, no overlap", own, overlap(0), true},
		{"overlaps, revoked", retiring(retiringOverlaps), revokes, false},
		{"in use, revoked", retiring(retiringInUse), revokes, false},
		{"overlaps, no overlap", retiring(retiringOverlaps), overlap(0), false},
		{"in use, no overlap", retiring(retiringInUse), overlap(0), false},
		{"overlaps, destroyed", retiring(retiringOverlaps), destroyed, false},
		{"own, destroyed", own, destroyed, false},
		{
			"overlaps, another account", retiring(retiringOverlaps),
			inPlan(func(m *tokenModel) { m.ServiceAccountID = types.StringValue("2") }), false,
		},
		{
			"overlaps, unknown overlap", retiring(retiringOverlaps),
			inPlan(func(m *tokenModel) { m.OverlapDays = types.Int64Unknown() }), true,
		},
	} {
		l := newLife(ageActive, false)
		l.retiring = []retiringToken{tc.token}
		if tc.change != nil {
			tc.change(&l)
		}
		if d := l.decide(); len(d.stay) == 1 != tc.stays || len(d.leave) == 1 == tc.stays {
			t.Errorf("%s: stay %v, leave %v", tc.name, d.stay, d.leave)
		}
	}
	l := newLife(ageActive, false)
	l.retiring = []retiringToken{retiring(retiringOverlaps)}
	overlap(9)(&l)
	want := timetypes.NewRFC3339TimeValue(lifeStart.Add(9 * day))
	if got := l.decide().stay[0].RetireAt; !got.Equal(want) {
		t.Errorf("after a change of overlap_days, it retires at %s, want %s", got, want)
	}
}

// The clock counts only in a process that has not read the token, and if nothing else changes.
func TestTokenDecisionByClock(t *testing.T) {
	t.Parallel()
	old := retiringToken{
		ID: types.StringValue("4"), Name: types.StringValue("old"),
		RetireAt: timetypes.NewRFC3339TimeValue(lifeStart.Add(5 * day)),
	}
	for _, tc := range []struct {
		name     string
		now      time.Duration
		retiring bool
		change   func(*tokenLife)
		action   tokenAction
		leave    int
		byClock  bool
	}{
		{"active", ageDue - day - 1, false, notRead, tokenKeep, 0, true},
		{"due", ageDue, false, notRead, tokenRotate, 0, true},
		{"expired", ageExpired, false, notRead, tokenRotate, 0, true},
		{"read", ageExpired, true, nil, tokenKeep, 0, false},
		{
			"changed", ageExpired, true,
			func(l *tokenLife) { l.wasRead, l.unchanged = false, false }, tokenKeep, 0, false,
		},
		{"before retire_at", 5*day - 1, true, notRead, tokenKeep, 0, true},
		{"retire_at", 5 * day, true, notRead, tokenKeep, 1, true},
		{"retire_at and due: first the one, then the other", ageExpired, true, notRead, tokenKeep, 1, true},
		{
			"in use when it was last read", 5 * day, true, func(l *tokenLife) {
				used := lifeStart.Add(4 * day)
				l.wasRead, l.retiring[0].memory.Status, l.retiring[0].memory.LastUsed = false, retiringInUse, &used
			}, tokenKeep, 0, true,
		},
		{
			"the provider's own", 5 * day, true, func(l *tokenLife) { l.wasRead, l.retiring[0].own = false, true },
			tokenKeep, 0, true,
		},
		{
			"revoked", ageExpired, false, func(l *tokenLife) {
				l.wasRead, l.state.memory.RevokedByConfig = false, true
				l.state.Revoked, l.plan.Revoked = types.BoolValue(true), types.BoolValue(true)
				l.state.Status = types.StringValue(statusRevoked)
			}, tokenKeep, 0, true,
		},
	} {
		l := newLife(ageActive, false)
		l.unchanged = true
		if tc.retiring {
			l.retiring = []retiringToken{old}
		}
		if tc.change != nil {
			tc.change(&l)
		}
		before := l.state.Status
		after, d := l.decideAt(lifeStart.Add(tc.now))
		if d.action != tc.action || len(d.leave) != tc.leave || after.byClock != tc.byClock {
			t.Errorf("%s: action %d, %d leave, by the clock: %t, want %d, %d, %t", tc.name, d.action, len(d.leave),
				after.byClock, tc.action, tc.leave, tc.byClock)
		}
		if !l.state.Status.Equal(before) || len(l.retiring) > 0 && l.retiring[0].memory.Status != old.memory.Status &&
			l.retiring[0].memory.Status != retiringInUse {
			t.Errorf("%s: the decision changed the life", tc.name)
		}
	}
}

// plannedLife is what ModifyPlan plans: the action as Terraform names it, and the values.
func plannedLife(l tokenLife, age time.Duration) (string, tokenModel) {
	if l.plan.Name = l.configName; l.configName.IsNull() {
		l.plan.Name = l.state.Name
	}
	l.unchanged = sameModels(l.plan, l.state)
	after, d := l.decideAt(lifeStart.Add(age))
	planned := after.planned(d)
	switch {
	case d.action == tokenRefuse:
		return "refused", planned
	case d.action == tokenReplace:
		return "replace", planned
	case sameModels(planned, l.state):
		return "no-op", planned
	}
	return "update", planned
}

func sameModels(a, b tokenModel) bool {
	return slices.EqualFunc(allValues(a), allValues(b), attr.Value.Equal)
}

// allValues returns all values of a token.
func allValues(m tokenModel) []attr.Value {
	return append(m.arguments(), m.ID, m.ServiceAccountID, m.Name, m.Token, m.EncryptedToken, m.Status, m.CreatedAt,
		m.ExpiresAt, m.RetiringTokens)
}

// Terraform plans again during apply, in a process that has read nothing, and with known
// values. The action must be the same, or nothing, and what was known must not change. A
// replacement is not planned again with the old token.
func TestTokenDecisionIsConsistent(t *testing.T) {
	t.Parallel()
	type argument struct {
		name    string
		unknown func(l *tokenLife)
		known   []lifeChange // another value, or null, which is the default
		whole   bool         // it may also become what it is in the state
	}
	key := func(v types.String) types.Object {
		return types.ObjectValueMust(encryptionTypes, map[string]attr.Value{
			"algorithm": types.StringValue("age"), "public_key": v,
		})
	}
	arguments := []argument{
		{"none", func(*tokenLife) {}, nil, true},
		{"service_account_id", inPlan(func(m *tokenModel) { m.ServiceAccountID = types.StringUnknown() }), []lifeChange{
			func(l *tokenLife) { l.plan.ServiceAccountID = types.StringValue("2") },
		}, true},
		{"name", func(l *tokenLife) { l.configName = types.StringUnknown() }, []lifeChange{
			func(l *tokenLife) { l.configName = types.StringValue("x") },
		}, true},
		{"name_prefix", func(l *tokenLife) { l.plan.NamePrefix = types.StringUnknown() }, []lifeChange{
			func(l *tokenLife) { l.plan.NamePrefix = types.StringValue("x-") },
		}, true},
		{"expires_in_days", func(l *tokenLife) { l.plan.ExpiresInDays = types.Int64Unknown() }, []lifeChange{
			func(l *tokenLife) { l.plan.ExpiresInDays = types.Int64Value(60) },
			func(l *tokenLife) { l.plan.ExpiresInDays = types.Int64Null() },
		}, true},
		{"scim_endpoints_only", func(l *tokenLife) { l.plan.SCIMEndpointsOnly = types.BoolUnknown() }, []lifeChange{
			func(l *tokenLife) { l.plan.SCIMEndpointsOnly = types.BoolValue(true) },
		}, true},
		{"rotate_before_days", func(l *tokenLife) { l.plan.RotateBeforeDays = types.Int64Unknown() }, []lifeChange{
			func(l *tokenLife) { l.plan.RotateBeforeDays = types.Int64Value(29) },
			func(l *tokenLife) { l.plan.RotateBeforeDays = types.Int64Null() },
		}, true},
		{"rotate_when_changed", func(l *tokenLife) { l.plan.RotateWhenChanged = unknownTrigger() }, []lifeChange{
			func(l *tokenLife) { l.plan.RotateWhenChanged = triggers("2") },
		}, true},
		{
			"rotate_when_changed as a whole",
			func(l *tokenLife) { l.plan.RotateWhenChanged = types.MapUnknown(types.StringType) },
			[]lifeChange{
				func(l *tokenLife) { l.plan.RotateWhenChanged = triggers("2") },
				func(l *tokenLife) { l.plan.RotateWhenChanged = types.MapNull(types.StringType) },
			},
			true,
		},
		{"overlap_days", func(l *tokenLife) { l.plan.OverlapDays = types.Int64Unknown() }, []lifeChange{
			func(l *tokenLife) { l.plan.OverlapDays = types.Int64Value(0) },
			func(l *tokenLife) { l.plan.OverlapDays = types.Int64Value(defaultOverlapDays) },
		}, true},
		{"revoked", func(l *tokenLife) { l.plan.Revoked = types.BoolUnknown() }, []lifeChange{
			func(l *tokenLife) { l.plan.Revoked = types.BoolValue(true) },
			func(l *tokenLife) { l.plan.Revoked = types.BoolValue(false) },
		}, true},
		{"deletion_policy", func(l *tokenLife) { l.plan.DeletionPolicy = types.StringUnknown() }, []lifeChange{
			func(l *tokenLife) { l.plan.DeletionPolicy = types.StringValue(policyRevoke) },
		}, true},
		{
			"encryption", func(l *tokenLife) { l.plan.Encryption = key(types.StringUnknown()) }, []lifeChange{
				func(l *tokenLife) { l.plan.Encryption = key(types.StringValue("age1")) },
				func(l *tokenLife) { l.plan.Encryption = key(types.StringValue("age2")) },
			}, false,
		},
		{
			"encryption as a whole", func(l *tokenLife) { l.plan.Encryption = types.ObjectUnknown(encryptionTypes) },
			[]lifeChange{
				func(l *tokenLife) { l.plan.Encryption = key(types.StringValue("age1")) },
				func(l *tokenLife) { l.plan.Encryption = types.ObjectNull(encryptionTypes) },
			},
			true,
		},
	}
	// Another argument that changes, known in both plans.
	also := []func(m *tokenModel){
		func(*tokenModel) {},
		func(m *tokenModel) { m.RotateWhenChanged = triggers("3") },
		func(m *tokenModel) { m.OverlapDays = types.Int64Value(0) },
		func(m *tokenModel) { m.DeletionPolicy = types.StringValue(policyRevoke) },
	}
	starts := func(fixed bool) []tokenLife {
		withRetiring := func(status retiringStatus) tokenLife {
			l := newLife(ageActive, fixed)
			m := retiringMemory{ReplacedAt: lifeStart, Status: status}
			l.retiring = []retiringToken{{
				ID: types.StringValue("4"), Name: types.StringValue("old"), memory: m,
				RetireAt: timetypes.NewRFC3339TimeValue(m.endOfOverlap(5 * day)),
			}}
			l.state.setRetiring(l.retiring)
			l.plan.RetiringTokens = l.state.RetiringTokens
			return l
		}
		due := newLife(ageDue, fixed)
		notByConfig := revokedLife(false, fixed)
		notByConfig.plan.Revoked = types.BoolValue(false)
		adopted := newLife(ageActive, fixed)
		adopted.state.memory.Imported = true
		unknownSecret := adopted // and an encryption that is new in the configuration
		unknownSecret.state.Token, unknownSecret.plan.Token = types.StringNull(), types.StringNull()
		unknownSecret.plan.Encryption = key(types.StringValue("age1"))
		encrypted := newLife(ageActive, fixed)
		for _, m := range []*tokenModel{&encrypted.state, &encrypted.plan} {
			m.Encryption, m.Token = key(types.StringValue("age1")), types.StringNull()
			m.EncryptedToken = types.StringValue("ciphertext")
		}
		never := withRetiring(retiringOverlaps)
		for _, m := range []*tokenModel{&never.state, &never.plan} {
			m.ExpiresAt, m.ExpiresInDays = timetypes.NewRFC3339Null(), types.Int64Null()
			m.RotateBeforeDays = types.Int64Null()
		}
		never.state.memory.DaysLeft = nil
		return []tokenLife{
			newLife(ageActive, fixed), due, newLife(ageExpired, fixed), revokedLife(true, fixed), notByConfig, adopted,
			encrypted, unknownSecret, withRetiring(retiringOverlaps), withRetiring(retiringEnded),
			withRetiring(retiringInUse), never,
		}
	}
	plans := 0
	ages := []time.Duration{ageActive, 5 * day, ageDue, ageExpired}
	check := func(name string, first, final tokenLife, i int) {
		firstAction, before := plannedLife(first, ages[i])
		if firstAction == "refused" || firstAction == "replace" || firstAction == "no-op" {
			return // no plan, or one that is not made again with the old token
		}
		for _, age := range ages[i:] {
			plans++
			final.wasRead = false
			action, after := plannedLife(final, age)
			if action == "refused" {
				continue
			}
			if action != firstAction && action != "no-op" {
				t.Errorf("%s: the action was %s at %s and is %s at %s", name, firstAction, ages[i], action, age)
			}
			known := allValues(after)
			for j, value := range allValues(before) {
				if !objectOrListConforms(value, known[j]) {
					t.Errorf("%s: the value %d was planned as %s at %s, and as %s at %s", name, j, value, ages[i],
						known[j], age)
				}
			}
		}
	}
	for _, fixed := range []bool{false, true} {
		for s, start := range starts(fixed) {
			for _, wasRead := range []bool{true, false} {
				for _, a := range arguments {
					for n, change := range also {
						for i := range ages {
							first := start
							first.wasRead = wasRead
							change(&first.plan)
							same := first
							if a.unknown(&first); fixed && a.name == "name_prefix" || !fixed && a.name == "name" {
								continue
							}
							name := fmt.Sprintf("fixed %t, start %d, read %t, %s, change %d", fixed, s, wasRead, a.name,
								n)
							if a.whole {
								check(name+", same", first, same, i)
							}
							for k, known := range a.known {
								final := same
								known(&final)
								check(fmt.Sprint(name, ", value ", k), first, final, i)
							}
						}
					}
				}
			}
		}
	}
	if plans < 1000 {
		t.Errorf("only %d pairs of plans", plans)
	}
}

// objectOrListConforms reports whether Terraform accepts a value of the final plan.
func objectOrListConforms(planned, value attr.Value) bool {
	switch p := planned.(type) {
	case types.List:
		v, ok := value.(types.List)
		if p.IsUnknown() || p.Equal(value) {
			return true
		}
		return ok && !v.IsUnknown() && slices.EqualFunc(p.Elements(), v.Elements(), objectOrListConforms)
	case types.Object:
		v, ok := value.(types.Object)
		if p.IsUnknown() || p.Equal(value) {
			return true
		}
		if !ok || v.IsUnknown() || v.IsNull() || p.IsNull() {
			return false
		}
		for name, planned := range p.Attributes() {
			if !objectOrListConforms(planned, v.Attributes()[name]) {
				return false
			}
		}
		return true
	case types.Map:
		v, ok := value.(types.Map)
		if p.IsUnknown() || p.Equal(value) {
			return true
		}
		if !ok || v.IsUnknown() || v.IsNull() || len(p.Elements()) != len(v.Elements()) {
			return false
		}
		for name, planned := range p.Elements() {
			if !objectOrListConforms(planned, v.Elements()[name]) {
				return false
			}
		}
		return true
	}
	return planned.IsUnknown() || planned.Equal(value)
}
