# The token with which this workspace logs in to Qualytics, rotated by the workspace itself. The
# workspace must exist, and TFE_TOKEN contains a token that may write its variables. For the first
# run, set a QUALYTICS_TOKEN of an Admin in a variable set: the variable of the workspace takes
# precedence over it.
data "tfe_workspace" "this" {
  organization = "example"
  name         = "qualytics"
}

resource "qualytics_service_account" "terraform" {
  name = "Terraform"
  role = "Admin"
}

resource "qualytics_service_token" "terraform" {
  service_account_id = qualytics_service_account.terraform.id
  name_prefix        = "terraform-"
  expires_in_days    = 90
  rotate_before_days = 30
}

# The next run uses the new token. The replaced one stays valid until it has not been used for
# 7 days. The argument is write-only; its version is the ID, which increases with every rotation.
resource "tfe_variable" "token" {
  workspace_id     = data.tfe_workspace.this.id
  category         = "env"
  key              = "QUALYTICS_TOKEN"
  value_wo         = qualytics_service_token.terraform.token
  value_wo_version = tonumber(qualytics_service_token.terraform.id)
  sensitive        = true
}
