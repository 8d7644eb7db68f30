// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// findAccount returns the user with an ID, or the service account with a user_id, or nil.
func (c call) findAccount(ctx context.Context, wanted string) (*qualytics.User, error) {
	if id, ok := parseID(wanted); ok {
		return c.userByID(ctx, id)
	}
	accounts, err := c.accountsIncluding(ctx, wanted)
	// a deactivated account may have had the same user_id
	return firstActive(accounts, func(u *qualytics.User) bool { return u.UserID == wanted }), err
}

const unableToReadAccount = "Unable to read service account"

// activeAccount returns the active service account with an ID. Otherwise, it adds an error
// to an attribute and returns nil. read requests the user.
func (c call) activeAccount(ctx context.Context, id int64, attribute string,
	read func(context.Context, int64) (*qualytics.User, error),
) *qualytics.User {
	user, err := read(ctx, id)
	switch {
	case err != nil:
		c.fail(unableToReadAccount, fmt.Sprintf("service account ID %d", id), err)
	case user == nil || user.Deactivated():
		c.failAt(attribute, objectNotFound, "No active service account has the ID %d. Deployment: %s.", id,
			c.client.URL())
	case user.UserType != "" && user.UserType != qualytics.UserTypeService:
		c.failAt(attribute, "Not a service account", "ID %d is the user %q of type %s.", id, user.UserID, user.UserType)
	default:
		return user
	}
	return nil
}

const objectNotFound = "Object not found"

// accountForImport returns the active service account with an ID or user_id, or nil after an error.
func (c call) accountForImport(ctx context.Context, wanted string) *qualytics.User {
	const summary = "Unable to import service account"
	user, err := c.findAccount(ctx, wanted)
	switch {
	case err != nil:
		c.fail(summary, fmt.Sprintf("import ID %q", wanted), err)
	case user == nil:
		c.refuse(summary, "No service account has the ID or user_id %q. The import ID is the numeric ID of the "+
			"account, such as 123, or its user_id, such as api_access@service. A deactivated account must be "+
			"reactivated in Qualytics first. Deployment: %s.", wanted, c.client.URL())
	case user.UserType != "" && user.UserType != qualytics.UserTypeService:
		c.refuse(summary, "%q is a user of type %s. Only service accounts can be managed.", user.UserID, user.UserType)
	case user.Deactivated():
		c.refuse(summary, "The account %s is deactivated. Reactivate it in Qualytics first, then import it.",
			userLabel(user))
	default:
		return user
	}
	return nil
}

// accountByID returns the active service account with an ID, or nil after an error.
func (c call) accountByID(ctx context.Context, value types.String) *qualytics.User {
	id := c.id(value, "id")
	if c.failed() {
		return nil
	}
	return c.activeAccount(ctx, id, "id", c.userByID)
}

// userByID returns the user with an ID, or nil if there is none.
func (c call) userByID(ctx context.Context, id int64) (*qualytics.User, error) {
	user, err := c.client.User(ctx, id)
	if qualytics.IsNotFound(err) && !qualytics.IsUnknownPath(err) {
		return nil, nil
	}
	return user, err
}

// accountByUserID returns the active service account with a user_id, or nil after an error.
func (c call) accountByUserID(ctx context.Context, userID string) *qualytics.User {
	accounts, err := c.accountsIncluding(ctx, userID)
	if err != nil {
		c.fail(unableToReadAccount, fmt.Sprintf("user_id %q", userID), err)
		return nil
	}
	wanted := oneWanted[qualytics.User]{
		"service account", "user_id", userID, func(u *qualytics.User) string { return u.UserID },
	}
	return wanted.in(c, activeAccounts(accounts))
}

// accountByName returns the active service account with a name, or nil after an error.
func (c call) accountByName(ctx context.Context, name string) *qualytics.User {
	accounts, err := c.client.CachedAccountsNamed(ctx, name)
	if accounts = activeAccounts(accounts); err == nil && len(accounts) == 0 {
		accounts, err = c.listAccounts(ctx, qualytics.UserFilter{}) // also for the nearest names
	}
	if err != nil {
		c.fail(unableToReadAccount, fmt.Sprintf("name %q", name), err)
		return nil
	}
	wanted := oneWanted[qualytics.User]{
		"service account", "name", name, func(u *qualytics.User) string { return u.Name },
	}
	return wanted.in(c, accounts)
}

func activeAccounts(accounts []qualytics.User) []qualytics.User {
	var active []qualytics.User
	for i := range accounts {
		if matchesFilter(qualytics.UserFilter{}, &accounts[i]) {
			active = append(active, accounts[i])
		}
	}
	return active
}

// accountsIncluding returns all service accounts, from a new list unless a recent one
// has the user_id.
func (c call) accountsIncluding(ctx context.Context, userID string) ([]qualytics.User, error) {
	accounts, err := c.client.CachedServiceAccounts(ctx)
	has := func(u qualytics.User) bool { return u.UserID == userID }
	if err == nil && slices.ContainsFunc(accounts, has) {
		return accounts, nil
	}
	return c.client.ServiceAccounts(ctx, qualytics.UserFilter{IncludeDeleted: true})
}

// listAccounts returns the service accounts that match a filter by ID. It checks
// the server's filter.
func (c call) listAccounts(ctx context.Context, filter qualytics.UserFilter) ([]qualytics.User, error) {
	if isPublic(filter.Team) {
		filter.Team = "" // contains every user
	}
	accounts, err := c.client.ServiceAccounts(ctx, filter)
	accounts = slices.DeleteFunc(accounts, func(u qualytics.User) bool { return !matchesFilter(filter, &u) })
	slices.SortFunc(accounts, func(a, b qualytics.User) int { return cmp.Compare(a.ID, b.ID) })
	return accounts, err
}

// matchesFilter reports whether a user is a service account that matches f.
func matchesFilter(f qualytics.UserFilter, u *qualytics.User) bool {
	return (u.UserType == "" || u.UserType == qualytics.UserTypeService) &&
		(f.Name == "" || strings.Contains(strings.ToLower(u.Name), strings.ToLower(f.Name))) &&
		(f.Role == "" || u.Role == f.Role) &&
		(f.Team == "" || isPublic(f.Team) || containsFold(u.Teams, f.Team)) &&
		(f.IncludeDeleted || !u.Deactivated())
}

// accountListModel is a filter of service accounts.
type accountListModel struct {
	Name types.String `tfsdk:"name"`
	Role types.String `tfsdk:"role"`
	Team types.String `tfsdk:"team"`
}

// accountFilter returns a filter with the team in the server's spelling. It
// reports false if there is no such team.
func (c call) accountFilter(ctx context.Context, config accountListModel) (qualytics.UserFilter, bool) {
	filter := qualytics.UserFilter{
		Name: config.Name.ValueString(), Role: config.Role.ValueString(), Team: config.Team.ValueString(),
	}
	if filter.Team == "" || isPublic(filter.Team) {
		return filter, true
	}
	names, err := c.client.TeamNames(ctx)
	if err != nil {
		return filter, true // the server's filter remains
	}
	filter.Team = matchTeam(filter.Team, names)
	return filter, filter.Team != ""
}

// oneWanted describes the only object for which an attribute has a value.
type oneWanted[T any] struct {
	object, attribute, wanted string
	value                     func(*T) string
}

// in returns the object in a list. If there is not exactly one, it adds an error with the
// nearest existing values, and returns nil.
func (w oneWanted[T]) in(c call, items []T) *T {
	var found *T
	matches := 0
	var others []string
	for i := range items {
		if w.value(&items[i]) == w.wanted {
			found, matches = &items[i], matches+1
		} else {
			others = append(others, w.value(&items[i]))
		}
	}
	switch matches {
	case 1:
		return found
	case 0:
		c.failAt(w.attribute, objectNotFound, "No %s has the %s %q.%s Deployment: %s.", w.object, w.attribute, w.wanted,
			nearestText(w.wanted, others), c.client.URL())
	default:
		c.failAt(w.attribute, "More than one object found", "%d %ss have the %s %q. Use id instead. Deployment: %s.",
			matches, w.object, w.attribute, w.wanted, c.client.URL())
	}
	return nil
}
