# A change of any value in rotate_when_changed makes a new token: raise the
# generation when somebody leaves the team.
variable "generation" {
  type    = number
  default = 1
}

resource "qualytics_service_account" "ci" {
  name = "CI"
  role = "Member"
}

resource "qualytics_service_token" "ci" {
  service_account_id = qualytics_service_account.ci.id
  name_prefix        = "ci-"
  expires_in_days    = 365

  rotate_when_changed = {
    generation = var.generation
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Stands for the CI system's secret.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.ci.token)
}
