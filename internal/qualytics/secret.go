// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// hidden replaces a secret.
const hidden = "(hidden)"

// Secret is a string that no formatting verb prints.
type Secret string

// Format writes "(hidden)", whatever the verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// masker removes secrets from text that a server sent.
type masker struct {
	short []string            // secrets shorter than gramSize
	grams map[string]struct{} // every sequence of gramSize bytes of the others
}

const (
	// gramSize is the length of the shortest part of a secret that is recognized,
	// because a server may truncate a token that it repeats.
	gramSize = 12
	// minSecret is the length of the shortest header value that is masked.
	// Shorter ones are too common as words.
	minSecret = 4
	// maxDetail is the maximum length of a server's text, in bytes.
	maxDetail = 600
)

// jwt matches any bearer token, complete or truncated.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){0,2}`)

func newMasker(cfg Config) masker {
	m := masker{grams: map[string]struct{}{}}
	m.add(string(cfg.Token))
	for _, v := range cfg.Headers {
		m.add(string(v))
	}
	return m
}

// add records a secret as it is, in upper and lower case, URL-encoded, in
// hexadecimal, and in base64 at its three possible alignments.
func (m *masker) add(secret string) {
	hexadecimal := hex.EncodeToString([]byte(secret))
	forms := []string{
		secret, strings.ToUpper(secret), strings.ToLower(secret), url.QueryEscape(secret), url.PathEscape(secret),
		hexadecimal, strings.ToUpper(hexadecimal),
	}
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("-", shift) + secret))
		// The first and last characters also depend on the text around the secret.
		if len(encoded) > 8 {
			encoded = encoded[4 : len(encoded)-4]
			forms = append(forms, encoded, strings.NewReplacer("+", "-", "/", "_").Replace(encoded))
		}
	}
	for _, form := range forms {
		switch {
		case len(form) >= gramSize:
			for i := 0; i+gramSize <= len(form); i++ {
				m.grams[form[i:i+gramSize]] = struct{}{}
			}
		case len(form) >= minSecret:
			m.short = append(m.short, form)
		}
	}
}

// clean returns a server's text without secrets, in one line, and of limited length.
func (m *masker) clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	// Control characters go first, and without a replacement within a line: they
	// could split a secret.
	text = strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	text = m.hideGrams(text)
	for _, s := range m.short {
		text = strings.ReplaceAll(text, s, hidden)
	}
	text = jwt.ReplaceAllString(text, hidden)
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + " …"
	}
	return text
}

func (m *masker) hideGrams(text string) string {
	var out strings.Builder
	done := 0 // text[:done] is processed
	for i := 0; i+gramSize <= len(text); i++ {
		if _, ok := m.grams[text[i:i+gramSize]]; !ok {
			continue
		}
		end := i + gramSize
		for end < len(text) {
			if _, ok := m.grams[text[end-gramSize+1:end+1]]; !ok {
				break
			}
			end++
		}
		out.WriteString(text[done:i])
		out.WriteString(hidden)
		done = end
		i = end - 1
	}
	out.WriteString(text[done:])
	return out.String()
}

// Mask returns a server's text without the client's secrets, in one line.
func (c *Client) Mask(text string) string { return c.mask.clean(text) }

// Hash returns the SHA-256 of a secret in hexadecimal, which identifies it without revealing it.
func (s Secret) Hash() string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
