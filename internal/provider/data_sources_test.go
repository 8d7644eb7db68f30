// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// look reads a data source as a plan does, after validating it.
func (h *harness) look(kind string, config values) (tftypes.Value, diagnostics) {
	h.t.Helper()
	schema := h.schemas.DataSourceSchemas[kind]
	dv := h.dynamic(schema.ValueType(), h.value(schema, config))
	valid, err := h.p.ValidateDataResourceConfig(h.ctx,
		&tfprotov6.ValidateDataResourceConfigRequest{TypeName: kind, Config: dv})
	if err != nil {
		h.t.Fatal(err)
	}
	if diags := diagnostics(valid.Diagnostics); diags.errors() != "" {
		return tftypes.Value{}, diags
	}
	resp, err := h.p.ReadDataSource(h.ctx, &tfprotov6.ReadDataSourceRequest{TypeName: kind, Config: dv})
	if err != nil {
		h.t.Fatal(err)
	}
	if diags := diagnostics(resp.Diagnostics); diags.errors() != "" {
		return tftypes.Value{}, diags
	}
	v, err := resp.State.Unmarshal(schema.ValueType())
	if err != nil {
		h.t.Fatal(err)
	}
	return v, resp.Diagnostics
}

// items returns the objects of a list attribute.
func items(v tftypes.Value, name string) []tftypes.Value {
	var out []tftypes.Value
	_ = attributes(v)[name].As(&out)
	return out
}

// names returns an attribute of every item.
func names(list []tftypes.Value, attribute string) []string {
	out := []string{}
	for _, item := range list {
		out = append(out, get(item, attribute))
	}
	return out
}

// An account is found by ID, user_id, or exact name; what is not found gets the nearest names.
func TestAccountDataSource(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		const kind = "qualytics_service_account"
		u := h.server.AddUser(qualyticstest.User{Name: "API Access", Role: "Manager", Teams: []string{"Data Quality"}})
		h.server.AddUser(qualyticstest.User{Name: "API Access 2"})
		now := h.server.Clock.Now()
		dead := h.server.AddUser(qualyticstest.User{Name: "Dead", Deleted: &now})
		person := h.server.AddUser(qualyticstest.User{Name: "Bob", UserID: "auth0|bob", Type: "Human"})
		for _, config := range []values{{"id": fmt.Sprint(u.ID)}, {"user_id": u.UserID}, {"name": "API Access"}} {
			v, diags := h.look(kind, config)
			wantOK(t, diags)
			if get(v, "id") != fmt.Sprint(u.ID) || get(v, "role") != "Manager" || get(v, "teams") != "Data Quality" ||
				get(v, "user_id") != u.UserID ||
				get(v, "last_login_at") != "" {
				t.Errorf("%v: %s", config, v)
			}
		}
		for _, tc := range []struct {
			config values
			want   []string
		}{
			{values{"name": "api access"}, []string{"No service account", `"API Access"`}},
			{values{"user_id": "api_acess@service"}, []string{"No service account", "api_access@service"}},
			{values{"id": "99999"}, []string{"No active service account has the ID 99999"}},
			{values{"id": fmt.Sprint(dead.ID)}, []string{"No active service account"}},
			{values{"name": "Dead"}, []string{"No service account"}},
			{values{"id": fmt.Sprint(person.ID)}, []string{"Not a service account", "Human"}},
			{values{}, []string{"id"}},
			{values{"id": "1", "name": "x"}, []string{"id"}},
		} {
			_, diags := h.look(kind, tc.config)
			wantText(t, diags.errors(), append(tc.want, "")...)
			if diags.errors() == "" {
				t.Errorf("%v is found", tc.config)
			}
		}
	})
}

// Each filter lists what matches, and nothing else.
func TestAccountsDataSource(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		now := h.server.Clock.Now()
		h.server.AddUser(
			qualyticstest.User{Name: "Airflow", Role: "Admin", Teams: []string{"Data Quality"}, LastLogin: &now})
		h.server.AddUser(qualyticstest.User{Name: "airbyte", Teams: []string{"Data Engineering"}})
		h.server.AddUser(qualyticstest.User{Name: "Dead", Deleted: &now})
		for _, tc := range []struct {
			config values
			want   []string
		}{
			{values{}, []string{"Airflow", "airbyte"}},
			{values{"name": "AIR"}, []string{"Airflow", "airbyte"}},
			{values{"name": "flow"}, []string{"Airflow"}},
			{values{"role": "Admin"}, []string{"Airflow"}},
			{values{"team": "data quality"}, []string{"Airflow"}},
			{values{"team": "Public"}, []string{"Airflow", "airbyte"}},
			{values{"team": "Unknown"}, []string{}},
			{values{"role": "Manager"}, []string{}},
			{values{"include_deactivated": true}, []string{"Airflow", "airbyte", "Dead"}},
		} {
			v, diags := h.look("qualytics_service_accounts", tc.config)
			wantOK(t, diags)
			list := items(v, "service_accounts")
			if got := names(list, "name"); !slices.Equal(got, tc.want) {
				t.Errorf("%v: %v, want %v", tc.config, got, tc.want)
			}
			for _, item := range list {
				if (get(item, "deactivated_at") != "") != (get(item, "name") == "Dead") ||
					(get(item, "last_login_at") != "") != (get(item, "name") == "Airflow") {
					t.Errorf("%s", item)
				}
			}
		}
	})
}

// Lists are complete and sorted, whatever the page size.
func TestDataSourcesOfManyObjects(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		for _, n := range []int{0, 1, 100, 101, 1000} {
			if n > 0 {
				h.server.Seed(n-len(h.server.ServiceAccounts()), 1)
				h.connect(h.config) // else the lists are cached
			}
			v, _ := h.look("qualytics_service_accounts", values{})
			tokens, _ := h.look("qualytics_service_tokens", values{})
			for _, list := range [][]tftypes.Value{items(v, "service_accounts"), items(tokens, "service_tokens")} {
				ids := names(list, "id")
				if len(list) != n || !slices.IsSortedFunc(ids, byNumber) {
					t.Errorf("%d objects, want %d", len(list), n)
				}
			}
		}
	})
}

// If accounts are created or deactivated between two pages, none of the others is
// missing or listed twice.
func TestAccountsDataSourceWhileTheyChange(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		h.server.Seed(250, 0)
		between := func(do func()) []string {
			h.server.Fail(qualyticstest.Fault{Path: "/users", Skip: 1, Kind: qualyticstest.Delay, Do: do})
			v, _ := h.look("qualytics_service_accounts", values{})
			return names(items(v, "service_accounts"), "id")
		}
		want := func() []string {
			var ids []string
			for _, u := range h.server.ServiceAccounts() {
				ids = append(ids, fmt.Sprint(u.ID))
			}
			return ids
		}
		got := between(func() {
			h.deactivate(h.server.ServiceAccounts()[7].ID)
		})
		if diff := gocmp.Diff(want(), got); diff != "" {
			t.Errorf("one vanished, want -, got +:\n%s", diff)
		}
		got = between(func() { h.server.AddUser(qualyticstest.User{Name: "New"}) })
		if diff := gocmp.Diff(want(), got); diff != "" {
			t.Errorf("one appeared, want -, got +:\n%s", diff)
		}
	})
}

// Tokens are listed with their status, and filtered by status and account.
func TestTokensDataSource(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		u := h.server.AddUser(qualyticstest.User{Name: "x"})
		other := h.server.AddUser(qualyticstest.User{Name: "y"})
		soon := h.server.Clock.Now().Add(time.Hour)
		h.server.AddToken(qualyticstest.Token{Name: "active", UserID: u.ID, LastUsed: &soon})
		h.server.AddToken(qualyticstest.Token{Name: "expired", UserID: u.ID, Expiration: &soon})
		revoked := h.server.AddToken(qualyticstest.Token{Name: "revoked", UserID: other.ID})
		h.revoke(revoked.ID)
		h.clock.Advance(2 * time.Hour)
		for _, tc := range []struct {
			config values
			want   []string
		}{
			{values{}, []string{"active", "expired", "revoked"}},
			{values{"status": "active"}, []string{"active"}},
			{values{"status": "expired"}, []string{"expired"}},
			{values{"status": "revoked"}, []string{"revoked"}},
			{values{"service_account_id": fmt.Sprint(other.ID)}, []string{"revoked"}},
			{values{"service_account_id": fmt.Sprint(other.ID), "status": "active"}, []string{}},
		} {
			v, diags := h.look("qualytics_service_tokens", tc.config)
			wantOK(t, diags)
			list := items(v, "service_tokens")
			if got := names(list, "name"); !slices.Equal(got, tc.want) || !slices.Equal(names(list, "status"), got) {
				t.Errorf("%v: %v %v, want %v", tc.config, got, names(list, "status"), tc.want)
			}
			for _, item := range list {
				if (get(item, "last_used_at") != "") != (get(item, "name") == "active") {
					t.Errorf("%s", item)
				}
			}
		}
		_, diags := h.look("qualytics_service_tokens", values{"status": "rotation_due"})
		wantText(t, diags.errors(), `"expired"`)
	})
}

// Teams are found by ID or name without case, and listed by a part of their names.
func TestTeamDataSources(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		for _, config := range []values{{"id": "2"}, {"name": "Data Quality"}, {"name": "data quality"}} {
			v, diags := h.look("qualytics_team", config)
			if diags.errors() != "" || get(v, "id") != "2" || get(v, "name") != "Data Quality" ||
				(get(v, "permission") != "") != h.server.Profile.TeamDetails {
				t.Errorf("%v: %s %s", config, v, diags.errors())
			}
		}
		if v, diags := h.look("qualytics_team", values{"id": "-1"}); get(v, "name") != "Public" {
			t.Errorf("Public: %s", diags.errors())
		}
		for want, config := range map[string]values{
			`"Data Quality"`:          {"name": "data qualty"},
			`No team has the id "77"`: {"id": "77"},
		} {
			_, diags := h.look("qualytics_team", config)
			wantText(t, diags.errors(), "Object not found", want)
		}
		for part, want := range map[string][]string{
			"":     {"Public", "Data Engineering", "Data Quality"},
			"data": {"Data Engineering", "Data Quality"}, "none": {},
		} {
			config := values{}
			if part != "" {
				config["name"] = part
			}
			v, diags := h.look("qualytics_teams", config)
			if got := names(items(v, "teams"), "name"); !slices.Equal(got, want) {
				t.Errorf("%q: %v %s, want %v", part, got, diags.errors(), want)
			}
		}
	})
}

// The current user is the owner of the token in the provider configuration.
func TestCurrentUserDataSource(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		v, diags := h.look("qualytics_current_user", values{})
		if diags.errors() != "" || get(v, "role") != "Admin" || get(v, "user_type") != "Human" ||
			get(v, "email") != "ada@example.com" ||
			get(v, "name") != "Ada Admin" {
			t.Errorf("%s %s", v, diags.errors())
		}
	})
}

// Missing permissions and other failures are explained.
func TestDataSourceErrors(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	manager := h.server.AddUser(qualyticstest.User{Name: "Manager", Role: "Manager"})
	token := h.server.AddToken(qualyticstest.Token{Name: "x", UserID: manager.ID})
	h.connect(values{"url": h.server.URL, "token": h.server.Bearer(token.ID), "max_retries": 0})
	for kind, config := range map[string]values{
		"qualytics_service_accounts": {}, "qualytics_service_tokens": {},
		"qualytics_service_account": {"name": "x"},
	} {
		_, diags := h.look(kind, config)
		wantText(t, diags.errors(), "requires the role Admin", "403")
	}
	if _, diags := h.look("qualytics_teams", values{}); diags.errors() != "" {
		t.Errorf("a Manager may not read teams: %s", diags.errors())
	}
	h.server.Fail(qualyticstest.HTML(502).Repeat(qualyticstest.Forever))
	for kind := range h.schemas.DataSourceSchemas {
		config := values{}
		if kind == "qualytics_service_account" || kind == "qualytics_team" {
			config["name"] = "x"
		}
		_, diags := h.look(kind, config)
		wantText(t, diags.errors(), "Unable to", "502")
	}
}

// byNumber compares IDs as numbers.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
