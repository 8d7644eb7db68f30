// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report contains all measurements.
type report struct {
	Machine string        `json:"machine"`
	Latency time.Duration `json:"latency_ns"`
	Rounds  int           `json:"rounds"`
	Binary  float64       `json:"binary_mb"`
	Runs    []measurement `json:"runs"`
}

// key is an operation of a workload.
type key struct {
	workload  string
	n         int
	operation string
}

// row is the median of all rounds of one operation.
type row struct {
	key
	seconds, floor  float64 // floor is that of terraform_data; 0: not measured
	requests, bytes int
	routes          map[string]int
	peak, cpu       float64
}

func (r *report) rows() []row {
	runs := map[key][]measurement{}
	var order []key
	for _, run := range r.Runs {
		k := key{run.Workload, run.N, run.Operation}
		if runs[k] == nil && k.workload != floorName {
			order = append(order, k)
		}
		runs[k] = append(runs[k], run)
	}
	seconds := func(m measurement) float64 { return m.Seconds }
	var out []row
	for _, k := range order {
		x := row{key: k, seconds: median(runs[k], seconds)}
		if k.workload == oursName {
			x.floor = median(runs[key{floorName, k.n, k.operation}], seconds)
		}
		x.cpu = median(runs[k], func(m measurement) float64 { return m.CPUSeconds })
		for _, m := range runs[k] { // of counts, the largest
			if m.Requests >= x.requests {
				x.requests, x.routes = m.Requests, m.Routes
			}
			x.bytes, x.peak = max(x.bytes, m.Bytes), max(x.peak, m.PeakMB)
		}
		out = append(out, x)
	}
	return out
}

func median(list []measurement, value func(measurement) float64) float64 {
	if len(list) == 0 {
		return 0
	}
	var all []float64
	for _, m := range list {
		all = append(all, value(m))
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// markdown returns the page of the results.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark\n\nWritten by `make bench`: %s. Median of %d round(s), run in turns with as many "+
		"`terraform_data`; every response of the emulated deployment takes %s. Requests, bytes and the provider's "+
		"peak memory are the largest of all rounds.\n\n", r.Machine, r.Rounds, r.Latency)
	fmt.Fprintf(&b, "The provider's stripped binary has %.1f MB.\n\n", r.Binary)
	b.WriteString("| accounts + tokens | operation | seconds | × `terraform_data` | provider's CPU seconds | " +
		"requests | MB received | provider's peak MB |\n| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |\n")
	for _, x := range r.rows() {
		ratio := "–"
		if x.floor > 0 {
			ratio = fmt.Sprintf("%.2f", x.seconds/x.floor)
		}
		name := fmt.Sprintf("%d + %d", x.n, x.n)
		if x.workload == othersName {
			name += " " + othersName
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %s | %.2f | %s | %.2f | %.0f |\n", name, x.operation, x.seconds, ratio,
			x.cpu, routesText(x), float64(x.bytes)/1e6, x.peak)
	}
	return b.String()
}

func routesText(x row) string {
	parts := []string{fmt.Sprint(x.requests)}
	for _, route := range slices.Sorted(maps.Keys(x.routes)) {
		parts = append(parts, fmt.Sprintf("%d `%s`", x.routes[route], route))
	}
	return strings.Join(parts, "<br>")
}

// publish prints the report, and writes it to a folder unless dir is "".
func (r *report) publish(dir string) error {
	page := r.markdown()
	fmt.Println(page)
	if dir == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- part of the repository.
		return err
	}
	for name, content := range map[string]string{"results.json": string(text) + "\n", "README.md": page} {
		// #nosec G306 -- part of the repository.
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
