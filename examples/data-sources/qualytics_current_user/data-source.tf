data "qualytics_current_user" "me" {}

check "provider_is_admin" {
  assert {
    condition     = data.qualytics_current_user.me.role == "Admin"
    error_message = "Managing service accounts needs the token of an Admin."
  }
}
