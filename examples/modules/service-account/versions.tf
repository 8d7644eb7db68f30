terraform {
  required_version = ">= 1.3"

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = ">= 0.1"
    }
  }
}
