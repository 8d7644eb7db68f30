# Changing a value of rotate_when_changed rotates the token. For example, increase the
# generation when someone leaves the team.
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

# Represents the secret of the CI system. terraform_data shows its values, so it gets a hash.
resource "terraform_data" "consumer" {
  input = sha256(qualytics_service_token.ci.token)
}
