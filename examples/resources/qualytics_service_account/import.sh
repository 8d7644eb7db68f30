# By the number that Qualytics gave the account, or by its user_id.
terraform import qualytics_service_account.airflow 123
terraform import qualytics_service_account.airflow airflow@service
