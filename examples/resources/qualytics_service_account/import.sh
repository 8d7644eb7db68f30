# By numeric ID, or by user_id.
terraform import qualytics_service_account.airflow 123
terraform import qualytics_service_account.airflow airflow@service
