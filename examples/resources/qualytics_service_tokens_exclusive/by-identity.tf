# Terraform 1.12 or OpenTofu 1.12, or newer.
import {
  to = qualytics_service_tokens_exclusive.airflow
  identity = {
    id = "123"
  }
}
