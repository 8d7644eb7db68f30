# The new token first, then everything that depends on it, then the old one
# goes. At every instant the consumer holds a token that works.
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

# Stands for the secret manager from which the consumer reads.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.airflow.token)
}

# For a secret with a write-only argument: the id rises with every rotation.
output "secret_version" {
  value = tonumber(qualytics_service_token.airflow.id)
}
