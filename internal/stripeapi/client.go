// Package stripeapi is the only outbound path to Stripe.
//
// It executes what the modules declare: [Client.Run] the steps of an action, [Client.Search] the lists of a search,
// [Client.Raw] a call that the user wrote. The modules bind typed stripe-go parameters; what comes back is Stripe's own
// bytes, which stripe-go never gets to see:
//
//	spec.Call -> backend (key, headers, context) -> stripe-go -> transport (pace, try, read, try again) -> Stripe
//	                                                                |
//	Response, or one [Error] that is safe to show  <- call <- exchange (status, headers, body)
//
// The package decides nothing about the bundle and keeps nothing between calls but idle connections and the pace of
// each connection.
package stripeapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/account"
	"github.com/stripe/stripe-go/v79/form"
	"golang.org/x/time/rate"

	"stripe-connector/internal/spec"
)

// Config says how a [Client] reaches Stripe. Only Now must be set.
type Config struct {
	BaseURL   string            // scheme and host alone; empty: https://api.stripe.com
	RateTest  float64           // calls a second and connection with test keys, 25 if 0; rate.Inf does not pace
	RateLive  float64           // the same with live keys, 100 if 0
	Budget    time.Duration     // bounds a whole Run, Search or Raw, retries included; 0: the context alone does
	UserAgent string            // empty: stripe-connector
	Transport http.RoundTripper // makes the single try; nil: one tuned for many calls to one host
	Now       func() time.Time  // the clock that paces and reads Retry-After
	Meter     Meter             // counts; nil: nobody does
	Tracer    Tracer            // follows; nil: nobody does
	Log       zerolog.Logger    // told about second tries; gets no path, query, body or key
}

// A Meter is told how calls go. It must be quick, and safe for concurrent use.
type Meter interface {
	// Tried is told of every try, the first of a call being 1. Status 0 means that no whole answer came.
	Tried(try, status int, took time.Duration)
	// Paced is told of every try that had to wait for its connection's turn.
	Paced(wait time.Duration)
}

// unmetered is a Meter that does nothing.
type unmetered struct{}

func (unmetered) Tried(int, int, time.Duration) {}
func (unmetered) Paced(time.Duration)           {}

// A Tracer follows calls, each of which may be part of something larger that is in its context. It must be safe for concurrent
// use, and show nothing of the path but the words of Stripe's in it.
type Tracer interface {
	// Try begins to follow one try of a call, the first being 1. done is called once; status 0 means that no whole answer came,
	// because of err.
	Try(ctx context.Context, method, path string, try int) (done func(status int, requestID string, err error))
}

// untraced is a Tracer that does nothing.
type untraced struct{}

func (untraced) Try(context.Context, string, string, int) func(int, string, error) {
	return func(int, string, error) {}
}

// A Client calls Stripe. It is safe for concurrent use; one serves the whole process.
type Client struct {
	base   *url.URL
	budget time.Duration
	http   *http.Client
	stripe stripe.Backend
}

// New reports a base URL that calls cannot be resolved against.
func New(cfg Config) (*Client, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = stripe.APIURL
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" || base.User != nil ||
		strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the base URL of Stripe must be a scheme and a host alone, such as " + stripe.APIURL)
	}
	if cfg.RateTest == 0 {
		cfg.RateTest = 25
	}
	if cfg.RateLive == 0 {
		cfg.RateLive = 100
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "stripe-connector"
	}
	if cfg.Transport == nil {
		cfg.Transport = newHTTPTransport()
	}
	if cfg.Meter == nil {
		cfg.Meter = unmetered{}
	}
	if cfg.Tracer == nil {
		cfg.Tracer = untraced{}
	}
	base = &url.URL{Scheme: base.Scheme, Host: base.Host}
	client := &http.Client{
		Transport: &transport{
			next:      cfg.Transport,
			pacer:     newPacer(rate.Limit(cfg.RateTest), rate.Limit(cfg.RateLive), cfg.Now, cfg.Meter.Paced),
			now:       cfg.Now,
			userAgent: cfg.UserAgent,
			meter:     cfg.Meter,
			tracer:    cfg.Tracer,
			log:       cfg.Log,
		},
		// Following a redirect would carry the key to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{
		base:   base,
		budget: cfg.Budget,
		http:   client,
		stripe: stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
			URL:               new(base.String()),
			HTTPClient:        client,
			MaxNetworkRetries: new(int64(0)),
			EnableTelemetry:   new(false),
			LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
		}),
	}, nil
}

// newHTTPTransport keeps enough connections alive for bursts to one host. HTTP/2 is the rule; its pings find a
// connection that died silently before a call does. A slow answer is the context's to judge, not the transport's.
func newHTTPTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     90 * time.Second,
	}
}

// Close closes the connections that idle; calls under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A Session says for whom a call is made.
type Session struct {
	Connection     string // id of the stored connection; calls of one connection are paced together
	Key            string // Stripe's API key
	Livemode       bool   // which of the two rates applies
	Account        string // Stripe-Account: the connected account to act on, or empty
	Version        string // Stripe-Version in place of the one that stripe-go is written for, or empty
	IdempotencyKey string // the caller's, for writes; empty: one is made
}

// String keeps the key out of anything that prints a session.
func (s Session) String() string { return s.Connection }

// GoString does the same for %#v.
func (s Session) GoString() string { return s.Connection }

// check refuses what cannot stand in a header, before a call is made with it.
func (s Session) check() error {
	var faults spec.Faults
	for _, h := range []struct{ name, value string }{
		{"Stripe-Account", s.Account}, {"Stripe-Version", s.Version}, {"Idempotency-Key", s.IdempotencyKey},
	} {
		if reason := headerFault(h.name, h.value); reason != "" {
			faults = append(faults, spec.Fault{Field: h.name, Label: h.name, Code: spec.CodeInvalid, Message: reason})
		}
	}
	switch {
	case faults != nil:
		return faults
	case s.Key == "" || !visible(s.Key):
		return &Error{
			Status: http.StatusFailedDependency, ErrorType: InvalidAccessTokenError,
			Detail: "The API key of the connection is not well-formed.",
		}
	}
	return nil
}

// A Response is what Stripe answered.
type Response struct {
	Status         int
	Header         http.Header
	Body           []byte // exactly as Stripe wrote it
	RequestID      string
	IdempotencyKey string // the one to repeat the whole with; empty if nothing was written
	Replayed       bool   // nothing happened anew: Stripe repeated its answers to earlier calls with the same idempotency key
}

func newResponse(a *answer, idempotencyKey string) *Response {
	return &Response{
		Status:         a.status,
		Header:         a.header,
		Body:           a.body,
		RequestID:      a.header.Get("Request-Id"),
		IdempotencyKey: idempotencyKey,
		Replayed:       a.replayed(),
	}
}

func (a *answer) replayed() bool { return a.header.Get("Idempotent-Replayed") == "true" }

// Headers is the header as a map of lower-case names for the user. Cookies are ours, not theirs.
func (r *Response) Headers() map[string]string {
	headers := make(map[string]string, len(r.Header))
	for name, values := range r.Header {
		if name != "Set-Cookie" {
			headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	return headers
}

// Run makes the calls of an action in order and answers what the last one answered. It fails with an [*Error], or with
// [spec.Faults] if the session's headers are unusable. A single step is sent with the caller's idempotency key as it is;
// several get keys derived from it, so that repeating the action with the same key repeats no step.
func (c *Client) Run(ctx context.Context, s Session, steps []spec.Step) (*Response, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	ctx, cancel := c.withBudget(ctx)
	defer cancel()

	if s.IdempotencyKey == "" {
		s.IdempotencyKey = rand.Text()
	}
	var (
		last  *answer
		wrote bool
		anew  bool // a write was no replay
		done  []string
	)
	for i, step := range steps {
		each := s
		if len(steps) > 1 {
			each.IdempotencyKey = stepKey(s.IdempotencyKey, i)
		}
		x, err := c.call(ctx, each, step.Call)
		wrote = wrote || x.wrote
		if err != nil {
			var failed *Error
			if !errors.As(err, &failed) {
				return nil, fmt.Errorf("making the call to %s: %w", step.Name, err)
			}
			if wrote {
				failed.IdempotencyKey = s.IdempotencyKey
			}
			return nil, failed.after(done, step.Name)
		}
		anew = anew || x.wrote && !x.answer.replayed()
		last, done = x.answer, append(done, step.Name)
	}
	if last == nil {
		return nil, errors.New("running an action: it has no steps")
	}
	if !wrote {
		s.IdempotencyKey = ""
	}
	res := newResponse(last, s.IdempotencyKey)
	res.Replayed = wrote && !anew
	return res, nil
}

// Check asks Stripe whether it takes a key, and whose it is. A refused key is [ErrKeyRefused]. A restricted key that may
// not read the account is fine and has no account here. Livemode is the key's own word, since the account does not say.
func (c *Client) Check(ctx context.Context, key string) (accountID string, livemode bool, err error) {
	livemode = strings.Contains(key, "_live_")
	res, err := c.Run(ctx, Session{Key: key, Livemode: livemode}, []spec.Step{{
		Name: "read the account",
		Call: func(b stripe.Backend) error {
			_, err := account.Client{B: b}.Get()
			return err
		},
	}})
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden && strings.HasPrefix(key, "rk_") {
		return "", livemode, nil
	}
	if err != nil {
		return "", false, err
	}
	var owner struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(res.Body, &owner); err != nil {
		return "", false, fmt.Errorf("reading the account of a key: %w", err)
	}
	return owner.ID, livemode, nil
}

func (c *Client) withBudget(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.budget == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.budget)
}

// call makes the one call that f describes. The exchange is never nil; it holds an answer if and only if err is nil.
func (c *Client) call(ctx context.Context, s Session, f func(stripe.Backend) error) (*exchange, error) {
	x := &exchange{connection: s.Connection, livemode: s.Livemode}
	var failed *Error
	err := f(backend(func(method, path string, body *form.Values, params *stripe.Params) error {
		err := c.stripe.CallRaw(method, path, s.Key, body, s.apply(x.in(ctx), method, params), &stripe.APIResource{})
		if failed = failure(x, err); failed != nil {
			return failed
		}
		return err
	}))
	switch {
	case failed != nil:
		return x, failed
	case err != nil: // stripe-go refused the parameters and sent nothing
		return x, err
	case x.answer == nil:
		return x, errors.New("no call was made")
	}
	return x, nil
}

// apply adds the session to the params of a call, and leaves the module's own untouched.
func (s Session) apply(ctx context.Context, method string, params *stripe.Params) *stripe.Params {
	var p stripe.Params
	if params != nil {
		p = *params
	}
	p.Context = ctx
	if method != http.MethodGet {
		p.IdempotencyKey = &s.IdempotencyKey
	}
	if s.Account != "" {
		p.StripeAccount = &s.Account
	}
	if s.Version != "" {
		p.Headers = p.Headers.Clone()
		if p.Headers == nil {
			p.Headers = http.Header{}
		}
		p.Headers.Set("Stripe-Version", s.Version)
	}
	return &p
}
