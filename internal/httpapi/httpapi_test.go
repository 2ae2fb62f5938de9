package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
	"stripe-connector/modules"
	"stripe-connector/openapi"
	"stripe-connector/openapi/openapitest"
	"stripe-connector/webhooks"
)

// A service is the whole request line over real HTTP, with a local Stripe behind it.
type service struct {
	t       *testing.T
	url     string
	stripe  *stripetest.Server
	dir     string // of the database
	log     *logBuffer
	tokens  *connection.Tokens
	token   string // admin of the workspace "default"
	conn    string // a connection of it
	handler http.Handler

	document *openapitest.Checker
}

// contract is the OpenAPI document, for all tests: compiling its schemas takes longer than any of them.
var contract = sync.OnceValues(func() (*openapitest.Checker, error) { return openapitest.NewChecker(openapi.JSON()) })

// A logBuffer is what the service logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const adminToken = "sc_admin_token_of_the_tests"

func newService(t *testing.T, change ...func(*stripeapi.Config)) *service {
	t.Helper()
	s := &service{t: t, stripe: stripetest.New(t), dir: t.TempDir(), log: &logBuffer{}, token: adminToken}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.document, err = contract()
	must(err)
	db, err := sqlite.Open(t.Context(), filepath.Join(s.dir, "connector.db"), time.Now)
	must(err)
	ring, err := connection.NewRing(time.Now, connection.NewKey("k1", bytes.Repeat([]byte{7}, 32)))
	must(err)
	catalogue, err := modules.Catalogue()
	must(err)
	log := zerolog.New(s.log).Level(zerolog.DebugLevel)
	cfg := stripeapi.Config{BaseURL: s.stripe.URL, RateTest: 1e6, RateLive: 1e6, Budget: 10 * time.Second, Now: time.Now, Log: log}
	for _, c := range change {
		c(&cfg)
	}
	stripe, err := stripeapi.New(cfg)
	must(err)
	s.tokens = connection.NewTokens(db, time.Now, log)
	_, err = s.tokens.Bootstrap(t.Context(), adminToken)
	must(err)
	deliverer := webhooks.NewDeliverer(5*time.Second, true, time.Now)
	dispatcher := webhooks.NewDispatcher(webhooks.DispatcherConfig{
		Store: db, Secrets: ring, Deliverer: deliverer, Schedule: webhooks.Schedule{time.Millisecond, time.Millisecond}, Grace: time.Second, Now: time.Now, Log: log,
	})
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	hooks := webhooks.NewService(webhooks.ServiceConfig{
		Store: db, Stripe: stripe, Secrets: ring, Deliverer: deliverer, PublicURL: s.url, Now: time.Now, Log: log,
	})
	operations := webhooks.NewOperations(webhooks.OperationsConfig{
		Store: db, Secrets: ring, Deliverer: deliverer, Schedule: webhooks.Schedule{time.Millisecond}, Now: time.Now, Log: log,
	})
	s.handler = New(Config{
		Catalogue: catalogue, Stripe: stripe, Connections: connection.NewService(db, ring, stripe, time.Now), Tokens: s.tokens, Audit: db, Webhooks: hooks, Operations: operations,
		Receiver: webhooks.NewReceiver(webhooks.ReceiverConfig{Store: db, Secrets: ring, Dispatcher: dispatcher, Now: time.Now, Log: log}),
		Ready:    db.Ping, MaxLimit: 1000, Log: log, Now: time.Now,
	})
	server.Config.Handler = s.handler
	server.Start()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { dispatcher.Run(ctx) })
	t.Cleanup(func() {
		server.Close()
		hooks.Close()
		stop()
		running.Wait()
		operations.Close()
		deliverer.Close()
		stripe.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s.conn = s.connect(s.token, stripetest.Key)
	return s
}

// connect makes a connection in the token's workspace.
func (s *service) connect(token, key string) string {
	s.t.Helper()
	var made struct{ ID string }
	s.as(token, http.MethodPost, "/v1/connections", map[string]string{"key": key}).want(http.StatusCreated).into(&made)
	return made.ID
}

// An answer is what the service said.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status = %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("reading %s: %v", a.body, err)
	}
}

func (a answer) problem() Problem {
	a.t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Fatalf("Content-Type = %q, want a problem: %d %s", got, a.status, a.body)
	}
	var p Problem
	a.into(&p)
	if p.Status != a.status || p.Title == "" || p.ErrorType == "" || p.RequestID == "" || p.Type != "about:blank" {
		a.t.Fatalf("the problem is incomplete: %s", a.body)
	}
	return p
}

// call makes a request as the admin of the default workspace.
func (s *service) call(method, path string, body any, headers ...string) answer {
	s.t.Helper()
	return s.as(s.token, method, path, body, headers...)
}

// as makes a request with another token, and holds the exchange against the OpenAPI document.
func (s *service) as(token, method, path string, body any, headers ...string) answer {
	s.t.Helper()
	res := s.open(s.t.Context(), token, method, path, body, headers...)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.document.Check(openapitest.Exchange{Request: res.Request, RequestBody: s.encode(body), Response: res, ResponseBody: text}); err != nil {
		s.t.Errorf("the exchange is not in the document: %v", err)
	}
	return answer{s.t, res.StatusCode, res.Header, string(text)}
}

// encode is a body as it is sent: JSON as text, or what becomes it.
func (s *service) encode(body any) []byte {
	s.t.Helper()
	switch body := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(body)
	}
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s *service) open(ctx context.Context, token, method, path string, body any, headers ...string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(s.encode(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Request = req
	return res
}

// run posts a bundle to a module; the connection is added.
func (s *service) run(module, bundle string, headers ...string) answer {
	s.t.Helper()
	bundle = strings.Replace(`{"connection":"`+s.conn+`",`+strings.TrimPrefix(bundle, "{"), ",}", "}", 1)
	return s.call(http.MethodPost, "/v1/modules/"+module, bundle, headers...)
}

// token makes a token of another role or workspace.
func (s *service) newToken(workspace string, role connection.Role) string {
	s.t.Helper()
	_, token, err := s.tokens.Create(s.t.Context(), workspace, role, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// odd is an object as Stripe could write it: nulls, fields that no SDK knows, numbers and escapes in unusual forms.
const odd = "{\n  \"id\": \"cus_odd\",\n  \"object\": \"customer\",\n  \"balance\": -0,\n  \"ratio\": 1.0e3,\n  \"big\": 12345678901234567890,\n" +
	"  \"email\": null,\n  \"name\": \"\\u00e9\\/<b>&\\u2028é\",\n  \"created\": 1718841600,\n  \"new_thing\": {\"a\" : [ ]},\n  \"metadata\": {}\n}"

func TestAnswersAreStripesBytes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if _, err := s.stripe.Account(stripetest.Key).Put(odd); err != nil {
		t.Fatal(err)
	}
	if got := s.run("retrieve-customer", `{"customer":"cus_odd"}`).want(http.StatusOK).body; got != odd {
		t.Errorf("the action answered\n%s\nwant\n%s", got, odd)
	}
	if got, want := s.run("list-all-customers", `{"limit":1}`).want(http.StatusOK).body, `{"bundles":[`+odd+`],"has_more":false,"next_cursor":null}`; got != want {
		t.Errorf("the search answered\n%s\nwant\n%s", got, want)
	}
	got := s.run("make-an-api-call", `{"url":"/v1/customers/cus_odd","method":"GET"}`).want(http.StatusOK).body
	if !strings.HasPrefix(got, `{"status_code":200,"headers":{`) || !strings.HasSuffix(got, `},"body":`+odd+`}`) {
		t.Errorf("the API call answered\n%s", got)
	}
	line := s.run("list-all-customers", `{}`, "Accept", ndjson).want(http.StatusOK).body
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(odd)); err != nil {
		t.Fatal(err)
	}
	if line != compact.String()+"\n" {
		t.Errorf("the stream answered %q, want %q", line, compact.String())
	}
}

func TestLimitAndCursor(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ids := s.stripe.Account(stripetest.Key).Seed("customer", 1000, func(i int) map[string]any { return map[string]any{"name": strconv.Itoa(i)} })
	seen := map[string]bool{}
	cursor, calls := "", 0
	for range 4 {
		s.stripe.ResetCalls()
		var page struct {
			Bundles []struct{ ID string }
			HasMore bool    `json:"has_more"`
			Next    *string `json:"next_cursor"`
		}
		s.run("list-all-customers", `{"limit":"250","cursor":"`+cursor+`"}`).want(http.StatusOK).into(&page)
		if len(page.Bundles) != 250 || len(s.stripe.Calls()) != 3 {
			t.Fatalf("%d bundles in %d calls, want 250 in 3", len(page.Bundles), len(s.stripe.Calls()))
		}
		for _, b := range page.Bundles {
			if seen[b.ID] {
				t.Fatalf("%s came twice", b.ID)
			}
			seen[b.ID] = true
		}
		calls++
		if page.HasMore != (calls < 4) || (page.Next != nil) != page.HasMore {
			t.Fatalf("page %d: has_more = %t, next_cursor = %v", calls, page.HasMore, page.Next)
		}
		if page.Next != nil {
			cursor = *page.Next
		}
	}
	if len(seen) != len(ids) {
		t.Errorf("%d customers came, want %d", len(seen), len(ids))
	}
	for _, bad := range []string{"x", "e30", cursor + "A"} {
		if p := s.run("list-all-customers", `{"cursor":"`+bad+`"}`).want(http.StatusUnprocessableEntity).problem(); p.Fields[0].Field != "cursor" {
			t.Errorf("cursor %q: fault of %q, want of cursor", bad, p.Fields[0].Field)
		}
	}
}

// streamOf opens a stream of 150 customers. Their first page passes; what becomes of the second is the fault's to say.
func (s *service) streamOf(second *stripetest.Fault) (*http.Response, *bufio.Scanner) {
	s.t.Helper()
	s.stripe.Account(stripetest.Key).Seed("customer", 150, func(int) map[string]any { return nil })
	first := stripetest.Slow().On(http.MethodGet, "/v1/customers")
	first.Release()
	s.stripe.Fault(first, second.On(http.MethodGet, "/v1/customers"))
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second) // for a stream that never comes
	s.t.Cleanup(cancel)
	res := s.open(ctx, s.token, http.MethodPost, "/v1/modules/list-all-customers", `{"connection":"`+s.conn+`","limit":150}`, "Accept", ndjson)
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return res, lines
}

func TestStreamBeginsBeforeTheLastPage(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *stripeapi.Config) { c.Budget = 0 })
	last := stripetest.Slow()
	res, lines := s.streamOf(last)
	defer res.Body.Close()
	n := 0
	for lines.Scan() {
		if !json.Valid(lines.Bytes()) {
			t.Fatalf("line %d is not JSON: %s", n, lines.Text())
		}
		if n++; n == 100 {
			last.Release() // the whole first page is here while nobody has the second
		}
	}
	if n != 150 || res.Trailer.Get("Has-More") != "false" || res.Trailer.Get("Scan-Cut") != "false" {
		t.Errorf("%d lines and the trailers %v, want 150 and no more", n, res.Trailer)
	}
}

func TestStreamThatFails(t *testing.T) {
	t.Parallel()
	s := newService(t)
	res, lines := s.streamOf(stripetest.HTMLPage(http.StatusBadGateway).WithHeader("Stripe-Should-Retry", "false"))
	defer res.Body.Close()
	n := 0
	for ; n < 100 && lines.Scan(); n++ {
		if strings.Contains(lines.Text(), `"problem"`) {
			t.Fatalf("line %d: %s", n, lines.Text())
		}
	}
	var end struct{ Problem Problem }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &end) != nil {
		t.Fatalf("no problem follows the %d objects: %s", n, lines.Text())
	}
	p := end.Problem
	if p.Type != "about:blank" || p.Status != http.StatusBadGateway || p.ErrorType != stripeapi.ConnectionError || !p.Retryable || p.RequestID != res.Header.Get("X-Request-Id") {
		t.Errorf("the stream ends with %s", lines.Text())
	}
	if lines.Scan() || res.Trailer.Get("Has-More") != "" {
		t.Errorf("after the problem come %q and the trailers %v", lines.Text(), res.Trailer)
	}
}

func TestRetriesUnderOneIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.stripe.ResetCalls()
	s.stripe.Fault(stripetest.RateLimited(0).On(http.MethodPost, "/v1/customers").Times(2))
	got := s.run("create-customer", `{"name":"A"}`, "Idempotency-Key", "order-7").want(http.StatusOK)
	keys := map[string]bool{}
	for _, c := range s.stripe.Calls() {
		keys[c.Header.Get("Idempotency-Key")] = true
	}
	if n := len(s.stripe.Calls()); n != 3 || !keys["order-7"] || len(keys) != 1 {
		t.Errorf("%d calls with the keys %v, want 3 with order-7", n, keys)
	}
	if got.header.Get("Idempotency-Key") != "order-7" || got.header.Get("Stripe-Request-Id") == "" {
		t.Errorf("the headers are %v", got.header)
	}
	again := s.run("create-customer", `{"name":"A"}`, "Idempotency-Key", "order-7").want(http.StatusOK)
	if again.body != got.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the repeated call answered %s with %v", again.body, again.header)
	}
}

func TestStripeFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  *stripetest.Fault
		status int
		typ    string
		again  bool
	}{
		{"declined", stripetest.CardDeclined(), http.StatusPaymentRequired, stripeapi.DataError, false},
		{"locked", stripetest.LockTimeout().Times(9), http.StatusConflict, stripeapi.ConnectionError, true},
		{"rate", stripetest.RateLimited(90).Times(9), http.StatusTooManyRequests, stripeapi.RateLimitError, true},
		{"500", stripetest.ServerError(500).WithHeader("Stripe-Should-Retry", "false"), http.StatusBadGateway, stripeapi.ConnectionError, true},
		{"page", stripetest.HTMLPage(502).WithHeader("Stripe-Should-Retry", "false"), http.StatusBadGateway, stripeapi.ConnectionError, true},
		{"not JSON", stripetest.NotJSON(), http.StatusBadGateway, stripeapi.ConnectionError, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.stripe.Fault(tt.fault.On(http.MethodPost, "/v1/customers"))
			a := s.run("create-customer", `{"name":"A"}`, "Idempotency-Key", "k").want(tt.status)
			p := a.problem()
			if p.ErrorType != tt.typ || p.Retryable != tt.again {
				t.Errorf("error_type = %s, retryable = %t, want %s, %t", p.ErrorType, p.Retryable, tt.typ, tt.again)
			}
			if a.header.Get("Idempotency-Key") != "k" {
				t.Errorf("the answer does not name the idempotency key")
			}
			if tt.name == "rate" && a.header.Get("Retry-After") != "90" {
				t.Errorf("Retry-After = %q, want 90", a.header.Get("Retry-After"))
			}
			if tt.name == "declined" && (p.Stripe == nil || p.Stripe.Code != "card_declined" || p.Stripe.RequestID == "") {
				t.Errorf("Stripe's own words are missing: %s", a.body)
			}
		})
	}
}

func TestDeadlineStopsWaiting(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *stripeapi.Config) { c.Budget = 50 * time.Millisecond })
	slow := stripetest.Slow().On(http.MethodGet, "/v1/customers")
	s.stripe.Fault(slow)
	defer slow.Release()
	if p := s.run("retrieve-customer", `{"customer":"cus_1"}`).want(http.StatusGatewayTimeout).problem(); !p.Retryable {
		t.Error("a time-out must be retryable")
	}
}

func TestRevokedKeyIsNotOurRefusal(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.stripe.Revoke(stripetest.Key)
	if p := s.run("retrieve-balance", `{}`).want(http.StatusFailedDependency).problem(); p.ErrorType != stripeapi.InvalidAccessTokenError {
		t.Errorf("error_type = %s, want %s", p.ErrorType, stripeapi.InvalidAccessTokenError)
	}
	if p := s.call(http.MethodPost, "/v1/connections/"+s.conn+"/check", nil).want(http.StatusUnprocessableEntity).problem(); p.Fields[0].Field != "key" {
		t.Errorf("check blames %q, want key", p.Fields[0].Field)
	}
}

func TestBadBundlesNeverReachStripe(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.stripe.ResetCalls()
	p := s.run("create-customer", `{"email":"x","balance":"1,000","shipping":{"name":"N"},"zip":"1"}`).want(http.StatusUnprocessableEntity).problem()
	var fields []string
	for _, f := range p.Fields {
		fields = append(fields, f.Field)
	}
	if diff := cmp.Diff([]string{"email", "shipping.address.line1", "balance", "zip"}, fields); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	s.run("retrieve-customer", `{"customer":""}`).want(http.StatusUnprocessableEntity)
	s.run("delete-customer", `{"customer":"../v1/x"}`).want(http.StatusUnprocessableEntity)
	s.run("make-an-api-call", `{"url":"https://evil.example/v1/x"}`).want(http.StatusUnprocessableEntity)
	s.call(http.MethodPost, "/v1/modules/create-customer", `{`).want(http.StatusBadRequest).problem()
	s.call(http.MethodPost, "/v1/modules/create-customer", `"`+strings.Repeat("x", bodyMax)+`"`).want(http.StatusRequestEntityTooLarge).problem()
	if p := s.call(http.MethodPost, "/v1/modules/create-customer", `{"connection":"conn_unknown","name":"A"}`).want(http.StatusNotFound).problem(); p.Title != "Unknown connection" {
		t.Errorf("an unknown connection is said to be %q", p.Title)
	}
	s.run("create-payment-intent", `{"amount":1,"currency":"usd","idempotency_key":"a"}`, "Idempotency-Key", "b").want(http.StatusUnprocessableEntity)
	if calls := s.stripe.Calls(); len(calls) != 0 {
		t.Errorf("Stripe was called: %+v", calls)
	}
}

// TestExpandOfAnAPICall: what every module takes, this one takes too.
func TestExpandOfAnAPICall(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.stripe.ResetCalls()
	s.run("make-an-api-call", `{"url":"/v1/customers?limit=1","method":"GET","expand":["data.default_source"]}`).want(http.StatusOK)
	if calls := s.stripe.Calls(); len(calls) != 1 || calls[0].Form.Get("expand[]") != "data.default_source" {
		t.Errorf("calls = %+v", calls)
	}
}

// TestBodyThatBreaksOff: what the caller did not send is no failure of ours.
func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := newService(t)
	at, err := net.ResolveTCPAddr("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, rest := range []string{"Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\nno length\r\n"} {
		conn, err := net.DialTCP("tcp", nil, at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/modules/create-customer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", s.token, rest)
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer{t, res.StatusCode, res.Header, string(body)}.want(http.StatusBadRequest).problem()
	}
	if log := s.log.String(); strings.Contains(log, `"level":"error"`) {
		t.Errorf("the log blames the service: %s", log)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	bundle := map[string]any{"connection": s.conn}
	for i := range faultsMax + 1 {
		bundle["made_up_"+strconv.Itoa(i)] = 1
	}
	p := s.call(http.MethodPost, "/v1/modules/create-customer", bundle).want(http.StatusUnprocessableEntity).problem()
	if len(p.Fields) != faultsMax || p.Detail != "1001 fields need attention; these are the first 1000" {
		t.Errorf("%d faults: %s", len(p.Fields), p.Detail)
	}
}

func TestPassesHeadersOn(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.stripe.Account(stripetest.Key).Connect("acct_beta")
	s.stripe.ResetCalls()
	s.run("list-all-customers", `{}`, "Stripe-Account", "acct_beta", "Stripe-Version", "2023-10-16").want(http.StatusOK)
	s.run("create-customer", `{}`, "Stripe-Account", "acct_beta", "Stripe-Version", "2023-10-16").want(http.StatusOK)
	for _, c := range s.stripe.Calls() {
		if c.Header.Get("Stripe-Account") != "acct_beta" || c.Header.Get("Stripe-Version") != "2023-10-16" {
			t.Errorf("%s %s went out with %v", c.Method, c.Path, c.Header)
		}
		if c.Header.Get("X-Stripe-Client-User-Agent") != "" {
			t.Error("the host's name leaks")
		}
	}
	s.run("create-customer", `{}`, "Idempotency-Key", strings.Repeat("k", 256)).want(http.StatusUnprocessableEntity).problem()
}

func TestRoutesSpeakProblems(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.call(http.MethodGet, "/nowhere", nil).want(http.StatusNotFound).problem()
	s.call(http.MethodPost, "/v1/modules/no-such", `{}`).want(http.StatusNotFound).problem()
	a := s.call(http.MethodPut, "/v1/connections/x", nil).want(http.StatusMethodNotAllowed)
	a.problem()
	if got := a.header.Get("Allow"); got != "GET, PATCH, DELETE" {
		t.Errorf("Allow = %q, want GET, PATCH, DELETE", got)
	}
	s.call(http.MethodGet, "/v1/connections?stat=x&limit=1000&cursor=!", nil).want(http.StatusUnprocessableEntity).problem()
	s.call(http.MethodGet, "/v1/connections?cursor=!", nil).want(http.StatusUnprocessableEntity).problem()
	s.call(http.MethodPost, "/v1/connections", `{"key":7,"kee":1}`).want(http.StatusUnprocessableEntity).problem()
	s.as("", http.MethodGet, "/healthz", nil).want(http.StatusOK)
	s.as("", http.MethodGet, "/readyz", nil).want(http.StatusOK)
	if got := s.as("", http.MethodGet, "/healthz", nil, "X-Request-Id", "mine-1").header.Get("X-Request-Id"); got != "mine-1" {
		t.Errorf("X-Request-Id = %q, want the caller's", got)
	}
	if got := s.as("", http.MethodGet, "/healthz", nil, "X-Request-Id", "a\tb").header.Get("X-Request-Id"); got == "a\tb" {
		t.Error("an unusable request id was taken")
	}
}

func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	s := newService(t)
	broken := &server{Config: Config{Meter: unmetered{}, Log: zerolog.New(s.log), Now: time.Now}}
	w := httptest.NewRecorder()
	// Without a router there is no route pattern either, which observe must not mind.
	broken.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret_of_the_bug") })).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret_of_the_bug") {
		t.Errorf("the panic answered %d %s", w.Code, w.Body)
	}
	if !strings.Contains(s.log.String(), "secret_of_the_bug") {
		t.Error("the panic is not in the log")
	}
}

// TestEveryRouteIsGuarded holds for routes that do not exist yet: it reads the table.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	below := map[connection.Role]string{
		connection.RoleManage: s.newToken("default", connection.RoleRun),
		connection.RoleAdmin:  s.newToken("default", connection.RoleManage),
	}
	table := (&server{Config: Config{}}).routes()
	for _, at := range table {
		if at.role == public {
			continue
		}
		path := strings.NewReplacer("{module}", "create-customer", "{lookup}", "customers", "{id}", "x_1").Replace(at.pattern)
		for _, token := range []string{"", "sc_unknown"} {
			a := s.as(token, at.method, path, nil).want(http.StatusUnauthorized)
			if p := a.problem(); p.ErrorType != stripeapi.RuntimeError || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: %+v", at.method, at.pattern, p)
			}
		}
		if token := below[at.role]; token != "" {
			if p := s.as(token, at.method, path, nil).want(http.StatusForbidden).problem(); p.ErrorType != stripeapi.RuntimeError {
				t.Errorf("%s %s: %+v", at.method, at.pattern, p)
			}
		}
	}
	var open []string
	for _, at := range table {
		if at.role == public {
			open = append(open, at.method+" "+at.pattern)
		}
	}
	want := []string{"GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /docs", "GET /docs/*", "POST /stripe/{endpoint}"}
	if diff := cmp.Diff(want, open); diff != "" {
		t.Errorf("routes without a token (-want +got):\n%s", diff)
	}
}

// TestEveryIDIsOfOneWorkspace holds for routes that do not exist yet: it reads the table.
func TestEveryIDIsOfOneWorkspace(t *testing.T) {
	t.Parallel()
	s := newService(t)
	subscriber := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(subscriber.Close)
	type thing struct{ ID string }
	var hook, token, job thing
	s.run("watch-events", `{"webhook_name":"W","group":"customer","url":"`+subscriber.URL+`"}`).want(http.StatusCreated).into(&hook)
	s.call(http.MethodPost, "/v1/tokens", `{"role":"run"}`).want(http.StatusCreated).into(&token)
	s.run("create-customer", `{}`).want(http.StatusOK) // and with it an event
	if err := s.stripe.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	const since = `{"from":"2024-06-20T00:00:00Z"}`
	s.call(http.MethodPost, "/v1/webhooks/"+hook.ID+"/replay", since).want(http.StatusAccepted).into(&job)
	first := func(path string) string {
		t.Helper()
		var page struct{ Data []thing }
		s.call(http.MethodGet, path, nil).want(http.StatusOK).into(&page)
		if len(page.Data) == 0 {
			t.Fatalf("%s is empty", path)
		}
		return page.Data[0].ID
	}
	ids := map[string]string{
		"connections": s.conn, "webhooks": hook.ID, "tokens": token.ID, "jobs": job.ID,
		"events": first("/v1/events"), "deliveries": first("/v1/deliveries"),
	}
	bodies := map[string]string{"/v1/webhooks/{id}/replay": since}
	stranger := s.newToken("other", connection.RoleAdmin)
	asked := 0
	for _, at := range (&server{}).routes() {
		if !strings.Contains(at.pattern, "{id}") {
			continue
		}
		id := ids[strings.Split(at.pattern, "/")[2]]
		if id == "" {
			t.Errorf("%s %s: the test knows no such thing yet", at.method, at.pattern)
			continue
		}
		asked++
		body := any(nil)
		if at.method != http.MethodGet && at.method != http.MethodDelete {
			body = "{}"
			if given, ok := bodies[at.pattern]; ok {
				body = given
			}
		}
		want := http.StatusNotFound
		if at.method == http.MethodDelete && at.pattern == "/v1/webhooks/{id}" {
			want = http.StatusNoContent // gone or never there is the same answer
		}
		if got := s.as(stranger, at.method, strings.Replace(at.pattern, "{id}", id, 1), body); got.status != want {
			t.Errorf("%s %s of another workspace: status = %d, want %d: %s", at.method, at.pattern, got.status, want, got.body)
		}
	}
	if asked < 15 {
		t.Errorf("only %d routes were asked", asked)
	}
	for kind, id := range ids { // and they are all still there
		if kind != "tokens" { // which cannot be read one by one
			s.call(http.MethodGet, "/v1/"+kind+"/"+id, nil).want(http.StatusOK)
		}
	}
	if got := first("/v1/tokens"); got != token.ID {
		t.Errorf("the newest token is %s, want %s", got, token.ID)
	}
}

// TestFilterByObject: events and deliveries are found by the id of what they are about, page by page.
func TestFilterByObject(t *testing.T) {
	t.Parallel()
	s := newService(t)
	subscriber := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(subscriber.Close)
	s.run("watch-events", `{"webhook_name":"W","group":"customer","url":"`+subscriber.URL+`"}`).want(http.StatusCreated)
	customer := func() string {
		var made struct{ ID string }
		s.run("create-customer", `{}`).want(http.StatusOK).into(&made)
		s.run("update-customer", `{"customer":"`+made.ID+`","name":"Ann"}`).want(http.StatusOK)
		return made.ID
	}
	mine, _ := customer(), customer()
	if err := s.stripe.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	type line struct{ ID, Event, Type, Object string }
	list := func(token, path string) []line {
		t.Helper()
		var all []line
		for cursor := ""; ; {
			var page struct {
				Data []line
				Next *string `json:"next_cursor"`
			}
			s.as(token, http.MethodGet, path+"&limit=1"+cursor, nil).want(http.StatusOK).into(&page)
			if all = append(all, page.Data...); page.Next == nil {
				return all
			}
			cursor = "&cursor=" + url.QueryEscape(*page.Next)
		}
	}
	events := list(s.token, "/v1/events?object="+mine)
	if len(events) != 2 || events[0].Object != mine || events[1].Object != mine {
		t.Fatalf("about %s are %+v", mine, events)
	}
	if got := list(s.token, "/v1/events?type=customer.updated&object="+mine); len(got) != 1 || got[0].Type != "customer.updated" {
		t.Errorf("updates of %s are %+v", mine, got)
	}
	ids := map[string]int{}
	for _, e := range events {
		ids[e.ID]++
	}
	for _, d := range list(s.token, "/v1/deliveries?object="+mine) {
		ids[d.Event]++
	}
	if diff := cmp.Diff(map[string]int{events[0].ID: 2, events[1].ID: 2}, ids); diff != "" {
		t.Errorf("events and deliveries about %s differ (-want +got):\n%s", mine, diff)
	}
	var one line
	s.call(http.MethodGet, "/v1/events/"+events[0].ID, nil).want(http.StatusOK).into(&one)
	if one.Object != mine {
		t.Errorf("the event is about %q, want %s", one.Object, mine)
	}
	stranger := s.newToken("other", connection.RoleAdmin)
	for _, path := range []string{"/v1/events?object=", "/v1/deliveries?object="} {
		if got := list(s.token, path+"cus_nobody"); len(got) != 0 {
			t.Errorf("%scus_nobody shows %+v", path, got)
		}
		if got := list(stranger, path+mine); len(got) != 0 {
			t.Errorf("%s%s shows a stranger %+v", path, mine, got)
		}
	}
}

// A choice that there is not is answered with those that there are.
func TestFilterByUnknownState(t *testing.T) {
	t.Parallel()
	s := newService(t)
	got := s.call(http.MethodGet, "/v1/deliveries?state=sent", nil).want(http.StatusUnprocessableEntity).body
	if want := `"message":"must be one of pending, delivered, dead, skipped"`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
}

func TestWorkspacesAreApart(t *testing.T) {
	t.Parallel()
	s := newService(t)
	subscriber := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(subscriber.Close)
	var hook struct{ ID string }
	s.run("watch-events", `{"webhook_name":"W","group":"customer","url":"`+subscriber.URL+`"}`).want(http.StatusCreated).into(&hook)
	stranger := s.newToken("other", connection.RoleAdmin)
	var mine struct{ ID string }
	s.call(http.MethodPost, "/v1/tokens", `{"role":"run"}`).want(http.StatusCreated).into(&mine)

	for _, path := range []string{"/v1/connections/" + s.conn, "/v1/webhooks/" + hook.ID} {
		s.call(http.MethodGet, path, nil).want(http.StatusOK)
		s.as(stranger, http.MethodGet, path, nil).want(http.StatusNotFound).problem()
		s.as(stranger, http.MethodPatch, path, `{}`).want(http.StatusNotFound).problem()
	}
	s.as(stranger, http.MethodDelete, "/v1/connections/"+s.conn, nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/connections/"+s.conn+"/check", nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodDelete, "/v1/tokens/"+mine.ID, nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/webhooks/"+hook.ID+"/pause", nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/webhooks/"+hook.ID+"/replay", `{"from":"2024-06-20T00:00:00Z"}`).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/webhooks/"+hook.ID+"/roll-endpoint", nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/connections/"+s.conn+"/reconcile", nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/modules/retrieve-balance", `{"connection":"`+s.conn+`"}`).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodDelete, "/v1/webhooks/"+hook.ID, nil).want(http.StatusNoContent) // gone or never there is the same answer
	s.call(http.MethodGet, "/v1/webhooks/"+hook.ID, nil).want(http.StatusOK)
	s.call(http.MethodPut, "/v1/operations", map[string]string{"url": subscriber.URL}).want(http.StatusCreated)
	s.as(stranger, http.MethodGet, "/v1/operations", nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/operations/rotate-secret", nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodPost, "/v1/operations/test", nil).want(http.StatusNotFound).problem()
	s.as(stranger, http.MethodDelete, "/v1/operations", nil).want(http.StatusNoContent)
	s.as(stranger, http.MethodPut, "/v1/operations", `{"url":"http://127.0.0.1:9"}`).want(http.StatusCreated)
	if got := s.call(http.MethodGet, "/v1/operations", nil).want(http.StatusOK); !strings.Contains(got.body, subscriber.URL) {
		t.Errorf("the operations URL is %s", got.body)
	}
	for _, path := range []string{"/v1/connections", "/v1/webhooks", "/v1/events", "/v1/deliveries"} {
		var page struct{ Data []json.RawMessage }
		s.as(stranger, http.MethodGet, path, nil).want(http.StatusOK).into(&page)
		if len(page.Data) != 0 {
			t.Errorf("%s shows a stranger %s", path, page.Data)
		}
	}
	if p := s.call(http.MethodDelete, "/v1/connections/"+s.conn, nil).want(http.StatusConflict).problem(); !strings.Contains(p.Detail, "Webhooks") {
		t.Errorf("detail = %q, want to hear of webhooks", p.Detail)
	}
}

// TestReconcileOnDemand: what somebody deleted at Stripe is there again, and the answers say so.
func TestReconcileOnDemand(t *testing.T) {
	t.Parallel()
	s := newService(t)
	type health struct {
		Reconciled *time.Time
		Actions    []struct{ Action, Reason string }
	}
	var hook struct {
		ID       string
		Endpoint struct {
			StripeID string `json:"stripe_id"`
		}
		Health *health
	}
	s.run("watch-events", `{"webhook_name":"W","group":"customer","url":"http://127.0.0.1:9"}`).want(http.StatusCreated).into(&hook)
	s.stripe.Account(stripetest.Key).Remove(hook.Endpoint.StripeID)
	var done health
	s.call(http.MethodPost, "/v1/connections/"+s.conn+"/reconcile", nil).want(http.StatusOK).into(&done)
	if len(done.Actions) != 1 || done.Actions[0].Action != "created" {
		t.Errorf("actions = %+v, want one creation", done.Actions)
	}
	before := hook.Endpoint.StripeID
	s.call(http.MethodPost, "/v1/webhooks/"+hook.ID+"/roll-endpoint", nil).want(http.StatusOK).into(&hook)
	if hook.Health == nil || hook.Health.Reconciled == nil || len(hook.Health.Actions) != 2 || hook.Health.Actions[0].Action != "replaced" {
		t.Errorf("health = %+v, want the roll and before it the creation", hook.Health)
	}
	if hook.Endpoint.StripeID == before {
		t.Error("the endpoint at Stripe is the one that was deleted")
	}
}

// TestKeysStayInside sends keys through everything that takes one and looks for them in all that comes out.
func TestKeysStayInside(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var out strings.Builder
	keep := func(a answer) answer {
		out.WriteString(a.body)
		fmt.Fprint(&out, a.header)
		return a
	}
	keep(s.call(http.MethodGet, "/v1/connections", nil))
	keep(s.call(http.MethodPost, "/v1/connections", map[string]string{"key": stripetest.KeyRevoked}).want(http.StatusUnprocessableEntity))
	keep(s.call(http.MethodPatch, "/v1/connections/"+s.conn, map[string]string{"key": stripetest.KeyOther}).want(http.StatusUnprocessableEntity))
	keep(s.call(http.MethodPost, "/v1/connections/"+s.conn+"/check", nil).want(http.StatusOK))
	keep(s.run("create-customer", `{"balance":"`+stripetest.Key+`"}`))
	keep(s.run("create-customer", `{"`+stripetest.Key+`":1}`))
	keep(s.run("retrieve-customer", `{"customer":"`+stripetest.Key+`"}`))
	keep(s.call(http.MethodPost, "/v1/connections", map[string]string{"key": stripetest.KeyLive + " x"}))
	keep(s.call(http.MethodGet, "/v1/tokens", nil))
	out.WriteString(s.log.String())
	for _, name := range []string{"connector.db", "connector.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
	}
	for _, secret := range []string{stripetest.Key, stripetest.KeyRevoked, stripetest.KeyOther, stripetest.KeyLive, adminToken} {
		if i := strings.Index(out.String(), secret); i >= 0 {
			t.Errorf("%s came out: …%s…", secret, out.String()[max(0, i-80):min(out.Len(), i+80)])
		}
	}
}

func TestAccessLogHasThePatternAndNoData(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.run("retrieve-customer", `{"customer":"cus_private"}`)
	s.call(http.MethodGet, "/v1/events?type=private.type", nil)
	log := s.log.String()
	if !strings.Contains(log, `"route":"/v1/modules/{module}"`) || !strings.Contains(log, `"duration":`) {
		t.Errorf("the log lacks the route pattern or the duration: %s", log)
	}
	if strings.Contains(log, "private") {
		t.Errorf("the log holds data of a request: %s", log)
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	s := newService(t)
	customers := s.stripe.Account(stripetest.Key).Seed("customer", 3, func(i int) map[string]any {
		return map[string]any{"name": fmt.Sprintf("Ann %d", i), "email": fmt.Sprintf("ann%d@example.com", i)}
	})
	var page struct {
		Options    []choice
		NextCursor *string `json:"next_cursor"`
	}
	query := "?connection=" + s.conn
	s.call(http.MethodGet, "/v1/lookups/customers"+query+"&email=ann1@example.com", nil).want(http.StatusOK).into(&page)
	if len(page.Options) != 1 || page.Options[0].Label != "Ann 1 (ann1@example.com)" || !strings.HasPrefix(page.Options[0].Value, "cus_") {
		t.Errorf("options = %+v", page.Options)
	}
	s.call(http.MethodGet, "/v1/lookups/customers"+query+"&limit=2", nil).want(http.StatusOK).into(&page)
	if len(page.Options) != 2 || page.NextCursor == nil {
		t.Errorf("options = %+v, next_cursor = %v, want 2 and a cursor", page.Options, page.NextCursor)
	}
	s.call(http.MethodGet, "/v1/lookups/payment_methods"+query, nil).want(http.StatusUnprocessableEntity).problem()
	s.call(http.MethodGet, "/v1/lookups/customers"+query+"&mail=x", nil).want(http.StatusUnprocessableEntity).problem()
	s.call(http.MethodGet, "/v1/lookups/none"+query, nil).want(http.StatusNotFound).problem()
	s.stripe.Restrict(stripetest.KeyRestricted, "charge_read")
	restricted := "?connection=" + s.connect(s.token, stripetest.KeyRestricted)
	s.call(http.MethodGet, "/v1/lookups/charges"+restricted, nil).want(http.StatusOK)
	if p := s.call(http.MethodGet, "/v1/lookups/customers"+restricted, nil).want(http.StatusForbidden).problem(); !strings.Contains(p.Detail, "customer_read") {
		t.Errorf("detail = %q, want the permission that the key lacks", p.Detail)
	}
	catalogue, err := modules.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range catalogue.Lookups() {
		if l.Key == "payment_methods" {
			s.call(http.MethodGet, "/v1/lookups/"+l.Key+query+"&customer="+customers[0], nil).want(http.StatusOK)
			continue
		}
		s.call(http.MethodGet, "/v1/lookups/"+l.Key+query, nil).want(http.StatusOK)
	}
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var page struct {
		Data []struct {
			Key    string
			Events []struct{ Type, Label string }
		}
	}
	s.call(http.MethodGet, "/v1/event-types", nil).want(http.StatusOK).into(&page)
	types := 0
	for _, g := range page.Data {
		types += len(g.Events)
	}
	if len(page.Data) != 54 || page.Data[0].Key != "all" || types != 237 {
		t.Errorf("%d groups with %d types, want 54 (all included) with 237", len(page.Data), types)
	}
	var menu choices
	s.call(http.MethodGet, "/v1/lookups/event-types?group=payout", nil).want(http.StatusOK).into(&menu)
	if len(menu.Options) == 0 || !strings.HasPrefix(menu.Options[0].Value, "payout.") {
		t.Errorf("the menu of payouts is %+v", menu.Options)
	}
	s.call(http.MethodGet, "/v1/lookups/event-types?grup=payout", nil).want(http.StatusUnprocessableEntity).problem()
}

func TestManifest(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var list struct {
		Data []struct {
			Key, Label, Path string
			Fields           []json.RawMessage
			Output           struct{ Sample json.RawMessage }
		}
	}
	a := s.call(http.MethodGet, "/v1/modules", nil).want(http.StatusOK)
	a.into(&list)
	if len(list.Data) != 41 || list.Data[0].Key != "watch-events" || list.Data[40].Key != "list-payment-link-lines" {
		t.Errorf("%d modules, from %s", len(list.Data), list.Data[0].Key)
	}
	for _, m := range list.Data {
		one := s.call(http.MethodGet, m.Path, nil).want(http.StatusOK)
		s.call(http.MethodGet, m.Path, nil, "If-None-Match", one.header.Get("ETag")).want(http.StatusNotModified)
	}
	s.call(http.MethodGet, "/v1/modules", nil, "If-None-Match", a.header.Get("ETag")).want(http.StatusNotModified)
	s.call(http.MethodGet, "/v1/modules/none", nil).want(http.StatusNotFound).problem()
	packed := s.open(t.Context(), s.token, http.MethodGet, "/v1/modules", nil, "Accept-Encoding", "gzip")
	defer packed.Body.Close()
	if n, err := io.Copy(io.Discard, packed.Body); err != nil || packed.Header.Get("Content-Encoding") != "gzip" || n > int64(len(a.body)/5) {
		t.Errorf("the manifests have %d bytes, compressed %d (%v)", len(a.body), n, err)
	}
	for path, status := range map[string]int{
		"/openapi.json": http.StatusOK, "/docs": http.StatusOK, "/docs/modules/create-customer": http.StatusOK, "/docs/modules/none": http.StatusNotFound,
	} {
		res := s.open(t.Context(), "", http.MethodGet, path, nil)
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("GET %s = %d, want %d", path, res.StatusCode, status)
		}
	}
}

// TestEveryRouteIsDocumented: what platforms call stands in the document, and nothing else does.
func TestEveryRouteIsDocumented(t *testing.T) {
	t.Parallel()
	document, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := modules.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, at := range (&server{}).routes() {
		route := at.method + " " + at.pattern
		switch {
		case strings.HasPrefix(at.pattern, "/docs"): // for people
		case route == "POST /v1/modules/{module}":
			for _, m := range catalogue.Modules() {
				served["POST /v1/modules/"+m.Key] = true
			}
		case strings.HasSuffix(at.pattern, "{lookup}"):
			for _, l := range catalogue.Lookups() {
				served["GET /v1/lookups/"+l.Key] = true
			}
		default:
			served[route] = true
		}
	}
	documented := map[string]bool{}
	for _, route := range document.Routes() {
		documented[route] = true
	}
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("routes (-documented +served):\n%s", diff)
	}
}
