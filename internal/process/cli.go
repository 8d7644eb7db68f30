// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CLI returns the command that started this plugin, "tofu" or "terraform", so that messages
// name commands that exist. OpenTofu installs plugins in a folder that is named after its
// registry; with a development override, the parent process tells, where /proc exists.
func CLI() string {
	executable, _ := os.Executable()
	parent, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", os.Getppid()))
	return cliOf(executable, parent)
}

func cliOf(executable, parent string) string {
	if strings.Contains(filepath.ToSlash(executable), "/registry.opentofu.org/") ||
		strings.HasPrefix(filepath.Base(parent), "tofu") {
		return "tofu"
	}
	return "terraform"
}
