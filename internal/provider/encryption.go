// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"golang.org/x/crypto/nacl/box"
)

// encryptionModel is the attribute encryption: the secret of a token is encrypted to
// a public key in memory, and the state contains the ciphertext only.
type encryptionModel struct {
	Algorithm types.String `tfsdk:"algorithm"`
	PublicKey types.String `tfsdk:"public_key"`
}

var encryptionTypes = map[string]attr.Type{"algorithm": types.StringType, "public_key": types.StringType}

// encrypter returns the ciphertext of a secret as text. random may be used as the source
// of randomness.
type encrypter func(random io.Reader, secret string) (string, error)

// algorithms contains the supported algorithms: each parses a public key. Its errors
// do not contain the key.
var algorithms = map[string]func(publicKey string) (encrypter, error){
	"age":        newAgeEncrypter,
	"sealed_box": newSealedBoxEncrypter,
}

func encryptionAttribute() schema.SingleNestedAttribute {
	names := slices.Sorted(maps.Keys(algorithms))
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Encrypts the secret to a public key. `encrypted_token` contains the ciphertext and " +
			"`token` is null, so that the secret is in no plan and no state." + forcesNewToken,
		Attributes: map[string]schema.Attribute{
			"algorithm": schema.StringAttribute{
				Required: true, Validators: []validator.String{oneOf(names...)},
				MarkdownDescription: "`age` (ASCII armor) or `sealed_box` (standard base64 of libsodium's " +
					"`crypto_box_seal`, as GitHub expects).",
			},
			"public_key": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Public key of the consumer: an age recipient (`age1…`) or an SSH public key " +
					"(`ssh-ed25519`, `ssh-rsa`) for `age`, the standard base64 of 32 bytes for `sealed_box`.",
			},
		},
	}
}

// encrypterOf returns the encrypter of the attribute encryption, or nil if that is
// null or not completely known. An invalid key is an error that does not show it, and
// that has no path, because Terraform prints the source line of an attribute.
func encrypterOf(ctx context.Context, value types.Object, diags *diag.Diagnostics) encrypter {
	if value.IsNull() || value.IsUnknown() {
		return nil
	}
	var model encryptionModel
	diags.Append(value.As(ctx, &model, basetypes.ObjectAsOptions{})...)
	newEncrypter := algorithms[model.Algorithm.ValueString()]
	if diags.HasError() || newEncrypter == nil || model.PublicKey.IsNull() || model.PublicKey.IsUnknown() {
		return nil
	}
	encrypt, err := newEncrypter(strings.TrimSpace(model.PublicKey.ValueString()))
	if err == nil {
		_, err = encrypt(rand.Reader, "a test, because some invalid keys are only found while encrypting")
	}
	if err != nil {
		diags.AddError("Invalid encryption key", fmt.Sprintf("The value of encryption.public_key cannot be used with "+
			"the algorithm %q: %s. The value is not shown, because it may be a private key.",
			model.Algorithm.ValueString(), err))
		return nil
	}
	return encrypt
}

// isPrivateKey reports whether text is a private key that was pasted by mistake.
func isPrivateKey(text string) bool {
	upper := strings.ToUpper(text)
	return strings.Contains(upper, "AGE-SECRET-KEY-") || strings.Contains(upper, "PRIVATE KEY")
}

var errPrivateKey = errors.New("it is a private key, which must stay with the consumer; use the public key. Replace " +
	"the key pair if the private key was committed")

func newAgeEncrypter(publicKey string) (encrypter, error) {
	var recipients []age.Recipient
	switch {
	case isPrivateKey(publicKey):
		return nil, errPrivateKey
	case strings.ContainsAny(publicKey, "\r\n"):
		return nil, errors.New("it must be a single line")
	case strings.HasPrefix(publicKey, "ssh-"):
		recipient, err := agessh.ParseRecipient(publicKey)
		if err != nil {
			return nil, errors.New("it is not a valid SSH public key of the type ssh-ed25519 or ssh-rsa")
		}
		recipients = append(recipients, recipient)
	default:
		recipient, err := age.ParseX25519Recipient(publicKey)
		if err != nil {
			return nil, errors.New("it is not an age recipient, which begins with \"age1\", nor an SSH public key")
		}
		recipients = append(recipients, recipient)
	}
	return func(_ io.Reader, secret string) (string, error) {
		var out bytes.Buffer
		armored := armor.NewWriter(&out)
		w, err := age.Encrypt(armored, recipients...)
		if err != nil {
			return "", errors.New("it is not a valid key")
		}
		_, writeErr := io.WriteString(w, secret)
		if err := errors.Join(writeErr, w.Close(), armored.Close()); err != nil {
			return "", errors.New("the encryption failed")
		}
		return out.String(), nil
	}, nil
}

func newSealedBoxEncrypter(publicKey string) (encrypter, error) {
	if isPrivateKey(publicKey) {
		return nil, errPrivateKey
	}
	const size = 32
	raw, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil || len(raw) != size {
		return nil, fmt.Errorf("it is not the standard base64 of %d bytes", size)
	}
	key := [size]byte(raw)
	if isLowOrder(key) {
		return nil, errors.New("it is not a valid key")
	}
	return func(random io.Reader, secret string) (string, error) {
		sealed, err := box.SealAnonymous(nil, []byte(secret), &key, random)
		if err != nil {
			return "", errors.New("the encryption failed")
		}
		return base64.StdEncoding.EncodeToString(sealed), nil
	}, nil
}

// isLowOrder reports whether a key is a point with which every shared secret is the
// same, so that anyone could decrypt.
func isLowOrder(key [32]byte) bool {
	curve := ecdh.X25519()
	private, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return true
	}
	public, err := curve.NewPublicKey(key[:])
	if err != nil {
		return true
	}
	_, err = private.ECDH(public)
	return err != nil
}
