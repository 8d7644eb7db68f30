// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report contains all measurements.
type report struct {
	Machine  string        `json:"machine"`
	Latency  time.Duration `json:"latency_ns"`
	Rounds   int           `json:"rounds"`
	Binary   float64       `json:"binary_mb"`
	Start    float64       `json:"start_to_configured_ms"`
	Emulator float64       `json:"emulator_alone_requests_per_second"`
	Runs     []measurement `json:"runs"`
}

// row is the median of all rounds of one operation.
type row struct {
	workload, operation string
	n                   int
	seconds, floor      float64 // floor is that of terraform_data; 0: not measured
	requests, bytes     int
	routes              map[string]int
	peak, cpu           float64
}

func (r *report) rows() []row {
	var out []row
	for _, run := range r.Runs {
		if run.Workload == floorName || slices.ContainsFunc(out, func(x row) bool {
			return x.workload == run.Workload && x.n == run.N && x.operation == run.Operation
		}) {
			continue
		}
		mine := r.of(run.Workload, run.N, run.Operation)
		x := row{workload: run.Workload, operation: run.Operation, n: run.N, routes: mine[0].Routes}
		x.seconds = medianOf(mine, func(m measurement) float64 { return m.Seconds })
		if run.Workload == oursName {
			x.floor = medianOf(r.of(floorName, run.N, run.Operation), func(m measurement) float64 { return m.Seconds })
		}
		x.cpu = medianOf(mine, func(m measurement) float64 { return m.CPUSeconds })
		for _, m := range mine { // of counts, the largest
			if m.Requests >= x.requests {
				x.requests, x.routes = m.Requests, m.Routes
			}
			x.bytes, x.peak = max(x.bytes, m.Bytes), max(x.peak, m.PeakMB)
		}
		out = append(out, x)
	}
	return out
}

func (r *report) of(workload string, n int, operation string) []measurement {
	var out []measurement
	for _, run := range r.Runs {
		if run.Workload == workload && run.N == n && run.Operation == operation {
			out = append(out, run)
		}
	}
	return out
}

func medianOf(list []measurement, value func(measurement) float64) float64 {
	var all []float64
	for _, m := range list {
		all = append(all, value(m))
	}
	return median(all)
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// slope returns the exponent of n that fits the growth of a quantity best: 1 for linear
// growth. It returns NaN for fewer than two sizes.
func slope(ns []int, values []float64) float64 {
	var sx, sy, sxx, sxy, k float64
	for i, n := range ns {
		if values[i] <= 0 {
			continue
		}
		x, y := math.Log(float64(n)), math.Log(values[i])
		sx, sy, sxx, sxy, k = sx+x, sy+y, sxx+x*x, sxy+x*y, k+1
	}
	if k < 2 {
		return math.NaN()
	}
	return (k*sxy - sx*sy) / (k*sxx - sx*sx)
}

// slopes returns the growth of a part of each operation's time, for 100 objects or more,
// because smaller values are noise.
func (r *report) slopes(share func(row) float64) map[string]float64 {
	out := map[string]float64{}
	for _, op := range operations {
		var ns []int
		var own []float64
		for _, x := range r.rows() {
			if x.workload == oursName && x.operation == op.name && x.n >= 100 {
				ns, own = append(ns, x.n), append(own, share(x))
			}
		}
		if s := slope(ns, own); !math.IsNaN(s) {
			out[op.name] = s
		}
	}
	return out
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark\n\nWritten by `make bench`: %s. Median of %d round(s), run in turns with as many "+
		"`terraform_data`; every response of the emulated deployment takes %s. Requests, bytes and the provider's "+
		"peak memory are the largest of all rounds.\n\n", r.Machine, r.Rounds, r.Latency)
	fmt.Fprintf(&b, "- The provider's stripped binary: %.1f MB.\n- Time from start to configured: %.0f ms.\n- "+
		"Requests that the emulator handles by itself, ten in parallel: %.0f per second.\n\n", r.Binary, r.Start,
		r.Emulator)
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
	for _, growth := range []struct {
		what  string
		share func(row) float64
	}{
		{"Growth of the provider's processor time", func(x row) float64 { return x.cpu }},
		{
			"Growth of the time beyond that of `terraform_data`, including Terraform's handling of a larger state",
			func(x row) float64 { return x.seconds - x.floor },
		},
	} {
		slopes := r.slopes(growth.share)
		if len(slopes) == 0 {
			continue
		}
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(slopes)) {
			parts = append(parts, fmt.Sprintf("%s %.2f", name, slopes[name]))
		}
		fmt.Fprintf(&b, "\n%s, as an exponent of the number of objects (1 is linear): %s.\n", growth.what,
			strings.Join(parts, ", "))
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

func readReport(file string) (*report, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- the file is the argument.
	if err != nil {
		return nil, err
	}
	var r report
	return &r, json.Unmarshal(text, &r)
}

// publish prints the report, and writes it to a folder unless dir is "".
func (r *report) publish(dir string) error {
	fmt.Println(r.markdown())
	if dir == "" {
		return nil
	}
	return r.write(dir)
}

func (r *report) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- part of the repository.
		return err
	}
	page := r.markdown() + "\n![Seconds over the number of objects](growth.svg)\n"
	for name, content := range map[string][]byte{
		"results.json": append(text, '\n'), "README.md": []byte(page),
		"growth.svg": []byte(r.svg()),
	} {
		// #nosec G306 -- part of the repository.
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
