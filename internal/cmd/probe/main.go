// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command probe examines a deployment of Qualytics and compares it with what this
// provider assumes about the API. It only reads, unless -write is given. It is
// configured like the provider: by the environment or the file of the Qualytics CLI.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
	"github.com/qualytics/terraform-provider-qualytics/internal/settings"
)

// options are the flags of the command.
type options struct {
	url         string
	tokenFile   string
	jsonFile    string
	includeHost bool
	verbose     bool
	write       bool
	yes         bool
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // "| head" must not prevent the clean-up
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the clean-up
	if err := run(ctx, os.Args[1:], settings.Environment{}, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		stop()
		os.Exit(1)
	}
}

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.url, "url", "", "URL of the deployment instead of QUALYTICS_URL")
	flags.StringVar(&o.tokenFile, "token-file", "", "file with the token instead of QUALYTICS_TOKEN")
	flags.StringVar(&o.jsonFile, "json", "", "file for the findings, to attach to an issue")
	flags.BoolVar(&o.includeHost, "include-host", false, "write the host into the file, too")
	flags.BoolVar(&o.verbose, "v", false, "show names from the deployment and the server's messages")
	flags.BoolVar(&o.write, "write", false, "create a throwaway account and token to examine writes")
	flags.BoolVar(&o.yes, "yes", false, "do not ask before -write")
	err := flags.Parse(args)
	flags.Visit(func(f *flag.Flag) { // a variable that is not set must not select another deployment
		if f.Value.String() == "" {
			err = errors.Join(err, fmt.Errorf("-%s is empty", f.Name))
		}
	})
	return o, err
}

func run(ctx context.Context, flags []string, env settings.Environment, in io.Reader, out io.Writer) error {
	o, err := parseOptions(flags, out)
	if err != nil {
		return err
	}
	var args settings.Arguments
	if o.url != "" {
		args.URL = &o.url
	}
	if o.tokenFile != "" {
		text, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return err
		}
		token := strings.TrimSpace(string(text))
		if token == "" {
			return fmt.Errorf("%s contains no token", o.tokenFile)
		}
		args.Token = &token
	}
	cfg, sources, problems := settings.Resolve(args, env)
	if err := problems.Err(); err != nil {
		return err
	}
	cfg.UserAgent = "terraform-provider-qualytics/probe"
	client, err := qualytics.New(cfg)
	if err != nil {
		return err
	}
	p := &prober{client: client, out: out, verbose: o.verbose, variants: map[string]string{}, timing: defaultTiming}
	p.printf("Deployment: %s\n", client.URL())
	if o.write {
		p.printf("This run reads, and creates a throwaway account and tokens whose names begin with %s.\nIt removes "+
			"the tokens. The account stays as deactivated, because the API does not erase accounts.\n", namePrefix)
		if !o.yes && !confirmed(ctx, in, out) {
			return nil
		}
	} else {
		p.printf("This run only reads: it sends GET requests and changes nothing.\n")
	}
	for i, s := range sources {
		if s.Source == settings.SourceArgument {
			sources[i].Source = map[string]string{"url": "-url", "token": "-token-file"}[s.Name]
		}
	}
	p.section("Settings")
	for _, s := range sources {
		p.printf("  %-14s %s\n", s.Name, s.Source)
	}
	p.read(ctx)
	if o.write {
		suffix := make([]byte, 4)
		if _, err := rand.Read(suffix); err != nil {
			return err
		}
		p.write(ctx, hex.EncodeToString(suffix))
	}
	p.verdict()
	if o.jsonFile != "" {
		host := ""
		if o.includeHost {
			host = client.Host()
		}
		if err := p.writeJSON(o.jsonFile, host); err != nil {
			return err
		}
		p.printf("\nThe findings are in %s. Attach the file to an issue.\n", o.jsonFile)
	}
	if len(p.leftovers) > 0 {
		return fmt.Errorf("still active, remove by hand: %s", strings.Join(p.leftovers, ", "))
	}
	return nil
}

// confirmed asks on the terminal. An interrupt means no.
func confirmed(ctx context.Context, in io.Reader, out io.Writer) bool {
	_, _ = fmt.Fprint(out, "Continue? Only \"yes\" is accepted: ")
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(in).ReadString('\n')
		answers <- strings.TrimSpace(answer)
	}()
	select {
	case answer := <-answers:
		return answer == "yes"
	case <-ctx.Done():
		return false
	}
}
