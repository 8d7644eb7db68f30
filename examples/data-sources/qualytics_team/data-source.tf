data "qualytics_team" "quality" {
  name = "Data Quality"
}

resource "qualytics_service_account" "monitor" {
  name  = "Monitor"
  role  = "Member"
  teams = [data.qualytics_team.quality.name]
}
