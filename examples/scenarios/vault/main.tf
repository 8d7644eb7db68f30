# The team in Qualytics must exist, and a KV secrets engine of version 2 must be mounted at "secret".
# VAULT_ADDR and VAULT_TOKEN contain the address and the credentials.
resource "qualytics_service_account" "airflow" {
  name  = "Airflow"
  role  = "Member"
  teams = ["Data Engineering"]
}

resource "qualytics_service_token" "airflow" {
  service_account_id = qualytics_service_account.airflow.id
  name_prefix        = "airflow-"
  expires_in_days    = 90
  rotate_before_days = 14
}

# The argument is write-only, so the state does not contain a second copy of the secret.
# The ID of the token increases with every rotation, so the new secret is written.
resource "vault_kv_secret_v2" "airflow" {
  mount = "secret"
  name  = "qualytics/airflow"

  data_json_wo         = jsonencode({ token = qualytics_service_token.airflow.token })
  data_json_wo_version = tonumber(qualytics_service_token.airflow.id)
}
