# Runs without a deployment: terraform test -filter=tests/mocked.tftest.hcl
# Requires Terraform 1.7 or OpenTofu 1.8.

mock_provider "qualytics" {
  mock_resource "qualytics_service_account" {
    defaults = {
      id         = "123"
      user_id    = "airflow@service"
      user_name  = "airflow@service"
      email      = "airflow@service"
      created_at = "2026-01-01T00:00:00Z"
    }
  }

  mock_resource "qualytics_service_token" {
    defaults = {
      id         = "456"
      name       = "airflow-20260101000000000abcdef01"
      token      = "mock-token"
      status     = "active"
      created_at = "2026-01-01T00:00:00Z"
      expires_at = "2026-04-01T00:00:00Z"
    }
  }
}

run "tokens_of_an_account" {
  variables {
    name   = "Airflow"
    tokens = { airflow = {}, dbt = { expires_in_days = 30, rotate_before_days = 7 } }
  }

  assert {
    condition     = output.id == "123" && output.user_id == "airflow@service"
    error_message = "The account has the ID ${output.id} and the user_id ${output.user_id}."
  }
  assert {
    condition     = nonsensitive(output.tokens["dbt"]) == "mock-token" && output.expires_at["dbt"] == "2026-04-01T00:00:00Z"
    error_message = "The token of dbt is not the one of the mock."
  }
}
