data "qualytics_teams" "data" {
  name = "data"
}

output "data_teams" {
  value = [for t in data.qualytics_teams.data.teams : t.name]
}
