terraform {
  required_version = ">= 1.11"

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
    tfe = {
      source  = "hashicorp/tfe"
      version = ">= 0.75.0" # the first with value_wo_version
    }
  }
}
