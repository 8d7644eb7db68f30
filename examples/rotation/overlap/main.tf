# The token is rotated in place 14 days before it expires. The replaced token stays
# valid for 7 days, or until it has not been used for 48 hours.
resource "qualytics_service_account" "spark" {
  name = "Spark"
  role = "Member"
}

resource "qualytics_service_token" "spark" {
  service_account_id        = qualytics_service_account.spark.id
  name_prefix               = "spark-"
  expires_in_days           = 90
  rotate_before_days        = 14
  overlap_days              = 7
  retire_unused_after_hours = 48
}

# Represents the secret manager. terraform_data shows its values, so it gets a hash.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.spark.token)
}

output "retiring_tokens" {
  value = qualytics_service_token.spark.retiring_tokens
}
