// Package traces follows what the service does, for OpenTelemetry.
//
//	traces.go   where it begins and ends
//	spans.go    what is followed: the packages that do the work tell a [Tracer] through small interfaces of theirs
//	path.go     Stripe's paths without ids
//	export.go   the way to the collector
//
// There is one trace from a module call to Stripe, and one from the arrival of an event to its storing. Each attempt to deliver the
// event is a trace of its own that is linked to the arrival, since it may be made by another process and days later.
//
// Attributes are routes, modules, types, statuses and ids. No key, body, query, target or message of an error becomes one.
package traces

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"stripe-connector/internal/config"
)

// A Tracer follows requests, calls and events. It is safe for concurrent use; a nil one does nothing, at no cost.
type Tracer struct {
	tracer   trace.Tracer
	provider *sdk.TracerProvider
	client   *client
	stripe   vocabulary
}

// Start makes a Tracer that sends what it saw, now and then, to where cfg says; nil: nowhere, and nothing is followed.
func Start(ctx context.Context, cfg *config.Traces, version string, log zerolog.Logger) (*Tracer, error) {
	if cfg == nil {
		return nil, nil //nolint:nilnil // see Tracer
	}
	// The process's own: the SDK has no other way to say what is wrong with a variable, or that spans could not be sent.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("tracing") }))
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("starting the exporter: %w", err)
	}
	// The environment comes last, so that it wins.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("stripe-connector"), semconv.ServiceVersion(version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithBatcher(exporter))
	return &Tracer{tracer: provider.Tracer("stripe-connector"), provider: provider, client: client, stripe: newVocabulary()}, nil
}

// Close sends what is left, for as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer t.client.cut()
	if err := t.provider.Shutdown(ctx); err != nil {
		return errors.New("the last traces could not be sent")
	}
	return nil
}
