output "id" {
  description = "Number that Qualytics gave the account."
  value       = qualytics_service_account.this.id
}

output "user_id" {
  description = "Identifier of the account, such as `airflow@service`."
  value       = qualytics_service_account.this.user_id
}

output "tokens" {
  description = "The secrets, by the name of what uses them."
  value       = { for name, token in qualytics_service_token.this : name => token.token }
  sensitive   = true
}

output "token_ids" {
  description = "The tokens' ids, which rise with every rotation: pass `tonumber()` of one as the version of a write-only secret."
  value       = { for name, token in qualytics_service_token.this : name => token.id }
}

output "expires_at" {
  description = "When each token expires, in UTC: watch it, for Terraform rotates only when it runs."
  value       = { for name, token in qualytics_service_token.this : name => token.expires_at }
}
