// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command qualytics-emulator serves an emulated Qualytics deployment until it
// is interrupted, and prints how to reach it as export lines.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "qualytics-emulator:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var names []string
	for _, p := range qualyticstest.Profiles() {
		names = append(names, p.Name)
	}
	flags := flag.NewFlagSet("qualytics-emulator", flag.ExitOnError)
	address := flags.String("address", "127.0.0.1:0", "address to listen on; port 0 selects a free one")
	profile := flags.String("profile", names[0], "behavior of the build: "+strings.Join(names, ", "))
	accounts := flags.Int("accounts", 0, "number of initial service accounts")
	tokens := flags.Int("tokens", 0, "number of tokens of each initial service account")
	latency := flags.Duration("latency", 0, "latency of every response")
	rate := flags.Int("rate", 0, "rate limit in requests per second; 0 means none")
	burst := flags.Int("burst", 250, "burst of the rate limit")
	data := flags.String("data", "", "file for the data, which a later start continues with; none keeps it in memory")
	if err := flags.Parse(args); err != nil {
		return err
	}
	p, ok := qualyticstest.ProfileNamed(*profile)
	if !ok {
		return fmt.Errorf("there is no profile %q; there are %s", *profile, strings.Join(names, ", "))
	}
	server, err := qualyticstest.NewServer(
		qualyticstest.Options{
			Profile: &p,
			Address: *address,
			Latency: *latency,
			Rate:    *rate,
			Burst:   *burst,
			Data:    *data,
		},
	)
	if err != nil {
		return err
	}
	defer server.Close()
	if len(server.ServiceAccounts()) == 0 { // otherwise the data file has some
		server.Seed(*accounts, *tokens)
	}

	fmt.Fprintf(out, "# Qualytics emulator, profile %s. Copy these lines into another shell; stop with Ctrl-C.\n",
		p.Name)
	fmt.Fprintf(out, "export QUALYTICS_URL=%s\n", server.URL)
	fmt.Fprintf(out, "export QUALYTICS_API_PATH=%q\n", server.APIPath())
	fmt.Fprintf(out, "export QUALYTICS_TOKEN=%s\n", server.AdminToken())

	follow(ctx, server, out)
	fmt.Fprintln(out, "# stopped")
	return nil
}

// follow prints every request as a comment until ctx ends.
func follow(ctx context.Context, server *qualyticstest.Server, out io.Writer) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	shown := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		requests := server.Requests()
		for _, r := range requests[shown:] {
			fmt.Fprintf(out, "# %s %3d %s\n", server.Clock.Now().Format(time.TimeOnly), r.Status, r)
		}
		shown = len(requests)
	}
}
