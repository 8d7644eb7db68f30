// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

// change changes what is known of an account, and returns it.
func (r *runAccounts) change(account accountFields, change func(*runAccount)) runAccount {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, known := r.accounts[account.ID.ValueString()]
	if !known {
		a.accountFields = account
	}
	change(&a)
	r.accounts[account.ID.ValueString()] = a
	return a
}

// sawState records an account from the JSON of a state, which Terraform sends for every
// object, also for a tainted one, and without a refresh.
func (r *runAccounts) sawState(state []byte) {
	var s struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		UserID string `json:"user_id"`
	}
	if json.Unmarshal(state, &s) == nil && s.ID != "" {
		r.change(accountFields{
			ID: types.StringValue(s.ID), Name: types.StringValue(s.Name), UserID: types.StringValue(s.UserID),
		}, func(*runAccount) {})
	}
}

// wasRead records that the account was read from the server.
func (r *runAccounts) wasRead(account accountFields) {
	r.change(account, func(a *runAccount) { a.accountFields, a.read = account, true })
}

// wasCreated records that a new account exists, and needs its name no longer.
func (r *runAccounts) wasCreated(account accountFields) {
	r.change(account, func(a *runAccount) {
		a.accountFields, a.read = account, true
		r.created = slices.DeleteFunc(r.created, func(name types.String) bool { return name.Equal(account.Name) })
	})
}

// isGone forgets an account that is not in the state any more.
func (r *runAccounts) isGone(account accountFields) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.accounts, account.ID.ValueString())
}

// keep records that an address of the plan keeps an account.
func (r *runAccounts) keep(account accountFields) runAccount {
	return r.change(account, func(a *runAccount) { a.kept = true })
}

// destroy records that an address of the plan destroys an account. It also returns the name
// of a new account that may need its name, a known one if there is one, else null.
func (r *runAccounts) destroy(account accountFields) (known runAccount, created types.String) {
	known = r.change(account, func(a *runAccount) { a.destroyed = true })
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range r.created {
		if account.mayUse(name) && (created.IsNull() || created.IsUnknown()) {
			created = name
		}
	}
	return known, created
}

// create records the name of a new account. It returns an account in the state that has
// exactly this name, or that the plan destroys and that may use it.
func (r *runAccounts) create(name types.String) (runAccount, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaces.Store(true)
	r.created = append(r.created, name)
	return r.find(func(a runAccount) bool { return a.Name.Equal(name) || a.destroyed && a.mayUse(name) })
}

// use reports whether an account in the state uses a name, or may do so because the name is
// unknown.
func (r *runAccounts) use(name types.String) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, found := r.find(func(a runAccount) bool { return a.mayUse(name) })
	return found || name.IsUnknown()
}

// find returns an account. The caller holds the lock.
func (r *runAccounts) find(matches func(runAccount) bool) (runAccount, bool) {
	for _, a := range r.accounts {
		if matches(a) {
			return a, true
		}
	}
	return runAccount{}, false
}

// uncheckedKey is the key in the private data of a plan that creates an account whose name is
// unknown, or may be in use. Terraform plans a tainted account and a forced replacement like
// that, and then destroys the old account with the same private data.
const uncheckedKey = "unchecked"

// markUnchecked records whether this plan creates an account whose name may not be free.
func (c call) markUnchecked(ctx context.Context, unchecked bool) {
	var before bool
	if c.load(ctx, uncheckedKey, &before); before != unchecked {
		c.store(ctx, uncheckedKey, unchecked)
	}
}

// allowsDestroy reports whether an account may be destroyed: if it is a replacement, the plan
// has checked that the new name can be used.
func (c call) allowsDestroy(ctx context.Context, state accountModel) bool {
	var unchecked bool
	if c.load(ctx, uncheckedKey, &unchecked); unchecked {
		c.refuse("Service account must be planned again", "The %s would be deactivated and replaced, but the new name "+
			"was unknown while planning, or may be in use. Then the new account could not be created. The account "+
			"is unchanged. If Terraform marked it as tainted, run \"%s untaint ADDRESS\", in which ADDRESS is that of "+
			"this resource. Then plan again.", state.label(), c.cli)
	}
	return !unchecked
}
