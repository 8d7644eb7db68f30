// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// A team that does not exist is a warning of the plan, because the apply may create it, and
// an error of the apply, which changes nothing.
func TestAccountUnknownTeam(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		config := values{"name": "x", "role": "Member"}
		unknownTeam := config.with(values{"teams": []string{"Data Qualty", "Data Engineering"}})
		p := h.plan(h.none(accountType), unknownTeam)
		wantText(t, p.diags.warnings(), "does not exist yet", `There is no team "Data Qualty"`, `"Data Quality"`)
		_, diags := h.apply(p)
		wantText(t, diags.errors(), "Team not found", `There is no team "Data Qualty"`,
			`nearest existing names are "Data Quality"`)
		wantWrites(t, h)
		o := h.created(accountType, config)
		h.server.ClearRequests()
		_, diags = h.run(o, unknownTeam)
		wantText(t, diags.errors(), `There is no team "Data Qualty"`)
		wantWrites(t, h)
	})
}

// Teams are looked up only if some are added. If that fails, the plan leaves it to the apply,
// which changes nothing.
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
	for want, fault := range map[string]qualyticstest.Fault{
		"reading teams requires the role Manager or Admin": qualyticstest.JSON(403, `{"detail":"no"}`),
		"500": qualyticstest.HTML(500),
	} {
		h.server.Heal()
		h.server.Fail(fault.On(http.MethodGet, "/teams").Repeat(qualyticstest.Forever))
		for name, o := range map[string]*object{"x": o, "y": h.none(accountType)} {
			p := h.plan(o, config.with(values{"name": name, "teams": []string{"Data Quality", "Missing"}}))
			if len(p.diags) > 0 {
				t.Errorf("%s: the plan says %s %s", want, p.diags.warnings(), p.diags.errors())
			}
			_, diags := h.apply(p)
			wantText(t, diags.errors(), "Unable to look up teams", want)
		}
	}
	wantWrites(t, h)
}

// A team that was created since the names were requested exists for an apply.
func TestTeamCreatedInTheSameApply(t *testing.T) {
	t.Parallel()
	onEveryProfile(t, func(t *testing.T, h *harness) {
		o := h.none(accountType)
		config := values{"name": "x", "role": "Member", "teams": []string{"Brand New"}}
		p := h.plan(o, config)
		wantText(t, p.diags.warnings(), "does not exist yet", `There is no team "Brand New"`)
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
