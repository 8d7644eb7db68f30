terraform {
  required_version = ">= 1.11"

  required_providers {
    qualytics = {
      source = "qualytics/qualytics"
    }
    vault = {
      source = "hashicorp/vault"
    }
  }
}
