resource "qualytics_service_tokens_exclusive" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  token_ids          = concat([qualytics_service_token.airflow.id], qualytics_service_token.airflow.retiring_tokens[*].id)
}
