resource "qualytics_service_account" "this" {
  name                     = var.name
  role                     = var.role
  teams                    = var.teams
  revoke_tokens_on_destroy = var.revoke_tokens_on_destroy
}

resource "qualytics_service_token" "this" {
  for_each = var.tokens

  service_account_id = qualytics_service_account.this.id
  name_prefix        = "${each.key}-"
  expires_in_days    = each.value.expires_in_days
  rotate_before_days = each.value.rotate_before_days
  overlap_days       = each.value.overlap_days
  encryption         = each.value.encryption
}
