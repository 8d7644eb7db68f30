// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

// runAccounts is what this process knows of the service accounts in the state, and of what
// the plan does to them. Terraform plans a tainted object, and each address, without the
// other objects: only together do they show that one account ends and another one needs
// its name.
type runAccounts struct {
	mu       sync.Mutex
	accounts map[string]runAccount // by ID
	created  []string              // names of new accounts
	unknown  bool                  // there is a new account with an unknown name
	replaces bool                  // the plan creates or replaces an account
}

// runAccount is a service account in the state.
type runAccount struct {
	accountFields
	read      bool // from the server, by this process
	kept      bool // an address of the plan keeps it
	destroyed bool // an address of the plan destroys it
}

// change changes what is known of an account, and returns it.
func (r *runAccounts) change(account accountFields, change func(*runAccount)) runAccount {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accounts == nil {
		r.accounts = map[string]runAccount{}
	}
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
		r.created = slices.DeleteFunc(r.created, func(name string) bool { return name == account.Name.ValueString() })
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
// of a new account that needs its name, or "".
func (r *runAccounts) destroy(account accountFields) (known runAccount, created string) {
	known = r.change(account, func(a *runAccount) { a.destroyed = true })
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range r.created {
		if usesName(account.Name.ValueString(), account.UserID.ValueString(), name) {
			return known, name
		}
	}
	return known, ""
}

// replace records that the plan replaces an account.
func (r *runAccounts) replace() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaces = true
}

// replaced reports whether the plan creates or replaces an account.
func (r *runAccounts) replaced() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replaces
}

// create records the name of a new account. It returns an account in the state that has
// exactly this name, or that the plan destroys and that uses it.
func (r *runAccounts) create(name string) (runAccount, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaces = true
	r.created = append(r.created, name)
	return r.find(func(a runAccount) bool {
		return a.Name.ValueString() == name ||
			a.destroyed && usesName(a.Name.ValueString(), a.UserID.ValueString(), name)
	})
}

// createUnknown records a new account whose name is unknown. It returns an account in the
// state that the plan destroys.
func (r *runAccounts) createUnknown() (runAccount, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaces, r.unknown = true, true
	return r.find(func(a runAccount) bool { return a.destroyed })
}

// createsUnknown reports whether there is a new account whose name is unknown.
func (r *runAccounts) createsUnknown() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unknown
}

// use reports whether an account in the state uses a name.
func (r *runAccounts) use(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, found := r.find(func(a runAccount) bool {
		return usesName(a.Name.ValueString(), a.UserID.ValueString(), name)
	})
	return found
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
