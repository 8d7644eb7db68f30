// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// It removes the accounts of the tests, and none with a similar name.
func TestSweep(t *testing.T) {
	t.Parallel()
	s, err := qualyticstest.NewServer(qualyticstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for _, name := range []string{"tfacc-1", "tfacc-2", "my tfacc-3", "TFACC-4", "Airflow"} {
		u := s.AddUser(qualyticstest.User{Name: name})
		s.AddToken(qualyticstest.Token{Name: "tfacc-token", UserID: u.ID})
	}
	env := map[string]string{
		"QUALYTICS_URL":      s.URL,
		"QUALYTICS_TOKEN":    s.AdminToken(),
		"QUALYTICS_API_PATH": s.APIPath(),
	}
	var out strings.Builder
	if err := run(t.Context(), func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		&out); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, u := range s.ServiceAccounts() {
		left = append(left, u.Name)
	}
	if got := strings.Join(left, ", "); got != "my tfacc-3, TFACC-4, Airflow" || len(s.Tokens()) != 3 {
		t.Errorf("left are %s and %d tokens; it says %s", got, len(s.Tokens()), out.String())
	}
}

func TestSweepWithoutAddress(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), func(string) (string, bool) { return "", false }, &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "QUALYTICS_URL") {
		t.Errorf("got %v", err)
	}
}
