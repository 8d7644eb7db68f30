# The replaced token is not revoked: it stays valid until it expires, at most
# rotate_before_days later.
resource "qualytics_service_account" "spark" {
  name = "Spark"
  role = "Member"

  # Destroying the account revokes the tokens that are still valid.
  revoke_tokens_on_destroy = true
}

resource "qualytics_service_token" "spark" {
  service_account_id = qualytics_service_account.spark.id
  name_prefix        = "spark-"
  expires_in_days    = 60
  rotate_before_days = 10
  deletion_policy    = "abandon"

  lifecycle {
    create_before_destroy = true
  }
}

# Represents the secret manager. terraform_data shows its values, so it gets a hash.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.spark.token)
}
