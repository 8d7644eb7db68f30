resource "qualytics_service_account" "dbt" {
  name = "dbt"
  role = "Member"
}

resource "qualytics_service_token" "dbt" {
  service_account_id = qualytics_service_account.dbt.id
  name_prefix        = "dbt-"
}
