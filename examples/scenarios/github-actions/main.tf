# The team in Qualytics and the repository must exist. GITHUB_OWNER contains its organization, and
# GITHUB_TOKEN a token that may write secrets.
resource "qualytics_service_account" "ci" {
  name  = "CI"
  role  = "Member"
  teams = ["Data Engineering"]
}

# The key with which GitHub decrypts the secrets of a repository.
data "github_actions_public_key" "pipelines" {
  repository = "data-pipelines"
}

resource "qualytics_service_token" "ci" {
  service_account_id = qualytics_service_account.ci.id
  name_prefix        = "ci-"
  expires_in_days    = 90
  rotate_before_days = 14

  # The secret is encrypted in memory: no state and no plan contains it.
  encryption = {
    algorithm  = "sealed_box"
    public_key = data.github_actions_public_key.pipelines.key
  }
}

resource "github_actions_secret" "qualytics" {
  repository      = "data-pipelines"
  secret_name     = "QUALYTICS_TOKEN"
  value_encrypted = qualytics_service_token.ci.encrypted_token
  key_id          = data.github_actions_public_key.pipelines.key_id
}
