// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"time"
)

// layouts are the forms in which deployments write a time. One without a zone
// is in UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
}

// timestamp reads a time of the API, in UTC; null and "" are the zero time.
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
	return &shapeError{"the answer has a time that cannot be read, which the API does not document"}
}

// pointer is nil for the zero time.
func (t timestamp) pointer() *time.Time {
	if v := time.Time(t); !v.IsZero() {
		return &v
	}
	return nil
}
