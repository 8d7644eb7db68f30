// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// response is a decoded response. value is nil if there was none, or if it is not JSON.
type response struct {
	*qualytics.Response
	value any
	err   error
}

// send sends a request, and decodes the response if it is JSON.
func (p *prober) send(ctx context.Context, method, path string, query url.Values, in any) response {
	raw, err := p.client.Send(ctx, method, path, query, in)
	if err != nil {
		p.detail("%s %s: %v", method, path, err)
		return noResponse(err)
	}
	a := response{Response: raw}
	decoder := json.NewDecoder(bytes.NewReader(raw.Body))
	decoder.UseNumber()
	if decoder.Decode(&a.value) != nil {
		a.value = nil
	}
	if raw.Status >= http.StatusBadRequest {
		p.detail("%s %s: %d %s", method, path, raw.Status, p.client.Mask(string(raw.Body)))
	}
	return a
}

func (p *prober) get(ctx context.Context, path string, query url.Values) response {
	return p.send(ctx, http.MethodGet, path, query, nil)
}

// noResponse is the response to a request that was not sent.
func noResponse(err error) response {
	return response{Response: &qualytics.Response{Header: http.Header{}}, err: err}
}

// ok reports whether the response is a success in JSON.
func (a response) ok() bool { return a.Status >= 200 && a.Status < 300 && a.value != nil }

// isList reports whether the response is a list, with or without an envelope.
func (a response) isList() bool {
	_, array := a.value.([]any)
	_, items := asObject(a.value)["items"].([]any)
	return a.ok() && !a.HTML && (array || items)
}

// outcome describes a response by its status. It returns "" if the response says nothing about
// the build: there was none, the token may not do that, or a gateway or a limit responded.
func (a response) outcome() string {
	switch {
	case a.err != nil, a.Status == 0, a.Status >= http.StatusInternalServerError,
		a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden, a.Status == http.StatusTooManyRequests:
		return ""
	case a.HTML:
		return fmt.Sprintf("%d, a web page", a.Status)
	}
	return fmt.Sprint(a.Status)
}

// either returns one of two texts if the response is ok, and otherwise its outcome.
func (a response) either(yes bool, ifYes, ifNo string) string {
	switch {
	case !a.ok():
		return a.outcome()
	case yes:
		return ifYes
	}
	return ifNo
}

// object is a JSON object.
type object map[string]any

func asObject(v any) object {
	m, _ := v.(map[string]any)
	return m
}

func (o object) text(key string) string {
	if o[key] == nil {
		return ""
	}
	return fmt.Sprint(o[key])
}

func (o object) object(key string) object { return asObject(o[key]) }

// items returns the objects of a list, with or without an envelope.
func (a response) items() []object {
	list, ok := a.value.([]any)
	if !ok {
		list, _ = asObject(a.value)["items"].([]any)
	}
	out := make([]object, 0, len(list))
	for _, v := range list {
		if o := asObject(v); o != nil {
			out = append(out, o)
		}
	}
	return out
}

// firstKey returns the first of the keys that one of the objects has, or "none". It returns
// "" if there are no objects.
func firstKey(objects []object, keys ...string) string {
	if len(objects) == 0 {
		return ""
	}
	for _, key := range keys {
		if slices.ContainsFunc(objects, func(o object) bool { _, ok := o[key]; return ok }) {
			return key
		}
	}
	return "none"
}

// values returns the different values of a key, sorted and separated by commas.
func values(objects []object, key string) []string {
	set := map[string]bool{}
	for _, o := range objects {
		if v := o.text(key); v != "" {
			set[v] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// timeLayouts are those that the API is known to use; without a zone, they are in UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"}

// timeIn returns the time in a field.
func (o object) timeIn(key string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, o.text(key)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
