# The provider reads its own token from Vault in every run, and Terraform rotates it there. No
# state and no plan contains a copy of the value that was read.
#
# A KV secrets engine of version 2 must be mounted at "secret". For the first run, store a token of
# an Admin there: vault kv put secret/qualytics/terraform token=…
# VAULT_ADDR and VAULT_TOKEN contain the address and the credentials.
ephemeral "vault_kv_secret_v2" "terraform" {
  mount = "secret"
  name  = "qualytics/terraform"
}

provider "qualytics" {
  url   = "https://example.qualytics.io"
  token = ephemeral.vault_kv_secret_v2.terraform.data.token
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

# The names are repeated on purpose: if the ephemeral resource referred to this resource, the
# provider would depend on its own token.
resource "vault_kv_secret_v2" "terraform" {
  mount = "secret"
  name  = "qualytics/terraform"

  data_json_wo         = jsonencode({ token = qualytics_service_token.terraform.token })
  data_json_wo_version = tonumber(qualytics_service_token.terraform.id)
}
