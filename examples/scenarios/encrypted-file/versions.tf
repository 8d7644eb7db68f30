terraform {
  required_version = ">= 1.0"

  required_providers {
    local = {
      source = "hashicorp/local"
    }
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1"
    }
  }
}
