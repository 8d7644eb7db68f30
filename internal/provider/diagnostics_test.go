// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A timeout is not reported as an interrupt, and plain HTTP not as a lost connection.
func TestMisleadingErrors(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.connect(values{"url": h.server.URL, "token": h.server.AdminToken(), "timeout": 0.05, "max_retries": 0})
	h.server.Fail(qualyticstest.Fault{Kind: qualyticstest.Delay, Wait: time.Second})
	_, diags := h.load(accountType, "5")
	wantText(t, diags.errors(), "no response within 50ms", "increase timeout")
	h.connect(values{"url": strings.Replace(h.server.URL, "http://", "https://", 1), "token": h.server.AdminToken()})
	_, diags = h.load(accountType, "5")
	wantText(t, diags.errors(), "does not speak TLS")
	h.connect(values{"url": h.server.URL, "api_path": "api/v2", "token": h.server.AdminToken()})
	_, diags = h.run(h.none(tokenType), values{"service_account_id": "5", "name_prefix": "x"})
	wantText(t, diags.errors(), "check url and api_path", h.server.URL+"/api/v2/user-tokens")
}

// Servers that repeat credentials in their errors.
func TestEchoedSecrets(t *testing.T) {
	t.Parallel()
	var admin string
	echo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(rw, `{"detail":"bad %s and %s and %s","fault_context":{"hint":"you sent %s"}}`,
			r.Header.Get("Authorization"), r.Header.Get("X-Gateway"), admin[:25], admin)
	}))
	t.Cleanup(echo.Close)
	h := newHarness(t, qualyticstest.Build202609())
	admin = h.server.AdminToken()
	h.connect(values{"url": echo.URL, "token": admin, "headers": map[string]string{"X-Gateway": canaryHeader}})
	_, diags := h.load(accountType, "5")
	wantText(t, diags.errors(), "(hidden)")
	for _, secret := range []string{admin, admin[:20], canaryHeader} {
		if strings.Contains(diags.errors(), secret) {
			t.Errorf("the error shows a secret: %s", diags.errors())
		}
	}
}

// A secret that is used as an import ID, or as an argument, is not shown.
func TestSecretInTheWrongPlace(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	secret := h.server.AdminToken()
	for _, kind := range []string{accountType, tokenType} {
		_, diags := h.load(kind, secret)
		wantText(t, diags.errors(), "Import ID looks like a secret", "QUALYTICS_IMPORT_TOKEN")
		if strings.Contains(diags.errors(), secret[:20]) {
			t.Errorf("the secret is shown: %s", diags.errors())
		}
	}
	base := values{"service_account_id": "1", "name": "x"}
	for _, diags := range []diagnostics{
		h.validate(tokenType, base.with(values{"service_account_id": secret})),
		h.validate(tokenType, base.with(values{"deletion_policy": secret})),
		h.validate(accountType, values{"name": "x", "role": secret}),
	} {
		if diags.errors() == "" || strings.Contains(diags.errors(), secret[:20]) {
			t.Errorf("got %q, want an error without the secret", diags.errors())
		}
	}
	wantText(t, h.validate(accountType, values{"name": "x", "role": "admin"}).errors(), `Did you mean "Admin"?`)
}
