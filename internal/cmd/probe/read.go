// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// read examines the deployment with GET requests only.
func (p *prober) read(ctx context.Context) {
	me := p.connection(ctx)
	p.openAPI(ctx)
	p.section("Responses")
	p.users(ctx)
	p.tokens(ctx, me)
	p.teams(ctx)
}

// knownRoles are the roles that the provider knows. Internal is not assignable.
var knownRoles = []string{"Admin", "Editor", "Internal", "Manager", "Member"}

// connection examines transport and login. It returns the user that the token belongs to.
func (p *prober) connection(ctx context.Context) object {
	p.section("Connection")
	address := p.client.URL()
	target, err := url.Parse(address)
	if err == nil {
		proxy, _ := http.ProxyFromEnvironment(&http.Request{URL: target})
		p.printf("  address        %s\n  proxy          %t\n", address, proxy != nil)
	}
	a := p.get(ctx, "/users/me", nil)
	outcome := a.outcome()
	switch {
	case a.err != nil:
		outcome = "no response"
		p.printf("  %v\n", a.err)
	case outcome == "":
		outcome = strconv.Itoa(a.Status)
	}
	p.check("login", "Login (GET /users/me)", "200 and JSON", []string{"200"}, outcome,
		"Check url, api_path, and token: nothing else can be examined without them.")
	p.printf("  latency        %s\n  encryption     %s\n", a.Took.Round(time.Millisecond), orNone(a.TLS))
	if date, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		difference := date.Sub(p.client.Now()).Round(time.Second)
		observed := "within a minute"
		if difference.Abs() > time.Minute {
			observed = "differs by " + difference.String()
		}
		p.expect("clock", "Server time against local time", []string{"within a minute"}, observed,
			"Rotation windows and overlaps move by this difference. Correct the clock.")
	}
	p.note("rate_limit_headers", "Headers about the rate limit", "none",
		headers(a.Header, "ratelimit", "rate-limit", "retry-after"))
	p.note("request_id_headers", "Headers that identify a request", "none",
		headers(a.Header, "request-id", "trace", "correlation"))
	me := asObject(a.value)
	if !a.ok() {
		return nil
	}
	p.detail("user %q, user_id %q", me.text("name"), me.text("user_id"))
	p.expect("own_role", "Role of the token's owner", []string{"Admin"}, me.text("role"),
		"Managing service accounts and tokens requires the role Admin. Use the token of an Admin.")
	p.expect("own_type", "Type of the token's owner", []string{"Human", "Service"}, me.text("user_type"),
		"The provider does not know this type of user.")
	return me
}

// headers returns the names of the headers that contain one of the parts.
func headers(h http.Header, parts ...string) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(h)), func(name string) bool {
		has := func(part string) bool { return strings.Contains(strings.ToLower(name), part) }
		return !slices.ContainsFunc(parts, has)
	})
	return strings.Join(names, ", ")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// clientOperations are the requests of the provider.
var clientOperations = []string{
	"GET /users/me", "GET /users", "POST /users", "GET /users/{id}", "PUT /users/{id}", "DELETE /users/{id}",
	"GET /user-tokens/service", "GET /user-tokens", "POST /user-tokens", "PUT /user-tokens/{id}",
	"DELETE /user-tokens/{id}", "GET /teams",
}

// openAPI examines the description of the build.
func (p *prober) openAPI(ctx context.Context) {
	p.section("OpenAPI document")
	a := p.get(ctx, "/openapi.json", nil)
	d := document{asObject(a.value)}
	observed := a.outcome()
	if observed == "" && a.Status != 0 {
		observed = strconv.Itoa(a.Status)
	}
	if a.ok() {
		observed = "readable"
		if d.root.object("paths") == nil {
			observed = "no OpenAPI document"
		}
	}
	p.note("openapi", "OpenAPI document (GET /openapi.json)", "unknown", observed)
	if observed != "readable" {
		return
	}
	p.build = d.version()
	p.note("build", "Build (info.version)", "date and commit", p.build)
	p.operations(d)
	p.schemas(d)
	p.requests(d)
}

// operations compares the documented operations with those that the provider uses.
func (p *prober) operations(d document) {
	missing := slices.DeleteFunc(slices.Clone(clientOperations),
		func(operation string) bool { return d.operation(operation) != nil })
	const all = "all documented"
	p.expect("operations", "Operations that the provider uses", []string{all},
		listOr("not documented: ", missing, all), "Requests of these operations may fail with 404 or 405.")
	reactivate := slices.DeleteFunc(d.paths("/users/"), func(path string) bool {
		return strings.Contains(path, "deactivate") ||
			!slices.ContainsFunc([]string{"activate", "restore", "enable", "undelete"},
				func(word string) bool { return strings.Contains(path, word) })
	})
	p.expect("reactivate", "Paths that reactivate a user", []string{"none"}, listOr("", reactivate, "none"),
		"The provider does not use it: a deactivated account has to be reactivated by hand.")
	p.note("activity", "Paths of the activity log", "unknown", listOr("", d.paths("activity"), ""))
}

// listOr returns the elements after a label, or text if there are none.
func listOr(label string, elements []string, text string) string {
	if len(elements) == 0 {
		return text
	}
	return label + strings.Join(elements, ", ")
}

// without returns the elements of a list that are not among others.
func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

// schemas compares the documented responses with the fields that the provider reads.
func (p *prober) schemas(d document) {
	for _, s := range []struct {
		id     string
		names  []string
		fields []string
	}{
		{"schema_user", []string{"User"}, []string{
			"id", "user_id", "name", "role", "teams", "user_type", "deleted_at",
		}},
		{"schema_token", []string{"UserToken"}, []string{"id", "name", "active", "expiration", "last_used", "user"}},
		{"schema_new_token", []string{"GetUserToken"}, []string{"id", "bearer_token"}},
		{"schema_team", []string{"Team", "GetTeam"}, []string{"id", "name"}},
	} {
		schema := d.schema(s.names...)
		observed := ""
		if schema != nil {
			observed = listOr("lacks ", without(s.fields, slices.Collect(maps.Keys(d.properties(schema)))), "complete")
		}
		p.check(s.id, "Schema "+s.names[0], "has "+strings.Join(s.fields, ", "), []string{"complete"}, observed,
			"The provider treats missing fields as null, or reports a response that it cannot read.")
	}
	roles := d.enum(d.schema("UserRoleType", "RoleType"))
	if len(roles) == 0 {
		roles = d.enum(asObject(d.properties(d.schema("User"))["role"]))
	}
	p.roles("documented_roles", "Documented roles", roles)
	p.variants["roles"] = strings.Join(without(roles, []string{"Internal"}), ", ")
}

// roles checks that all roles are known.
func (p *prober) roles(id, topic string, roles []string) {
	unknown := without(roles, knownRoles)
	observed := strings.Join(roles, ", ")
	accepts := []string{observed}
	if len(unknown) > 0 {
		accepts = []string{}
	}
	p.check(id, topic, strings.Join(knownRoles, ", "), accepts, observed,
		"Configurations cannot use "+strings.Join(unknown, ", ")+": the argument role does not accept it.")
}

// requests compares the documented requests with what the provider sends.
func (p *prober) requests(d document) {
	body := d.body(d.operation("POST /user-tokens"))
	days := asObject(d.properties(body)["expires_in_days"])
	p.check("lifetime_limits", "Limits of expires_in_days", "1 to 365", []string{"1 to 365", "up to 365", "from 1"},
		d.limits(days), "expires_in_days accepts 1 to 365, and the server refuses what is outside of its own limits.")
	required := ""
	if update := d.operation("PUT /users/{id}"); update != nil {
		required = listOr("", d.required(d.body(update)), "none")
	}
	p.check("put_required", "Required fields of PUT /users/{id}", "none, role, or role and teams",
		[]string{"none", "role", "role, teams", "teams"}, required,
		"The provider sends role and teams only, so updates may fail with 422.")
	for _, s := range []struct {
		id, operation string
		accepts       []string
	}{
		{"status_create_user", "POST /users", []string{"200", "201"}},
		{"status_create_token", "POST /user-tokens", []string{"200", "201"}},
		{"status_delete_user", "DELETE /users/{id}", []string{"200", "202", "204"}},
		{"status_delete_token", "DELETE /user-tokens/{id}", []string{"200", "202", "204"}},
	} {
		success, failures := statuses(d.operation(s.operation))
		observed := strings.Join(success, ", ")
		if len(without(success, s.accepts)) == 0 {
			s.accepts = append(s.accepts, observed)
		}
		p.check(s.id, "Documented success of "+s.operation, strings.Join(s.accepts, " or "), s.accepts, observed,
			"The provider accepts any status from 200 to 299.")
		p.note(s.id+"_errors", "Documented errors of "+s.operation, "unknown", strings.Join(failures, ", "))
	}
	p.bodies(d)
	var parameters []string
	list, _ := d.operation("GET /users")["parameters"].([]any)
	for _, v := range list {
		parameters = append(parameters, d.resolve(asObject(v)).text("name"))
	}
	observed := ""
	if len(parameters) > 0 {
		sent := []string{"include_deleted", "name", "page", "size", "type"}
		observed = listOr("lacks ", without(sent, parameters), "complete")
	}
	p.check("user_query", "Query parameters of GET /users", "include_deleted, name, page, size, type",
		[]string{"complete"}, observed, "Lists of accounts may fail with 422, or be incomplete.")
}

// bodies checks that the requests of the provider contain every required field.
func (p *prober) bodies(d document) {
	for _, s := range []struct {
		id, operation string
		sends         []string
	}{
		{"required_user", "POST /users", []string{"name", "role", "teams"}},
		{"required_token", "POST /user-tokens", []string{
			"name", "user_id", "expires_in_days", "scim_endpoints_only",
		}},
		{"required_revoke", "PUT /user-tokens/{id}", []string{"revoke"}},
	} {
		observed := ""
		if operation := d.operation(s.operation); operation != nil {
			observed = listOr("also ", without(d.required(d.body(operation)), s.sends), "complete")
		}
		p.check(s.id, "Required fields of "+s.operation, strings.Join(s.sends, ", "), []string{"complete"}, observed,
			"The provider does not send them, so the request fails with 422.")
	}
}

// users examines the list of users.
func (p *prober) users(ctx context.Context) {
	query := url.Values{"type": {"Service"}, "page": {"1"}, "size": {"100"}}
	a := p.get(ctx, "/users", query)
	p.expect("page_size", "Page of 100 users", []string{"200"}, a.outcome(),
		"Lists of accounts fail: the provider requests pages of 100.")
	if !a.ok() {
		query.Del("size")
		a = p.get(ctx, "/users", query)
	}
	users, page := a.items(), object(nil)
	if a.isList() {
		page = asObject(a.value)
	}
	p.printf("  users          %d on the first page, %s in total\n", len(users),
		orNone(page.text("total")+page.text("total_count")))
	p.check("user_list", "List of users", "items", []string{"items", "array"}, listShape(a),
		"Accounts cannot be listed.")
	p.expect("page_total", "Field with the number of users", []string{"total", "total_count"},
		fieldOf(page, "total", "total_count"), "The provider requests pages until one is short.")
	p.note("page_count", "Field with the number of pages", "pages or none", fieldOf(page, "pages"))
	p.expect("teams_shape", "Teams of a user", []string{"names", "objects"}, teamsShape(users),
		"Teams cannot be read, so every read of an account fails.")
	p.note("user_created", "Time of creation of a user", "created, created_at, or none",
		firstKey(users, "created", "created_at"))
	p.roles("observed_roles", "Roles of service accounts", values(users, "role"))
	p.note("user_order", "Order of users", "unknown", orderOf(users))

	query = url.Values{"type": {"Service"}, "include_deleted": {"true"}, "page": {"1"}, "size": {"1"}}
	first := p.get(ctx, "/users", query)
	p.expect("include_deleted", "List with deactivated users (include_deleted)", []string{"200"}, first.outcome(),
		"Names of deactivated accounts are not found before apply, and refreshes read accounts one by one.")
	if !first.ok() {
		return
	}
	query.Set("page", "2")
	second := p.get(ctx, "/users", query)
	if a, b := first.items(), second.items(); second.ok() && len(a) == 1 && len(b) == 1 {
		observed := "different users"
		if a[0].text("id") == b[0].text("id") {
			observed = "the same user"
		}
		p.expect("pages", "Two pages of one user each", []string{"different users"}, observed,
			"Lists of accounts are incomplete.")
	}
}

// listShape returns whether a list is an array or has items, or the status.
func listShape(a response) string {
	_, array := a.value.([]any)
	switch {
	case a.ok() && array:
		return "array"
	case a.isList():
		return "items"
	case a.ok():
		return "another shape"
	}
	return a.outcome()
}

// fieldOf returns the first of the keys that an object has, "none", or "" for no object.
func fieldOf(o object, keys ...string) string {
	if o == nil {
		return ""
	}
	return firstKey([]object{o}, keys...)
}

// teamsShape returns how the teams of users are written.
func teamsShape(users []object) string {
	for _, u := range users {
		list, _ := u["teams"].([]any)
		for _, team := range list {
			switch team.(type) {
			case string:
				return "names"
			case map[string]any:
				return "objects"
			default:
				return "numbers"
			}
		}
	}
	return ""
}

func orderOf(objects []object) string {
	if len(objects) < 2 {
		return ""
	}
	ids := make([]int64, len(objects))
	for i, o := range objects {
		ids[i], _ = strconv.ParseInt(o.text("id"), 10, 64)
	}
	if slices.IsSorted(ids) {
		return "by ID"
	}
	return "not by ID"
}

// tokens examines the list of service tokens, and the token of this run.
func (p *prober) tokens(ctx context.Context, me object) {
	a := p.get(ctx, "/user-tokens/service", nil)
	shape := listShape(a)
	if envelope := asObject(a.value); shape == "items" {
		shape = "envelope"
		if envelope.text("pages") != "" || envelope.text("page") != "" {
			shape = "pages"
		}
	}
	p.expect("token_list", "List of service tokens", []string{"array", "envelope", "pages"}, shape,
		"Tokens cannot be read.")
	tokens := a.items()
	p.printf("  tokens         %d\n", len(tokens))
	p.expect("token_expiration", "Field with the expiry of a token", []string{"expiration"},
		firstKey(tokens, "expiration", "expires_at", "expires"),
		"Every token seems to never expire, so none is rotated.")
	p.note("token_created", "Time of creation of a token", "created or none",
		firstKey(tokens, "created", "created_at"))
	used := ""
	if slices.ContainsFunc(tokens, func(t object) bool { return t.text("last_used") != "" }) {
		used = "reported"
	}
	p.note("last_used", "Last use of a token", "unknown", used)
	if me != nil {
		p.ownToken(ctx)
	}
}

// ownToken examines the claims of the token of this run, and how they relate to its row.
func (p *prober) ownToken(ctx context.Context) {
	claims := p.client.Claims()
	kind := "not a JWT"
	if claims != nil {
		kind = listOr("JWT with ", slices.DeleteFunc(slices.Sorted(maps.Keys(claims)),
			func(name string) bool { return !slices.Contains([]string{"exp", "iat", "jti"}, name) }), "JWT "+
			"without jti, iat, and exp")
	}
	p.note("bearer", "Format of the token", "JWT", kind)
	rows := p.get(ctx, "/user-tokens", nil)
	if !rows.ok() || claims == nil {
		return
	}
	if seconds, err := strconv.ParseFloat(fmt.Sprint(claims["exp"]), 64); err == nil {
		p.printf("  expires        %s\n", time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339))
	} else {
		p.printf("  expires        not in the token\n")
	}
	id := fmt.Sprint(claims["jti"])
	relation := "jti is not the ID of a listed token"
	for _, row := range rows.items() {
		if row.text("id") != id {
			continue
		}
		relation = "jti is the ID of the listed token"
		if at, ok := row.timeIn("created"); ok && claims["iat"] != nil && apart(at, claims["iat"]) {
			relation += "; iat is not its time of creation"
		}
		if at, ok := row.timeIn("expiration"); ok && claims["exp"] != nil && apart(at, claims["exp"]) {
			relation += "; exp is not its expiry"
		}
	}
	p.note("claims", "Claims of the token", "unknown", relation)
}

// apart reports whether a time differs from a claim by more than two seconds.
func apart(t time.Time, claim any) bool {
	seconds, err := strconv.ParseFloat(fmt.Sprint(claim), 64)
	return err == nil && t.Sub(time.Unix(int64(seconds), 0)).Abs() > 2*time.Second
}

// teams examines the list of teams.
func (p *prober) teams(ctx context.Context) {
	a := p.get(ctx, "/teams", url.Values{"page": {"1"}, "size": {"100"}})
	p.expect("teams", "List of teams (GET /teams)", []string{"200"}, a.outcome(),
		"Teams cannot be looked up by name.")
	teams := a.items()
	p.printf("  teams          %d\n", len(teams))
	public := ""
	if len(teams) > 0 {
		public = "absent"
		if slices.Contains(values(teams, "name"), "Public") {
			public = "listed"
		}
	}
	p.note("public", "Team Public", "unknown", public)
	p.note("team_permission", "Permission of a team", "permission or none", firstKey(teams, "permission"))
}
