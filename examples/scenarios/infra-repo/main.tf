# All clients of Qualytics in one table: each line is a service account with a token.
# The teams must exist.
locals {
  clients = {
    airflow = { role = "Member", teams = ["Data Engineering"] }
    dbt     = { role = "Member", teams = ["Data Engineering", "Data Quality"] }
    ci      = { role = "Manager", teams = [] }
  }
}

resource "qualytics_service_account" "client" {
  for_each = local.clients

  name  = "client-${each.key}"
  role  = each.value.role
  teams = each.value.teams
}

resource "qualytics_service_token" "client" {
  for_each = local.clients

  service_account_id = qualytics_service_account.client[each.key].id
  name_prefix        = "${each.key}-"
  expires_in_days    = 90
  rotate_before_days = 14
}

output "tokens" {
  description = "Secrets of the tokens by client."
  value       = { for name, token in qualytics_service_token.client : name => token.token }
  sensitive   = true
}

output "expires_at" {
  description = "Time of expiry by client, for monitoring: tokens rotate only when Terraform runs."
  value       = { for name, token in qualytics_service_token.client : name => token.expires_at }
}
