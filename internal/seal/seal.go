// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Package seal encrypts secrets to a public key.
package seal

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/nacl/box"
)

// Func returns the ciphertext of a secret as text. random may be used as the source of randomness.
type Func func(random io.Reader, secret string) (string, error)

// algorithms parse a public key.
var algorithms = map[string]func(publicKey string) (Func, error){"age": toAge, "sealed_box": toSealedBox}

// Algorithms returns the names of the algorithms, sorted.
func Algorithms() []string { return slices.Sorted(maps.Keys(algorithms)) }

// To returns a function that encrypts to a public key. Errors do not contain the key.
func To(algorithm, publicKey string) (Func, error) {
	publicKey = strings.TrimSpace(publicKey)
	parse := algorithms[algorithm]
	switch {
	case parse == nil:
		return nil, errors.New("the algorithm does not exist")
	case privateKey.MatchString(publicKey):
		return nil, errors.New("it is a private key, which must stay with the consumer; use the public key. Replace " +
			"the key pair if the private key was committed")
	}
	encrypt, err := parse(publicKey)
	if err != nil {
		return nil, err
	}
	_, err = encrypt(rand.Reader, "a test, because some invalid keys are only found while encrypting")
	return encrypt, err
}

// privateKey matches a private key that was pasted by mistake: PEM, age, and JSON.
var privateKey = regexp.MustCompile(`(?i)age-(secret-key|plugin)-|private[ _-]?key|"d"\s*:`)

// pluginRecipient matches the recipient of an age plugin: age1<name>1<data>.
var pluginRecipient = regexp.MustCompile(`^age1[a-z0-9+._-]+1[a-z0-9]+$`)

func toAge(publicKey string) (Func, error) {
	recipient, err := ageRecipient(publicKey)
	if err != nil {
		return nil, err
	}
	return func(_ io.Reader, secret string) (string, error) {
		var out bytes.Buffer
		armored := armor.NewWriter(&out)
		w, err := age.Encrypt(armored, recipient)
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

func ageRecipient(publicKey string) (age.Recipient, error) {
	switch {
	case strings.ContainsAny(publicKey, "\r\n"):
		return nil, errors.New("it must be a single line")
	case strings.HasPrefix(publicKey, "ssh-"):
		recipient, err := agessh.ParseRecipient(publicKey)
		if err != nil {
			return nil, errors.New("it is not a valid SSH public key of the type ssh-ed25519 or ssh-rsa")
		}
		return recipient, nil
	}
	if recipient, err := age.ParseHybridRecipient(publicKey); err == nil {
		return recipient, nil
	}
	if recipient, err := age.ParseX25519Recipient(publicKey); err == nil {
		return recipient, nil
	}
	if pluginRecipient.MatchString(publicKey) && !strings.HasPrefix(publicKey, "age1pq1") {
		return nil, errors.New("it is the recipient of an age plugin, and plugins cannot be used here; use a " +
			"recipient of age-keygen, or an SSH public key")
	}
	return nil, errors.New("it is not an age recipient, which begins with \"age1\", nor an SSH public key")
}

func toSealedBox(publicKey string) (Func, error) {
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

// isLowOrder reports whether a key is a point with which every shared secret is the same,
// so that anyone could decrypt.
func isLowOrder(key [32]byte) bool {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return true
	}
	public, err := ecdh.X25519().NewPublicKey(key[:])
	if err != nil {
		return true
	}
	_, err = private.ECDH(public)
	return err != nil
}
