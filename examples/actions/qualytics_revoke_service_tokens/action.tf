resource "qualytics_service_account" "airflow" {
  name = "Airflow"
  role = "Member"
}

action "qualytics_revoke_service_tokens" "airflow" {
  config {
    service_account_id = qualytics_service_account.airflow.id
  }
}
