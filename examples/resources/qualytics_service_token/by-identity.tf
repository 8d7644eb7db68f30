# Terraform 1.12 or OpenTofu 1.12, or newer.
import {
  to = qualytics_service_token.airflow
  identity = {
    id = "456"
  }
}
