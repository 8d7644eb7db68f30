module github.com/qualytics/terraform-provider-qualytics/tools/bench

go 1.26.0

require github.com/qualytics/terraform-provider-qualytics v0.0.0

replace github.com/qualytics/terraform-provider-qualytics => ../..
