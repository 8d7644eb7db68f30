data "qualytics_service_account" "airflow" {
  name = "Airflow"
}

output "airflow_last_login" {
  value = data.qualytics_service_account.airflow.last_login_at
}
