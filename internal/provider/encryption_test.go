// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"golang.org/x/crypto/nacl/box"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// encryption returns the value of the attribute encryption.
func (h *harness) encryption(algorithm, key any) tftypes.Value {
	h.t.Helper()
	object, ok := h.schema(tokenType).ValueType().(tftypes.Object)
	if !ok {
		h.t.Fatal("the resource is not an object")
	}
	typ := object.AttributeTypes["encryption"]
	if algorithm == nil {
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	}
	return tftypes.NewValue(typ, map[string]tftypes.Value{
		"algorithm":  valueOf(tftypes.String, algorithm),
		"public_key": valueOf(tftypes.String, key),
	})
}

// keyPair is a public key and how its owner decrypts.
type keyPair struct {
	algorithm, public string
	open              func(t *testing.T, ciphertext string) string
}

func keyPairs(t *testing.T) []keyPair {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []keyPair{
		{"age", identity.Recipient().String(), func(t *testing.T, text string) string {
			t.Helper()
			return decryptAge(t, text, identity)
		}},
		{"sealed_box", base64.StdEncoding.EncodeToString(public[:]), func(t *testing.T, text string) string {
			t.Helper()
			sealed, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			plain, ok := box.OpenAnonymous(nil, sealed, public, private)
			if !ok {
				t.Fatal("the ciphertext cannot be decrypted")
			}
			return string(plain)
		}},
	}
}

// decryptAge returns the plaintext of an armored age file.
func decryptAge(t tb, text string, identity age.Identity) string {
	t.Helper()
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(text)), identity)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// The state has the ciphertext only, and its owner can decrypt it.
func TestEncryptedToken(t *testing.T) {
	t.Parallel()
	for _, pair := range keyPairs(t) {
		t.Run(pair.algorithm, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				o := h.none(tokenType)
				config := h.expiring(values{"encryption": h.encryption(pair.algorithm, pair.public)})
				p := h.plan(o, config)
				if got := get(p.planned, "token") + get(p.planned, "encrypted_token"); got != "?" {
					t.Errorf("planned %q, want token null and encrypted_token unknown", got)
				}
				h.must(o, config, "create")
				secret := h.server.Bearer(h.token().ID)
				if got := pair.open(t, get(o.state, "encrypted_token")); got != secret || get(o.state, "token") != "" {
					t.Errorf("decrypted %q, token %q", got, get(o.state, "token"))
				}
				if text := o.state.String() + string(o.private); strings.Contains(text, secret[len(secret)-20:]) {
					t.Error("the state or the private data contains the secret")
				}
				h.clean(o, config)
				// Without encryption, and with it again: rotated in place each time.
				first := get(o.state, "id")
				h.must(o, config.with(values{"encryption": nil}), "update")
				if get(o.state, "token") == "" || get(o.state, "encrypted_token") != "" {
					t.Error("without encryption, the state does not contain the secret")
				}
				h.must(o, config, "update")
				if !h.works(first) || len(retiringTokens(o)) != 2 {
					t.Errorf("the first token works: %t, retiring %q", h.works(first), retiringTokens(o))
				}
				if get(o.state, "token") != "" {
					t.Error("with encryption again, the state contains the secret")
				}
				h.must(o, config.with(values{"revoked": true}), "update")
				h.must(o, nil, "delete")
			})
		})
	}
}

// An encryption that is unknown while planning works, and an invalid key found during
// apply creates nothing.
func TestUnknownEncryption(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	pair := keyPairs(t)[0]
	config := values{"service_account_id": h.account(), "name_prefix": "ci-"}
	for _, object := range []tftypes.Value{h.encryption(nil, nil), h.encryption(pair.algorithm, unknown{})} {
		p := h.plan(h.none(tokenType), config.with(values{"encryption": object}))
		wantOK(t, p.diags)
	}
	h.server.ClearRequests()
	p := h.plan(h.none(tokenType), config.with(values{"encryption": h.encryption(pair.algorithm, unknown{})}))
	_, diags := h.applyWith(p, config.with(values{"encryption": h.encryption(pair.algorithm, "age1invalid")}))
	wantText(t, diags.errors(), "Invalid encryption key")
	if strings.Contains(diags.errors(), "age1invalid") {
		t.Errorf("the key is shown: %s", diags.errors())
	}
	wantWrites(t, h)
}

// An invalid key is an error of validation, which neither shows the key nor has a path.
func TestInvalidEncryptionKeys(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ algorithm, key, want string }{
		{"age", "hunter2-hunter2", "not an age recipient"},
		{"sealed_box", identity.String(), "private key"},
	} {
		diags := h.validate(tokenType, values{
			"service_account_id": "1", "name": "x", "encryption": h.encryption(tc.algorithm, tc.key),
		})
		wantText(t, diags.errors(), "Invalid encryption key", tc.algorithm, tc.want)
		for _, d := range diags {
			if d.Attribute != nil || strings.Contains(d.Detail, tc.key) {
				t.Errorf("has a path, or shows the key: %v %s", d.Attribute, d.Detail)
			}
		}
	}
}

// The first encryption of an imported token is adopted: a known secret is encrypted,
// and an unknown one stays unknown.
func TestEncryptionOfImportedToken(t *testing.T) {
	t.Parallel()
	for _, pair := range keyPairs(t) {
		h := newHarness(t, qualyticstest.Build202609())
		owner := h.server.AddUser(qualyticstest.User{Name: "Owner"})
		token := h.server.AddToken(qualyticstest.Token{Name: "ci", UserID: owner.ID})
		config := values{
			"service_account_id": formatted(owner.ID), "name": "ci", "encryption": h.encryption(pair.algorithm,
				pair.public),
		}
		for _, known := range []bool{false, true} {
			if known {
				h.env["QUALYTICS_IMPORT_TOKEN"] = h.server.Bearer(token.ID)
			}
			o := h.loaded(tokenType, formatted(token.ID))
			diags := h.must(o, config, "update")
			wantText(t, diags.warnings(), "Encryption of imported service token",
				map[bool]string{false: "cannot be encrypted", true: "earlier versions of the state contain it"}[known])
			if get(o.state, "token") != "" || (get(o.state, "encrypted_token") != "") != known {
				t.Errorf("known %t: token %q, encrypted %q", known, get(o.state, "token"), get(o.state,
					"encrypted_token"))
			}
			if known && pair.open(t, get(o.state, "encrypted_token")) != h.server.Bearer(token.ID) {
				t.Error("the ciphertext is not that of the secret")
			}
			h.clean(o, config)
		}
	}
}

// If the secret of a new token cannot be encrypted, the token is removed. If that fails
// too, the error names the token.
func TestEncryptionFails(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"create", "rotate"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			onEveryProfile(t, func(t *testing.T, h *harness) {
				public, _, err := box.GenerateKey(rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				config := overlapping.with(values{
					"service_account_id": h.account(),
					"encryption":         h.encryption("sealed_box", base64.StdEncoding.EncodeToString(public[:])),
				})
				o := h.none(tokenType)
				tokens := 0
				if operation == "rotate" {
					h.must(o, config, "create")
					h.clock.Advance(21 * day)
					tokens = 1
				}
				fail := func() diagnostics {
					h.random = strings.NewReader("name") // enough for the name, and nothing for the encryption
					h.connect(h.config)
					_, diags := h.run(o, config)
					if len(h.server.Tokens()) > tokens+1 || o.exists() != (tokens == 1) {
						t.Errorf("in the state: %t, on the server: %+v", o.exists(), h.server.Tokens())
					}
					return diags
				}
				wantText(t, fail().errors(), "Unable to encrypt secret of service token", "nothing is left")
				if n := len(h.server.Tokens()); n != tokens {
					t.Errorf("%d tokens on the server, want %d", n, tokens)
				}
				failure := qualyticstest.JSON(http.StatusUnprocessableEntity, `{"detail":"no"}`)
				failure.Method = http.MethodDelete
				h.server.Fail(failure)
				created := h.server.Tokens()
				diags := fail()
				created = slices.DeleteFunc(h.server.Tokens(), func(token qualyticstest.Token) bool {
					return slices.ContainsFunc(created, func(o qualyticstest.Token) bool { return o.ID == token.ID })
				})
				if len(created) != 1 {
					t.Fatalf("%d new tokens, want 1", len(created))
				}
				wantText(t, diags.errors(), "its secret is lost", fmt.Sprint(created[0].ID))
				h.server.RemoveToken(created[0].ID)
				h.random = nil
				h.connect(h.config)
				h.run(o, config)
				h.clean(o, config)
			})
		})
	}
}
