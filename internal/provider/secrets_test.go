// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/hashicorp/terraform-plugin-log/tfsdklogtest"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const canaryImport = "eyJhbGciOiJIUzI1NiJ9.canary-of-an-import-that-is-unknown.c2lnbmF0dXJl"

// forms returns a secret as it is, encoded, and truncated to 20 characters.
func forms(secret string) []string {
	// Every bearer token begins with the same characters, which are not secret.
	middle := secret[len(secret)/2 : min(len(secret), len(secret)/2+20)]
	return []string{secret, middle, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))}
}

// The TRACE log, diagnostics, plans, and private data contain no secret. The state
// contains one, in the sensitive attribute.
func TestAccNoSecretIsShown(t *testing.T) {
	t.Parallel()
	profile := qualyticstest.Build202609()
	s := newServer(t, qualyticstest.Options{Profile: &profile})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), `
provider "qualytics" {
  headers = { X-Gateway = "`+canaryHeader+`" }
}
variable "days" { default = 30 }
resource "qualytics_service_account" "test" {
  name = "Canary"
  role = "Member"
}
resource "qualytics_service_token" "test" {
  service_account_id = qualytics_service_account.test.id
  name               = "ci"
  expires_in_days    = var.days
}
output "token" {
  value     = qualytics_service_token.test.token
  sensitive = true
}
`)
	log := filepath.Join(t.TempDir(), "trace.log")
	if err := tf.SetLogPath(log); err != nil {
		t.Fatal(err)
	}
	if err := tf.SetLogProvider("TRACE"); err != nil {
		t.Fatal(err)
	}
	var shown, complained strings.Builder
	tf.SetStdout(&shown)
	tf.SetStderr(&complained)
	s.Fail(qualyticstest.HTML(429).Repeat(2))
	s.Fail(qualyticstest.Fault{Method: "POST", Path: "/user-tokens", Kind: qualyticstest.CloseAfter})
	if err := tf.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	secrets := []string{s.AdminToken(), canaryHeader, s.Bearer(s.Tokens()[0].ID)}
	s.Fail(qualyticstest.JSON(403, `{"detail":"you sent `+s.AdminToken()+`"}`).Repeat(qualyticstest.Forever))
	if err := tf.Apply(t.Context()); err == nil {
		t.Error("an apply with every response a 403 succeeds")
	} else {
		shown.WriteString(err.Error())
	}
	s.Heal()
	plan := filepath.Join(t.TempDir(), "plan")
	if _, err := tf.Plan(t.Context(), tfexec.Var("days=60"), tfexec.Out(plan)); err != nil {
		t.Fatal(err)
	}
	if err := tf.Apply(t.Context(), tfexec.DirOrPlan(plan)); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, s.Bearer(s.Tokens()[0].ID))
	tokenID := fmt.Sprint(s.Tokens()[0].ID)
	if err := tf.StateRm(t.Context(), tokenAddress); err != nil {
		t.Fatal(err)
	}
	tf.setenv(t, "QUALYTICS_IMPORT_TOKEN", canaryImport)
	if err := tf.Import(t.Context(), tokenAddress, tokenID); err == nil {
		t.Error("an import with a secret that the server does not know succeeds")
	} else {
		shown.WriteString(err.Error())
	}
	tf.setenv(t, "QUALYTICS_IMPORT_TOKEN", secrets[len(secrets)-1])
	if err := tf.Import(t.Context(), tokenAddress, tokenID); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, canaryImport)
	state, err := os.ReadFile(filepath.Join(tf.WorkingDir(), "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tf.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), "waiting before the next attempt") {
		t.Fatalf("the log has no line about a wait: %v", err)
	}
	for i, secret := range secrets {
		for _, form := range forms(secret) {
			for name, where := range map[string]string{
				"the log":                string(text),
				"what Terraform printed": shown.String() + complained.String(), "the state": withoutToken(t, state),
			} {
				if strings.Contains(where, form) {
					at := strings.Index(where, form)
					t.Errorf("secret %d is in %s: …%s", i, name, where[max(0, at-200):at])
				}
			}
		}
	}
}

// The TRACE log of the life of a token contains no secret: a create whose response is lost, an
// import with the secret, rotations with and without encryption, the end of an overlap, an
// error that echoes a secret, an ephemeral token, the action, and a destroy.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		var log, sdk bytes.Buffer
		h.ctx = tfsdklogtest.RootLogger(tflogtest.RootLogger(h.ctx, &log), &sdk)
		h.connect(h.config.with(values{"headers": map[string]string{"X-Gateway": canaryHeader}}))
		secrets := map[string]bool{h.server.AdminToken(): true, canaryHeader: true, canaryImport: true}
		remember := func() {
			for _, token := range h.server.Tokens() {
				secrets[h.server.Bearer(token.ID)] = true
			}
		}
		lost := qualyticstest.Fault{Kind: qualyticstest.CloseAfter}
		h.server.Fail(lost.On(http.MethodPost, "/user-tokens"))
		o, config, _ := rotated(t, h, nil)
		remember()
		id := get(o.state, "id")
		for _, secret := range []string{canaryImport, get(o.state, "token")} {
			h.env["QUALYTICS_IMPORT_TOKEN"] = secret
			_, diags := h.load(tokenType, id)
			if (diags.errors() == "") != (secret != canaryImport) {
				t.Errorf("the import: %s", diags.errors())
			}
		}
		h.server.Fail(qualyticstest.JSON(422, fmt.Sprintf(`{"detail":"you sent %s"}`, h.server.AdminToken())))
		if h.refresh(o).errors() == "" {
			t.Error("the refused refresh succeeded")
		}
		h.clock.Advance(6 * day) // the overlap ends
		h.must(o, config, "update")
		encryption := h.encryption("age", matrixIdentity().Recipient().String())
		h.must(o, config.with(values{"encryption": encryption}), "update")
		_, private, diags := h.open(values{"service_account_id": config["service_account_id"]})
		wantOK(t, diags)
		remember()
		h.shut(h.ctx, private)
		_, diags = h.invoke(values{"service_account_id": config["service_account_id"]})
		wantOK(t, diags)
		h.must(o, nil, "delete")
		const fewest = 5 // Admin, header, import, and at least two tokens
		if len(secrets) < fewest || !strings.Contains(log.String(), "POST") || sdk.Len() == 0 {
			t.Fatalf("%d secrets, a log of %d and %d bytes", len(secrets), log.Len(), sdk.Len())
		}
		for secret := range secrets {
			for _, form := range forms(secret) {
				for name, text := range map[string]string{"the log": log.String(), "the SDK's log": sdk.String()} {
					if before, _, found := strings.Cut(text, form); found {
						t.Errorf("%s contains a secret after …%s", name, before[max(0, len(before)-200):])
					}
				}
			}
		}
	})
}

// withoutToken returns a state without the sensitive attribute and the output.
func withoutToken(t *testing.T, state []byte) string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(state, &tree); err != nil {
		t.Fatal(err)
	}
	delete(tree, "outputs")
	found := 0
	for _, r := range tree["resources"].([]any) {
		for _, i := range r.(map[string]any)["instances"].([]any) {
			values := i.(map[string]any)["attributes"].(map[string]any)
			if s, ok := values["token"].(string); ok && s != "" {
				delete(values, "token")
				found++
			}
		}
	}
	if found != 1 {
		t.Fatalf("the state has %d tokens, want one", found)
	}
	rest, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(rest)
}

// With encryption, the secret is nowhere: not in the state, its backup, plan files, the
// TRACE log, or the dumps of the protocol.
func TestAccEncryptedSecretIsNowhere(t *testing.T) {
	t.Parallel()
	for _, pair := range keyPairs(t) {
		t.Run(pair.algorithm, func(t *testing.T) {
			t.Parallel()
			profile := qualyticstest.Build202609()
			s := newServer(t, qualyticstest.Options{Profile: &profile})
			tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), fmt.Sprintf(`
variable "generation" { default = 1 }
resource "qualytics_service_account" "test" {
  name = "Canary"
  role = "Member"
}
resource "qualytics_service_token" "test" {
  service_account_id  = qualytics_service_account.test.id
  name_prefix         = "ci-"
  expires_in_days     = 30
  overlap_days        = 7
  rotate_when_changed = { generation = var.generation }
  encryption = {
    algorithm  = %q
    public_key = %q
  }
}
output "ciphertext" {
  value = qualytics_service_token.test.encrypted_token
}
`, pair.algorithm, pair.public))
			dumps := filepath.Join(tf.WorkingDir(), "dumps")
			if err := os.Mkdir(dumps, 0o700); err != nil {
				t.Fatal(err)
			}
			tf.setenv(t, "TF_LOG_SDK_PROTO_DATA_DIR", dumps)
			if err := errors.Join(tf.SetLogPath(filepath.Join(tf.WorkingDir(), "trace.log")),
				tf.SetLogProvider("TRACE")); err != nil {
				t.Fatal(err)
			}
			for _, generation := range []string{"generation=1", "generation=2"} {
				plan := filepath.Join(tf.WorkingDir(), generation)
				if _, err := tf.Plan(t.Context(), tfexec.Var(generation), tfexec.Out(plan)); err != nil {
					t.Fatal(err)
				}
				if err := tf.Apply(t.Context(), tfexec.DirOrPlan(plan)); err != nil {
					t.Fatal(err)
				}
			}
			ciphertext, err := tf.Output(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var text string
			if err := json.Unmarshal(ciphertext["ciphertext"].Value, &text); err != nil {
				t.Fatal(err)
			}
			secrets := []string{}
			for _, token := range s.Tokens() {
				secrets = append(secrets, s.Bearer(token.ID))
			}
			if len(secrets) != 2 || !slices.Contains(secrets, pair.open(t, text)) {
				t.Fatalf("the output is not the ciphertext of one of %d secrets", len(secrets))
			}
			files := filesIn(t, tf.WorkingDir())
			searched := 0
			for name, content := range files {
				if strings.Contains(content, "Canary") { // the name of the account, which is everywhere
					searched++
				}
				for _, secret := range secrets {
					for _, form := range forms(secret) {
						if strings.Contains(content, form) {
							t.Errorf("%s contains the secret", name)
						}
					}
				}
			}
			const fewest = 10 // state, backup, parts of two plans, log, dumps
			if searched < fewest {
				t.Errorf("only %d of %d files are readable", searched, len(files))
			}
		})
	}
}

// filesIn returns the content of all files in a folder, and of all files in its archives.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		archive, notArchive := zip.NewReader(bytes.NewReader(text), int64(len(text)))
		if err != nil || notArchive != nil {
			return err
		}
		for _, part := range archive.File {
			r, err := part.Open()
			if err != nil {
				return err
			}
			content, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			files[path+"/"+part.Name] = string(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
