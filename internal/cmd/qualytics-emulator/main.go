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

const clockUsage = `. A data file has its own clock.
While the emulator runs, this moves its clock forward by 77 days, and without -d it returns the time:
  curl -d 77d "$QUALYTICS_URL` + qualyticstest.ClockPath + `"
This path is not part of the API, and it works on this machine only. To see a rotation, start with
-age 77d, apply a token with expires_in_days = 90 and rotate_before_days = 14, move the clock by 77d,
and apply again. Move it by 8d to see the end of the overlap. The provider goes by this clock once it
has an answer; with -refresh=false it has none, and goes by that of its own machine.`

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
	profile := flags.String("profile", names[0], "behavior of the build: "+strings.Join(names, ", ")+
		"; -envoy after the name, as in "+names[0]+"-envoy, is behind a gateway of that kind instead of nginx")
	accounts := flags.Int("accounts", 0, "number of initial service accounts")
	tokens := flags.Int("tokens", 0, "number of tokens of each initial service account")
	latency := flags.Duration("latency", 0, "latency of every response")
	rate := flags.Int("rate", 0, "rate limit in requests per second; 0 means none")
	burst := flags.Int("burst", 250, "burst of the rate limit")
	data := flags.String("data", "", "file for the data and the clock, which a later start continues with; none keeps "+
		"them in memory")
	logFile := flags.String("log", "", "file to which a line for each request is appended, such as /dev/stderr")
	clock := &qualyticstest.Clock{}
	flags.Func("age", "how far the clock is behind, as a `duration` such as 77d"+clockUsage, func(text string) error {
		d, err := qualyticstest.ParseDuration(text)
		clock.Advance(-d)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	p, ok := qualyticstest.ProfileNamed(*profile)
	if !ok {
		return fmt.Errorf("there is no profile %q; there are %s", *profile, strings.Join(names, ", "))
	}
	server, err := qualyticstest.NewServer(qualyticstest.Options{
		Profile: &p, Clock: clock, Address: *address, Latency: *latency, Rate: *rate, Burst: *burst, Data: *data,
	})
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
	fmt.Fprintf(out, "# Its clock says %s. Move it by days: curl -d 8d %s%s\n",
		server.Clock.Now().Format("2006-01-02 15:04:05 MST"), server.URL, qualyticstest.ClockPath)

	if err := follow(ctx, server, *logFile); err != nil {
		return err
	}
	fmt.Fprintln(out, "# stopped")
	return nil
}

// follow appends every request to a file until ctx ends.
func follow(ctx context.Context, server *qualyticstest.Server, file string) error {
	if file == "" {
		<-ctx.Done()
		return nil
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) // #nosec G304 -- the user names it.
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for shown, last := 0, false; ; {
		requests := server.Requests()
		for _, r := range requests[shown:] {
			fmt.Fprintf(out, "%s %3d %s\n", server.Clock.Now().Format("2006-01-02 15:04:05"), r.Status, r)
		}
		shown = len(requests)
		if last {
			return nil
		}
		select {
		case <-ctx.Done():
			last = true
		case <-ticker.C:
		}
	}
}
