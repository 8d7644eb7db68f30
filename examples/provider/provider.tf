terraform {
  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
  }
}

# The token is taken from the environment variable QUALYTICS_TOKEN.
provider "qualytics" {
  url = "https://example.qualytics.io"
}
