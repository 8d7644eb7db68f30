data "qualytics_current_user" "me" {}

check "provider_is_admin" {
  assert {
    condition     = data.qualytics_current_user.me.role == "Admin"
    error_message = "Managing service accounts requires the token of an Admin."
  }
}
