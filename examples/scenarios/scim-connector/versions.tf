terraform {
  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
  }
}
