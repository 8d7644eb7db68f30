output "id" {
  description = "Numeric ID of the service account."
  value       = qualytics_service_account.this.id
}

output "user_id" {
  description = "Identifier of the service account, such as `airflow@service`."
  value       = qualytics_service_account.this.user_id
}

output "tokens" {
  description = "Secrets of the service tokens by name."
  value       = { for name, token in qualytics_service_token.this : name => token.token }
  sensitive   = true
}

output "encrypted_tokens" {
  description = "Encrypted secrets of the service tokens with encryption, by name."
  value       = { for name, token in qualytics_service_token.this : name => token.encrypted_token if token.encrypted_token != null }
}

output "token_ids" {
  description = "IDs of the service tokens by name. They increase with every rotation, so `tonumber()` of one can be the version of a write-only argument."
  value       = { for name, token in qualytics_service_token.this : name => token.id }
}

output "expires_at" {
  description = "Time of expiry of the service tokens by name, in UTC. Terraform rotates a token only when it runs, so monitor it."
  value       = { for name, token in qualytics_service_token.this : name => token.expires_at }
}
