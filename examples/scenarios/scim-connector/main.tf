# The identity provider needs a token for Qualytics' SCIM endpoints and for
# nothing else. Its account has to be an Admin.
resource "qualytics_service_account" "scim" {
  name = "SCIM connector"
  role = "Admin"
}

resource "qualytics_service_token" "scim" {
  service_account_id  = qualytics_service_account.scim.id
  name_prefix         = "scim-"
  scim_endpoints_only = true
  expires_in_days     = 365
  rotate_before_days  = 30

  # Somebody has to carry the new token over to the identity provider, so the
  # old one lives on until it expires.
  deletion_policy = "abandon"

  lifecycle {
    create_before_destroy = true
  }
}

output "scim_token" {
  value     = qualytics_service_token.scim.token
  sensitive = true
}

output "scim_token_expires_at" {
  value = qualytics_service_token.scim.expires_at
}
