// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"encoding/json"
	"time"
)

// layouts are the formats of a time in responses. A time without a zone is in UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
}

// timestamp decodes a time in UTC; null, "", and the zero time are nil.
type timestamp struct{ at *time.Time }

func (t *timestamp) UnmarshalText(text []byte) error {
	t.at = nil
	trimmed := string(bytes.TrimSpace(text))
	if trimmed == "" {
		return nil
	}
	for _, layout := range layouts {
		if parsed, err := time.Parse(layout, trimmed); err == nil {
			if parsed = parsed.UTC(); !parsed.IsZero() {
				t.at = &parsed
			}
			return nil
		}
	}
	return &shapeError{"the response has an invalid time, which the API does not document"}
}

// lenientTime decodes a time that nothing depends on. An invalid one is nil.
type lenientTime struct{ timestamp }

func (t *lenientTime) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil || t.UnmarshalText([]byte(text)) != nil {
		t.at = nil
	}
	return nil
}
