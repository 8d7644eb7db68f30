# Apply creates the new token, updates everything that depends on it, and then removes the
# old token.
resource "qualytics_service_account" "airflow" {
  name = "Airflow"
  role = "Member"
}

resource "qualytics_service_token" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  name_prefix        = "airflow-"
  expires_in_days    = 90
  rotate_before_days = 14

  lifecycle {
    create_before_destroy = true
  }
}

# Represents the secret manager. terraform_data shows its values, so it gets a hash.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.airflow.token)
}

# The version of a write-only argument: the ID increases with every rotation.
output "secret_version" {
  value = tonumber(qualytics_service_token.airflow.id)
}
