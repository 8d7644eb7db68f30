module github.com/qualytics/terraform-provider-qualytics/tools/mutation

go 1.26
