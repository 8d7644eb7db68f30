data "qualytics_service_tokens" "active" {
  status = "active"
}

# Tokens that were never used, and tokens that never expire.
output "unused" {
  value = [for t in data.qualytics_service_tokens.active.service_tokens : t.name if t.last_used_at == null]
}

output "never_expiring" {
  value = [for t in data.qualytics_service_tokens.active.service_tokens : t.name if t.expires_at == null]
}
