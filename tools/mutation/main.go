// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Mutation measures how strong the in-process tests are: it changes the code that makes
// decisions in one place at a time, and reports the changes that no test notices. It works
// on a copy of the repository.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// mutated are the files with decisions, by package folder.
var mutated = map[string][]string{
	"internal/qualytics": {"create.go", "own_token.go", "retry.go", "cache.go"},
	"internal/provider": {
		"account_plan.go", "account_run.go", "token_life.go", "token_plan.go", "token_retiring.go",
		"exclusive_plan.go", "exclusive_model.go", "lockout.go", "teams.go",
	},
}

// testPackages are the packages whose tests run, the fastest first.
var testPackages = []string{"internal/qualytics", "internal/provider"}

// slowTests are not run, because they take minutes: mutants that only they notice count as
// survivors.
var slowTests = []string{"TestFaultMatrix"}

// acceptanceTest matches the tests that run a CLI.
var acceptanceTest = regexp.MustCompile("^TestAcc[A-Z]")

// helper is added to each mutated package. It activates one mutant, or records the mutants
// whose code is executed.
const helper = `package %s

import (
	"fmt"
	"os"
	"strconv"
	"sync"
)

var (
	activeMutant, _ = strconv.Atoi(os.Getenv("MUTANT"))
	reachedFile, _  = os.OpenFile(os.Getenv("MUTANTS_REACHED"), os.O_APPEND|os.O_WRONLY, 0)
	reachedMutants  sync.Map
)

func mutantIs(id int) bool {
	if reachedFile != nil {
		if _, before := reachedMutants.Swap(id, true); !before {
			fmt.Fprintln(reachedFile, id)
		}
	}
	return id == activeMutant
}
`

// test is a test function.
type test struct {
	pkg     string
	name    string
	took    time.Duration
	reaches map[int]bool // IDs of the mutants that it executes
}

func main() {
	only := flag.String("only", "", "mutate only files whose name contains one of these, separated by commas")
	workers := flag.Int("workers", 2, "number of mutants that are tested in parallel")
	every := flag.Int("every", 1, "test only each n-th mutant, for a sample")
	report := flag.String("json", "", "file for the survivors")
	flag.Parse()
	if err := run(context.Background(), *only, *every, *workers, *report); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, every, workers int, report string) error {
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	copied := filepath.Join(dir, "copy")
	if err := os.CopyFS(copied, os.DirFS(".")); err != nil {
		return err
	}
	mutants, err := mutateAll(copied, only)
	if err != nil {
		return err
	}
	if err := buildTests(ctx, copied); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "recording which test executes which mutant")
	tests, err := recordTests(ctx, copied)
	if err != nil {
		return err
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return m.ID%every != 0 })
	fmt.Fprintf(os.Stderr, "testing %d mutants with %d tests\n", len(mutants), len(tests))
	survivors := testAll(ctx, copied, mutants, tests, workers)
	printScores(mutants, survivors)
	if report == "" {
		return nil
	}
	text, err := json.MarshalIndent(survivors, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(report, text, 0o600)
}

// mutateAll replaces the files by versions with all of their mutants.
func mutateAll(root, only string) ([]mutant, error) {
	var all []mutant
	for _, pkg := range testPackages {
		for _, name := range mutated[pkg] {
			if !slices.ContainsFunc(strings.Split(only, ","),
				func(part string) bool { return strings.Contains(name, part) }) {
				continue
			}
			path := filepath.Join(root, pkg, name)
			source, mutants, err := mutateFile(path, pkg+"/"+name, 1+len(all))
			if err != nil {
				return nil, err
			}
			all = append(all, mutants...)
			if err := os.WriteFile(path, source, 0o600); err != nil {
				return nil, err
			}
		}
		text := fmt.Sprintf(helper, filepath.Base(pkg))
		if err := os.WriteFile(filepath.Join(root, pkg, "mutant.go"), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func binary(root, pkg string) string { return filepath.Join(root, filepath.Base(pkg)+".test") }

// buildTests compiles the tests of each package.
func buildTests(ctx context.Context, root string) error {
	for _, pkg := range testPackages {
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-o", binary(root, pkg), "./"+pkg)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building the tests of %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
}

// runTests runs tests of a package. It reports whether all of them passed within a limit.
func runTests(ctx context.Context, root, pkg, pattern string, limit time.Duration, env ...string) bool {
	cmd := exec.CommandContext(ctx, binary(root, pkg),
		"-test.run", pattern, "-test.failfast", "-test.timeout", limit.String())
	cmd.Dir = filepath.Join(root, pkg)
	cmd.Env = append(append(os.Environ(), "TF_ACC="), env...)
	return cmd.Run() == nil
}

// recordTests runs every test by itself, without a mutant, and returns the fastest first.
func recordTests(ctx context.Context, root string) ([]test, error) {
	var tests []test
	for _, pkg := range testPackages {
		cmd := exec.CommandContext(ctx, binary(root, pkg), "-test.list", "^(Test|Fuzz)")
		out, err := cmd.Output()
		if err != nil {
			return nil, err
		}
		for name := range strings.FieldsSeq(string(out)) {
			if acceptanceTest.MatchString(name) || slices.Contains(slowTests, name) {
				continue
			}
			record := filepath.Join(root, "reached")
			if err := os.WriteFile(record, nil, 0o600); err != nil {
				return nil, err
			}
			start := time.Now()
			if !runTests(ctx, root, pkg, "^"+name+"$", 5*time.Minute, "MUTANTS_REACHED="+record) {
				return nil, errors.New(name + " fails without a mutant")
			}
			took := time.Since(start)
			reached, err := os.ReadFile(record)
			if err != nil {
				return nil, err
			}
			t := test{pkg: pkg, name: name, took: took, reaches: map[int]bool{}}
			for line := range strings.FieldsSeq(string(reached)) {
				id, err := strconv.Atoi(line)
				if err != nil {
					return nil, err
				}
				t.reaches[id] = true
			}
			tests = append(tests, t)
		}
	}
	slices.SortStableFunc(tests, func(a, b test) int { return int(a.took - b.took) })
	return tests, nil
}

// testAll returns the mutants that no test notices.
func testAll(ctx context.Context, root string, mutants []mutant, tests []test, workers int) []mutant {
	var mu sync.Mutex
	var survivors []mutant
	jobs := make(chan mutant)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for m := range jobs {
				if killed(ctx, root, m, tests) {
					continue
				}
				mu.Lock()
				survivors = append(survivors, m)
				fmt.Printf("survived: %s:%d: %s\n", m.File, m.Line, m.What)
				mu.Unlock()
			}
		})
	}
	for i, m := range mutants {
		if i%50 == 0 {
			fmt.Fprintf(os.Stderr, "%s mutant %d of %d\n", time.Now().Format(time.TimeOnly), i, len(mutants))
		}
		jobs <- m
	}
	close(jobs)
	group.Wait()
	slices.SortFunc(survivors, func(a, b mutant) int { return a.ID - b.ID })
	return survivors
}

// killed reports whether a test that executes the mutant fails: first the fastest
// tests, then the others of its package, and then those of the other package.
func killed(ctx context.Context, root string, m mutant, tests []test) bool {
	const first = 8
	const longest = 2 * time.Minute // a mutant may loop
	var batches [3]map[string][]string
	var limits [3]time.Duration
	for i := range batches {
		batches[i], limits[i] = map[string][]string{}, 10*time.Second
	}
	found := 0
	for _, t := range tests {
		if !t.reaches[m.ID] {
			continue
		}
		found++
		batch := 2
		switch {
		case found <= first:
			batch = 0
		case strings.HasPrefix(m.File, t.pkg):
			batch = 1
		}
		batches[batch][t.pkg] = append(batches[batch][t.pkg], t.name)
		limits[batch] = min(longest, limits[batch]+4*t.took)
	}
	for i, batch := range batches {
		for _, pkg := range testPackages {
			if names := batch[pkg]; len(names) > 0 &&
				!runTests(ctx, root, pkg, "^("+strings.Join(names, "|")+")$", limits[i], "MUTANT="+strconv.Itoa(m.ID)) {
				return true
			}
		}
	}
	return false
}

// printScores prints the share of killed mutants of each file.
func printScores(mutants, survivors []mutant) {
	count := func(list []mutant) map[string]int {
		files := map[string]int{}
		for _, m := range list {
			files[m.File]++
		}
		return files
	}
	all, left := count(mutants), count(survivors)
	fmt.Printf("\n| file | mutants | killed | score |\n| --- | --- | --- | --- |\n")
	row := func(name string, all, left int) {
		if all > 0 {
			fmt.Printf("| %s | %d | %d | %.1f %% |\n", name, all, all-left, 100*float64(all-left)/float64(all))
		}
	}
	for _, pkg := range testPackages {
		for _, name := range mutated[pkg] {
			row(name, all[pkg+"/"+name], left[pkg+"/"+name])
		}
	}
	row("total", len(mutants), len(survivors))
}
