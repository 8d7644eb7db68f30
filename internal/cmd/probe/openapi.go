// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// document is an OpenAPI document, 3.0 or 3.1. It is read leniently, because a finding
// about a strange document is worth more than an error of a strict parser: what is
// missing or has another type is treated as absent.
type document struct{ root object }

// resolve follows references within the document.
func (d document) resolve(o object) object {
	const deepest = 20 // a reference may be circular
	for range deepest {
		reference := o.text("$ref")
		if reference == "" {
			return o
		}
		o = d.root
		for part := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
			part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
			o = o.object(part)
		}
	}
	return nil
}

func (d document) version() string { return d.root.object("info").text("version") }

// schema returns the component schema with one of the names.
func (d document) schema(names ...string) object {
	for _, name := range names {
		if s := d.root.object("components").object("schemas").object(name); s != nil {
			return d.resolve(s)
		}
	}
	return nil
}

// parts calls visit for a schema and for those that it combines with allOf, anyOf, and
// oneOf, which may be circular.
func (d document) parts(schema object, depth int, visit func(object)) {
	const deepest = 5
	schema = d.resolve(schema)
	if schema == nil || depth > deepest {
		return
	}
	visit(schema)
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := schema[key].([]any)
		for _, part := range list {
			d.parts(asObject(part), depth+1, visit)
		}
	}
}

// properties returns the properties of a schema.
func (d document) properties(schema object) object {
	out := object{}
	d.parts(schema, 0, func(part object) { maps.Copy(out, part.object("properties")) })
	return out
}

// enum returns the values of an enumeration.
func (d document) enum(schema object) []string {
	var out []string
	d.parts(schema, 0, func(part object) { out = append(out, texts(part["enum"])...) })
	slices.Sort(out)
	return slices.Compact(out)
}

// number returns a keyword such as "maximum", or "".
func (d document) number(schema object, keyword string) string {
	number := ""
	d.parts(schema, 0, func(part object) {
		if number == "" {
			number = part.text(keyword)
		}
	})
	return number
}

// limits returns the smallest and the largest value of a number, such as "1 to 365".
func (d document) limits(schema object) string {
	number := func(inclusive, exclusive string, step float64) (float64, bool) {
		if n, err := strconv.ParseFloat(d.number(schema, inclusive), 64); err == nil {
			return n, true
		}
		n, err := strconv.ParseFloat(d.number(schema, exclusive), 64) // a boolean in 3.0
		return n + step, err == nil
	}
	low, hasLow := number("minimum", "exclusiveMinimum", 1)
	high, hasHigh := number("maximum", "exclusiveMaximum", -1)
	switch {
	case hasLow && hasHigh:
		return fmt.Sprintf("%g to %g", low, high)
	case hasHigh:
		return fmt.Sprintf("up to %g", high)
	case hasLow:
		return fmt.Sprintf("from %g", low)
	}
	return ""
}

// operation returns an operation such as "GET /users", or nil. The documented path may have
// the prefix of the API.
func (d document) operation(name string) object {
	method, path, _ := strings.Cut(name, " ")
	paths := d.root.object("paths")
	var found object
	shortest := 0
	for name := range paths {
		o := paths.object(name).object(strings.ToLower(method))
		if o != nil && samePath(name, path) && (found == nil || len(name) < shortest) {
			found, shortest = o, len(name)
		}
	}
	return found
}

// samePath reports whether a documented path is the wanted one: a constant prefix and the
// names of parameters do not matter.
func samePath(documented, wanted string) bool {
	a, b := pathParts(documented), pathParts(wanted)
	prefix := len(a) - len(b)
	return prefix >= 0 && slices.Equal(a[prefix:], b) && !slices.Contains(a[:prefix], "{}")
}

func pathParts(path string) []string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "{}"
		}
	}
	return parts
}

// body returns the schema of the JSON body of an operation.
func (d document) body(operation object) object {
	return d.resolve(d.resolve(operation.object("requestBody")).object("content").object("application/json").
		object("schema"))
}

// required returns the required properties of a schema.
func (d document) required(schema object) []string {
	return slices.Sorted(slices.Values(texts(d.resolve(schema)["required"])))
}

// texts returns the strings of a list.
func texts(list any) []string {
	var out []string
	elements, _ := list.([]any)
	for _, v := range elements {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// paths returns the documented paths that contain a word.
func (d document) paths(word string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.root.object("paths"))),
		func(path string) bool { return !strings.Contains(strings.ToLower(path), word) })
}

// statuses returns the documented status codes of an operation.
func statuses(operation object) (success, failures []string) {
	for _, status := range slices.Sorted(maps.Keys(operation.object("responses"))) {
		if strings.HasPrefix(status, "2") {
			success = append(success, status)
		} else {
			failures = append(failures, status)
		}
	}
	return success, failures
}
