// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"slices"
	"testing"
)

func TestDisableUnusedLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		environ  []string
		disabled bool
	}{
		{"nothing set", []string{"HOME=/root"}, true},
		{"empty", []string{"TF_LOG="}, true},
		{"only Terraform's own", []string{"TF_LOG_CORE=TRACE", "TF_LOG_PATH=/tmp/log", "TF_LOG_CLOUD=DEBUG"}, true},
		{"all", []string{"TF_LOG=info"}, false},
		{"providers", []string{"TF_LOG_PROVIDER=DEBUG"}, false},
		{"this provider", []string{"TF_LOG_PROVIDER_QUALYTICS=WARN"}, false},
		{"the plugin framework", []string{"TF_LOG_SDK_FRAMEWORK=TRACE"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var set []string
			if err := disableUnusedLog(c.environ,
				func(name, value string) error { set = append(set, name+"="+value); return nil }); err != nil {
				t.Fatal(err)
			}
			var want []string
			if c.disabled {
				want = []string{"TF_LOG_SDK=OFF", "TF_LOG_PROVIDER_QUALYTICS=OFF"}
			}
			if !slices.Equal(set, want) {
				t.Errorf("sets %q, want %q", set, want)
			}
		})
	}
}
