terraform {
  required_version = ">= 1.0"

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
  }
}
