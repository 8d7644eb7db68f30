# The team in Qualytics and the namespace must exist. KUBE_CONFIG_PATH names the file with the
# credentials of the cluster.
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
resource "kubernetes_secret_v1" "airflow" {
  metadata {
    name      = "qualytics"
    namespace = "airflow"
  }

  data_wo = {
    token = qualytics_service_token.airflow.token
  }
  data_wo_revision = tonumber(qualytics_service_token.airflow.id)
}
