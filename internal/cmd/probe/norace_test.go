// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

//go:build !race

package main

// raceEnabled is true with the race detector, which makes everything slower.
const raceEnabled = false
