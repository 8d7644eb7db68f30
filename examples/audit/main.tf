data "qualytics_service_accounts" "all" {}

data "qualytics_service_tokens" "active" {
  status = "active"
}

locals {
  now      = plantimestamp()
  long_ago = timeadd(local.now, "-2160h") # 90 days
  soon     = timeadd(local.now, "336h")   # 14 days

  accounts = data.qualytics_service_accounts.all.service_accounts
  tokens   = data.qualytics_service_tokens.active.service_tokens

  stale_accounts = [for a in local.accounts : a.user_id
  if a.last_login_at == null ? true : timecmp(a.last_login_at, local.long_ago) < 0]
  unused_tokens = [for t in local.tokens : "${t.name} (id ${t.id})"
  if t.last_used_at == null ? true : timecmp(t.last_used_at, local.long_ago) < 0]
  tokens_without_expiry = [for t in local.tokens : "${t.name} (id ${t.id})" if t.expires_at == null]
  expiring_tokens = [for t in local.tokens : "${t.name} (id ${t.id})"
  if t.expires_at == null ? false : timecmp(t.expires_at, local.soon) < 0]
  admins = [for a in local.accounts : a.user_id if a.role == "Admin"]
}

output "stale_accounts" {
  description = "Accounts that have not used the API for 90 days."
  value       = local.stale_accounts
}

output "unused_tokens" {
  description = "Active tokens that were not used for 90 days."
  value       = local.unused_tokens
}

output "admins" {
  description = "Accounts with the role Admin."
  value       = local.admins
}

check "every_token_expires" {
  assert {
    condition     = length(local.tokens_without_expiry) == 0
    error_message = "These tokens never expire: ${join(", ", local.tokens_without_expiry)}."
  }
}

check "no_token_expires_soon" {
  assert {
    condition     = length(local.expiring_tokens) == 0
    error_message = "These tokens expire within 14 days: ${join(", ", local.expiring_tokens)}."
  }
}
