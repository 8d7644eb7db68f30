// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package process

import "testing"

// OpenTofu is told apart by where it installs plugins, or by its executable.
func TestCLI(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ executable, parent, want string }{
		{"/work/.terraform/providers/registry.opentofu.org/qualytics/qualytics/1.0.0/linux_amd64/x", "", "tofu"},
		{"/work/.terraform/providers/registry.terraform.io/qualytics/qualytics/1.0.0/linux_amd64/x", "", "terraform"},
		{"/home/me/go/bin/terraform-provider-qualytics", "/usr/bin/tofu-1.12", "tofu"},
		{"/home/me/go/bin/terraform-provider-qualytics", "/usr/bin/terraform", "terraform"},
		{"", "", "terraform"},
	} {
		if got := cliOf(tc.executable, tc.parent); got != tc.want {
			t.Errorf("%s started by %s: %q, want %q", tc.executable, tc.parent, got, tc.want)
		}
	}
}
