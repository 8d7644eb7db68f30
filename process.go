// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"os"
	"runtime/debug"
	"strings"
)

const (
	// gcPercent lets garbage grow to a multiple of what is in use before it is
	// collected: a plugin lives for seconds and has little in use.
	gcPercent = 800
	// memoryLimit is where it is collected earlier nevertheless, in bytes.
	memoryLimit = 56 << 20
)

// tuneGC sets the pace of garbage collection, unless the environment does.
func tuneGC(lookupEnv func(string) (string, bool)) {
	if _, ok := lookupEnv("GOGC"); !ok {
		debug.SetGCPercent(gcPercent)
	}
	if _, ok := lookupEnv("GOMEMLIMIT"); !ok {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// silence are the variables that turn off the log of a plugin.
var silence = []string{"TF_LOG_SDK", "TF_LOG_PROVIDER_QUALYTICS"}

// quiet turns off the log where Terraform would throw it away: it asks every
// plugin for its log at TRACE, line by line, also when TF_LOG is not set. For a
// plan of a few hundred objects that is half of the time.
func quiet(environ []string, setenv func(string, string) error) error {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value != "" && strings.HasPrefix(name, "TF_LOG") && name != "TF_LOG_PATH" && name != "TF_LOG_CORE" && name != "TF_LOG_CLOUD" {
			return nil
		}
	}
	for _, name := range silence {
		if err := setenv(name, "OFF"); err != nil {
			return err
		}
	}
	return nil
}

// tune fits this process to what Terraform does with it.
func tune() error {
	tuneGC(os.LookupEnv)
	return quiet(os.Environ(), os.Setenv)
}
