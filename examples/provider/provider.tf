terraform {
  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
  }
}

# The URL and the token are taken from QUALYTICS_URL and QUALYTICS_TOKEN. The url may be set here instead.
provider "qualytics" {}
