# The token of the identity provider is limited to the SCIM endpoints. Its account must
# have the role Admin.
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

  # Someone has to copy the new token to the identity provider. The old one stays valid until
  # it has not been used for two weeks.
  overlap_days = 14
}

output "scim_token" {
  value     = qualytics_service_token.scim.token
  sensitive = true
}

output "scim_token_expires_at" {
  value = qualytics_service_token.scim.expires_at
}
