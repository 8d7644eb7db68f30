# By the ID of the service account.
terraform import qualytics_service_tokens_exclusive.airflow 123
