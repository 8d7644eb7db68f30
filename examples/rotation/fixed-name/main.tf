# The server allows a name once, so the old token is removed before the new one is created.
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

# Stands for your secret manager. terraform_data shows its input, so it gets a hash.
resource "terraform_data" "consumer" {
  input = nonsensitive(sha256(qualytics_service_token.report.token))
}
