// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"log"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// openTokens are the ephemeral tokens that this process opened and not yet
// closed. Terraform and OpenTofu do not close an ephemeral resource if something
// that it depends on, or that depends on it, failed; they only stop the plugin.
// The tokens are then removed by close.
type openTokens struct {
	tokens sync.Map // openToken by ID
	names  sync.Map // of all tokens that were or are being opened
}

type openToken struct {
	id     int64
	name   string
	client *qualytics.Client
}

// warnings writes to the log: Terraform reads the level from the start of a line.
var warnings = log.New(os.Stderr, "", 0)

// closeTimeout is how long close takes at most: Terraform kills a plugin two
// seconds after it asked it to exit.
const closeTimeout = 1800 * time.Millisecond

// openedHere reports whether this process opened the token with a name.
func (o *openTokens) openedHere(name string) bool {
	_, found := o.names.Load(name)
	return found
}

// close removes all open tokens. It first revokes all of them in parallel, which
// is what matters, and then deletes them. It logs those that are still active.
func (o *openTokens) close(ctx context.Context) {
	var open []openToken
	for _, value := range o.tokens.Range {
		if t, ok := value.(openToken); ok {
			open = append(open, t)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	revoked, active := inParallel(ctx, open, func(t openToken) error { return t.client.RevokeToken(ctx, t.id) })
	for _, t := range active {
		warnings.Printf("[WARN] The ephemeral service token %q (ID %d) could not be revoked. It is valid until "+
			"it expires. Revoke it in Qualytics (Settings, Tokens).", t.name, t.id)
	}
	for _, t := range revoked {
		o.tokens.Delete(t.id)
	}
	_, kept := inParallel(ctx, revoked, func(t openToken) error { return t.client.DeleteToken(ctx, t.id) })
	for _, t := range kept {
		warnings.Printf("[WARN] The ephemeral service token %q (ID %d) was revoked, but its record could not be "+
			"deleted.", t.name, t.id)
	}
}

// inParallel calls f for every token. It returns those for which f succeeded before ctx
// ended, and the others.
func inParallel(ctx context.Context, tokens []openToken, f func(openToken) error) (done, others []openToken) {
	type result struct {
		token openToken
		err   error
	}
	results := make(chan result, len(tokens))
	for _, t := range tokens {
		go func() { results <- result{t, f(t)} }()
	}
	others = slices.Clone(tokens)
	for range tokens {
		select {
		case r := <-results:
			if r.err == nil {
				done = append(done, r.token)
				others = slices.DeleteFunc(others, func(t openToken) bool { return t == r.token })
			}
		case <-ctx.Done():
			return done, others
		}
	}
	return done, others
}
