# A nightly run of "terraform apply" replaces the token two weeks before it
# expires. The name is fixed, so the old token goes before the new one comes:
# fine for a job that reads its token when it starts.
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

# Stands for the secret manager from which the job reads.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.report.token)
}
