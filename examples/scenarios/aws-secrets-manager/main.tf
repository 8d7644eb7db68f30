# The team in Qualytics must exist. AWS_REGION and the usual sources of AWS credentials configure the
# AWS provider.
resource "qualytics_service_account" "dbt" {
  name  = "dbt"
  role  = "Member"
  teams = ["Data Engineering"]
}

resource "qualytics_service_token" "dbt" {
  service_account_id = qualytics_service_account.dbt.id
  name_prefix        = "dbt-"
  expires_in_days    = 90
  rotate_before_days = 14
}

resource "aws_secretsmanager_secret" "dbt" {
  name = "qualytics/dbt"
}

# The argument is write-only, so the state does not contain a second copy of the secret.
# The ID of the token increases with every rotation, so the new secret is written.
# A changed version replaces this resource: it adds a version to the secret, and the previous
# one stays readable as AWSPREVIOUS.
resource "aws_secretsmanager_secret_version" "dbt" {
  secret_id                = aws_secretsmanager_secret.dbt.id
  secret_string_wo         = qualytics_service_token.dbt.token
  secret_string_wo_version = tonumber(qualytics_service_token.dbt.id)
}
