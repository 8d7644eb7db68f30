terraform {
  required_providers {
    qualytics = {
      source = "qualytics/qualytics"
    }
  }
}

# The token comes from QUALYTICS_TOKEN, so that it stands in no file.
provider "qualytics" {
  url = "https://example.qualytics.io"
}
