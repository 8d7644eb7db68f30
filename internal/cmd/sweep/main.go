// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command sweep removes what interrupted tests left on a real deployment: the service
// accounts whose names begin with tfacc- or tfprobe-, and their tokens. It is configured
// like the provider: by the environment or the file of the Qualytics CLI.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
	"github.com/qualytics/terraform-provider-qualytics/internal/settings"
)

// prefixes are those of the names that the tests and the probe use.
var prefixes = []string{"tfacc-", "tfprobe-"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.LookupEnv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, lookupEnv func(string) (string, bool), out io.Writer) error {
	cfg, _, problems := settings.Resolve(settings.Arguments{}, settings.Environment{LookupEnv: lookupEnv})
	if err := problems.Err(); err != nil {
		return err
	}
	client, err := qualytics.New(cfg)
	if err != nil {
		return err
	}
	var accounts []qualytics.User
	for _, prefix := range prefixes {
		found, err := client.ServiceAccounts(ctx,
			qualytics.UserFilter{Name: prefix}) // part of the name, case-insensitive
		if err != nil {
			return err
		}
		accounts = append(accounts, slices.DeleteFunc(found,
			func(u qualytics.User) bool { return !strings.HasPrefix(strings.TrimSpace(u.Name), prefix) })...)
	}
	tokens, err := client.ServiceTokens(ctx)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		for _, t := range tokens {
			if t.User.ID != account.ID {
				continue
			}
			if err := client.RevokeAndDeleteToken(ctx, t.ID); err != nil {
				return err
			}
			fmt.Fprintf(out, "token %d (%s) of %s is deleted\n", t.ID, t.Name, account.Name)
		}
		if err := client.DeactivateServiceAccount(ctx, account.ID); err != nil {
			return err
		}
		fmt.Fprintf(out, "account %d (%s) is deactivated\n", account.ID, account.Name)
	}
	return nil
}
