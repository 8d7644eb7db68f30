# The public key of the operator who needs the secret: age-keygen -o key.txt
variable "recipient" {
  type = string
}

resource "qualytics_service_account" "airflow" {
  name = "Airflow"
  role = "Member"
}

resource "qualytics_service_token" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  name_prefix        = "airflow-"
  expires_in_days    = 90
  rotate_before_days = 14

  encryption = {
    algorithm  = "age"
    public_key = var.recipient
  }
}

# terraform output -raw token | age -d -i key.txt
output "token" {
  value = qualytics_service_token.airflow.encrypted_token
}
