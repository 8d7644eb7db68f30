// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
)

// openAPI returns the OpenAPI document of this build. Newer builds use version 3.1, in
// which null is a type, and older ones 3.0.
func (s *Server) openAPI() map[string]any {
	version := "3.0.3"
	if s.Profile.TeamObjects {
		version = "3.1.0"
	}
	paths := map[string]map[string]any{}
	for _, operation := range s.operations {
		method, path, _ := strings.Cut(operation.pattern, " ")
		path = s.Profile.Prefix + path
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(method)] = s.operationObject(operation)
	}
	return map[string]any{
		"openapi": version, "info": map[string]any{"title": "Qualytics", "version": s.Profile.Build},
		"paths": paths, "components": map[string]any{"schemas": s.schemas()},
	}
}

func reference(schema string) map[string]any {
	return map[string]any{"$ref": "#/components/schemas/" + schema}
}

func (s *Server) operationObject(o operation) map[string]any {
	content := func(schema string) map[string]any {
		return map[string]any{"application/json": map[string]any{"schema": reference(schema)}}
	}
	status := s.success(o)
	success := map[string]any{"description": http.StatusText(status)}
	if o.response != "" {
		success["content"] = content(o.response)
	}
	out := map[string]any{"responses": map[string]any{
		strconv.Itoa(status): success,
		"422":                map[string]any{"description": "Validation error", "content": content("ErrorResponse")},
	}}
	if o.body != "" {
		out["requestBody"] = map[string]any{"required": true, "content": content(o.body)}
	}
	var parameters []any
	for _, name := range o.query {
		if name == "include_deleted" && s.Profile.NoIncludeDeleted {
			continue
		}
		schema := map[string]any{"type": "string"}
		if name == "size" {
			schema = map[string]any{"type": "integer", "minimum": 1, "maximum": s.maxPageSize(), "default": 50}
		}
		parameters = append(parameters, map[string]any{"name": name, "in": "query", "schema": schema})
	}
	if strings.Contains(o.pattern, "{id}") {
		parameters = append(parameters,
			map[string]any{"name": "id", "in": "path", "required": true, "schema": map[string]any{"type": "integer"}})
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	return out
}

// nullableSchema returns a schema that also accepts null.
func (s *Server) nullableSchema(schema map[string]any) map[string]any {
	if s.Profile.TeamObjects { // OpenAPI 3.1
		return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
	}
	if schema["$ref"] != nil {
		return map[string]any{"allOf": []any{schema}, "nullable": true}
	}
	schema["nullable"] = true
	return schema
}

// schemas returns the component schemas.
func (s *Server) schemas() map[string]any {
	p := s.Profile
	text, number := map[string]any{"type": "string"}, map[string]any{"type": "integer"}
	optional := func() map[string]any { return s.nullableSchema(map[string]any{"type": "string"}) }
	object := func(required []string, properties map[string]any) map[string]any {
		schema := map[string]any{"type": "object", "properties": properties}
		if len(required) > 0 {
			schema["required"] = required
		}
		return schema
	}
	list := func(items any) map[string]any { return map[string]any{"type": "array", "items": items} }
	teams := list(text)
	switch {
	case p.TeamIDs:
		teams = list(number)
	case p.TeamObjects:
		teams = list(reference("Team"))
	}
	user := map[string]any{
		"id": number, "user_id": text, "user_name": text, "user_type": text, "name": optional(), "email": optional(),
		"role": s.nullableSchema(reference("UserRoleType")), "teams": teams, "last_login": optional(),
		"deleted_at": optional(),
	}
	if p.CreatedField != "" {
		user[p.CreatedField] = text
	}
	roles := []any{}
	for _, role := range append([]string{"Internal"}, p.Roles...) {
		roles = append(roles, role)
	}
	token := map[string]any{
		"id": number, "name": text, "active": map[string]any{"type": "boolean"}, "last_used": optional(),
		s.expirationField(): optional(), "user": reference("User"),
	}
	if !p.NoTokenCreated {
		token["created"] = text
	}
	var required []string
	switch {
	case p.PutRequiresName:
		required = []string{"name", "role", "teams"}
	case !p.MergePut:
		required = []string{"role"}
	}
	days := map[string]any{"type": "integer", "minimum": 1, "maximum": s.maxExpiresInDays()}
	return map[string]any{
		"User":         object([]string{"id", "user_id"}, user),
		"UserRoleType": map[string]any{"enum": roles},
		"PageUser":     object(nil, map[string]any{"items": list(reference("User")), p.TotalField: number}),
		"UserToken":    object([]string{"id"}, token),
		"GetUserToken": map[string]any{"allOf": []any{
			reference("UserToken"), object([]string{"bearer_token"}, map[string]any{"bearer_token": text}),
		}},
		"UserCreate": object([]string{"name", "role"}, map[string]any{
			"name": text, "role": text, "teams": list(text),
		}),
		"UserUpdate":      object(required, map[string]any{"role": text, "teams": list(text)}),
		"UserTokenUpdate": object(nil, map[string]any{"revoke": map[string]any{"type": "boolean", "default": true}}),
		"UserTokenCreate": object([]string{"name", "user_id"}, map[string]any{
			"name": text, "user_id": number, "expires_in_days": s.nullableSchema(days),
			"scim_endpoints_only": map[string]any{"type": "boolean"},
		}),
		"Team": object([]string{"id", "name"}, map[string]any{
			"id": number, "name": text, "permission": optional(),
		}),
		"ErrorResponse": object(nil, map[string]any{"detail": map[string]any{}}),
	}
}

func (s *Server) maxPageSize() int { return cmp.Or(s.Profile.MaxPageSize, 100) }

func (s *Server) maxExpiresInDays() int { return cmp.Or(s.Profile.MaxExpiresInDays, 365) }

func (s *Server) expirationField() string { return cmp.Or(s.Profile.ExpirationField, "expiration") }
