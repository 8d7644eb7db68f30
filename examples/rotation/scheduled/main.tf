# A daily "terraform apply" replaces the token two weeks before it expires. The name is
# fixed, so the old token is removed before the new one is created.
resource "qualytics_service_account" "report" {
  name = "Nightly Report"
  role = "Member"
}

resource "qualytics_service_token" "report" {
  service_account_id = qualytics_service_account.report.id
  name               = "nightly"
  expires_in_days    = 90
  rotate_before_days = 14
}

# Represents the secret manager. terraform_data shows its values, so it gets a hash.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.report.token)
}
