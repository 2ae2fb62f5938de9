package webhooks

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// roundTripper is a subscriber without a network, for tests in a bubble.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// respond is a whole answer.
func respond(status int, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("ok"))}
}

func testMessage(target string) message {
	return message{EventID: "evt_1", Target: target, Body: []byte(`{"id":"evt_1"}`), Secrets: []string{newSigningSecret()}}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	want := func(status int) verdict {
		switch status {
		case 200, 201, 202, 203, 204, 205, 206, 207, 208, 226:
			return verdictDelivered
		case 410:
			return verdictGone
		}
		if status > 208 && status < 300 {
			return verdictDelivered
		}
		return verdictRetry
	}
	for status := range 1000 {
		if got := judge(status); got != want(status) {
			t.Errorf("judge(%d) = %v, want %v", status, got, want(status))
		}
	}
}

func TestDeliverEveryStatus(t *testing.T) {
	t.Parallel()
	subscriber := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "/200")
		w.WriteHeader(status)
	}))
	t.Cleanup(subscriber.Close)
	d := NewDeliverer(10*time.Second, true, time.Now)
	t.Cleanup(d.Close)
	for status := 200; status < 600; status++ {
		got := d.deliver(t.Context(), testMessage(fmt.Sprintf("%s/%d", subscriber.URL, status)))
		if got.Status != status || got.Verdict != judge(status) || got.Failure != "" || got.Phase != "" {
			t.Errorf("status %d: %+v", status, got)
		}
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	body := []byte("{\n  \"id\": \"evt_1\",  \"emoji\": \"\\ud83d\\ude00\"\t}\n")
	now := time.Now()
	type request struct {
		method string
		header http.Header
		body   []byte
	}
	requests := make(chan request, 1)
	subscriber := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- request{r.Method, r.Header, got}
		_, _ = w.Write(bytes.Repeat([]byte("x"), 2000))
	}))
	t.Cleanup(subscriber.Close)
	d := NewDeliverer(10*time.Second, true, func() time.Time { return now })
	t.Cleanup(d.Close)
	secrets := []string{newSigningSecret(), newSigningSecret()}

	a := d.deliver(t.Context(), message{
		EventID: "evt_1", Account: "acct_1", Target: subscriber.URL + "/hook?token=1", Body: body, Secrets: secrets,
	})
	if a.Verdict != verdictDelivered || a.Status != 200 || len(a.Body) != maxAnswerKept {
		t.Errorf("answer = %+v", a)
	}
	r := <-requests
	if !bytes.Equal(r.body, body) {
		t.Errorf("the subscriber got %q, want %q", r.body, body)
	}
	for header, want := range map[string]string{
		"Webhook-Id": "evt_1", "Webhook-Timestamp": strconv.FormatInt(now.Unix(), 10), "Stripe-Account": "acct_1",
		"Content-Type": "application/json", "Accept-Encoding": "",
	} {
		if got := r.header.Get(header); got != want {
			t.Errorf("%s = %q, want %q", header, got, want)
		}
	}
	if got := len(strings.Fields(r.header.Get("Webhook-Signature"))); got != 2 {
		t.Errorf("%d signatures, want one for each of 2 secrets", got)
	}
	for i, secret := range secrets {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(r.body, r.header); err != nil {
			t.Errorf("secret %d does not verify: %v", i, err)
		}
	}
}

func TestNewSigningSecret(t *testing.T) {
	t.Parallel()
	secret := newSigningSecret()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) != 32 || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("newSigningSecret() = %d bytes, %v", len(key), err)
	}
	if secret == newSigningSecret() {
		t.Error("two secrets are equal")
	}
}

func TestDeliverNeedsSecret(t *testing.T) {
	t.Parallel()
	d := NewDeliverer(time.Second, true, time.Now)
	d.transport = roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("an unsigned request was sent")
		return respond(200), nil
	})
	for _, secrets := range [][]string{nil, {"whsec_not base64"}} {
		m := testMessage("https://example.com")
		m.Secrets = secrets
		a := d.deliver(t.Context(), m)
		if a.Verdict != verdictRetry || a.Phase != phaseSign || strings.Contains(a.Failure, "base64") {
			t.Errorf("secrets %q: %+v", secrets, a)
		}
	}
}

func TestDeliverFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	subscriber := httptest.NewServer(mux)
	t.Cleanup(subscriber.Close)
	d := NewDeliverer(10*time.Second, true, time.Now)
	t.Cleanup(d.Close)
	a := d.deliver(t.Context(), testMessage(subscriber.URL+"/hook"))
	if a.Status != 307 || a.Verdict != verdictRetry || followed.Load() {
		t.Errorf("answer = %+v, followed: %t", a, followed.Load())
	}
}

func TestDeliverKeepsConnections(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	subscriber := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), maxAnswerRead-1000))
	}))
	subscriber.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	subscriber.Start()
	t.Cleanup(subscriber.Close)
	d := NewDeliverer(10*time.Second, true, time.Now)
	t.Cleanup(d.Close)
	for range 10 {
		if a := d.deliver(t.Context(), testMessage(subscriber.URL)); a.Verdict != verdictDelivered {
			t.Fatalf("answer = %+v", a)
		}
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("%d connections for 10 deliveries, want 1", got)
	}
}

// drip is a body that sends a byte each second and never ends, until the request does.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		p[0] = '.'
		return 1, nil
	}
}

func (drip) Close() error { return nil }

func TestDeliverHasOneDeadline(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		subscriber roundTripper
		status     int
	}{
		{"never answers", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 0},
		{"drips after a late status", func(r *http.Request) (*http.Response, error) {
			time.Sleep(20 * time.Second)
			return &http.Response{StatusCode: 200, Body: drip{r.Context()}}, nil
		}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := NewDeliverer(30*time.Second, true, time.Now)
				d.transport = tt.subscriber
				a := d.deliver(t.Context(), testMessage("http://example.com"))
				if a.Duration != 30*time.Second || a.Verdict != verdictRetry || a.Status != tt.status {
					t.Errorf("answer = %+v, want a failure after 30 s", a)
				}
				if want := "no whole answer within 30s"; a.Failure != want {
					t.Errorf("failure = %q, want %q", a.Failure, want)
				}
			})
		})
	}
}

// flood is a body without end.
type flood struct{ read int }

func (f *flood) Read(p []byte) (int, error) { f.read += len(p); return len(p), nil }

func (*flood) Close() error { return nil }

func TestDeliverReadsBounded(t *testing.T) {
	t.Parallel()
	body := &flood{}
	d := NewDeliverer(10*time.Second, true, time.Now)
	d.transport = roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body}, nil
	})
	a := d.deliver(t.Context(), testMessage("http://example.com"))
	if a.Verdict != verdictDelivered || len(a.Body) != maxAnswerKept || body.read > 2*maxAnswerRead {
		t.Errorf("verdict %v, %d bytes kept, %d read", a.Verdict, len(a.Body), body.read)
	}
}

func TestDeliverPhases(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(cut.Close)
	abort := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(abort.Close)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = nil
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)

	d := NewDeliverer(10*time.Second, true, time.Now)
	t.Cleanup(d.Close)
	tests := []struct {
		name, target, phase string
		status              int
	}{
		{"refused", closed.URL, phaseDial, 0},
		{"certificate", untrusted.URL, phaseTLS, 0},
		{"hung up", abort.URL, phaseWait, 0},
		{"cut", cut.URL, phaseRead, 200},
		{"scheme", "ftp://example.com", phaseTarget, 0},
		{"malformed", "http://[::1", phaseTarget, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := d.deliver(t.Context(), testMessage(tt.target+"/hook?token=hunter2"))
			if a.Verdict != verdictRetry || a.Phase != tt.phase || a.Status != tt.status || a.Failure == "" {
				t.Errorf("answer = %+v, want phase %q and status %d", a, tt.phase, tt.status)
			}
			if strings.Contains(a.Failure, "hunter2") {
				t.Errorf("failure names the URL: %q", a.Failure)
			}
		})
	}
}

func TestDeliverDialsPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	subscriber := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(subscriber.Close)
	_, port, err := net.SplitHostPort(subscriber.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := NewDeliverer(10*time.Second, false, time.Now)
	t.Cleanup(d.Close)
	// The second one passes as a name and is found out after DNS.
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"} {
		a := d.deliver(t.Context(), testMessage("https://"+net.JoinHostPort(strings.Trim(host, "[]"), port)))
		if a.Verdict != verdictRetry || a.Phase != phaseTarget || reached.Load() {
			t.Errorf("%s: %+v, reached: %t", host, a, reached.Load())
		}
	}
	a := d.deliver(t.Context(), testMessage("http://example.com"))
	if want := "the target must begin with https://"; a.Failure != want {
		t.Errorf("http: failure %q, want %q", a.Failure, want)
	}
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		address string
		public  bool
	}{
		{"8.8.8.8", true},
		{"2606:4700::1111", true},
		{"10.1.2.3", false},
		{"172.16.0.1", false},
		{"192.168.1.1", false},
		{"100.64.0.1", false},
		{"127.0.0.1", false},
		{"0.0.0.0", false},
		{"169.254.169.254", false},
		{"168.63.129.16", false},
		{"224.0.0.1", false},
		{"255.255.255.255", false},
		{"::1", false},
		{"::", false},
		{"fe80::1%eth0", false},
		{"fd00:ec2::254", false},
		{"::ffff:10.0.0.1", false},
		{"::ffff:168.63.129.16", false},
		{"64:ff9b::a9fe:a9fe", false},
		{"2002:7f00:1::", false},
		{"::ffff:8.8.8.8", true},
	}
	for _, tt := range tests {
		if got := checkAddress(netip.MustParseAddr(tt.address)) == nil; got != tt.public {
			t.Errorf("checkAddress(%s) allows: %t, want %t", tt.address, got, tt.public)
		}
	}
}

func TestCheckTarget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		target          string
		public, private bool // whether it is allowed
	}{
		{"https://hook.example.com/path?x=1", true, true},
		{"https://example.com:8443", true, true},
		{"https://8.8.8.8/", true, true},
		{"http://example.com", false, true},
		{"https://10.0.0.1", false, true},
		{"https://[::1]:80/", false, true},
		{"https://localhost", false, true},
		{"https://api.localhost.", false, true},
		{"https://127.1", false, true},
		{"https://2130706433", false, true},
		{"https://0x7f000001", false, true},
		{"https://168.63.129.16/", false, true},
		{"https://user:pass@example.com", false, false},
		{"https://example.com/#part", false, false},
		{"ftp://example.com", false, false},
		{"file:///etc/passwd", false, false},
		{"//example.com", false, false},
		{"example.com", false, false},
		{"https:example.com", false, false},
		{"https://", false, false},
		{"https://exa mple.com", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		for allowPrivate, want := range map[bool]bool{false: tt.public, true: tt.private} {
			err := checkTarget(tt.target, allowPrivate)
			var refused targetError
			if (err == nil) != want || (err != nil && !errors.As(err, &refused)) {
				t.Errorf("checkTarget(%q, %t) = %v, want allowed: %t", tt.target, allowPrivate, err, want)
			}
		}
	}
}
