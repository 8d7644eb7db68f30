list "qualytics_service_account" "all" {
  provider         = qualytics
  include_resource = true
  limit            = 1000
}
