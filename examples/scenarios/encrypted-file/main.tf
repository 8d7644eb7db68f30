# The public key of the team that needs the secret: age-keygen -o key.txt
variable "recipient" {
  type = string
}

resource "qualytics_service_account" "dbt" {
  name = "dbt"
  role = "Member"
}

resource "qualytics_service_token" "dbt" {
  service_account_id = qualytics_service_account.dbt.id
  name_prefix        = "dbt-"
  expires_in_days    = 90
  rotate_before_days = 14

  encryption = {
    algorithm  = "age"
    public_key = var.recipient
  }
}

# Like a file of SOPS, it may be committed: only the owner of the key can read it.
# age -d -i key.txt dbt-token-*.age
#
# A local_file cannot be updated: it is replaced. With the ID in its name and create_before_destroy,
# the new file exists before the old one is removed.
resource "local_file" "token" {
  filename = "${path.root}/dbt-token-${qualytics_service_token.dbt.id}.age"
  content  = qualytics_service_token.dbt.encrypted_token

  lifecycle {
    create_before_destroy = true
  }
}
