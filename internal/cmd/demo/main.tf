resource "qualytics_service_account" "airflow" {
  name = "Airflow"
  role = "Member"
}

resource "qualytics_service_token" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  name_prefix        = "airflow-"
  expires_in_days    = 90
  rotate_before_days = 14
  overlap_days       = 7
}
