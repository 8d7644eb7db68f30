terraform {
  required_version = ">= 1.11"

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.50.0" # 6.45.0 to 6.49.0 can fail with "inconsistent final plan"
    }
  }
}
