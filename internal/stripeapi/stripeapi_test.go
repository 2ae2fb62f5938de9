package stripeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/paymentintent"
	"golang.org/x/time/rate"

	"stripe-connector/internal/spec"
)

const testKey = "sk_test_51TheKeyThatNobodyMaySee"

var testSession = Session{Connection: "conn_1", Key: testKey}

// A seen is a request that reached the scripted Stripe.
type seen struct {
	Method, URI string
	Header      http.Header
	Body        string
}

// A script is a Stripe on a real connection that answers request n (from 0) with whatever the function says.
type script struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

func newScript(tb testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *script {
	tb.Helper()
	s := &script{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := len(s.seen)
		s.seen = append(s.seen, seen{r.Method, r.RequestURI, r.Header, string(body)})
		s.mu.Unlock()
		answer(n, w, r)
	}))
	tb.Cleanup(s.Close)
	return s
}

func (s *script) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.seen...)
}

// always answers every request alike.
func always(status int, body string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { respond(w, status, body) }
}

func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_1")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// again makes the next answer an error that is retried without a wait.
func again(w http.ResponseWriter, status int) {
	w.Header().Set("Retry-After", "0")
	respond(w, status, `{"error":{"type":"api_error","message":"Not now."}}`)
}

func newClient(tb testing.TB, base string, change ...func(*Config)) *Client {
	tb.Helper()
	cfg := Config{
		BaseURL: base, RateTest: float64(rate.Inf), RateLive: float64(rate.Inf), Now: time.Now, Log: zerolog.Nop(),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func createCustomer(name string) spec.Step {
	return spec.Step{Name: "create the customer", Call: func(b stripe.Backend) error {
		_, err := customer.Client{B: b}.New(&stripe.CustomerParams{Name: &name})
		return err
	}}
}

func getCustomer(id string) spec.Step {
	return spec.Step{Name: "retrieve the customer", Call: func(b stripe.Backend) error {
		_, err := customer.Client{B: b}.Get(id, nil)
		return err
	}}
}

func deleteCustomer(id string) spec.Step {
	return spec.Step{Name: "delete the customer", Call: func(b stripe.Backend) error {
		_, err := customer.Client{B: b}.Del(id, nil)
		return err
	}}
}

func wantError(t *testing.T, err error) *Error {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("error is %v (%T), want an *Error", err, err)
	}
	return failed
}

func wantFaults(t *testing.T, err error) spec.Faults {
	t.Helper()
	var faults spec.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("error is %v (%T), want spec.Faults", err, err)
	}
	return faults
}

// oddBody is everything that a decoded and re-encoded object would lose.
const oddBody = "{\n  \"id\": \"cus_1\",\"amount\":1.0e3, \"big\":12345678901234567890,\"nothing\":null,\"unknown_to_us\":{\"b\":1,\"a\":2}," +
	"\"esc\":\"\\u00e9\\/\\u003c\",\"id\":\"cus_1\"}\n"

func TestRunAnswersStripesBytes(t *testing.T) {
	t.Parallel()
	s := newScript(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Idempotent-Replayed", "true")
		respond(w, 200, oddBody)
	})
	res, err := newClient(t, s.URL).Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(res.Body), oddBody; got != want {
		t.Errorf("body is %q, want %q", got, want)
	}
	if res.Status != 200 || res.RequestID != "req_1" || !res.Replayed || res.IdempotencyKey == "" {
		t.Errorf("response is %+v", res)
	}
}

func TestRunSendsTheSession(t *testing.T) {
	t.Parallel()
	s := newScript(t, always(200, `{"object":"list","data":[]}`))
	c := newClient(t, s.URL+"/", func(cfg *Config) { cfg.UserAgent = "stripe-connector/test" })
	session := Session{
		Connection: "conn_1", Key: testKey, Account: "acct_9", Version: "2020-08-27", IdempotencyKey: "caller-1",
	}
	steps := map[string]spec.Step{
		"POST":   createCustomer("Ann"),
		"GET":    getCustomer("cus_1"),
		"DELETE": deleteCustomer("cus_1"),
	}
	for method, step := range steps {
		res, err := c.Run(t.Context(), session, []spec.Step{step})
		if err != nil {
			t.Fatal(err)
		}
		wantKey := "caller-1"
		if method == "GET" {
			wantKey = ""
		}
		if got := res.IdempotencyKey; got != wantKey {
			t.Errorf("%s: idempotency key is %q, want %q", method, got, wantKey)
		}
	}
	for range mustAll(t, c, session, spec.Query{Sources: []spec.Source{customers(nil)}}, 1) {
		t.Error("found a customer in an empty list")
	}
	for _, r := range s.requests() {
		want := map[string]string{
			"Authorization": "Bearer " + testKey, "Stripe-Account": "acct_9", "Stripe-Version": "2020-08-27",
			"User-Agent": "stripe-connector/test", "X-Stripe-Client-User-Agent": "", "X-Stripe-Client-Telemetry": "",
			"Idempotency-Key": "caller-1",
		}
		if r.Method == "GET" {
			want["Idempotency-Key"] = ""
		}
		for name, value := range want {
			if got := r.Header.Get(name); got != value {
				t.Errorf("%s %s: header %s is %q, want %q", r.Method, r.URI, name, got, value)
			}
		}
		if r.Method == "POST" && r.Body != "name=Ann" {
			t.Errorf("body is %q, want name=Ann", r.Body)
		}
	}
}

func TestRunLeavesTheModulesParams(t *testing.T) {
	t.Parallel()
	s := newScript(t, always(200, `{}`))
	params := &stripe.CustomerParams{Params: stripe.Params{Headers: http.Header{"X-Own": {"1"}}}}
	session := testSession
	session.Version, session.Account = "2020-08-27", "acct_9"
	_, err := newClient(t, s.URL).Run(t.Context(), session, []spec.Step{{Call: func(b stripe.Backend) error {
		_, err := customer.Client{B: b}.New(params)
		return err
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.requests()[0].Header.Get("X-Own"); got != "1" {
		t.Errorf("the module's header is %q, want 1", got)
	}
	if diff := cmp.Diff(http.Header{"X-Own": {"1"}}, params.Headers); diff != "" || params.StripeAccount != nil || params.Context != nil {
		t.Errorf("the module's params were changed: %+v", params)
	}
}

func TestRunSeveralSteps(t *testing.T) {
	t.Parallel()
	confirm := spec.Step{Name: "confirm the payment intent", Call: func(b stripe.Backend) error {
		_, err := paymentintent.Client{B: b}.Confirm("pi_1", nil)
		return err
	}}
	update := spec.Step{Name: "set the metadata", Call: func(b stripe.Backend) error {
		_, err := paymentintent.Client{B: b}.Update("pi_1", &stripe.PaymentIntentParams{Metadata: map[string]string{"a": "b"}})
		return err
	}}
	s := newScript(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/confirm") {
			respond(w, 402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"generic_decline",
				"message":"Your card was declined.","payment_intent":{"client_secret":"pi_1_secret_xyz"}}}`)
			return
		}
		respond(w, 200, `{"id":"pi_1"}`)
	})
	c := newClient(t, s.URL)
	session := testSession
	for _, key := range []string{"caller-1", "caller-1", strings.Repeat("k", 255), ""} {
		session.IdempotencyKey = key
		_, err := c.Run(t.Context(), session, []spec.Step{update, confirm})
		failed := wantError(t, err)
		want := &Error{
			Status: 402, ErrorType: DataError, IdempotencyKey: key, Done: []string{"set the metadata"},
			Detail: "Already done: set the metadata. Then this failed: confirm the payment intent. Your card was declined.",
			Stripe: &StripeError{
				Type: "card_error", Code: "card_declined", DeclineCode: "generic_decline",
				Message: "Your card was declined.", RequestID: "req_1",
			},
		}
		if key == "" {
			want.IdempotencyKey = failed.IdempotencyKey
		}
		if diff := cmp.Diff(want, failed, cmp.AllowUnexported(Error{})); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
		if failed.IdempotencyKey == "" {
			t.Error("the error holds no idempotency key")
		}
	}
	keys := map[string]int{}
	for _, r := range s.requests() {
		key := r.Header.Get("Idempotency-Key")
		if key == "" || len(key) > 255 {
			t.Errorf("%s: idempotency key is %q", r.URI, key)
		}
		keys[key]++
	}
	if got := keys["caller-1:1"]; got != 2 {
		t.Errorf("the first step's key was sent %d times in two equal actions, want 2", got)
	}
	if got := len(keys); got != 6 {
		t.Errorf("%d different keys, want 6: two steps of three keys, %v", got, keys)
	}
}

func TestRunRefusesUnusableSessions(t *testing.T) {
	t.Parallel()
	s := newScript(t, always(200, `{}`))
	c := newClient(t, s.URL)
	_, err := c.Run(t.Context(), Session{
		Key: testKey, Account: "acct\r\nX: y", Version: "é", IdempotencyKey: strings.Repeat("k", 256),
	}, []spec.Step{createCustomer("Ann")})
	var fields []string
	for _, fault := range wantFaults(t, err) {
		fields = append(fields, fault.Field)
	}
	if diff := cmp.Diff([]string{"Stripe-Account", "Stripe-Version", "Idempotency-Key"}, fields); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	for _, key := range []string{"", "sk_test_1\n", "sk test"} {
		_, err := c.Run(t.Context(), Session{Key: key}, []spec.Step{getCustomer("cus_1")})
		if !errors.Is(err, ErrKeyRefused) {
			t.Errorf("key %q: error is %v, want ErrKeyRefused", key, err)
		}
	}
	if _, err := c.Run(t.Context(), testSession, nil); err == nil {
		t.Error("an action without steps succeeded")
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests were sent, want none", n)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	body := func(typ, code, message string) string {
		return fmt.Sprintf(`{"error":{"type":%q,"code":%q,"message":%q,"param":"p","doc_url":"https://stripe.com/docs",
			"payment_intent":{"client_secret":"pi_1_secret_hidden","amount":"not a number"}}}`, typ, code, message)
	}
	tests := []struct {
		name      string
		status    int
		body      string
		want      int
		errorType string
		retryable bool
		said      bool
	}{
		{"bad parameter", 400, body("invalid_request_error", "parameter_missing", "m"), 400, DataError, false, true},
		{"reused idempotency key", 400, body("idempotency_error", "", "m"), 400, DataError, false, true},
		{"key refused", 401, body("invalid_request_error", "", "m"), 424, InvalidAccessTokenError, false, true},
		{"declined", 402, body("card_error", "card_declined", "m"), 402, DataError, false, true},
		{"no permission", 403, body("invalid_request_error", "", "needs rak_customer_read"), 403, RuntimeError, false, true},
		{"missing", 404, body("invalid_request_error", "resource_missing", "m"), 404, DataError, false, true},
		{"conflict", 409, body("idempotency_error", "idempotency_key_in_use", "m"), 409, ConnectionError, true, true},
		{"rate limit", 429, body("invalid_request_error", "rate_limit", "m"), 429, RateLimitError, true, true},
		{"rate limit of a proxy", 429, "<html>", 429, RateLimitError, true, false},
		{"broken", 500, body("api_error", "", "m"), 502, ConnectionError, true, true},
		{"gateway", 503, "<html>", 502, ConnectionError, true, false},
		{"gateway timeout", 504, "", 504, ConnectionError, true, false},
		{"page of a proxy", 403, "<html>", 502, ConnectionError, true, false},
		{"not a Stripe error", 404, `{"error":"not_found"}`, 502, ConnectionError, true, false},
		{"success in HTML", 200, "<html>hello</html>", 502, ConnectionError, true, false},
		{"empty success", 200, "", 502, ConnectionError, true, false},
		{"half an object", 200, `{"id":"cus_1"`, 502, ConnectionError, true, false},
		{"redirect", 302, `{}`, 502, ConnectionError, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Stripe-Should-Retry", "false")
				w.Header().Set("Location", "/elsewhere")
				respond(w, tt.status, tt.body)
			})
			_, err := newClient(t, s.URL).Run(t.Context(), testSession, []spec.Step{createCustomer("Ann")})
			failed := wantError(t, err)
			if failed.Status != tt.want || failed.ErrorType != tt.errorType || failed.Retryable != tt.retryable {
				t.Errorf("got %d %s retryable %v, want %d %s %v",
					failed.Status, failed.ErrorType, failed.Retryable, tt.want, tt.errorType, tt.retryable)
			}
			if got := failed.Stripe != nil; got != tt.said {
				t.Errorf("Stripe's own error is there: %v, want %v", got, tt.said)
			}
			if failed.IdempotencyKey == "" {
				t.Error("a failed write names no idempotency key")
			}
			if failed.Detail == "" || tt.said && failed.Detail != failed.Stripe.Message {
				t.Errorf("detail is %q", failed.Detail)
			}
			if got := errors.Is(err, ErrKeyRefused); got != (tt.status == 401) {
				t.Errorf("is ErrKeyRefused: %v", got)
			}
			if tt.status == 429 && failed.RetryAfter != time.Second {
				t.Errorf("retry after %v, want 1s", failed.RetryAfter)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%d tries against Stripe's word, want 1", n)
			}
			noSecrets(t, err)
		})
	}
}

// noSecrets looks at an error in every way that it could be printed, its whole chain included.
func noSecrets(t *testing.T, err error) {
	t.Helper()
	encoded, _ := json.Marshal(err)
	for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v", err, err, err), string(encoded)} {
		for _, secret := range []string{"hidden", testKey} {
			if strings.Contains(text, secret) {
				t.Errorf("%q holds the secret %q", text, secret)
			}
		}
	}
	if _, ok := errors.AsType[*stripe.Error](err); ok {
		t.Error("the error wraps a *stripe.Error")
	}
}

func TestErrorsRedactMessages(t *testing.T) {
	t.Parallel()
	message := "No such payment_intent: 'pi_1_secret_hidden'; key " + testKey + ", whsec_hidden, sk_test_****abcd"
	s := newScript(t, always(404, fmt.Sprintf(`{"error":{"type":"invalid_request_error","message":%q}}`, message)))
	_, err := newClient(t, s.URL).Run(t.Context(), testSession, []spec.Step{getCustomer("cus_1")})
	failed := wantError(t, err)
	noSecrets(t, err)
	want := "No such payment_intent: '[redacted]'; key [redacted], [redacted], sk_test_****abcd"
	if failed.Detail != want || failed.Stripe.Message != want {
		t.Errorf("detail is %q, want %q", failed.Detail, want)
	}
	if failed.IdempotencyKey != "" {
		t.Errorf("a read names the idempotency key %q", failed.IdempotencyKey)
	}
}

func TestSessionsPrintNoKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{fmt.Sprint(testSession), fmt.Sprintf("%+v %#v %s", testSession, testSession, testSession)} {
		if strings.Contains(text, testKey) {
			t.Errorf("%q holds the key", text)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const denied = `{"error":{"type":"invalid_request_error","message":"The key does not have the required permissions."}}`
	tests := []struct {
		name, key string
		status    int
		body      string
		account   string
		livemode  bool
		refused   bool
		fails     bool
	}{
		{name: "test key", key: "sk_test_1", status: 200, body: `{"id":"acct_1"}`, account: "acct_1"},
		{name: "live key", key: "sk_live_1", status: 200, body: `{"id":"acct_1"}`, account: "acct_1", livemode: true},
		{name: "restricted", key: "rk_live_1", status: 403, body: denied, livemode: true},
		{name: "forbidden", key: "sk_live_1", status: 403, body: denied, fails: true},
		{name: "refused", key: "sk_test_1", status: 401, body: denied, refused: true, fails: true},
		{name: "malformed", key: "sk_test_1\r\n", status: 200, body: `{"id":"acct_1"}`, refused: true, fails: true},
		{name: "not an account", key: "sk_test_1", status: 200, body: `[]`, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, always(tt.status, tt.body))
			account, livemode, err := newClient(t, s.URL).Check(t.Context(), tt.key)
			if account != tt.account || livemode != tt.livemode || (err != nil) != tt.fails {
				t.Errorf("got %q, %v, %v", account, livemode, err)
			}
			if got := errors.Is(err, ErrKeyRefused); got != tt.refused {
				t.Errorf("refused is %v, want %v", got, tt.refused)
			}
			for _, r := range s.requests() {
				if r.URI != "/v1/account" || r.Header.Get("Authorization") != "Bearer "+tt.key {
					t.Errorf("request is %s %s", r.URI, r.Header)
				}
			}
		})
	}
}

func TestNewRefusesBaseURLs(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"ftp://x", "api.stripe.com", "https://u:p@x", "https://x/v1", "https://x?a", "https://", "http://[::1"} {
		if _, err := New(Config{BaseURL: base, Now: time.Now}); err == nil {
			t.Errorf("%q was taken", base)
		}
	}
	if _, err := New(Config{Now: time.Now}); err != nil {
		t.Errorf("the default: %v", err)
	}
}

func TestBackendSupportsCallsAlone(t *testing.T) {
	t.Parallel()
	s := newScript(t, always(200, `{}`))
	c := newClient(t, s.URL)
	for name, call := range map[string]spec.Call{
		"streaming": func(b stripe.Backend) error { return b.CallStreaming("GET", "/v1/x", "", nil, nil) },
		"multipart": func(b stripe.Backend) error { return b.CallMultipart("POST", "/v1/x", "", "", nil, nil, nil) },
		"no call":   func(stripe.Backend) error { return nil },
		"bad path":  func(b stripe.Backend) error { return b.CallRaw("GET", "/v1/%zz", "", nil, nil, nil) },
	} {
		if _, err := c.Run(t.Context(), testSession, []spec.Step{{Name: name, Call: call}}); err == nil {
			t.Errorf("%s succeeded", name)
		}
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests were sent, want none", n)
	}
}

func BenchmarkRun(b *testing.B) {
	body := []byte(`{"id":"cus_1","object":"customer","filler":"` + strings.Repeat("x", 2000) + `"}`)
	c := newClient(b, "https://stripe.test", func(cfg *Config) { cfg.Transport = instant(body) })
	steps := []spec.Step{createCustomer("Ann")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Run(context.Background(), testSession, steps); err != nil {
			b.Fatal(err)
		}
	}
}

// instant answers at once, so that a benchmark sees our own work alone.
func instant(body []byte) roundTripper {
	return func(req *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Request-Id": {"req_1"}}, ContentLength: int64(len(body)),
			Body: io.NopCloser(strings.NewReader(string(body))), Request: req,
		}, nil
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
