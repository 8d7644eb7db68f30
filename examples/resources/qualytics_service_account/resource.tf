resource "qualytics_service_account" "airflow" {
  name  = "Airflow"
  role  = "Member"
  teams = ["Data Engineering"]
}
