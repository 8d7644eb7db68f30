variable "service_account_id" {
  type = string
}

ephemeral "qualytics_service_token" "run" {
  service_account_id = var.service_account_id
}

# A provider configuration may use the token. It is in no plan and no state.
provider "qualytics" {
  alias = "airflow"
  token = ephemeral.qualytics_service_token.run.token
}

data "qualytics_current_user" "airflow" {
  provider = qualytics.airflow
}
