terraform {
  required_version = ">= 1.11"

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
    vault = {
      source  = "hashicorp/vault"
      version = ">= 5.0"
    }
  }
}
