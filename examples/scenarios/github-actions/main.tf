resource "qualytics_service_account" "ci" {
  name  = "CI"
  role  = "Member"
  teams = ["Data Engineering"]
}

resource "qualytics_service_token" "ci" {
  service_account_id = qualytics_service_account.ci.id
  name_prefix        = "ci-"
  expires_in_days    = 90
  rotate_before_days = 14

  lifecycle {
    create_before_destroy = true
  }
}

# This resource has no write-only argument, so the secret is in its part of the
# state as well.
resource "github_actions_secret" "qualytics" {
  repository      = "data-pipelines"
  secret_name     = "QUALYTICS_TOKEN"
  plaintext_value = qualytics_service_token.ci.token
}
