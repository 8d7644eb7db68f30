// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"slices"
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

// properties returns the properties of a schema, including those of its allOf.
func (d document) properties(schema object) object {
	out := object{}
	schema = d.resolve(schema)
	for name, p := range schema.object("properties") {
		out[name] = p
	}
	parts, _ := schema["allOf"].([]any)
	for _, part := range parts {
		for name, p := range d.properties(asObject(part)) {
			out[name] = p
		}
	}
	return out
}

// enum returns the values of an enumeration, which may be in anyOf with null.
func (d document) enum(schema object) []string {
	schema = d.resolve(schema)
	var out []string
	list, _ := schema["enum"].([]any)
	for _, v := range list {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		parts, _ := schema[key].([]any)
		for _, part := range parts {
			out = append(out, d.enum(asObject(part))...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// number returns a keyword such as "maximum", which may be in anyOf with null.
func (d document) number(schema object, keyword string) string {
	schema = d.resolve(schema)
	if n := schema.text(keyword); n != "" {
		return n
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		parts, _ := schema[key].([]any)
		for _, part := range parts {
			if n := d.number(asObject(part), keyword); n != "" {
				return n
			}
		}
	}
	return ""
}

// operation returns an operation, or nil. The path may have the prefix of the API.
func (d document) operation(method, path string) object {
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
	list, _ := d.resolve(schema)["required"].([]any)
	var out []string
	for _, v := range list {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

// paths returns the documented paths that contain a word.
func (d document) paths(word string) []string {
	var out []string
	for path := range d.root.object("paths") {
		if strings.Contains(strings.ToLower(path), word) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// statuses returns the documented status codes of an operation.
func statuses(operation object) []string {
	var out []string
	for status := range operation.object("responses") {
		out = append(out, status)
	}
	slices.Sort(out)
	return out
}
