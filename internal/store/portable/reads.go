package portable

import (
	"context"
	"time"

	"stripe-connector/internal/store"
)

// Reads are the methods of store.Store that only read. An engine embeds them.
type Reads struct {
	q       Querier
	settle  func(ctx context.Context)
	failure func(ctx context.Context, doing string, err error) error
}

// NewReads makes Reads on q. settle, called before deliveries are read, brings those into their table that are not there
// yet. failure words errors.
func NewReads(q Querier, settle func(ctx context.Context), failure func(ctx context.Context, doing string, err error) error) Reads {
	return Reads{q, settle, failure}
}

// TokenByHash finds a token.
func (r Reads) TokenByHash(ctx context.Context, hash [32]byte) (store.Token, error) {
	t, err := TokenByHash(ctx, r.q, hash)
	return t, r.failure(ctx, "reading a token", err)
}

// Tokens lists tokens.
func (r Reads) Tokens(ctx context.Context, workspace string, p store.Page) (store.List[store.Token], error) {
	l, err := Tokens(ctx, r.q, workspace, p)
	return l, r.failure(ctx, "listing tokens", err)
}

// Workspaces lists workspaces.
func (r Reads) Workspaces(ctx context.Context) ([]store.Workspace, error) {
	l, err := Workspaces(ctx, r.q)
	return l, r.failure(ctx, "listing workspaces", err)
}

// Deeds lists what was done.
func (r Reads) Deeds(ctx context.Context, workspace string, p store.Page) (store.List[store.Deed], error) {
	l, err := Deeds(ctx, r.q, workspace, p)
	return l, r.failure(ctx, "listing the audit trail", err)
}

// Connection reads a connection.
func (r Reads) Connection(ctx context.Context, workspace, id string) (store.Connection, error) {
	c, err := Connection(ctx, r.q, workspace, id)
	return c, r.failure(ctx, "reading a connection", err)
}

// Connections lists connections.
func (r Reads) Connections(ctx context.Context, workspace string, p store.Page) (store.List[store.Connection], error) {
	l, err := Connections(ctx, r.q, workspace, p)
	return l, r.failure(ctx, "listing connections", err)
}

// Endpoint reads an endpoint.
func (r Reads) Endpoint(ctx context.Context, workspace, id string) (store.Endpoint, error) {
	e, err := Endpoint(ctx, r.q, workspace, id)
	return e, r.failure(ctx, "reading an endpoint", err)
}

// Receiver reads an endpoint of any workspace.
func (r Reads) Receiver(ctx context.Context, id string) (store.Endpoint, error) {
	e, err := Receiver(ctx, r.q, id)
	return e, r.failure(ctx, "reading an endpoint", err)
}

// AllEndpoints reads all endpoints.
func (r Reads) AllEndpoints(ctx context.Context) ([]store.Endpoint, error) {
	l, err := AllEndpoints(ctx, r.q)
	return l, r.failure(ctx, "listing endpoints", err)
}

// WantedTypes unites the wishes of an endpoint's webhooks.
func (r Reads) WantedTypes(ctx context.Context, workspace, id string) ([]string, error) {
	types, err := WantedTypes(ctx, r.q, workspace, id)
	return types, r.failure(ctx, "reading wanted event types", err)
}

// Webhook reads a webhook.
func (r Reads) Webhook(ctx context.Context, workspace, id string) (store.Webhook, error) {
	w, err := Webhook(ctx, r.q, workspace, id)
	return w, r.failure(ctx, "reading a webhook", err)
}

// Webhooks lists webhooks.
func (r Reads) Webhooks(
	ctx context.Context, workspace string, f store.WebhookFilter, p store.Page,
) (store.List[store.Webhook], error) {
	l, err := Webhooks(ctx, r.q, workspace, f, p)
	return l, r.failure(ctx, "listing webhooks", err)
}

// Event reads an event.
func (r Reads) Event(ctx context.Context, workspace, id string) ([]store.Event, error) {
	e, err := Event(ctx, r.q, workspace, id)
	return e, r.failure(ctx, "reading an event", err)
}

// Events lists events.
func (r Reads) Events(ctx context.Context, workspace string, f store.EventFilter, p store.Page) (store.List[store.Event], error) {
	l, err := Events(ctx, r.q, workspace, f, p)
	return l, r.failure(ctx, "listing events", err)
}

// CountEvents counts events.
func (r Reads) CountEvents(ctx context.Context, workspace string, f store.EventFilter, limit int) (int, error) {
	n, err := CountEvents(ctx, r.q, workspace, f, limit)
	return n, r.failure(ctx, "counting events", err)
}

// Fates tells what became of an event.
func (r Reads) Fates(ctx context.Context, workspace, endpoint, event string) ([]store.Fate, error) {
	r.settle(ctx)
	l, err := Fates(ctx, r.q, workspace, endpoint, event)
	return l, r.failure(ctx, "reading what became of an event", err)
}

// Delivery reads a delivery.
func (r Reads) Delivery(ctx context.Context, workspace, id string) (store.Delivery, error) {
	r.settle(ctx)
	d, err := Delivery(ctx, r.q, workspace, id)
	return d, r.failure(ctx, "reading a delivery", err)
}

// LongestDue tells since when something has been due.
func (r Reads) LongestDue(ctx context.Context) (time.Time, error) {
	r.settle(ctx)
	due, err := LongestDue(ctx, r.q)
	return due, r.failure(ctx, "reading what is due longest", err)
}

// CountDead counts dead deliveries.
func (r Reads) CountDead(ctx context.Context, limit int) (int, error) {
	n, err := CountDead(ctx, r.q, limit)
	return n, r.failure(ctx, "counting dead deliveries", err)
}

// Attempts reads the tries of a delivery.
func (r Reads) Attempts(ctx context.Context, workspace, delivery string) ([]store.Attempt, error) {
	r.settle(ctx)
	l, err := Attempts(ctx, r.q, workspace, delivery)
	return l, r.failure(ctx, "reading attempts", err)
}

// Deliveries lists deliveries.
func (r Reads) Deliveries(
	ctx context.Context, workspace string, f store.DeliveryFilter, p store.Page,
) (store.List[store.Delivery], error) {
	r.settle(ctx)
	l, err := Deliveries(ctx, r.q, workspace, f, p)
	return l, r.failure(ctx, "listing deliveries", err)
}

// OperationsURL reads where a workspace wants to be told.
func (r Reads) OperationsURL(ctx context.Context, workspace string) (store.OperationsURL, error) {
	o, err := OperationsURL(ctx, r.q, workspace)
	return o, r.failure(ctx, "reading the operations URL", err)
}
