# Accounts in production have prevent_destroy. A plan does not contain the lifecycle block, so the
# input is a .tf file: conftest test --parser hcl2 --namespace qualytics.source *.tf
package qualytics.source

import data.qualytics.standards

deny contains message if {
	some label, blocks in input.resource.qualytics_service_account
	some block in blocks
	regex.match(standards.production, block.name)
	not prevents_destroy(block)
	message := sprintf("qualytics_service_account.%s: the lifecycle block must contain prevent_destroy = true", [label])
}

prevents_destroy(block) if {
	some lifecycle in block.lifecycle
	lifecycle.prevent_destroy == true
}
