data "qualytics_service_accounts" "admins" {
  role = "Admin"
}

output "admins" {
  value = [for a in data.qualytics_service_accounts.admins.service_accounts : a.user_id]
}
