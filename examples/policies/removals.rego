# No plan may end a token. Rotations pass: they keep the replaced token. Use this policy where a
# removal needs another approval than a rotation.
package qualytics.removals

import data.qualytics.changes

deny contains message if {
	some change in changes.tokens
	some id in changes.ends(change)
	message := sprintf("%s: the token with the ID %s %s", [change.address, id, reason(change)])
}

reason(change) := "would be replaced, and stop working before the new one exists" if {
	changes.replaces(change)
} else := "would be destroyed" if {
	changes.destroys(change)
} else := "would be revoked" if {
	changes.revokes(change)
} else := "would be rotated, and may stop working in the same apply" if {
	changes.rotates(change)
} else := "would be removed at the end of its overlap"
