terraform {
  required_providers {
    qualytics = { source = "qualytics/qualytics" }
  }
}
