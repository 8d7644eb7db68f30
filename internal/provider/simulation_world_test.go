// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// simulation is a deployment and everyone around it.
type simulation struct {
	ctx    context.Context
	rng    *rand.Rand // of the current step
	server *qualyticstest.Server
	clock  *qualyticstest.Clock
	start  time.Time
	spaces []*workspace
	story  []string
	tokens map[int64]*record
	cut    bool // the fault of this run killed the process
	faulty bool // this run has a fault
	names  int
	// touched contains the IDs of the tokens and accounts that people ended during this run.
	touched map[int64]bool
}

// record is what is known of a token, beside what the server knows.
type record struct {
	person   bool      // created, or revoked and restored, by a person
	ended    bool      // by something that was announced, or by a person
	reported bool      // a diagnostic has named it
	managed  bool      // a state has contained it
	leaked   bool      // a person revoked it
	lost     bool      // the process was killed before it was stored
	rotated  time.Time // when another token replaced it
	// listed is the workspace whose exclusive tokens contain, or contained, the token.
	listed *workspace
}

// violation is a broken invariant.
type violation string

func (s *simulation) violate(format string, args ...any) {
	panic(violation(fmt.Sprintf(format, args...)))
}

// tell adds a line to the story.
func (s *simulation) tell(format string, args ...any) {
	days := int(s.clock.Now().Sub(s.start) / day)
	s.story = append(s.story, fmt.Sprintf("day %d: ", days)+fmt.Sprintf(format, args...))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// panicking lets functions of the harness panic, which is a violation.
type panicking struct{}

func (panicking) Helper()                           {}
func (panicking) Cleanup(func())                    {}
func (panicking) Context() context.Context          { return context.Background() }
func (panicking) Error(args ...any)                 { panic(violation(fmt.Sprint(args...))) }
func (panicking) Errorf(format string, args ...any) { panic(violation(fmt.Sprintf(format, args...))) }
func (panicking) Fatal(args ...any)                 { panic(violation(fmt.Sprint(args...))) }
func (panicking) Fatalf(format string, args ...any) { panic(violation(fmt.Sprintf(format, args...))) }

// randomBytes is a deterministic source of random data.
type randomBytes struct{ *rand.Rand }

func (r randomBytes) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return len(b), nil
}

// environment returns that of a machine whose clock is wrong by skew.
func (s *simulation) environment(skew time.Duration) provider.Environment {
	return provider.Environment{
		LookupEnv: func(string) (string, bool) { return "", false },
		HomeDir:   func() (string, error) { return "/nonexistent", nil },
		Now:       func() time.Time { return s.clock.Now().Add(skew) },
		Random:    randomBytes{rand.New(rand.NewPCG(s.rng.Uint64(), 1))},
		Sleep: func(ctx context.Context, _ time.Duration) error {
			s.clock.Advance(5 * time.Second)
			return ctx.Err()
		},
	}
}

func (s *simulation) record(id int64) *record {
	if s.tokens[id] == nil {
		s.tokens[id] = &record{}
	}
	return s.tokens[id]
}

// snapshot is what the server has.
type snapshot struct {
	now      time.Time
	tokens   map[int64]qualyticstest.Token
	accounts map[int64]qualyticstest.User
}

func (s *simulation) snapshot() snapshot {
	out := snapshot{s.clock.Now(), map[int64]qualyticstest.Token{}, map[int64]qualyticstest.User{}}
	for _, t := range s.server.Tokens() {
		out.tokens[t.ID] = t
	}
	for _, u := range s.server.Users() {
		out.accounts[u.ID] = u
	}
	return out
}

// works reports whether the server accepts a token.
func (x snapshot) works(id int64) bool {
	t, ok := x.tokens[id]
	return ok && t.Active && x.accounts[t.UserID].Deleted == nil &&
		(t.Expiration == nil || x.now.Before(*t.Expiration))
}

// hear checks that diagnostics contain no secret, and records the tokens that they name.
func (s *simulation) hear(diags []*tfprotov6.Diagnostic) {
	for _, d := range diags {
		said := d.Summary + ": " + d.Detail
		if strings.Contains(said, "eyJ") {
			s.violate("a diagnostic contains a secret: %s", said)
		}
		if strings.Contains(said, "rovider bug") {
			s.violate("%s", said)
		}
		for _, t := range s.server.Tokens() {
			if strings.Contains(said, fmt.Sprintf("ID %d", t.ID)) || strings.Contains(said, t.Name) {
				s.record(t.ID).reported = true
			}
		}
	}
}

// store is a resource of another provider that stores a token, and the client that uses it.
type store struct {
	token     string // address
	w         *workspace
	sdkv2     bool // stores the planned version although its update failed
	restarts  bool // the client reads the secret only when it starts
	pace      int  // days between two uses
	version   string
	secret    int64 // ID of the stored token
	memory    int64 // ID of the token that the client has
	failing   bool  // the next update fails
	waits     int   // days until the next use
	cutOff    int   // days for which it has had a token that does not work
	replacing bool  // someone runs -replace for it
}

// apply is the update of the store's resource. It reports whether that succeeded.
func (st *store) apply(planned string) bool {
	o := st.w.state[st.token]
	if o == nil {
		return true
	}
	id := get(o.state, "id")
	if planned == st.version && id == st.version && !st.replacing {
		return true
	}
	if st.failing {
		st.failing = false
		st.w.s.tell("  the update of the store of %s fails", st.token)
		if st.sdkv2 {
			st.version = id
		}
		return false
	}
	st.replacing, st.version = false, id
	if get(o.state, "token") != "" || get(o.state, "encrypted_token") != "" || st.secret == 0 {
		st.secret, _ = strconv.ParseInt(id, 10, 64)
	}
	if !st.restarts {
		st.memory = st.secret
	}
	return true
}

// use is a day of the client.
func (st *store) use() {
	s := st.w.s
	if !st.restarts || st.memory == 0 {
		st.memory = st.secret
	}
	if st.waits--; st.waits > 0 || st.memory == 0 {
		return
	}
	st.waits = st.pace
	now := s.snapshot()
	if now.works(st.memory) {
		st.cutOff = 0
		at := s.clock.Now()
		s.server.EditToken(st.memory, func(t *qualyticstest.Token) { t.LastUsed = &at })
		return
	}
	t, exists := now.tokens[st.memory]
	expired := exists && t.Expiration != nil && !now.now.Before(*t.Expiration)
	if !expired && !s.record(st.memory).ended {
		s.violate("the client of %s is cut off: the token %d was never said to end", st.token, st.memory)
	}
	st.cutOff++
}

// heal is a person who updates the store with -replace and restarts the client.
func (st *store) heal() {
	st.replacing, st.failing = true, false
	st.apply("?")
	st.memory, st.waits = st.secret, 0
}

// pass lets days pass.
func (s *simulation) pass(days int) {
	for range days {
		s.clock.Advance(day)
		for _, w := range s.spaces {
			for _, st := range w.stores {
				st.use()
			}
		}
	}
}

// holders returns the tokens that clients and pipelines have, with how they are called.
func (s *simulation) holders() map[int64]string {
	out := map[int64]string{}
	for _, w := range s.spaces {
		for _, st := range w.stores {
			out[st.memory] = "the client of " + st.token
		}
	}
	delete(out, 0)
	return out
}

// managed returns the tokens of a state: current and retiring, by ID, with their addresses.
func (w *workspace) managed() (current, retiring map[int64]string) {
	current, retiring = map[int64]string{}, map[int64]string{}
	for _, state := range []map[string]*object{w.state, w.deposed} {
		for address, o := range state {
			if o.kind != tokenType {
				continue
			}
			ids := idNumbers(o)
			current[ids[0]] = address
			for _, id := range ids[1:] {
				retiring[id] = address
			}
		}
	}
	return current, retiring
}

// idNumbers returns the IDs of the current and the retiring tokens of an object.
func idNumbers(o *object) []int64 {
	var out []int64
	for _, text := range tokensInState(o) {
		id, _ := strconv.ParseInt(strings.TrimSuffix(text, "?"), 10, 64)
		out = append(out, id)
	}
	return out
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func sorted[T any](m map[string]T) []string {
	out := []string{}
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
