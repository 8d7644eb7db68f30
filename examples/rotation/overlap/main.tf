# Rotated 14 days before it expires. The replaced token stays valid for 7 days, and for as
# long as it is in use after that.
resource "qualytics_service_account" "airflow" {
  name = "Airflow"
  role = "Member"
}

resource "qualytics_service_token" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  name_prefix        = "airflow-"
  expires_in_days    = 90
  rotate_before_days = 14
  overlap_days       = 7 # the default
}

# Stands for your secret manager. terraform_data shows its input, so it gets a hash.
resource "terraform_data" "consumer" {
  input = nonsensitive(sha256(qualytics_service_token.airflow.token))
}

output "retiring_tokens" {
  value = qualytics_service_token.airflow.retiring_tokens
}
