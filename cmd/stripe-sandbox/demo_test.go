package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestMain makes the test binary a connector when it is started as one, so that the demo has a real child process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" && os.Getenv("CONNECTOR_LISTEN") != "" {
		fmt.Fprintln(os.Stderr, fakeConnector(os.Getenv("FAKE_CONNECTOR")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fakeConnector answers what the walk asks for, with as little as will do. The mode makes it differ.
func fakeConnector(mode string) error {
	if mode == "dies" {
		return fmt.Errorf("cannot open %s", os.Getenv("CONNECTOR_DATABASE_URL"))
	}
	f := &fake{mode: mode}
	return http.ListenAndServe(os.Getenv("CONNECTOR_LISTEN"), f)
}

type fake struct {
	mode string

	mu         sync.Mutex
	stripeKey  string
	subscriber string
}

const fakeSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/readyz" {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+os.Getenv("CONNECTOR_ADMIN_TOKEN") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in) // a request without a body is one too
	answer := func(status int, v any) {
		w.WriteHeader(status)
		if raw, ok := v.(json.RawMessage); ok {
			_, _ = w.Write(raw)
		} else {
			_ = json.NewEncoder(w).Encode(v)
		}
	}
	customers := "/v1/customers"
	customer := customers + "/" + fmt.Sprint(in["customer"])
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/connections":
		f.stripeKey = fmt.Sprint(in["key"])
		answer(http.StatusCreated, map[string]any{"id": "conn_1", "last4": "alpha"})
	case "POST /v1/modules/create-customer":
		if f.mode == "crashes" {
			os.Exit(3)
		}
		raw := f.stripe("POST", customers, in)
		answer(http.StatusOK, raw)
		if f.subscriber != "" {
			go f.deliver(f.subscriber, []byte(fmt.Sprintf(`{"id":"evt_1","type":"customer.created","data":{"object":%s}}`, raw)))
		}
	case "POST /v1/modules/search-customers":
		var page struct {
			Data []json.RawMessage `json:"data"`
		}
		_ = json.Unmarshal(f.stripe("GET", customers+"?email="+url.QueryEscape(fmt.Sprint(in["email"])), nil), &page)
		answer(http.StatusOK, map[string]any{"bundles": page.Data, "has_more": false})
	case "POST /v1/modules/update-customer":
		switch {
		case in["names"] != nil && f.mode == "lenient":
			answer(http.StatusOK, map[string]any{})
		case in["names"] != nil:
			answer(http.StatusUnprocessableEntity, map[string]any{"title": "Unprocessable bundle", "detail": "2 fields need attention"})
		default:
			answer(http.StatusOK, f.stripe("POST", customer, in))
		}
	case "POST /v1/modules/retrieve-customer":
		answer(http.StatusOK, f.stripe("GET", customer, nil))
	case "POST /v1/modules/delete-customer":
		answer(http.StatusOK, f.stripe("DELETE", customer, nil))
	case "POST /v1/modules/make-an-api-call":
		answer(http.StatusOK, map[string]any{"status_code": 200, "body": f.stripe("GET", "/v1/customers?limit=2", nil)})
	case "POST /v1/modules/watch-events":
		if f.mode != "watches" {
			answer(http.StatusNotFound, map[string]any{"title": "Unknown module"})
			return
		}
		f.subscriber = fmt.Sprint(in["url"])
		answer(http.StatusCreated, map[string]any{"id": "whk_1", "signing_secret": fakeSecret})
	case "DELETE /v1/webhooks/whk_1":
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(http.StatusNotFound, map[string]any{"title": "Not found"})
	}
}

// stripe passes a bundle's text fields on.
func (f *fake) stripe(method, path string, in map[string]any) json.RawMessage {
	form := url.Values{}
	var flatten func(prefix string, v any)
	flatten = func(prefix string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				switch {
				case prefix == "" && (name == "connection" || name == "customer"), value == "":
				case prefix == "":
					flatten(name, value)
				default:
					flatten(prefix+"["+name+"]", value)
				}
			}
		case []any:
			for _, item := range v {
				pair, _ := item.(map[string]any)
				form.Set(prefix+"["+fmt.Sprint(pair["key"])+"]", fmt.Sprint(pair["value"]))
			}
		default:
			form.Set(prefix, fmt.Sprint(v))
		}
	}
	flatten("", in)
	r, err := http.NewRequest(method, os.Getenv("CONNECTOR_STRIPE_API_BASE")+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil
	}
	r.Header.Set("Authorization", "Bearer "+f.stripeKey)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	raw, _ := io.ReadAll(response.Body)
	return raw
}

func (f *fake) deliver(to string, body []byte) {
	signer, err := standardwebhooks.NewWebhook(fakeSecret)
	if err != nil {
		return
	}
	now := time.Now()
	signature, err := signer.Sign("evt_1", now, body)
	if err != nil {
		return
	}
	r, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return
	}
	r.Header.Set("Webhook-Id", "evt_1")
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", signature)
	if response, err := http.DefaultClient.Do(r); err == nil {
		response.Body.Close()
	}
}

func runDemo(t *testing.T, mode string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Setenv("FAKE_CONNECTOR", mode)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	err = run(t.Context(), append([]string{"demo", "--once", "--connector", self}, args...), func(string) string { return "" }, &out, &log)
	return out.String(), log.String(), err
}

// The demo tests share the environment, so they run one after the other.

func TestDemo(t *testing.T) {
	data := t.TempDir()
	tests := []struct {
		mode string
		want []string
	}{
		{"plain", []string{"POST /v1/connections", "create-customer", "search-customers", "update-customer", "← 422", "delete-customer", "make-an-api-call", "no triggers yet"}},
		{"watches", []string{"watch-events", "webhook-id evt_1, signature good", "DELETE /v1/webhooks/whk_1", "← 204"}},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			stdout, stderr, err := runDemo(t, tt.mode, "--data", data)
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, stdout, stderr)
			}
			flat := strings.Join(strings.Fields(stdout), " ")
			for _, part := range tt.want {
				if !strings.Contains(flat, part) {
					t.Errorf("the walk does not show %q:\n%s", part, stdout)
				}
			}
			for _, secret := range []string{fakeSecret, "sk_test_alpha"} {
				if strings.Contains(stdout, secret) {
					t.Errorf("the walk shows %s", secret)
				}
			}
		})
	}
}

func TestDemoFails(t *testing.T) {
	tests := []struct {
		mode, wantErr, wantLog string
	}{
		{"dies", "died, its log is above: exit status 1", "cannot open sqlite:"},
		{"crashes", "died, its log is above: exit status 3", ""},
		{"lenient", "update-customer answered 200, wanted 422", ""},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			_, stderr, err := runDemo(t, tt.mode)
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("got error %v, want %q", err, tt.wantErr)
			}
			if !strings.Contains(stderr, tt.wantLog) {
				t.Errorf("got log %q, want %q", stderr, tt.wantLog)
			}
		})
	}
}

// TestDemoStaysUp waits for the last lines, then ends the demo as Ctrl-C does.
func TestDemoStaysUp(t *testing.T) {
	t.Setenv("FAKE_CONNECTOR", "plain")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := newContext(t)
	reader, writer := io.Pipe()
	var log bytes.Buffer
	result := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"demo", "--connector", self}, func(string) string { return "" }, writer, &log)
		writer.Close()
		result <- err
	}()
	lines := newLines(reader)
	for line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "curl ") {
			if !strings.Contains(line, "Authorization: Bearer sc_") || !strings.Contains(line, `"connection":"conn_1"`) {
				t.Errorf("the curl line is not complete: %s", line)
			}
			stop()
		}
	}
	if err := <-result; err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, log.String())
	}
}

func TestDemoRefusesLiveKeys(t *testing.T) {
	t.Parallel()
	getenv := func(string) string { return "sk_live_51abc" }
	err := run(t.Context(), []string{"demo", "--once"}, getenv, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "live key") || strings.Contains(err.Error(), "51abc") {
		t.Errorf("got %v, want a refusal that does not show the key", err)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args    []string
		wantErr string
	}{
		{nil, "no command given"},
		{[]string{"dance"}, `unknown command "dance"`},
		{[]string{"serve", "now"}, `unexpected argument "now"`},
		{[]string{"demo", "--twice"}, "flag provided but not defined"},
		{[]string{"demo", "--connector", filepath.Join(t.TempDir(), "none")}, "starting none"},
		{[]string{"help"}, ""},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			var out, log bytes.Buffer
			err := run(t.Context(), tt.args, func(string) string { return "" }, &out, &log)
			if got := fmt.Sprint(err); (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(got, tt.wantErr) {
				t.Errorf("got %v, want %q", err, tt.wantErr)
			}
		})
	}
}
