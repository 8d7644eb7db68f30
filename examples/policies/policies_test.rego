# opa test examples/policies
package qualytics_test

import data.fixtures.plans
import data.qualytics.changes
import data.qualytics.removals
import data.qualytics.source
import data.qualytics.standards

account := "qualytics_service_account.airflow"

token := "qualytics_service_token.airflow"

# The fixtures are plans of this provider.
test_fixtures if count(plans) == 13

test_creation if {
	standards.deny == set() with input as plans.creation
	removals.deny == set() with input as plans.creation
}

test_creation_below_standards if {
	standards.deny == {
		sprintf("%s: the role must be one of Manager, Member, and known while planning", [account]),
		sprintf("%s: expires_in_days must be set and known: tokens without it never expire", [token]),
		sprintf("%s: rotate_before_days must be set, or the token expires unrotated", [token]),
		sprintf("%s: encryption must be set: the state must not contain the token", [token]),
	} with input as plans.creation_below_standards
}

test_lifetime_above_standards if {
	expected := sprintf("%s: expires_in_days must be at most 90, it is 365", [token])
	standards.deny == {expected} with input as plans.lifetime_above_standards
}

# An unknown public key is fine, and so is an unknown encryption.
test_unknown_encryption if {
	unknown_key := json.patch(plans.creation, [{
		"op": "replace",
		"path": "/resource_changes/1/change/after/encryption",
		"value": {"algorithm": "age"},
	}])
	standards.deny == set() with input as unknown_key
	unknown := json.patch(plans.creation, [
		{"op": "remove", "path": "/resource_changes/1/change/after/encryption"},
		{"op": "add", "path": "/resource_changes/1/change/after_unknown/encryption", "value": true},
	])
	standards.deny == set() with input as unknown
}

test_unknown_role if {
	unknown := json.patch(plans.creation, [
		{"op": "remove", "path": "/resource_changes/0/change/after/role"},
		{"op": "add", "path": "/resource_changes/0/change/after_unknown/role", "value": true},
	])
	expected := sprintf("%s: the role must be one of Manager, Member, and known while planning", [account])
	standards.deny == {expected} with input as unknown
}

# What exists and does not change is left alone.
test_unchanged if {
	unchanged := {"resource_changes": [
		{
			"address": account,
			"type": "qualytics_service_account",
			"change": {"actions": ["no-op"], "before": {"role": "Admin"}, "after": {"role": "Admin"}, "after_unknown": {}},
		},
		{
			"address": token,
			"type": "qualytics_service_token",
			"change": {"actions": ["no-op"], "before": {"id": "1"}, "after": {"id": "1"}, "after_unknown": {}},
		},
	]}
	standards.deny == set() with input as unchanged
	removals.deny == set() with input as unchanged
}

test_change_in_place if {
	not rotation with input as plans.change_in_place
	removals.deny == set() with input as plans.change_in_place
}

rotation if {
	some change in changes.tokens
	changes.rotates(change)
}

# A rotation keeps the token that it replaces, and those that are retiring.
test_rotation if {
	every name in ["rotation", "second_rotation", "lifetime_above_standards"] {
		rotation with input as plans[name]
		removals.deny == set() with input as plans[name]
	}
	standards.deny == set() with input as plans.rotation
}

test_rotation_without_overlap if {
	expected := sprintf("%s: the token with the ID 104 would be rotated, and may stop working in the same apply", [token])
	every name in ["rotation_without_overlap", "rotation_that_may_not_happen"] {
		rotation with input as plans[name]
		removals.deny == {expected} with input as plans[name]
	}
}

# A token that does not work any more cannot stop working.
test_rotation_of_an_expired_token if {
	every status in ["expired", "revoked"] {
		expired := json.patch(plans.rotation_without_overlap, [{
			"op": "replace",
			"path": "/resource_changes/0/change/before/status",
			"value": status,
		}])
		removals.deny == set() with input as expired
	}
}

test_end_of_overlap if {
	not rotation with input as plans.end_of_overlap
	expected := sprintf("%s: the token with the ID 104 would be removed at the end of its overlap", [token])
	removals.deny == {expected} with input as plans.end_of_overlap
}

test_revocation if {
	removals.deny == {sprintf("%s: the token with the ID 104 would be revoked", [token])} with input as plans.revocation
}

test_replacement if {
	removals.deny == {
		sprintf("%s: the token with the ID 104 would be replaced, and stop working before the new one exists", [token]),
		sprintf("%s: the token with the ID 105 would be replaced, and stop working before the new one exists", [token]),
	} with input as plans.replacement
}

test_destruction if {
	removals.deny == {
		sprintf("%s: the token with the ID 104 would be destroyed", [token]),
		sprintf("%s: the token with the ID 105 would be destroyed", [token]),
	} with input as plans.destruction
}

test_account_in_production if {
	every name in ["another_account_name", "destruction"] {
		standards.deny == {sprintf(
			"%s: the account airflow-production is in production: it must not be destroyed or replaced",
			[account],
		)} with input as plans[name]
	}
}

test_prevent_destroy if {
	protected := {"resource": {"qualytics_service_account": {"airflow": [{
		"name": "airflow-production",
		"lifecycle": [{"prevent_destroy": true}],
	}]}}}
	source.deny == set() with input as protected

	every name in ["Airflow PROD", "prod-airflow"] {
		account_in_source := {"resource": {"qualytics_service_account": {"airflow": [{"name": name}]}}}
		count(source.deny) == 1 with input as account_in_source
	}

	other := {"resource": {"qualytics_service_account": {"airflow": [{"name": "airflow-test"}]}}}
	source.deny == set() with input as other

	expected := "qualytics_service_account.airflow: the lifecycle block must contain prevent_destroy = true"
	every lifecycle in [[], [{"prevent_destroy": false}], [{"ignore_changes": ["${role}"]}]] {
		unprotected := {"resource": {"qualytics_service_account": {"airflow": [{
			"name": "airflow-production",
			"lifecycle": lifecycle,
		}]}}}
		source.deny == {expected} with input as unprotected
	}
}
