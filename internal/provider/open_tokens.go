// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"log"
	"os"
	"sync"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// openTokens are the ephemeral tokens that this process opened and not yet
// closed. Terraform and OpenTofu do not close an ephemeral resource if something
// that it depends on, or that depends on it, failed; they only stop the plugin.
// The tokens are then removed by close.
type openTokens struct {
	mu     sync.Mutex
	tokens map[int64]openToken
	names  map[string]bool // of all tokens that were or are being opened
}

type openToken struct {
	client *qualytics.Client
	name   string
}

// warnings writes to the log: Terraform reads the level from the start of a line.
var warnings = log.New(os.Stderr, "", 0)

// closeTimeout is how long close takes at most: Terraform kills a plugin two
// seconds after it asked it to exit.
const closeTimeout = 1800 * time.Millisecond

func (o *openTokens) add(id int64, name string, client *qualytics.Client) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tokens == nil {
		o.tokens = map[int64]openToken{}
	}
	o.tokens[id] = openToken{client, name}
}

// recordName records the name of a token before it is created.
func (o *openTokens) recordName(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.names == nil {
		o.names = map[string]bool{}
	}
	o.names[name] = true
}

// openedHere reports whether this process opened the token with a name.
func (o *openTokens) openedHere(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.names[name]
}

func (o *openTokens) remove(id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.tokens, id)
}

// all returns a copy of the open tokens.
func (o *openTokens) all() map[int64]openToken {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[int64]openToken, len(o.tokens))
	for id, t := range o.tokens {
		out[id] = t
	}
	return out
}

// close removes all open tokens. It first revokes all of them in parallel, which
// is what matters, and then deletes them. It logs those that are still active.
func (o *openTokens) close(ctx context.Context) {
	open := o.all()
	if len(open) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	revoked := o.inParallel(ctx, open,
		func(ctx context.Context, id int64, t openToken) error { return t.client.RevokeToken(ctx, id) })
	for id, t := range open {
		if !revoked[id] {
			warnings.Printf("[WARN] The ephemeral service token %q (ID %d) could not be revoked. It is valid until "+
				"it expires. Revoke it in Qualytics (Settings, Tokens).", t.name, id)
			delete(open, id)
			continue
		}
		o.remove(id)
	}
	deleted := o.inParallel(ctx, open,
		func(ctx context.Context, id int64, t openToken) error { return t.client.DeleteToken(ctx, id) })
	for id, t := range open {
		if !deleted[id] {
			warnings.Printf("[WARN] The ephemeral service token %q (ID %d) was revoked, but its record could not be "+
				"deleted.", t.name, id)
		}
	}
}

// inParallel calls f for every token, and returns those for which it succeeded
// before ctx ended.
func (o *openTokens) inParallel(ctx context.Context, tokens map[int64]openToken,
	f func(context.Context, int64, openToken) error,
) map[int64]bool {
	type result struct {
		id int64
		ok bool
	}
	results := make(chan result, len(tokens))
	for id, t := range tokens {
		go func() { results <- result{id, f(ctx, id, t) == nil} }()
	}
	succeeded := map[int64]bool{}
	for range tokens {
		select {
		case r := <-results:
			succeeded[r.id] = r.ok
		case <-ctx.Done():
			return succeeded
		}
	}
	return succeeded
}
