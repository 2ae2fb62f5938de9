package stripeapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/spec"
)

func TestRetriesWithOneKey(t *testing.T) {
	t.Parallel()
	s := newScript(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 2 {
			again(w, 429)
			return
		}
		respond(w, 200, oddBody)
	})
	res, err := newClient(t, s.URL).Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")})
	if err != nil {
		t.Fatal(err)
	}
	if string(res.Body) != oddBody {
		t.Errorf("body is %q", res.Body)
	}
	requests := s.requests()
	if len(requests) != 3 {
		t.Fatalf("%d tries, want 3", len(requests))
	}
	for _, r := range requests {
		if got := r.Header.Get("Idempotency-Key"); got != res.IdempotencyKey || got == "" {
			t.Errorf("idempotency key is %q, want %q", got, res.IdempotencyKey)
		}
		if r.Body != "name=Ann" || r.Header.Get("X-Stripe-Client-User-Agent") != "" {
			t.Errorf("request is %+v", r)
		}
	}
}

func TestRetriesAfterTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter) { // the answer begins and breaks off
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"id":"cus_`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	drop := func(http.ResponseWriter) { panic(http.ErrAbortHandler) } // no answer at all
	tests := []struct {
		name  string
		fault func(http.ResponseWriter)
		step  spec.Step
		tries int
	}{
		{"cut GET", cut, getCustomer("cus_1"), 2},
		{"cut POST", cut, createCustomer("Ann"), 2},
		{"cut DELETE", cut, deleteCustomer("cus_1"), 1},
		{"dropped POST", drop, createCustomer("Ann"), 2},
		{"dropped DELETE", drop, deleteCustomer("cus_1"), 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 0 {
					tt.fault(w)
				}
				respond(w, 200, `{"id":"cus_1"}`)
			})
			// Without keep-alive net/http itself does not try again.
			c := newClient(t, s.URL, func(cfg *Config) { cfg.Transport = &http.Transport{DisableKeepAlives: true} })
			_, err := c.Run(t.Context(), testSession, []spec.Step{tt.step})
			if got := len(s.requests()); got != tt.tries {
				t.Errorf("%d tries, want %d", got, tt.tries)
			}
			if (err != nil) != (tt.tries == 1) {
				t.Errorf("error is %v", err)
			}
			if err == nil {
				return
			}
			failed := wantError(t, err)
			if failed.Status != 502 || !failed.Retryable || failed.IdempotencyKey == "" || !strings.Contains(failed.Detail, "not known") {
				t.Errorf("error is %+v", failed)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newScript(t, always(200, `{}`))
	s := newScript(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/v1/customers", http.StatusTemporaryRedirect)
	})
	c := newClient(t, s.URL)
	_, err := c.Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")})
	if failed := wantError(t, err); failed.Status != 502 {
		t.Errorf("status is %d, want 502", failed.Status)
	}
	res, err := c.Raw(t.Context(), testSession, RawRequest{Method: "GET", URL: "/v1/customers"})
	if err != nil || res.Status != http.StatusTemporaryRedirect {
		t.Errorf("raw: %+v, %v", res, err)
	}
	if n := len(elsewhere.requests()); n != 0 {
		t.Errorf("the key went elsewhere %d times", n)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	c := newClient(t, "https://stripe.test", func(cfg *Config) {
		cfg.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(endless{})}, nil
		})
	})
	_, err := c.Run(t.Context(), testSession, []spec.Step{getCustomer("cus_1")})
	if failed := wantError(t, err); failed.Status != 502 || !errors.Is(err, errTooLong) {
		t.Errorf("error is %v", failed)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A fake is a Stripe in the test's own time: each answer comes after a delay, and the times of the tries are kept.
type fake struct {
	start   time.Time
	answers []fakeAnswer // the last one repeats

	mu  sync.Mutex
	at  []time.Duration
	key []string
}

type fakeAnswer struct {
	status int
	header string // "Name: value; Name: value"
	body   string
	err    error
	delay  time.Duration
}

func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	a := f.answers[min(len(f.at), len(f.answers)-1)]
	f.at = append(f.at, time.Since(f.start))
	f.key = append(f.key, req.Header.Get("Idempotency-Key"))
	f.mu.Unlock()
	if err := sleep(req.Context(), a.delay); err != nil {
		return nil, err
	}
	if a.err != nil {
		return nil, a.err
	}
	header := http.Header{}
	for line := range strings.SplitSeq(a.header, ";") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	if a.body == "" {
		a.body = `{"error":{"type":"api_error","message":"m"}}`
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

func (f *fake) client(t *testing.T, change ...func(*Config)) *Client {
	t.Helper()
	f.start = time.Now()
	return newClient(t, "https://stripe.test", append(change, func(cfg *Config) { cfg.Transport = f })...)
}

// inBackoff checks how far apart tries without a Retry-After are.
func inBackoff(t *testing.T, at []time.Duration) {
	t.Helper()
	for i := 1; i < len(at); i++ {
		low, high := firstDelay<<(i-1)/2, firstDelay<<(i-1)
		if gap := at[i] - at[i-1]; gap < low || gap > high {
			t.Errorf("try %d came %v after the last, want %v to %v", i+1, gap, low, high)
		}
	}
}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	ok := fakeAnswer{status: 200, body: `{}`}
	lock := `{"error":{"type":"invalid_request_error","code":"lock_timeout","message":"m"}}`
	tests := []struct {
		name    string
		answers []fakeAnswer
		tries   int
		status  int // of the error; 0 is success
		backoff bool
		wait    []time.Duration
	}{
		{name: "success", answers: []fakeAnswer{ok}, tries: 1},
		{name: "server error", answers: []fakeAnswer{{status: 500}}, tries: 3, status: 502, backoff: true},
		{name: "network", answers: []fakeAnswer{{err: io.ErrUnexpectedEOF}}, tries: 3, status: 502, backoff: true},
		{name: "network once", answers: []fakeAnswer{{err: io.ErrUnexpectedEOF}, ok}, tries: 2, backoff: true},
		{name: "rate limit", answers: []fakeAnswer{{status: 429}}, tries: 3, status: 429, backoff: true},
		{name: "bad request", answers: []fakeAnswer{{status: 400}}, tries: 1, status: 400},
		{name: "conflict", answers: []fakeAnswer{{status: 409}, ok}, tries: 1, status: 409},
		{name: "lock time-out", answers: []fakeAnswer{{status: 409, body: lock}}, tries: 2, status: 409, backoff: true},
		{name: "should not", answers: []fakeAnswer{{status: 503, header: "Stripe-Should-Retry: false"}, ok}, tries: 1, status: 502},
		{name: "should", answers: []fakeAnswer{{status: 400, header: "Stripe-Should-Retry: true"}, ok}, tries: 2, backoff: true},
		{
			name: "retry after seconds", tries: 2, wait: []time.Duration{7 * time.Second},
			answers: []fakeAnswer{{status: 429, header: "Retry-After: 7"}, ok},
		},
		{
			// Time in a bubble begins at midnight UTC of 2000-01-01, a Saturday.
			name: "retry after date", tries: 2, wait: []time.Duration{9 * time.Second},
			answers: []fakeAnswer{{status: 503, header: "Retry-After: Sat, 01 Jan 2000 00:00:09 GMT"}, ok},
		},
		{
			name: "retry after a past date", tries: 2, wait: []time.Duration{0},
			answers: []fakeAnswer{{status: 503, header: "Retry-After: Fri, 31 Dec 1999 00:00:00 GMT"}, ok},
		},
		{name: "unreadable retry after", tries: 2, backoff: true, answers: []fakeAnswer{{status: 503, header: "Retry-After: soon"}, ok}},
		{name: "retry after too long", tries: 1, status: 429, answers: []fakeAnswer{{status: 429, header: "Retry-After: 61"}, ok}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: tt.answers}
				_, err := f.client(t).Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")})
				status := 0
				if err != nil {
					status = wantError(t, err).Status
				}
				if len(f.at) != tt.tries || status != tt.status {
					t.Fatalf("%d tries, status %d (%v), want %d and %d", len(f.at), status, err, tt.tries, tt.status)
				}
				if tt.backoff {
					inBackoff(t, f.at)
				}
				for i, want := range tt.wait {
					if got := f.at[i+1] - f.at[i]; got != want {
						t.Errorf("waited %v, want %v", got, want)
					}
				}
				for _, key := range f.key {
					if key != f.key[0] || key == "" {
						t.Errorf("idempotency keys are %v", f.key)
					}
				}
			})
		})
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		answers    []fakeAnswer
		after      time.Duration // when Run returns
		status     int
		retryAfter time.Duration
		tries      int
	}{
		{
			name: "the wait would pass the deadline", answers: []fakeAnswer{{status: 429, header: "Retry-After: 30", delay: time.Second}},
			after: time.Second, status: 429, retryAfter: 30 * time.Second, tries: 1,
		},
		{
			name: "no answer in time", answers: []fakeAnswer{{status: 200, delay: time.Hour}},
			after: 10 * time.Second, status: 504, tries: 1,
		},
		{
			name:    "the second try has no answer in time",
			answers: []fakeAnswer{{status: 503, header: "Retry-After: 4"}, {status: 200, delay: time.Hour}},
			after:   10 * time.Second, status: 504, tries: 2,
		},
		{
			name: "the network fails close to the deadline", answers: []fakeAnswer{{err: io.ErrUnexpectedEOF, delay: 9900 * time.Millisecond}},
			after: 9900 * time.Millisecond, status: 502, tries: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: tt.answers}
				c := f.client(t, func(cfg *Config) { cfg.Budget = 10 * time.Second })
				_, err := c.Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")})
				failed := wantError(t, err)
				if failed.Status != tt.status || failed.RetryAfter != tt.retryAfter || !failed.Retryable || failed.IdempotencyKey == "" {
					t.Errorf("error is %+v", failed)
				}
				if got := time.Since(f.start); got != tt.after {
					t.Errorf("returned after %v, want %v", got, tt.after)
				}
				if len(f.at) != tt.tries {
					t.Errorf("%d tries, want %d", len(f.at), tt.tries)
				}
			})
		})
	}
}

func TestCancelStopsWaiting(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]fakeAnswer{
		"for the next try": {status: 429, header: "Retry-After: 30"},
		"for an answer":    {status: 200, delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: []fakeAnswer{answer}}
				c := f.client(t)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				_, err := c.Run(ctx, testSession, []spec.Step{createCustomer("Ann")})
				if failed := wantError(t, err); failed.Status != statusCanceled || !errors.Is(err, context.Canceled) {
					t.Errorf("error is %v", failed)
				}
				if got := time.Since(f.start); got != 3*time.Second {
					t.Errorf("returned after %v, want 3s", got)
				}
			})
		})
	}
}

func TestPacing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []fakeAnswer{{status: 200, body: `{}`}}}
		c := f.client(t, func(cfg *Config) { cfg.RateTest, cfg.RateLive = 10, 40 })
		calls := func(s Session, n int) time.Duration {
			from := time.Now()
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					if _, err := c.Run(t.Context(), s, []spec.Step{getCustomer("cus_1")}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			return time.Since(from)
		}
		one, two := Session{Connection: "conn_1", Key: testKey}, Session{Connection: "conn_2", Key: testKey}
		live := Session{Connection: "conn_1", Key: testKey, Livemode: true}
		if got, want := calls(one, 42), 4*time.Second; got != want { // 2 at once, 10 a second after
			t.Errorf("42 calls took %v, want %v", got, want)
		}
		if got := calls(two, 2); got != 0 {
			t.Errorf("another connection waited %v", got)
		}
		if got, want := calls(live, 48), time.Second; got != want { // 8 at once
			t.Errorf("48 live calls took %v, want %v", got, want)
		}
	})
}

func TestPacingGivesUpAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []fakeAnswer{{status: 200, body: `{}`}}}
		c := f.client(t, func(cfg *Config) { cfg.RateTest, cfg.Budget = 0.1, 5*time.Second })
		run := func() error {
			_, err := c.Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")})
			return err
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		for range 3 { // what is given up takes no turn from those that come later
			failed := wantError(t, run())
			if failed.Status != 429 || failed.ErrorType != RateLimitError || failed.RetryAfter != 10*time.Second || !failed.Retryable {
				t.Errorf("error is %+v", failed)
			}
		}
		if got := time.Since(f.start); got != 0 {
			t.Errorf("gave up after %v, want at once", got)
		}
		time.Sleep(6 * time.Second)
		if err := run(); err != nil || len(f.at) != 2 {
			t.Errorf("%v, %d calls", err, len(f.at))
		}

		f.answers = []fakeAnswer{{status: 429, header: "Retry-After: 1"}}
		time.Sleep(10 * time.Second)
		if failed := wantError(t, run()); failed.Stripe == nil || failed.RetryAfter != time.Second {
			t.Errorf("error is %+v, want Stripe's own 429", failed)
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Run(ctx, Session{Connection: "conn_2", Key: testKey}, []spec.Step{getCustomer("cus_1")}); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want canceled", err)
		}
	})
}

func TestPacerForgetsIdleConnections(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	p := newPacer(25, 100, func() time.Time { return now }, func(time.Duration) {})
	for i := range 10_000 {
		now = now.Add(10 * time.Millisecond)
		if err := p.wait(t.Context(), fmt.Sprintf("conn_%d", i), i%2 == 0); err != nil {
			t.Fatal(err)
		}
		if got := len(p.buckets); got > 250 {
			t.Fatalf("%d buckets are kept after %d connections", got, i)
		}
	}
}

func TestLogHoldsNothingOfTheCall(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []fakeAnswer{{status: 500, header: "Request-Id: req_1"}, {err: io.ErrUnexpectedEOF}}}
		c := f.client(t, func(cfg *Config) { cfg.Log = zerolog.New(&log) })
		_, err := c.Run(t.Context(), testSession, []spec.Step{getCustomer("cus_private")})
		noSecrets(t, err)
	})
	for _, private := range []string{testKey, "cus_private", "stripe.test"} {
		if strings.Contains(log.String(), private) {
			t.Errorf("%q is in the log:\n%s", private, &log)
		}
	}
	want := 2
	if got := strings.Count(log.String(), "\n"); got != want {
		t.Errorf("%d lines, want %d:\n%s", got, want, &log)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"0", "7", "-1", "99999999999", "Sat, 01 Jan 2000 00:00:09 GMT", "1.5", " 3 ", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d, ok := retryAfter(http.Header{"Retry-After": {value}}, time.Unix(1e9, 0)); d < 0 || !ok && d != 0 {
			t.Errorf("%q is %v, %v", value, d, ok)
		}
	})
}

func TestStepKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 254)
	got := []string{stepKey("a", 0), stepKey("a", 1), stepKey("a", 0)}
	if diff := cmp.Diff([]string{"a:1", "a:2", "a:1"}, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if a, b := stepKey(long, 0), stepKey(long+"k", 0); a == b || len(a) > 255 || a != stepKey(long, 0) {
		t.Errorf("long keys give %q and %q", a, b)
	}
}
