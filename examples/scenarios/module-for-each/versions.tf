terraform {
  required_version = ">= 1.11"

  required_providers {
    qualytics = {
      source  = "qualytics/qualytics"
      version = "~> 0.1.0"
    }
    github = {
      source  = "integrations/github"
      version = ">= 6.12"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 3.2.1" # earlier versions fail with data_wo
    }
    vault = {
      source  = "hashicorp/vault"
      version = ">= 5.0"
    }
  }
}
