list "qualytics_service_token" "active" {
  provider         = qualytics
  include_resource = true
  limit            = 1000
}

list "qualytics_service_token" "expired" {
  provider = qualytics

  config {
    status = "expired"
  }
}
