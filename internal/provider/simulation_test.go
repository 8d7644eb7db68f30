// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The simulation: a deployment, workspaces of Terraform, consumers of tokens, and people,
// for years of virtual time, from one seed.

// outcome is the end of a simulated life.
type outcome struct {
	violation string // "" if no invariant was broken
	story     []string
	steps     int // that were played
	days      int
}

// newSimulation returns a simulation without a deployment.
func newSimulation(seed uint64) *simulation {
	s := &simulation{
		ctx: context.Background(), clock: &qualyticstest.Clock{}, tokens: map[int64]*record{},
		touched: map[int64]bool{},
		rng:     rand.New(rand.NewPCG(seed, 2)),
	}
	s.clock.Stop()
	s.clock.Advance(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Sub(s.clock.Now()))
	s.start = s.clock.Now()
	return s
}

// play plays steps in a world of a seed.
func play(seed uint64, list []step) (out outcome) {
	s := newSimulation(seed)
	defer func() {
		if s.server != nil {
			s.server.Close()
		}
		out.story, out.days = s.story, int(s.clock.Now().Sub(s.start)/day)
		switch v := recover().(type) {
		case nil:
		case violation:
			out.violation = string(v)
		default:
			out.violation = fmt.Sprintf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	s.newWorld()
	for _, st := range list {
		out.steps++
		s.rng = rand.New(rand.NewPCG(st.seed, 3))
		if do := kinds[st.kind].do; do != nil {
			do(s, pick(s.rng, s.spaces...))
		} else {
			s.pass(st.days)
		}
	}
	return out
}

var digits = regexp.MustCompile(`[0-9]+`)

// kindOf returns the part of a violation that does not depend on a story.
func kindOf(violation string) string {
	text := digits.ReplaceAllString(violation, "")
	return text[:min(len(text), 40)]
}

// shrink removes steps as long as the story ends with the same kind of violation.
func shrink(seed uint64, list []step, found outcome, limit time.Duration) ([]step, outcome) {
	list = list[:found.steps]
	deadline := time.Now().Add(limit)
	for size := max(1, len(list)/2); ; {
		shorter := false
		for at := len(list) - size; at >= -size+1; at -= size {
			from := max(0, at)
			candidate := slices.Concat(list[:from], list[min(len(list), at+size):])
			if time.Now().After(deadline) {
				return list, found
			}
			if o := play(seed, candidate); kindOf(o.violation) == kindOf(found.violation) {
				list, found, shorter = candidate[:o.steps], o, true
				at = min(at, len(list))
			}
		}
		if size == 1 && !shorter {
			return list, found
		}
		if size > 1 {
			size /= 2
		}
	}
}

// simulate plays one year per seed, and stops at the first violation.
func simulate(t *testing.T, first uint64, years, workers int) {
	t.Helper()
	const year = 365
	var mu sync.Mutex
	var group sync.WaitGroup
	var took time.Duration // without shrinking
	begin, next, days, failed := time.Now(), 0, 0, false
	seeds := func(yield func(uint64) bool) {
		for {
			mu.Lock()
			seed, done := first+uint64(next), failed || next >= years
			next++
			mu.Unlock()
			if done || !yield(seed) {
				return
			}
		}
	}
	report := func(seed uint64, list []step, o outcome) {
		mu.Lock()
		days += o.days
		isFirst := o.violation != "" && !failed
		if failed = failed || isFirst; isFirst || !failed {
			took = time.Since(begin)
		}
		total := days
		mu.Unlock()
		if isFirst {
			_, o = shrink(seed, list, o, time.Duration(setting("SIMULATE_SHRINK", 60))*time.Second)
			t.Errorf("seed %d, after %d days: %s\n\nThe shortest story:\n%s\n\nmake simulate YEARS=1 SEED=%[1]d", seed,
				total, o.violation, strings.Join(o.story, "\n"))
		}
	}
	for range workers {
		group.Go(func() {
			for seed := range seeds {
				list := steps(seed, year)
				report(seed, list, play(seed, list))
			}
		})
	}
	group.Wait()
	t.Logf("%d years from seed %d in %s, %.0f years per minute", days/year, first, took.Round(time.Second),
		float64(days)/year/took.Minutes())
}

// setting returns the number in an environment variable, or otherwise.
func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func TestSimulation(t *testing.T) {
	if years := setting("SIMULATE_YEARS", 0); years > 0 {
		simulate(t, uint64(setting("SIMULATE_SEED", rand.IntN(1<<30))), years, runtime.GOMAXPROCS(0))
		return
	}
	t.Parallel()
	const years = 8 // the same in each run; make simulate plays others
	simulate(t, 1, years, 1)
}
