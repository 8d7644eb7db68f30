// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package seal_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/ssh"

	"github.com/qualytics/terraform-provider-qualytics/internal/seal"
)

const secret = "the secret of a token"

// encrypted returns the ciphertext of secret.
func encrypted(t *testing.T, algorithm, publicKey string) string {
	t.Helper()
	encrypt, err := seal.To(algorithm, publicKey)
	if err != nil {
		t.Fatal(err)
	}
	text, err := encrypt(rand.Reader, secret)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// x25519 returns a key pair of age.
func x25519(t *testing.T) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// sshKeys returns a public key in the format of authorized_keys, and its identity.
func sshKeys(t *testing.T) (string, age.Identity) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := agessh.NewEd25519Identity(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(key)), identity
}

// The owner of the key can decrypt, and the ciphertext is armored.
func TestAge(t *testing.T) {
	t.Parallel()
	sshPublic, sshIdentity := sshKeys(t)
	identity := x25519(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, public string
		identity     age.Identity
	}{
		{"X25519", identity.Recipient().String(), identity},
		{"SSH", sshPublic, sshIdentity},
		{"post-quantum", hybrid.Recipient().String(), hybrid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, err := age.Decrypt(armor.NewReader(strings.NewReader(encrypted(t, "age", tc.public))), tc.identity)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(r); err != nil || string(plain) != secret {
				t.Errorf("decrypted %q, %v", plain, err)
			}
		})
	}
}

func TestSealedBox(t *testing.T) {
	t.Parallel()
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := encrypted(t, "sealed_box", base64.StdEncoding.EncodeToString(public[:])+"\n")
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if plain, ok := box.OpenAnonymous(nil, sealed, public, private); !ok || string(plain) != secret {
		t.Errorf("decrypted %q", plain)
	}
	encrypt, err := seal.To("sealed_box", base64.StdEncoding.EncodeToString(public[:]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := encrypt(strings.NewReader("short"), secret); err == nil {
		t.Error("encrypts without randomness")
	}
}

// The errors of invalid keys do not contain the key.
func TestInvalidKeys(t *testing.T) {
	t.Parallel()
	identity := x25519(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	zero := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, tc := range []struct{ name, algorithm, key, want string }{
		{"empty", "age", "", "not an age recipient"},
		{"another word", "age", "hunter2-hunter2", "not an age recipient"},
		{"mistyped", "age", "age1hunter2", "not an age recipient"},
		{"mistyped post-quantum", "age", "age1pq1hunter2", "not an age recipient"},
		{"plugin", "age", "age1yubikey1hunter2", "recipient of an age plugin"},
		{"another plugin", "age", "age1tag1hunter2", "recipient of an age plugin"},
		{"plugin with a one", "age", "age1f1do21hunter2", "recipient of an age plugin"},
		{"private key", "age", identity.String(), "private key"},
		{"post-quantum private key", "age", hybrid.String(), "private key"},
		{"private key of a plugin", "age", "AGE-PLUGIN-YUBIKEY-1HUNTER2", "private key"},
		{"JSON", "age", `{"type": "service_account", "private_key": "hunter2"}`, "private key"},
		{"JSON with PEM", "age", `{"k": "-----BEGIN EC PRIVATE KEY-----\nhunter2"}`, "private key"},
		{"JSON Web Key", "sealed_box", `{"kty":"OKP","x":"hunter2","d":"hunter2"}`, "private key"},
		{"public JSON Web Key", "sealed_box", `{"kty":"OKP","x":"hunter2"}`, "standard base64"},
		{"PEM", "age", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n", "private key"},
		{"two lines", "age", identity.Recipient().String() + "\n" + identity.Recipient().String(), "single line"},
		{"SSH", "age", "ssh-ed25519 hunter2", "not a valid SSH public key"},
		{"length", "sealed_box", base64.StdEncoding.EncodeToString([]byte("hunter2")), "32 bytes"},
		{"low order", "sealed_box", zero, "not a valid key"},
		{"URL base64", "sealed_box", strings.Repeat("_", 43) + "=", "standard base64"},
		{"private key in a box", "sealed_box", identity.String(), "private key"},
		{"algorithm", "rot13", "hunter2", "algorithm does not exist"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := seal.To(tc.algorithm, tc.key)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if key := strings.TrimSpace(tc.key); key != "" && strings.Contains(err.Error(), key) ||
				strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}
