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

# The current and the retiring tokens may be active, and no others.
resource "qualytics_service_tokens_exclusive" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  token_ids = concat(
    [qualytics_service_token.airflow.id],
    qualytics_service_token.airflow.retiring_tokens[*].id,
  )
}
