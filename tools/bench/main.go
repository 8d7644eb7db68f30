// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Bench compares the provider with terraform_data, which does nothing: the same Terraform
// manages the same number of objects in the same graph, against an emulated deployment.
// It prints a table and writes a report.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if filepath.Base(os.Args[0]) == providerName { // Terraform starts this program as the provider
		os.Exit(measureProvider())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	sizes   []int
	rounds  int
	latency time.Duration
	out     string // folder of the report; "" writes none
	foreign bool
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	sizes := flags.String("n", "10,100,300,1000,2000", "numbers of accounts, and of tokens")
	flags.IntVar(&s.rounds, "rounds", 3, "number of runs of each operation")
	flags.DurationVar(&s.latency, "latency", 10*time.Millisecond, "latency of the deployment")
	flags.StringVar(&s.out, "out", "", "folder for the report (JSON and Markdown); if empty, none is written")
	flags.BoolVar(&s.foreign, "foreign", true,
		"also measure 20 + 20 objects in a deployment with 20,000 other accounts and 50,000 other tokens")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return s, fmt.Errorf("-n: %q is not a positive number", text)
		}
		s.sizes = append(s.sizes, n)
	}
	if s.rounds < 1 {
		return s, fmt.Errorf("-rounds: %d is less than 1", s.rounds)
	}
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "qualytics-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := newBench(ctx, s, dir)
	if err != nil {
		return err
	}
	report := &report{Latency: s.latency, Rounds: s.rounds, Machine: b.machine(ctx)}
	info, err := os.Stat(b.provider() + realSuffix)
	if err != nil {
		return err
	}
	report.Binary = float64(info.Size()) / 1e6
	for _, n := range s.sizes {
		for round := 1; round <= s.rounds; round++ {
			for _, w := range []workload{floor(n), ours(n)} {
				fmt.Fprintf(os.Stderr, "%s: %d + %d %s, round %d of %d\n", time.Now().Format(time.TimeOnly), n, n,
					w.name, round, s.rounds)
				if err := b.measure(ctx, w, report); err != nil {
					return err
				}
			}
		}
	}
	if s.foreign {
		fmt.Fprintf(os.Stderr, "%s: 20 + 20 in a large deployment\n", time.Now().Format(time.TimeOnly))
		if err := b.measure(ctx, amongOthers(), report); err != nil {
			return err
		}
	}
	return report.publish(s.out)
}

// build builds the provider as a release does.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
