# By the number that Qualytics gave the token, or by its account and name.
terraform import qualytics_service_token.airflow 456
terraform import qualytics_service_token.airflow airflow@service/nightly
