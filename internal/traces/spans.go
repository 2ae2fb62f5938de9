package traces

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"stripe-connector/internal/store"
)

// The attributes that are ours; the others are OpenTelemetry's.
const (
	keyRequest    attribute.Key = "connector.request.id"
	keyModule     attribute.Key = "connector.module"
	keyEndpoint   attribute.Key = "connector.endpoint.id"
	keyWebhook    attribute.Key = "connector.webhook.id"
	keyDelivery   attribute.Key = "connector.delivery.id"
	keyAttempt    attribute.Key = "connector.delivery.attempt"
	keyVerdict    attribute.Key = "connector.delivery.verdict"
	keyEvents     attribute.Key = "connector.events"
	keyNew        attribute.Key = "connector.events.new"
	keyDeliveries attribute.Key = "connector.deliveries"
	keyEvent      attribute.Key = "stripe.event.id"
	keyType       attribute.Key = "stripe.event.type"
	keySource     attribute.Key = "connector.event.source"
	keyCall       attribute.Key = "stripe.request.id"
	keyPeer       attribute.Key = "peer.service" // what maps of services are drawn from
)

// headers carry a trace from one process to another: W3C's traceparent, and nothing that others put beside it.
var headers propagation.TraceContext

const traceparent = "traceparent"

// Request follows a request that came in.
func (t *Tracer) Request(
	r *http.Request, id, route, module string, trusted bool,
) (traced *http.Request, done func(status int, errorType string)) {
	if t == nil {
		return r, func(int, string) {}
	}
	ctx := r.Context()
	if trusted {
		ctx = headers.Extract(ctx, propagation.MapCarrier{traceparent: r.Header.Get(traceparent)})
	}
	ctx, span := t.tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(r.Method), semconv.HTTPRoute(route), keyRequest.String(id),
	))
	if module != "" {
		span.SetAttributes(keyModule.String(module))
	}
	return r.WithContext(ctx), func(status int, errorType string) {
		defer span.End()
		if status == 0 {
			fail(span, "panic")
			return
		}
		span.SetAttributes(semconv.HTTPResponseStatusCode(status))
		switch {
		case status >= http.StatusInternalServerError:
			fail(span, orElse(errorType, strconv.Itoa(status)))
		case errorType != "": // the caller's fault, or Stripe's word
			span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
		}
	}
}

// Try follows one try of a call to Stripe.
func (t *Tracer) Try(ctx context.Context, method, path string, try int) (done func(status int, requestID string, err error)) {
	if t == nil {
		return func(int, string, error) {}
	}
	template := t.stripe.template(path)
	_, span := t.tracer.Start(ctx, method+" "+template, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(method), semconv.URLTemplate(template), keyPeer.String("stripe"),
	))
	if try > 1 {
		span.SetAttributes(semconv.HTTPRequestResendCount(try - 1))
	}
	return func(status int, requestID string, err error) {
		defer span.End()
		if requestID != "" {
			span.SetAttributes(keyCall.String(requestID))
		}
		answered(span, status, kindOf(err))
	}
}

// Store follows how events are stored. Their deliveries are linked to what brought them, which is a request of Stripe's or
// a look at its list.
func (t *Tracer) Store(ctx context.Context, events []store.NewEvent) (origin string, done func([]store.Ingested, error)) {
	if t == nil || len(events) == 0 {
		return "", func([]store.Ingested, error) {}
	}
	arrival, first := ctx, &events[0]
	ctx, span := t.tracer.Start(ctx, "store events", trace.WithAttributes(
		keyEndpoint.String(first.Endpoint), keySource.String(string(first.Source)), keyEvents.Int(len(events)),
	))
	if len(events) == 1 {
		span.SetAttributes(keyEvent.String(first.ID), keyType.String(first.Type))
	}
	if !trace.SpanContextFromContext(arrival).IsValid() {
		arrival = ctx
	}
	return header(arrival), func(stored []store.Ingested, err error) {
		defer span.End()
		if err != nil {
			fail(span, kindOf(err))
			return
		}
		fresh, deliveries := 0, 0
		for _, s := range stored {
			deliveries += s.Deliveries
			if s.New {
				fresh++
			}
		}
		span.SetAttributes(keyNew.Int(fresh), keyDeliveries.Int(deliveries))
	}
}

// Attempt follows one attempt to deliver an event.
func (t *Tracer) Attempt(ctx context.Context, w store.Work) (parent string, done func(store.Outcome)) {
	if t == nil {
		return "", func(store.Outcome) {}
	}
	options := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(http.MethodPost), keyWebhook.String(w.Webhook.ID), keyDelivery.String(w.Delivery.ID),
		keyAttempt.Int(w.Delivery.Attempts+1), keyEvent.String(w.Event.ID), keyType.String(w.Event.Type), keyEndpoint.String(w.Event.Endpoint),
	)}
	arrived := headers.Extract(ctx, propagation.MapCarrier{traceparent: w.Event.Trace})
	if arrival := trace.SpanContextFromContext(arrived); arrival.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: arrival}))
	}
	ctx, span := t.tracer.Start(ctx, "deliver event", options...)
	return header(ctx), func(o store.Outcome) {
		defer span.End()
		span.SetAttributes(keyVerdict.String(string(o.Verdict)))
		if a := o.Attempt; a != nil {
			answered(span, a.Status, a.Phase)
		}
	}
}

// Keep follows how an endpoint is kept.
func (t *Tracer) Keep(ctx context.Context, endpoint string) (kept context.Context, done func(error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, "keep endpoint", trace.WithAttributes(keyEndpoint.String(endpoint)))
	return ctx, func(err error) {
		defer span.End()
		if err != nil {
			fail(span, kindOf(err))
		}
	}
}

// header is how a trace goes on elsewhere.
func header(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	headers.Inject(ctx, carrier)
	return carrier[traceparent]
}

// answered notes the status of a call that we made, or why there was none.
func answered(span trace.Span, status int, problem string) {
	if status > 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	}
	switch {
	case problem != "":
		fail(span, problem)
	case status >= http.StatusBadRequest, status > 0 && status < http.StatusOK:
		fail(span, strconv.Itoa(status))
	}
}

// fail marks a span by the kind of what went wrong.
func fail(span trace.Span, kind string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, "")
}

// kindOf is the kind of an error; its text could quote anything.
func kindOf(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, store.ErrUnavailable):
		return "unavailable"
	default:
		return "failed"
	}
}

func orElse(value, preset string) string {
	if value == "" {
		return preset
	}
	return value
}
