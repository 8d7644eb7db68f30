// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// findAccount returns the user with an ID, or the service account with a user_id,
// or nil.
func findAccount(ctx context.Context, client *qualytics.Client, wanted string) (*qualytics.User, error) {
	if id, ok := parseID(wanted); ok {
		return userByID(ctx, client, id)
	}
	accounts, err := accountsIncluding(ctx, client, wanted)
	if err != nil {
		return nil, err
	}
	// a deactivated account may have had the same user_id
	accounts = slices.SortedStableFunc(slices.Values(accounts), activeFirst)
	if i := slices.IndexFunc(accounts, func(u qualytics.User) bool { return u.UserID == wanted }); i >= 0 {
		return &accounts[i], nil
	}
	return nil, nil
}

const unableToReadAccount = "Unable to read service account"

// activeAccount checks the result of a request for the user with an ID. It returns the
// user if it is an active service account. Otherwise, it adds an error to an attribute and
// returns nil.
func activeAccount(client *qualytics.Client, id int64, user *qualytics.User, err error, attribute string,
	diags *diag.Diagnostics,
) *qualytics.User {
	switch {
	case err != nil:
		addError(diags, unableToReadAccount, fmt.Sprintf("service account ID %d", id), err)
	case user == nil || user.Deactivated():
		diags.AddAttributeError(path.Root(attribute), "Object not found",
			fmt.Sprintf("No active service account has the ID %d. Deployment: %s.", id, client.URL()))
	case user.UserType != "" && user.UserType != qualytics.UserTypeService:
		diags.AddAttributeError(path.Root(attribute), "Not a service account",
			fmt.Sprintf("ID %d is the user %q of type %s.", id, user.UserID, user.UserType))
	default:
		return user
	}
	return nil
}

// accountByID returns the active service account with an ID, or nil after an error.
func accountByID(ctx context.Context, client *qualytics.Client, value types.String,
	diags *diag.Diagnostics,
) *qualytics.User {
	id := idAttribute(value, "id", diags)
	if diags.HasError() {
		return nil
	}
	user, err := userByID(ctx, client, id)
	return activeAccount(client, id, user, err, "id", diags)
}

// userByID returns the user with an ID, or nil if there is none.
func userByID(ctx context.Context, client *qualytics.Client, id int64) (*qualytics.User, error) {
	user, err := client.User(ctx, id)
	if qualytics.IsNotFound(err) && !qualytics.IsUnknownPath(err) {
		return nil, nil
	}
	return user, err
}

// accountByUserID returns the active service account with a user_id, or nil after
// an error.
func accountByUserID(ctx context.Context, client *qualytics.Client, userID string,
	diags *diag.Diagnostics,
) *qualytics.User {
	accounts, err := accountsIncluding(ctx, client, userID)
	if err != nil {
		addError(diags, unableToReadAccount, fmt.Sprintf("user_id %q", userID), err)
		return nil
	}
	return exactlyOne(client, activeAccounts(accounts), "service account", "user_id", userID,
		func(u *qualytics.User) string { return u.UserID }, diags)
}

// accountByName returns the active service account with a name, or nil after an
// error.
func accountByName(ctx context.Context, client *qualytics.Client, name string,
	diags *diag.Diagnostics,
) *qualytics.User {
	accounts, err := client.CachedAccountsNamed(ctx, name)
	if accounts = activeAccounts(accounts); err == nil && len(accounts) == 0 {
		accounts, err = listAccounts(ctx, client, qualytics.UserFilter{}) // also for the nearest names
	}
	if err != nil {
		addError(diags, unableToReadAccount, fmt.Sprintf("name %q", name), err)
		return nil
	}
	return exactlyOne(client, accounts, "service account", "name", name,
		func(u *qualytics.User) string { return u.Name }, diags)
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
func accountsIncluding(ctx context.Context, client *qualytics.Client, userID string) ([]qualytics.User, error) {
	accounts, err := client.CachedServiceAccounts(ctx)
	has := func(u qualytics.User) bool { return u.UserID == userID }
	if err == nil && slices.ContainsFunc(accounts, has) {
		return accounts, nil
	}
	return client.ServiceAccounts(ctx, qualytics.UserFilter{IncludeDeleted: true})
}

// listAccounts returns the service accounts that match a filter by ID. It checks
// the server's filter.
func listAccounts(ctx context.Context, client *qualytics.Client,
	filter qualytics.UserFilter,
) ([]qualytics.User, error) {
	if isPublic(filter.Team) {
		filter.Team = "" // contains every user
	}
	accounts, err := client.ServiceAccounts(ctx, filter)
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

// accountFilter returns a filter with the team in the server's spelling. It
// reports false if there is no such team.
func accountFilter(ctx context.Context, client *qualytics.Client,
	name, role, team types.String,
) (qualytics.UserFilter, bool) {
	filter := qualytics.UserFilter{Name: name.ValueString(), Role: role.ValueString(), Team: team.ValueString()}
	if filter.Team == "" || isPublic(filter.Team) {
		return filter, true
	}
	names, err := client.TeamNames(ctx)
	if err != nil {
		return filter, true // the server's filter remains
	}
	filter.Team = matchTeam(filter.Team, names)
	return filter, filter.Team != ""
}

// exactlyOne returns the only element whose attribute is wanted. Otherwise it
// reports an error with the nearest existing values, and returns nil.
func exactlyOne[T any](client *qualytics.Client, items []T, object, attribute, wanted string, value func(*T) string,
	diags *diag.Diagnostics,
) *T {
	var found *T
	matches := 0
	var others []string
	for i := range items {
		if value(&items[i]) == wanted {
			found, matches = &items[i], matches+1
		} else {
			others = append(others, value(&items[i]))
		}
	}
	switch matches {
	case 1:
		return found
	case 0:
		diags.AddAttributeError(path.Root(attribute), "Object not found", fmt.Sprintf("No %s has the %s %q.%s "+
			"Deployment: %s.", object, attribute, wanted, nearestText(wanted, others), client.URL()))
	default:
		diags.AddAttributeError(path.Root(attribute), "More than one object found", fmt.Sprintf("%d %ss have the %s "+
			"%q. Use id instead. Deployment: %s.", matches, object, attribute, wanted, client.URL()))
	}
	return nil
}
