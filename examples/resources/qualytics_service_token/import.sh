# By numeric ID, or by account and name.
terraform import qualytics_service_token.airflow 456
terraform import qualytics_service_token.airflow airflow@service/nightly
