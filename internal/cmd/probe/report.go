// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// Results of a check.
const (
	asAssumed = "as assumed"
	differs   = "differs"
	notSeen   = "not seen"
)

// finding is the result of a check. It contains no name, address, or secret.
type finding struct {
	ID       string `json:"id"`
	Topic    string `json:"topic"`
	Assumed  string `json:"assumed"`
	Observed string `json:"observed,omitempty"`
	Result   string `json:"result"`
	Effect   string `json:"effect,omitempty"` // on the provider, if the result is "differs"
}

// prober examines a deployment.
type prober struct {
	client  *qualytics.Client
	out     io.Writer
	verbose bool

	build    string
	findings []finding
	// variants is what was observed of the features in which known builds differ.
	variants  map[string]string
	leftovers []string
	timing    timing
}

func (p *prober) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

func (p *prober) section(title string) { p.printf("\n%s\n", title) }

// detail prints what may contain names.
func (p *prober) detail(format string, args ...any) {
	if p.verbose {
		p.printf("      "+format+"\n", args...)
	}
}

// check records an observation, "" if nothing was observed. accepts are the observations
// that the provider handles, nil for all; effect is what happens with another one.
func (p *prober) check(id, topic, assumed string, accepts []string, observed, effect string) {
	f := finding{ID: id, Topic: topic, Assumed: assumed, Observed: p.redact(observed), Result: differs}
	switch {
	case observed == "":
		f.Result = notSeen
	case accepts == nil, slices.Contains(accepts, observed):
		f.Result = asAssumed
	default:
		f.Effect = effect
	}
	p.variants[id] = observed
	p.findings = append(p.findings, f)
	line := f.Topic
	if observed != "" {
		line += ": " + observed
	}
	p.printf("  %-10s  %s\n", f.Result, line)
	if f.Result == differs {
		p.printf("      assumed: %s. %s\n", f.Assumed, f.Effect)
	}
}

// plain matches what a finding may contain: words, numbers, and paths.
var plain = regexp.MustCompile(`^[A-Za-z0-9 _.,;:/{}()+<>=-]{0,300}$`)

// redact returns an observation without what may be a name, an address, or a host.
func (p *prober) redact(observed string) string {
	host, _, _ := strings.Cut(p.client.Host(), ":")
	if !plain.MatchString(observed) || strings.Contains(observed, host) {
		return "(redacted: unexpected text)"
	}
	return observed
}

// expect records an observation that should be one of several.
func (p *prober) expect(id, topic string, accepts []string, observed, effect string) {
	assumed := strings.Join(accepts, " or ")
	if last := len(accepts) - 1; last > 1 {
		assumed = strings.Join(accepts[:last], ", ") + ", or " + accepts[last]
	}
	p.check(id, topic, assumed, accepts, observed, effect)
}

// note records an observation that the provider does not depend on.
func (p *prober) note(id, topic, assumed, observed string) {
	p.check(id, topic, assumed, nil, observed, "")
}

// profiles are the features of the builds that the emulator knows.
var profiles = []struct {
	name     string
	variants map[string]string
}{
	{"2026-09", map[string]string{
		"teams_shape": "objects", "user_created": "created", "page_total": "total", "page_count": "pages",
		"token_list": "array", "roles": "Admin, Manager, Member",
	}},
	{"docs-2026-04", map[string]string{
		"teams_shape": "names", "user_created": "created_at", "page_total": "total_count", "page_count": "pages",
		"token_list": "array", "roles": "Admin, Manager, Member",
	}},
	{"seed-2025-11", map[string]string{
		"teams_shape": "names", "user_created": "none", "page_total": "total", "page_count": "none",
		"token_list": "envelope", "roles": "Admin, Editor, Manager, Member",
	}},
}

// nearest returns the profile with the most equal features, and the features that differ.
// It returns "" if nothing was observed.
func (p *prober) nearest() (name string, different []string) {
	best := 0
	for _, profile := range profiles {
		equal := 0
		var other []string
		for feature, value := range profile.variants {
			switch p.variants[feature] {
			case value:
				equal++
			case "":
			default:
				other = append(other, feature)
			}
		}
		if equal > best {
			slices.Sort(other)
			best, name, different = equal, profile.name, other
		}
	}
	return name, different
}

func (p *prober) count(result string) int {
	n := 0
	for _, f := range p.findings {
		if f.Result == result {
			n++
		}
	}
	return n
}

// verdict prints what the findings mean.
func (p *prober) verdict() {
	p.section("Verdict")
	name, different := p.nearest()
	switch {
	case name == "":
		p.printf("  The API could not be read, so nothing is known about this build.\n")
	case len(different) == 0:
		p.printf("  Nearest profile of the emulator: %s.\n", name)
	default:
		p.printf("  Nearest profile of the emulator: %s, except for %s.\n", name, strings.Join(different, ", "))
	}
	p.printf("  %d as assumed, %d differ, %d not seen.\n", p.count(asAssumed), p.count(differs), p.count(notSeen))
	if p.count(differs) == 0 {
		if name != "" {
			p.printf("  The provider fits this build, as far as it was examined.\n")
		}
		return
	}
	p.printf("  What the provider does differently here:\n")
	for _, f := range p.findings {
		if f.Result == differs {
			p.printf("  - %s: %s\n", f.Topic, f.Effect)
		}
	}
	p.printf("  Please report these differences: run again with -json FILE, and attach the file to an issue.\n")
}

// writeJSON writes the findings. host is "" unless the user asked for it.
func (p *prober) writeJSON(file, host string) error {
	name, different := p.nearest()
	text, err := json.MarshalIndent(struct {
		Build     string    `json:"build,omitempty"`
		Host      string    `json:"host,omitempty"`
		Profile   string    `json:"nearest_profile,omitempty"`
		Different []string  `json:"different_from_profile,omitempty"`
		Findings  []finding `json:"findings"`
	}{p.redact(p.build), host, name, different, p.findings}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}
