package webhooks

import (
	"context"

	"stripe-connector/internal/store"
)

// mortal is the store as a process sees it: every call may fail, or be the last one.
type mortal struct {
	store.Store // nil: what is not below is not called
	*process
}

func seen[T any](m *mortal, kind string, call func() (T, error)) (T, error) {
	var result, none T
	var err error
	if failed := m.do(kind, func() { result, err = call() }); failed != nil {
		return none, failed
	}
	return result, err
}

// Lock is held by the process, and falls with it.
func (m *mortal) Lock(ctx context.Context, name string) (func(), error) {
	v, _ := m.locks.LoadOrStore(name, make(chan struct{}, 1))
	held, _ := v.(chan struct{})
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-m.dead:
		return nil, errDead
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *mortal) Wake() <-chan struct{} { return m.disk.Wake() }

func (m *mortal) CreateWebhook(ctx context.Context, w store.Webhook) (stored store.Webhook, created bool, err error) {
	stored, err = seen(m, "CreateWebhook", func() (store.Webhook, error) {
		w, c, err := m.disk.CreateWebhook(ctx, w)
		created = c
		return w, err
	})
	return stored, created, err
}

func (m *mortal) EnsureEndpoint(ctx context.Context, e store.Endpoint) (store.Endpoint, error) {
	return seen(m, "EnsureEndpoint", func() (store.Endpoint, error) { return m.disk.EnsureEndpoint(ctx, e) })
}

func (m *mortal) Connection(ctx context.Context, workspace, id string) (store.Connection, error) {
	return seen(m, "Connection", func() (store.Connection, error) { return m.disk.Connection(ctx, workspace, id) })
}

func (m *mortal) Endpoint(ctx context.Context, workspace, id string) (store.Endpoint, error) {
	return seen(m, "Endpoint", func() (store.Endpoint, error) { return m.disk.Endpoint(ctx, workspace, id) })
}

func (m *mortal) Receiver(ctx context.Context, id string) (store.Endpoint, error) {
	return seen(m, "Receiver", func() (store.Endpoint, error) { return m.disk.Receiver(ctx, id) })
}

func (m *mortal) UpdateEndpoint(ctx context.Context, workspace, id string, change func(*store.Endpoint) error) (store.Endpoint, error) {
	return seen(m, "UpdateEndpoint", func() (store.Endpoint, error) { return m.disk.UpdateEndpoint(ctx, workspace, id, change) })
}

func (m *mortal) AllEndpoints(ctx context.Context) ([]store.Endpoint, error) {
	return seen(m, "AllEndpoints", func() ([]store.Endpoint, error) { return m.disk.AllEndpoints(ctx) })
}

func (m *mortal) WantedTypes(ctx context.Context, workspace, id string) ([]string, error) {
	return seen(m, "WantedTypes", func() ([]string, error) { return m.disk.WantedTypes(ctx, workspace, id) })
}

func (m *mortal) Webhook(ctx context.Context, workspace, id string) (store.Webhook, error) {
	return seen(m, "Webhook", func() (store.Webhook, error) { return m.disk.Webhook(ctx, workspace, id) })
}

func (m *mortal) Webhooks(ctx context.Context, workspace string, f store.WebhookFilter, p store.Page) (store.List[store.Webhook], error) {
	return seen(m, "Webhooks", func() (store.List[store.Webhook], error) { return m.disk.Webhooks(ctx, workspace, f, p) })
}

func (m *mortal) UpdateWebhook(ctx context.Context, workspace, id string, change func(*store.Webhook) error) (store.Webhook, error) {
	return seen(m, "UpdateWebhook", func() (store.Webhook, error) { return m.disk.UpdateWebhook(ctx, workspace, id, change) })
}

func (m *mortal) Ingest(ctx context.Context, events []store.NewEvent, lease store.Lease) ([]store.Ingested, error) {
	return seen(m, "Ingest", func() ([]store.Ingested, error) { return m.disk.Ingest(ctx, events, lease) })
}

// Replay always happens: it is the end of a move, and nobody repeats it.
func (m *mortal) Replay(ctx context.Context, workspace, id string, f store.EventFilter, after string, limit int) (store.ReplayStep, error) {
	return m.disk.Replay(ctx, workspace, id, f, after, limit)
}

func (m *mortal) Claim(ctx context.Context, lease store.Lease, limit int) (store.Claimed, error) {
	return seen(m, "Claim", func() (store.Claimed, error) { return m.disk.Claim(ctx, lease, limit) })
}

func (m *mortal) Deliveries(ctx context.Context, workspace string, f store.DeliveryFilter, p store.Page) (store.List[store.Delivery], error) {
	return seen(m, "Deliveries", func() (store.List[store.Delivery], error) { return m.disk.Deliveries(ctx, workspace, f, p) })
}

func (m *mortal) Backlog(ctx context.Context) (store.Backlog, error) {
	return seen(m, "Backlog", func() (store.Backlog, error) { return m.disk.Backlog(ctx) })
}

func (m *mortal) DeleteEndpoint(ctx context.Context, workspace, id string) error {
	_, err := seen(m, "DeleteEndpoint", func() (struct{}, error) { return struct{}{}, m.disk.DeleteEndpoint(ctx, workspace, id) })
	return err
}

func (m *mortal) DeleteWebhook(ctx context.Context, workspace, id string) error {
	_, err := seen(m, "DeleteWebhook", func() (struct{}, error) { return struct{}{}, m.disk.DeleteWebhook(ctx, workspace, id) })
	return err
}

func (m *mortal) Finish(ctx context.Context, outcomes []store.Outcome) error {
	_, err := seen(m, "Finish", func() (struct{}, error) { return struct{}{}, m.disk.Finish(ctx, outcomes) })
	return err
}
