package webhooks

import (
	"context"

	"stripe-connector/internal/store"
)

// A Tracer follows events: how they are stored, and each attempt to deliver them, be it by another process and days later. It
// must be safe for concurrent use, and shows ids, types and how it went, but no body, target or secret.
type Tracer interface {
	// Store begins to follow how events are stored. trace is kept with them, for Attempt; it is empty if nobody follows. done
	// is called once.
	Store(ctx context.Context, events []store.NewEvent) (trace string, done func([]store.Ingested, error))
	// Attempt begins to follow an attempt to deliver. traceparent is a header for the subscriber, or empty. done is called once.
	Attempt(ctx context.Context, w store.Work) (traceparent string, done func(store.Outcome))
	// Keep begins to follow how an endpoint is reconciled and caught up with; both are done in the context that it returns. done
	// is called once.
	Keep(ctx context.Context, endpoint string) (kept context.Context, done func(error))
}

// untraced is a Tracer that does nothing.
type untraced struct{}

func (untraced) Store(context.Context, []store.NewEvent) (string, func([]store.Ingested, error)) {
	return "", func([]store.Ingested, error) {}
}

func (untraced) Attempt(context.Context, store.Work) (string, func(store.Outcome)) {
	return "", func(store.Outcome) {}
}

func (untraced) Keep(ctx context.Context, _ string) (context.Context, func(error)) {
	return ctx, func(error) {}
}
