terraform {
  required_version = ">= 1.5"

  cloud {
    organization = "example"

    workspaces {
      name = "qualytics"
    }
  }

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
  }
}
