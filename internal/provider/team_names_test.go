// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func TestAccountUnknownTeam(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.none(accountType)
		_, diags := h.run(o,
			values{"name": "x", "role": "Member", "teams": []string{"Data Qualty", "Data Engineering"}})
		wantText(t, diags.errors(), `There is no team "Data Qualty"`, `nearest existing names are "Data Quality"`)
		wantWrites(t, h)
		h.must(o, values{"name": "x", "role": "Member"}, "create")
		h.server.ClearRequests()
		_, diags = h.run(o, values{"name": "x", "role": "Member", "teams": []string{"Unknown"}})
		wantText(t, diags.errors(), `There is no team "Unknown"`)
		wantWrites(t, h)
	})
}

func TestUnknownTeamAtPlan(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"name": "x", "role": "Member", "teams": []string{"Data Qality"}}
	p := h.plan(h.none(accountType), config)
	wantText(t, p.diags.warnings(), "Team does not exist yet", `There is no team "Data Qality"`, `"Data Quality"`)
	_, diags := h.apply(p)
	wantText(t, diags.errors(), "Team not found", `"Data Quality"`)
	wantWrites(t, h)
	h.connect(values{"url": h.server.URL, "token": h.server.AdminToken(), "max_retries": 0})
	h.server.Fail(qualyticstest.HTML(500).On(http.MethodGet, "/teams").Repeat(qualyticstest.Forever))
	if p := h.plan(h.none(accountType), config); p.diags.errors() != "" {
		t.Errorf("a plan fails because the teams cannot be looked up: %s", p.diags.errors())
	}
}

// Teams are looked up only if some are added, and a failed look-up is left to the apply.
func TestTeamsWhilePlanning(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := values{"name": "x", "role": "Member", "teams": []string{"Data Quality"}}
	o := h.created(accountType, config)
	h.connect(h.config)
	h.server.ClearRequests()
	if p := h.plan(o, config.with(values{"role": "Manager"})); p.action != "update" || h.routes()["GET /teams"] != 0 {
		t.Errorf("planned %s with %v", p.action, h.routes())
	}
	h.server.Fail(qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/teams"))
	p := h.plan(o, config.with(values{"teams": []string{"Data Quality", "Missing"}}))
	if w := p.diags.warnings(); w != "" || p.diags.errors() != "" {
		t.Errorf("a failed look-up: %s %s", w, p.diags.errors())
	}
}

// If the teams cannot be looked up, nothing is created.
func TestTeamsCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	h.server.Fail(qualyticstest.JSON(403, `{"detail":"no"}`).On(http.MethodGet, "/teams").Repeat(qualyticstest.Forever))
	_, diags := h.run(h.none(accountType), values{"name": "x", "role": "Member", "teams": []string{"Data Quality"}})
	wantText(t, diags.errors(), "Unable to look up teams", "reading teams requires the role Manager or Admin")
	wantWrites(t, h)
}

// A team that was created since the names were requested exists for an apply.
func TestTeamCreatedInTheSameApply(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.none(accountType)
		config := values{"name": "x", "role": "Member", "teams": []string{"Brand New"}}
		p := h.plan(o, config)
		wantText(t, p.diags.warnings(), "Team does not exist yet", `There is no team "Brand New"`)
		h.server.AddTeam("Brand New")
		after := h.applied(p)
		h.clean(after, config)
	})
}

// Names that are only known after apply, together with other names that are
// spelled differently than in the state.
func TestUnknownTeamsAndSpelling(t *testing.T) {
	t.Parallel()
	h := newHarness(t, qualyticstest.Build202609())
	config := func(teams ...any) values { return values{"name": "x", "role": "Member", "teams": teams} }
	o := h.created(accountType, config("Data Engineering", "Data Quality"))
	p := h.plan(o, config("data engineering", "Data Quality", unknown{}))
	wantText(t, p.diags.errors(), "Spelling of team differs from the state", `"Data Engineering"`)
	if p := h.plan(o, config("Data Engineering", "Data Quality", unknown{})); p.diags.errors() != "" {
		t.Errorf("the same spelling: %s", p.diags.errors())
	}
	h.clean(o, config("data engineering", "Data Quality", "Public"))
	h.clean(o, config("Data Quality", "data engineering"))
	p = h.plan(o, config("Public", "Data Engineering", unknown{}))
	wantText(t, p.diags.errors(), "Spelling of team differs from the state", `"Public"`)
	if p := h.plan(o, config("Data Engineering", "Data Quality", unknown{})); !strings.Contains(get(p.planned, "teams"),
		"?") {
		t.Errorf("planned %s for teams that are partly unknown", get(p.planned, "teams"))
	}
	h.must(o, config(), "update")
	all := values{"name": "x", "role": "Member", "teams": unknown{}}
	if p := h.plan(o, all); get(p.planned, "teams") != "?" {
		t.Errorf("planned %q for unknown teams", get(p.planned, "teams"))
	}
}
