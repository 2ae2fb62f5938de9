// Package stripetest is a Stripe to test against: the parts of the official stripe-mock that judge requests, with a
// memory on top. Tests, benchmarks and the stripe-sandbox command share it.
//
// A request goes down these files once:
//
//	serve.go        the pipeline: record, authenticate, judge, script, replay, execute, answer
//	account.go      which key means which account and mode, and what a restricted key may do
//	judge.go        Stripe's own OpenAPI document decides on every parameter (stripe-mock's validators)
//	fault.go        scripted faults: refusals, lost answers, cut bodies, hanging requests
//	idempotency.go  replays and conflicts of Idempotency-Key
//	execute.go      create, retrieve, update, delete and act, for any kind of object
//	list.go         lists: pages and filters
//	search.go       Stripe's query language
//	resources.go    what single kinds do beyond that: payments, refunds, invoices, payouts, endpoints
//	object.go       objects as JSON: samples, parameters written into them, the bytes they are answered with
//	events.go       every change as an event: listed, signed, delivered
//
// Objects belong to one account in one mode, and nothing of one is seen in another. What the memory does not model
// is answered with Stripe's sample object, as stripe-mock would. Amounts are in the smallest currency unit, times in
// Unix seconds, as everywhere in Stripe's API.
package stripetest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Keys that every server knows. A key is sk_ or rk_, test_ or live_, and a name whose part before the first
// underscore is the account: sk_test_alpha, sk_live_alpha and rk_test_alpha_reports all belong to acct_alpha.
const (
	Key           = "sk_test_alpha"            // account acct_alpha, test mode
	KeyLive       = "sk_live_alpha"            // the same account, live mode
	KeyOther      = "sk_test_beta"             // another account
	KeyRestricted = "rk_test_alpha_restricted" // see Server.Restrict
	KeyRevoked    = "sk_test_revoked"          // answered with 401
)

// APIVersion is the default version of every account: the one that stripe-go v79 is pinned to.
const APIVersion = "2024-06-20"

// Options configures a server. The zero value is ready for use.
type Options struct {
	// Listen is the address to listen on; a free loopback port if empty.
	Listen string
	// Now is the clock of created times and signatures; the wall clock if nil.
	Now func() time.Time
	// EndpointLimit is how many webhook endpoints an account may have in one mode; 16 if 0.
	EndpointLimit int
	// RetryWaits are the pauses between attempts to deliver one event. Nil means a few short ones, empty none.
	RetryWaits []time.Duration
	// HoldEvents starts the server with delivery switched off, see Server.SetDelivery.
	HoldEvents bool
	// Strict answers 404 for every unknown id. Otherwise an id of a kind that was never stored is answered with
	// Stripe's sample object, so that calls can be tried without setting a stage.
	Strict bool
	// MaxCalls is how many calls, and attempts to deliver events, are remembered; 10000 if 0, none if negative. Of
	// calls the oldest are dropped.
	MaxCalls int
}

// Server is one Stripe. Its methods are safe for concurrent use.
type Server struct {
	URL string // base URL, without a trailing slash

	opts  Options
	spec  *description
	http  *http.Server
	stop  context.CancelFunc
	wg    sync.WaitGroup // the listener's goroutine
	mail  *mail
	now   func() time.Time
	calls journal

	mu          sync.Mutex
	spaces      map[spaceKey]*space
	permissions map[string]map[string]bool // restricted key to what it may do
	revoked     map[string]bool
	faults      []*Fault
}

// New starts a server that lives as long as the test.
func New(tb testing.TB) *Server {
	tb.Helper()
	return NewWith(tb, Options{})
}

// NewWith is New with options.
func NewWith(tb testing.TB, opts Options) *Server {
	tb.Helper()
	s, err := NewServer(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// NewServer starts a server. The caller closes it.
func NewServer(opts Options) (*Server, error) {
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // a test bench runs on wall time unless told otherwise
	}
	if opts.EndpointLimit == 0 {
		opts.EndpointLimit = 16
	}
	if opts.RetryWaits == nil {
		opts.RetryWaits = []time.Duration{50 * time.Millisecond, 250 * time.Millisecond, time.Second}
	}
	if opts.MaxCalls == 0 {
		opts.MaxCalls = 10_000
	}
	d, err := describe()
	if err != nil {
		return nil, err
	}

	ctx, stop := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		stop()
		return nil, fmt.Errorf("starting a local Stripe: %w", err)
	}
	s := &Server{
		URL:         "http://" + listener.Addr().String(),
		opts:        opts,
		spec:        d,
		stop:        stop,
		mail:        newMail(ctx, opts),
		now:         opts.Now,
		calls:       journal{limit: opts.MaxCalls},
		spaces:      make(map[spaceKey]*space),
		permissions: make(map[string]map[string]bool),
		revoked:     map[string]bool{KeyRevoked: true},
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s.wg.Go(func() { _ = s.http.Serve(listener) }) // always ErrServerClosed, from Close
	return s, nil
}

// Close stops listening, gives up what is still to be delivered, and returns when nothing runs any more. It may be
// called more than once.
func (s *Server) Close() {
	s.stop()
	_ = s.http.Close() // closing the listener cannot fail in a way that anybody could act on
	s.wg.Wait()
	s.mail.wait()
}

// Call is one request as it arrived.
type Call struct {
	Method string
	Path   string
	Form   url.Values // query and body by form key: shipping[address][line1]
	Header http.Header
	Body   string
}

// IdempotencyKey is the key that the caller sent, if any.
func (c Call) IdempotencyKey() string { return c.Header.Get("Idempotency-Key") }

// journal remembers calls in order.
type journal struct {
	limit int

	mu    sync.Mutex
	calls []Call
}

func (j *journal) add(c Call) {
	if j.limit < 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.calls) >= j.limit {
		j.calls = append(j.calls[:0], j.calls[len(j.calls)/2:]...)
	}
	j.calls = append(j.calls, c)
}

// Calls returns the requests since the start or the last ResetCalls, in order, refused and faulted ones included.
func (s *Server) Calls() []Call {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return append([]Call(nil), s.calls.calls...)
}

// ResetCalls forgets the recorded calls.
func (s *Server) ResetCalls() {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	s.calls.calls = nil
}
