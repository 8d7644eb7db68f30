# Run against the emulator: make test-module.

run "defaults" {
  variables {
    name   = "Module test defaults"
    tokens = { airflow = {} }
  }

  assert {
    condition     = output.user_id == "module_test_defaults@service"
    error_message = "The account is ${output.user_id}."
  }
  assert {
    condition     = qualytics_service_account.this.role == "Member"
    error_message = "The default role is ${qualytics_service_account.this.role}."
  }
  assert {
    condition     = qualytics_service_token.this["airflow"].status == "active" && startswith(qualytics_service_token.this["airflow"].name, "airflow-")
    error_message = "The token is ${qualytics_service_token.this["airflow"].name}, ${qualytics_service_token.this["airflow"].status}."
  }
  assert {
    condition     = timecmp(output.expires_at["airflow"], timeadd(plantimestamp(), "2136h")) > 0 # 89 days
    error_message = "The token expires at ${output.expires_at["airflow"]}."
  }
}

run "another_token" {
  variables {
    name   = "Module test defaults"
    tokens = { airflow = {}, dbt = { expires_in_days = 30, rotate_before_days = 7 } }
  }

  assert {
    condition     = length(nonsensitive(output.tokens)) == 2 && nonsensitive(output.tokens["dbt"] != output.tokens["airflow"])
    error_message = "The second token is missing or the same as the first."
  }
}

run "an_encrypted_token" {
  variables {
    name = "Module test encrypted"
    tokens = { sealed = { encryption = {
      algorithm  = "age"
      public_key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    } } }
  }

  assert {
    condition     = startswith(output.encrypted_tokens["sealed"], "-----BEGIN AGE ENCRYPTED FILE-----") && nonsensitive(output.tokens["sealed"]) == null
    error_message = "The secret of the token is not encrypted."
  }
}

run "an_account_without_tokens" {
  variables {
    name  = "Module test bare"
    teams = []
  }

  assert {
    condition     = length(output.token_ids) == 0
    error_message = "There are tokens."
  }
}

run "a_window_longer_than_the_life_is_refused" {
  command = plan

  variables {
    name   = "Module test refused"
    tokens = { airflow = { expires_in_days = 7, rotate_before_days = 7 } }
  }

  expect_failures = [var.tokens]
}
