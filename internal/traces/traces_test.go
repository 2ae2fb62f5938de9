package traces

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"stripe-connector/internal/config"
	"stripe-connector/internal/store"
	"stripe-connector/internal/traces/tracestest"
)

// Every path of Stripe's can be told from the others, and no id shows.
func TestTemplate(t *testing.T) {
	t.Parallel()
	doc, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		t.Fatal(err)
	}
	v, used := newVocabulary(), newVocabulary()
	delete(used, "v2")
	delete(used, "core")
	placeholder := regexp.MustCompile(`\{[^}]*\}`)
	for path := range doc.Paths {
		want := placeholder.ReplaceAllString(string(path), "{id}")
		if got := v.template(placeholder.ReplaceAllString(string(path), "cus_NffrFeUfNV2Hib")); got != want {
			t.Errorf("template(%s) = %s", path, got)
		}
		for segment := range strings.SplitSeq(string(path), "/") {
			delete(used, segment)
		}
	}
	for word := range used {
		t.Errorf("Stripe has no path with %q", word)
	}
	for path, want := range map[string]string{
		"/v1/coupons/summer": "/v1/coupons/{id}", "/v1/customers/john_doe/sources/card_1": "/v1/customers/{id}/sources/{id}",
		"/v1/new_thing": "/v1/{id}", "/v1/customers/": "/v1/customers/{id}", "/v2/core/events/evt_1": "/v2/core/events/{id}",
	} {
		if got := v.template(path); got != want {
			t.Errorf("template(%s) = %s, want %s", path, got, want)
		}
	}
}

// A service that nobody follows pays nothing for it.
func TestOffCostsNothing(t *testing.T) {
	tracer, err := Start(t.Context(), nil, "1", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/modules/create-refund", http.NoBody)
	events, work, outcome := []store.NewEvent{{ID: "evt_1"}}, store.Work{Event: &store.Event{}, Webhook: &store.Webhook{}}, store.Outcome{}
	ctx := t.Context()
	allocs := testing.AllocsPerRun(100, func() {
		traced, answered := tracer.Request(r, "req_1", "/v1/modules/{module}", "create-refund", true)
		tracer.Try(ctx, http.MethodPost, "/v1/refunds", 1)(http.StatusOK, "req_1", nil)
		origin, stored := tracer.Store(ctx, events)
		stored(nil, nil)
		parent, attempted := tracer.Attempt(ctx, work)
		attempted(outcome)
		kept, done := tracer.Keep(ctx, "ep_1")
		done(nil)
		answered(http.StatusOK, "")
		if traced != r || kept != ctx || origin != "" || parent != "" {
			t.Error("something is followed")
		}
	})
	if allocs != 0 {
		t.Errorf("it costs %v allocations", allocs)
	}
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func started(t *testing.T, cfg *config.Traces, log *bytes.Buffer) *Tracer {
	t.Helper()
	tracer, err := Start(t.Context(), cfg, "1.2.3", zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func sent(c *tracestest.Collector) []tracestest.Span {
	return c.Spans(func(tracestest.Span) bool { return true })
}

// A collector that is busy is asked again, and gets what it was told to get.
func TestExport(t *testing.T) {
	collector := tracestest.New(t)
	collector.Refuse(http.StatusServiceUnavailable)
	var log bytes.Buffer
	tracer := started(t, &config.Traces{
		Endpoint: config.NewSecret(strings.Replace(collector.URL, "//", "//user:password@", 1) + "/v1/traces"), Gzip: true, Timeout: time.Minute,
		Headers: map[string]config.Secret{"x-key": config.NewSecret("secret")},
	}, &log)
	_, done := tracer.Keep(t.Context(), "ep_1")
	done(errors.New("secret"))
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := sent(collector)
	if len(spans) != 1 || spans[0].Name != "keep endpoint" || !spans[0].Failed || spans[0].Values["error.type"] != "failed" ||
		spans[0].Resource["service.version"] != "1.2.3" {
		t.Errorf("the collector got %+v", spans)
	}
	got := collector.Header()
	user, password, _ := (&http.Request{Header: got}).BasicAuth()
	if got.Get("Path") != "/v1/traces" || got.Get("X-Key") != "secret" || got.Get("Content-Type") != "application/x-protobuf" || user+password != "userpassword" {
		t.Errorf("the collector got the header %v", got)
	}
	if bytes.Contains(collector.Raw(), []byte("secret")) {
		t.Error("the text of an error was sent")
	}
}

// What a collector does not take is lost, said, and holds up nothing.
func TestExportFails(t *testing.T) {
	collector := tracestest.New(t)
	collector.Refuse(http.StatusBadRequest)
	var log bytes.Buffer
	tracer := started(t, &config.Traces{Endpoint: config.NewSecret(collector.URL), Timeout: time.Minute}, &log)
	_, done := tracer.Keep(t.Context(), "ep_1")
	done(nil)
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "the collector answers 400") {
		t.Errorf("the log says %q", &log)
	}

	// One that is away ends with the time that there is.
	tracer = started(t, &config.Traces{Endpoint: config.NewSecret("http://user:password@127.0.0.1:1"), Timeout: time.Minute}, &log)
	_, done = tracer.Keep(t.Context(), "ep_1")
	done(nil)
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := tracer.Close(short); err == nil || strings.Contains(err.Error(), "password") {
		t.Errorf("Close() = %v", err)
	}
}
