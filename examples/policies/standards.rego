# Standards for service accounts and tokens. They are checked for everything that a plan creates or
# changes; what exists and does not change is left alone. Adapt the settings.
package qualytics.standards

import data.qualytics.changes

allowed_roles := {"Member", "Manager"}

max_expires_in_days := 90

# Names of the accounts in production.
production := `(?i)\bprod(uction)?\b`

deny contains message if {
	some change in changes.accounts
	changes.creates_or_updates(change)
	not object.get(change.change.after, "role", null) in allowed_roles
	roles := concat(", ", allowed_roles)
	message := sprintf("%s: the role must be one of %s, and known while planning", [change.address, roles])
}

deny contains message if {
	some change in changes.tokens
	changes.creates_or_updates(change)
	object.get(change.change.after, "expires_in_days", null) == null
	message := sprintf("%s: expires_in_days must be set and known: tokens without it never expire", [change.address])
}

deny contains message if {
	some change in changes.tokens
	changes.creates_or_updates(change)
	change.change.after.expires_in_days > max_expires_in_days
	message := sprintf(
		"%s: expires_in_days must be at most %d, it is %d",
		[change.address, max_expires_in_days, change.change.after.expires_in_days],
	)
}

deny contains message if {
	some change in changes.tokens
	changes.creates_or_updates(change)
	object.get(change.change.after, "rotate_before_days", null) == null
	message := sprintf("%s: rotate_before_days must be set, or the token expires unrotated", [change.address])
}

# encryption is an object even if the key in it is unknown while planning.
deny contains message if {
	some change in changes.tokens
	changes.creates_or_updates(change)
	object.get(change.change.after, "encryption", null) == null
	not changes.unknown(change, "encryption")
	message := sprintf("%s: encryption must be set: the state must not contain the token", [change.address])
}

# prevent_destroy is not part of a plan: see source.rego.
deny contains message if {
	some change in changes.accounts
	changes.destroys(change)
	regex.match(production, change.change.before.name)
	message := sprintf("%s: the account %s is in production: it must not be destroyed or replaced", [
		change.address,
		change.change.before.name,
	])
}
