terraform {
  required_version = ">= 1.4" # terraform_data

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
  }
}
