// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden is what stands where a secret was.
const hidden = "(hidden)"

// Secret is a string that no formatting verb shows.
type Secret string

// Format writes "(hidden)", whatever the verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// masker removes secrets from text that a server wrote.
type masker struct {
	short []string            // secrets shorter than a gram, replaced whole
	grams map[string]struct{} // every run of gramSize bytes of the longer ones
}

const (
	// gramSize is the shortest piece of a secret that is recognised: a server
	// may echo a token cut off.
	gramSize = 12
	// minSecret is the length below which a header's value is too common a
	// word to be replaced.
	minSecret = 4
	// maxDetail bounds what is quoted of a server's own words, in bytes.
	maxDetail = 600
)

// jwt matches a bearer token, whole or cut off, whoever it belongs to.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){0,2}`)

func newMasker(cfg Config) masker {
	m := masker{grams: map[string]struct{}{}}
	m.add(string(cfg.Token))
	for _, v := range cfg.Headers {
		m.add(string(v))
	}
	return m
}

// add remembers a secret as it is, URL-encoded and in base64 at its three
// possible alignments.
func (m *masker) add(secret string) {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("-", shift) + secret))
		// The first and last characters also depend on what stands around the secret.
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

// clean makes a server's text fit to be shown: no secret, one line, bounded.
func (m *masker) clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	text = m.hideGrams(text)
	for _, s := range m.short {
		text = strings.ReplaceAll(text, s, hidden)
	}
	text = jwt.ReplaceAllString(text, hidden)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxDetail {
		cut := maxDetail
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + " …"
	}
	return text
}

func (m *masker) hideGrams(text string) string {
	var out strings.Builder
	shown := 0 // text[:shown] is dealt with
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
		out.WriteString(text[shown:i])
		out.WriteString(hidden)
		shown = end
		i = end - 1
	}
	out.WriteString(text[shown:])
	return out.String()
}
