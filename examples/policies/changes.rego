# What a plan does with service accounts and tokens. The input is the output of
# "terraform show -json PLAN" or "tofu show -json PLAN". The other policies of this folder use this
# package.
package qualytics.changes

accounts contains change if {
	some change in input.resource_changes
	change.type == "qualytics_service_account"
}

tokens contains change if {
	some change in input.resource_changes
	change.type == "qualytics_service_token"
}

creates_or_updates(change) if {
	some action in change.change.actions
	action in {"create", "update"}
}

# A replacement has the actions delete and create, in either order.
destroys(change) if "delete" in change.change.actions

replaces(change) if {
	destroys(change)
	"create" in change.change.actions
}

# A rotation is an update in place after which the ID is another one. The plan does not know it yet.
rotates(change) if {
	change.change.actions == ["update"]
	unknown(change, "id")
}

unknown(change, attribute) if change.change.after_unknown[attribute] == true

# The IDs of the tokens that work before and after the plan. A rotation moves the ID of the current
# token to retiring_tokens. While that list is unknown, nothing promises that a token stays.
before(change) := current(change) | retiring(change.change.before)

after(change) := {id | id := change.change.after.id} | retiring(change.change.after)

current(change) := {change.change.before.id | not change.change.before.status in {"expired", "revoked"}}

retiring(state) := {token.id | some token in state.retiring_tokens}

# The IDs of the tokens that stop working, or may stop working, if the plan is applied.
ends(change) := before(change) if {
	destroys(change)
} else := before(change) if {
	revokes(change)
} else := before(change) - after(change) if {
	change.change.actions == ["update"]
} else := set()

# Revoking a token ends its retiring tokens too.
revokes(change) if {
	change.change.actions == ["update"]
	change.change.after.revoked
	not change.change.before.revoked
}
