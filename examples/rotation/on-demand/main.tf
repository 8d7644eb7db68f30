# Changing a value of rotate_when_changed rotates the token: increase the generation, for
# example when someone leaves the team.
resource "qualytics_service_account" "ci" {
  name = "CI"
  role = "Member"
}

variable "generation" {
  type    = number
  default = 1
}

resource "qualytics_service_token" "ci" {
  service_account_id = qualytics_service_account.ci.id
  name_prefix        = "ci-"
  expires_in_days    = 365

  rotate_when_changed = {
    generation = var.generation
  }
}

# Stands for the secret of the CI system. terraform_data shows its input, so it gets a hash.
resource "terraform_data" "consumer" {
  input = nonsensitive(sha256(qualytics_service_token.ci.token))
}
