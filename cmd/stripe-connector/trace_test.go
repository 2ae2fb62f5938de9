package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/stripetest"
	"stripe-connector/internal/traces/tracestest"
)

// traced has a program send its traces to a collector, at once.
func (p *program) traced(c *tracestest.Collector, variables ...string) {
	p.env = append(p.env, append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=1"}, variables...)...)
}

func named(name string) func(tracestest.Span) bool {
	return func(s tracestest.Span) bool { return s.Name == name }
}

// A module call is one trace, from the caller's own to each try at Stripe.
func TestTraceOfAModuleCall(t *testing.T) {
	t.Parallel()
	collector := tracestest.New(t)
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	p.traced(collector, "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=tests")
	s := p.start()
	conn := p.connect(stripetest.Key)
	stripe.Fault(stripetest.ServerError(http.StatusInternalServerError).On(http.MethodPost, "/v1/payment_intents").Times(1))
	stripe.ResetCalls()
	caller := tracestest.Span{Trace: "4bf92f3577b34da6a3ce929d0e0e4736", ID: "00f067aa0ba902b7"}
	p.client.Transport = withHeader{p.client.Transport, "Traceparent", caller.Traceparent()}
	made := p.call(http.MethodPost, "/v1/modules/create-payment-intent", object{"connection": conn, "amount": 100, "currency": "eur"})
	made.want(http.StatusOK)

	request := collector.Wait(t, "the call", 1, func(s tracestest.Span) bool { return s.Values["connector.module"] == "create-payment-intent" })[0]
	if request.Name != "POST /v1/modules/{module}" || request.Kind != "server" || request.Trace != caller.Trace || request.Parent != caller.ID ||
		request.Failed || request.Values["connector.request.id"] != made.header.Get("X-Request-Id") {
		t.Errorf("the call's span is %+v", request)
	}
	if request.Resource["service.name"] != "stripe-connector" || request.Resource["deployment.environment.name"] != "tests" {
		t.Errorf("the resource is %v", request.Resource)
	}
	tries := collector.Wait(t, "the tries", 2, func(s tracestest.Span) bool { return s.Parent == request.ID })
	var got [][]any
	for _, s := range tries {
		got = append(got, []any{s.Name, s.Kind, s.Failed, s.Values["http.response.status_code"], s.Values["http.request.resend_count"], s.Values["stripe.request.id"] != nil})
	}
	want := [][]any{
		{"POST /v1/payment_intents", "client", true, int64(500), nil, true},
		{"POST /v1/payment_intents", "client", false, int64(200), int64(1), true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tries (-want +got):\n%s", diff)
	}
	if tries[1].Values["stripe.request.id"] != made.header.Get("Stripe-Request-Id") {
		t.Errorf("the last try is %v, want the request id %s", tries[1].Values, made.header.Get("Stripe-Request-Id"))
	}
	for _, c := range stripe.Calls() {
		if c.Header.Get("Traceparent") != "" {
			t.Error("Stripe was told of the trace")
		}
	}

	// What was seen just before the end is still sent.
	p.call(http.MethodGet, "/v1/audit", nil).want(http.StatusOK)
	s.stop()
	if len(collector.Spans(named("GET /v1/audit"))) != 1 {
		t.Error("the last request is missing")
	}
	if probes := collector.Spans(func(s tracestest.Span) bool { return strings.HasSuffix(s.Name, "z") }); len(probes) > 0 {
		t.Errorf("probes were followed: %v", probes)
	}
}

// Deliveries are linked to the arrival of their event, also those that another process makes.
func TestTraceOfAnEvent(t *testing.T) {
	t.Parallel()
	collector := tracestest.New(t)
	b := &bench{stripe: stripetest.New(t)}
	b.program = newProgram(t, b.stripe, "RETRY_SCHEDULE=1ms,1ms,1h")
	b.traced(collector)
	s := b.start()
	b.conn = b.connect(stripetest.Key)
	target := newSubscriber(t, answering(http.StatusInternalServerError))
	w, from := b.watch(target, "charge.failed")
	from.client = &http.Client{Transport: withHeader{b.client.Transport, "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}
	from.accept(t, event("evt_1", "charge.failed"))

	arrival := collector.Wait(t, "the arrival", 1, named("POST /stripe/{endpoint}"))[0]
	if arrival.Kind != "server" || arrival.Parent != "" {
		t.Errorf("the arrival's span is %+v, want a trace of our own, whatever strangers say", arrival)
	}
	stored := collector.Wait(t, "the storing", 1, named("store events"))[0]
	if stored.Parent != arrival.ID || stored.Values["stripe.event.id"] != "evt_1" || stored.Values["stripe.event.type"] != "charge.failed" ||
		stored.Values["connector.events.new"] != int64(1) || stored.Values["connector.deliveries"] != int64(1) {
		t.Errorf("the storing's span is %+v", stored)
	}
	attempts := collector.Wait(t, "attempts", 3, named("deliver event"))
	var list struct {
		Data []struct {
			ID       string
			Attempts int
		}
	}
	eventually(t, "three attempts are noted", func() bool {
		b.get("/v1/deliveries?webhook="+w.ID, &list)
		return list.Data[0].Attempts == 3
	})
	s.kill()
	target.now(answering(http.StatusOK))
	b.start()
	b.call(http.MethodPost, "/v1/deliveries/"+list.Data[0].ID+"/retry", nil).want(http.StatusAccepted)
	attempts = append(attempts[:3], collector.Wait(t, "attempts", 4, named("deliver event"))[3])
	target.has(t, "evt_1")

	seen := map[string]bool{}
	for i, s := range attempts {
		verdict, status := "retry", int64(500)
		if i == 3 {
			verdict, status = "delivered", 200
		}
		if diff := cmp.Diff([]string{arrival.At()}, s.Links); diff != "" {
			t.Errorf("the links of attempt %d (-want +got):\n%s", i+1, diff)
		}
		want := map[string]any{
			"connector.webhook.id": w.ID, "connector.endpoint.id": w.Endpoint.ID, "connector.delivery.id": list.Data[0].ID,
			"connector.delivery.attempt": int64(i + 1), "connector.delivery.verdict": verdict, "http.request.method": "POST",
			"http.response.status_code": status, "stripe.event.id": "evt_1", "stripe.event.type": "charge.failed",
		}
		if s.Failed {
			want["error.type"] = "500"
		}
		if diff := cmp.Diff(want, s.Values); diff != "" {
			t.Errorf("attempt %d (-want +got):\n%s", i+1, diff)
		}
		if s.Parent != "" || s.Trace == arrival.Trace || s.Failed != (i < 3) || s.Kind != "client" {
			t.Errorf("the span of attempt %d is %+v", i+1, s)
		}
		if got := target.arrivals["evt_1"][i].header.Get("Traceparent"); got != s.Traceparent() {
			t.Errorf("the subscriber was told %q, want %q", got, s.Traceparent())
		}
		seen[s.Trace] = true
	}
	if len(seen) != 4 {
		t.Errorf("four attempts are %d traces", len(seen))
	}
}

// What Stripe did not send is linked to the look at its list.
func TestTraceOfACatchUp(t *testing.T) {
	t.Parallel()
	collector := tracestest.New(t)
	b := &bench{stripe: stripetest.New(t)}
	b.program = newProgram(t, b.stripe, "CATCHUP_INTERVAL=1s")
	b.traced(collector)
	b.start()
	b.conn = b.connect(stripetest.Key)
	target := newSubscriber(t, nil)
	b.attach(b.conn, target.url, "customer.created")
	b.stripe.SetDelivery(false)
	b.call(http.MethodPost, "/v1/modules/create-customer", object{"connection": b.conn}).want(http.StatusOK)

	attempt := collector.Wait(t, "the attempt", 1, named("deliver event"))[0]
	look := collector.Wait(t, "the look", 1, func(s tracestest.Span) bool { return s.Name == "keep endpoint" && s.At() == attempt.Links[0] })[0]
	for _, part := range []string{"GET /v1/events", "store events"} {
		collector.Wait(t, part, 1, func(s tracestest.Span) bool { return s.Name == part && s.Trace == look.Trace && s.Parent == look.ID })
	}
}

// Nothing is followed unless OpenTelemetry's variables ask for it, and what is wrong with them stops nothing else.
func TestTracesAreOff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		variables []string
		warning   string
	}{
		{"nothing is set", nil, ""},
		{"disabled", []string{"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"}, ""},
		{"no exporter", []string{"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"}, ""},
		{"another protocol", []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"}, "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf"},
		{"no authorities", []string{"OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"}, "OTEL_EXPORTER_OTLP_CERTIFICATE"},
		{"no sampling", []string{"OTEL_TRACES_SAMPLER=always_off", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			collector := tracestest.New(t)
			b := &bench{stripe: stripetest.New(t)}
			b.program = newProgram(t, b.stripe)
			for _, v := range tt.variables {
				b.env = append(b.env, strings.Replace(v, "URL", collector.URL, 1))
			}
			s := b.start()
			b.conn = b.connect(stripetest.Key)
			target := newSubscriber(t, nil)
			w, from := b.watch(target, "charge.failed")
			from.accept(t, event("evt_1", "charge.failed"))
			b.settled(w.ID, "evt_1", "delivered")
			target.has(t, "evt_1")
			s.stop()
			if got := target.arrivals["evt_1"][0].header.Get("Traceparent"); strings.HasSuffix(got, "-01") || (got != "") != (tt.name == "no sampling") {
				t.Errorf("the subscriber was told %q", got)
			}
			if spans := collector.Spans(func(tracestest.Span) bool { return true }); len(spans) > 0 {
				t.Errorf("the collector got %v", spans)
			}
			if log := s.log.String(); strings.Contains(log, "there are no traces") != (tt.warning != "") || !strings.Contains(log, tt.warning) {
				t.Errorf("the log does not fit:\n%s", log)
			}
		})
	}
}

// withHeader adds a header to every request.
type withHeader struct {
	http.RoundTripper
	name, value string
}

func (w withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(w.name, w.value)
	return w.RoundTripper.RoundTrip(r)
}
