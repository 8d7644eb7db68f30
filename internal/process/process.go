// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package process adjusts the provider's process to how Terraform uses it.
package process

import (
	"os"
	"runtime/debug"
	"strings"
)

// The garbage collector runs less often than by default, because a plugin lives for seconds and
// uses little memory. The trade-off: a large token list, which reaches the memory limit, costs
// three times the CPU time that it would cost without the limit, and a fifth of the memory.
const (
	// gcPercent is how much memory may grow between two collections, in percent of what is in use.
	gcPercent = 800
	// memoryLimit is the memory, in bytes, above which collections are more frequent.
	memoryLimit = 56 << 20
)

// Tune sets the garbage collector and the log. Environment variables of the user take precedence.
func Tune() error {
	tuneGC(os.LookupEnv)
	return disableUnusedLog(os.Environ(), os.Setenv)
}

func tuneGC(lookupEnv func(string) (string, bool)) {
	if _, ok := lookupEnv("GOGC"); !ok {
		debug.SetGCPercent(gcPercent)
	}
	if _, ok := lookupEnv("GOMEMLIMIT"); !ok {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// disableUnusedLog turns off the plugin's log if Terraform would discard it.
// Terraform requests the log of every plugin at TRACE, even if TF_LOG is not set.
// For a plan of a few hundred objects, that is half of the time.
func disableUnusedLog(environ []string, setenv func(string, string) error) error {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value != "" && strings.HasPrefix(name, "TF_LOG") && name != "TF_LOG_PATH" && name != "TF_LOG_CORE" &&
			name != "TF_LOG_CLOUD" {
			return nil
		}
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_PROVIDER_QUALYTICS"} {
		if err := setenv(name, "OFF"); err != nil {
			return err
		}
	}
	return nil
}
