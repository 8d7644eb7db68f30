// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

// ParseCLIFile is for the fuzz test.
func ParseCLIFile(text []byte, lookup func(string) (string, bool)) (url, token string, err error) {
	file, err := parseCLIFile(text, lookup)
	return file.URL, file.Token, err
}
