// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Size and margins of the plot in pixels.
const (
	plotWidth, plotHeight = 760, 460
	plotLeft, plotBottom  = 60, 50
	plotTop, plotRight    = 30, 190
)

// svg plots seconds over the number of objects, both on a logarithmic scale:
// solid lines are the provider's, dashed ones those of terraform_data.
func (r *report) svg() string {
	rows := slices.DeleteFunc(r.rows(), func(x row) bool { return x.workload != oursName })
	if len(rows) == 0 {
		return "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n"
	}
	low, high := math.Inf(1), 0.0
	minN, maxN := rows[0].n, rows[0].n
	for _, x := range rows {
		low, high = min(low, x.seconds, x.floor), max(high, x.seconds, x.floor)
		minN, maxN = min(minN, x.n), max(maxN, x.n)
	}
	scale := func(v, from, to, a, b float64) float64 {
		if from == to {
			return (a + b) / 2
		}
		return a + (math.Log(v)-math.Log(from))/(math.Log(to)-math.Log(from))*(b-a)
	}
	px := func(n int) float64 {
		return scale(float64(n), float64(minN), float64(maxN), plotLeft, plotWidth-plotRight)
	}
	py := func(s float64) float64 { return scale(s, low, high, plotHeight-plotBottom, plotTop) }

	var b strings.Builder
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+
			"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<text x="%d" y="18">Seconds by number of accounts and tokens; dashed: terraform_data</text>`+
		"\n", plotLeft)
	for tick := math.Pow(10, math.Floor(math.Log10(low))); tick <= high*1.01; tick *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if v := tick * m; v >= low*0.99 && v <= high*1.01 {
				fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1[3]f" stroke="#ddd"/><text x="%d" y="%.1f" `+
					`text-anchor="end">%g s</text>`+"\n", plotLeft, plotWidth-plotRight, py(v), plotLeft-6,
					py(v)+4, v)
			}
		}
	}
	colors := []string{"#1b6ca8", "#d1495b", "#66a182", "#edae49"}
	label := plotTop + 10
	for i, op := range operations {
		var ours, theirs []string
		for _, x := range rows {
			if x.operation != op.name {
				continue
			}
			ours = append(ours, fmt.Sprintf("%.1f,%.1f", px(x.n), py(x.seconds)))
			theirs = append(theirs, fmt.Sprintf("%.1f,%.1f", px(x.n), py(x.floor)))
			if i == 0 {
				fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", px(x.n),
					plotHeight-plotBottom+20, x.n)
			}
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n",
			strings.Join(ours, " "), colors[i])
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-dasharray="4 4"/>`+"\n",
			strings.Join(theirs, " "), colors[i])
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", plotWidth-plotRight+14, label, colors[i],
			op.name)
		label += 20
	}
	b.WriteString("</svg>\n")
	return b.String()
}
