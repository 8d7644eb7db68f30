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

// timestamp decodes a time in UTC; null and "" are the zero time.
type timestamp time.Time

func (t *timestamp) UnmarshalText(text []byte) error {
	trimmed := string(bytes.TrimSpace(text))
	if trimmed == "" {
		*t = timestamp{}
		return nil
	}
	for _, layout := range layouts {
		if parsed, err := time.Parse(layout, trimmed); err == nil {
			*t = timestamp(parsed.UTC())
			return nil
		}
	}
	return &shapeError{"the response has an invalid time, which the API does not document"}
}

// lenientTime decodes a time that nothing depends on. An invalid one is the zero time.
type lenientTime timestamp

func (t *lenientTime) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil || (*timestamp)(t).UnmarshalText([]byte(text)) != nil {
		*t = lenientTime{}
	}
	return nil
}

// pointer returns nil for the zero time.
func (t timestamp) pointer() *time.Time {
	if v := time.Time(t); !v.IsZero() {
		return &v
	}
	return nil
}
