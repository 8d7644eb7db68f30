# The team in Qualytics must exist. QUALYTICS_URL and QUALYTICS_TOKEN are environment variables of the
# workspace, and "terraform login" provides the token of HCP Terraform.
resource "qualytics_service_account" "reports" {
  name  = "Reports"
  role  = "Member"
  teams = ["Data Quality"]
}

resource "qualytics_service_token" "reports" {
  service_account_id = qualytics_service_account.reports.id
  name_prefix        = "reports-"
  expires_in_days    = 90
  rotate_before_days = 14
}

# Other workspaces read it with the data source tfe_outputs.
output "token" {
  value     = qualytics_service_token.reports.token
  sensitive = true
}

# Fails in a health assessment a week before the token expires.
check "token_is_fresh" {
  assert {
    condition     = timecmp(qualytics_service_token.reports.expires_at, timeadd(plantimestamp(), "168h")) > 0
    error_message = "The token of Reports expires within a week. Run terraform apply."
  }
}
