# The account exists already: while its id is unknown, nothing opens.
variable "service_account_id" {
  type = string
}

ephemeral "qualytics_service_token" "run" {
  service_account_id = var.service_account_id
}

# Another provider works with a token that no plan and no state ever holds.
# provider "http" {
#   token = ephemeral.qualytics_service_token.run.token
# }
