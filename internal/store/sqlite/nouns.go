package sqlite

import (
	"context"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// CreateToken stores a token.
func (s *Store) CreateToken(ctx context.Context, token store.Token) error {
	return s.write(ctx, "storing a token", 0, func(ctx context.Context, t *tx) error {
		return portable.CreateToken(ctx, t, token)
	})
}

// Bootstrap stores the first token.
func (s *Store) Bootstrap(ctx context.Context, token store.Token) (bool, error) {
	return ask(ctx, s, "storing the first token", func(ctx context.Context, t *tx) (bool, error) {
		return portable.Bootstrap(ctx, t, token)
	})
}

// TokenByHash finds a token.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (store.Token, error) {
	t, err := portable.TokenByHash(ctx, s.reads, hash)
	return t, s.failure(ctx, "reading a token", err)
}

// TouchTokens notes last uses.
func (s *Store) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	return s.write(ctx, "noting uses of tokens", 0, func(ctx context.Context, t *tx) error {
		return portable.TouchTokens(ctx, t, used)
	})
}

// DeleteToken revokes a token.
func (s *Store) DeleteToken(ctx context.Context, workspace, id string) error {
	return s.write(ctx, "deleting a token", 0, func(ctx context.Context, t *tx) error {
		return portable.DeleteToken(ctx, t, workspace, id)
	})
}

// Tokens lists tokens.
func (s *Store) Tokens(ctx context.Context, workspace string, p store.Page) (store.List[store.Token], error) {
	l, err := portable.Tokens(ctx, s.reads, workspace, p)
	return l, s.failure(ctx, "listing tokens", err)
}

// Workspaces lists workspaces.
func (s *Store) Workspaces(ctx context.Context) ([]store.Workspace, error) {
	l, err := portable.Workspaces(ctx, s.reads)
	return l, s.failure(ctx, "listing workspaces", err)
}

// CreateConnection stores a connection.
func (s *Store) CreateConnection(ctx context.Context, c store.Connection) error {
	return s.write(ctx, "storing a connection", 0, func(ctx context.Context, t *tx) error {
		return portable.CreateConnection(ctx, t, c)
	})
}

// Connection reads a connection.
func (s *Store) Connection(ctx context.Context, workspace, id string) (store.Connection, error) {
	c, err := portable.Connection(ctx, s.reads, workspace, id)
	return c, s.failure(ctx, "reading a connection", err)
}

// UpdateConnection changes a connection.
func (s *Store) UpdateConnection(
	ctx context.Context, workspace, id string, change func(*store.Connection) error,
) (store.Connection, error) {
	return ask(ctx, s, "changing a connection", func(ctx context.Context, t *tx) (store.Connection, error) {
		before, err := portable.Connection(ctx, t, workspace, id)
		if err != nil {
			return before, err
		}
		c := before
		if err := change(&c); err != nil {
			return c, err
		}
		c.ID, c.Workspace, c.Created = before.ID, before.Workspace, before.Created
		return c, portable.PutConnection(ctx, t, c)
	})
}

// DeleteConnection forgets a connection and its endpoints.
func (s *Store) DeleteConnection(ctx context.Context, workspace, id string) error {
	return s.write(ctx, "deleting a connection", 0, func(ctx context.Context, t *tx) error {
		endpoints, err := portable.DeleteConnection(ctx, t, workspace, id)
		for _, e := range endpoints {
			t.removePool(e)
		}
		return err
	})
}

// Connections lists connections.
func (s *Store) Connections(ctx context.Context, workspace string, p store.Page) (store.List[store.Connection], error) {
	l, err := portable.Connections(ctx, s.reads, workspace, p)
	return l, s.failure(ctx, "listing connections", err)
}

// EnsureEndpoint finds or stores an endpoint.
func (s *Store) EnsureEndpoint(ctx context.Context, e store.Endpoint) (store.Endpoint, error) {
	return ask(ctx, s, "storing an endpoint", func(ctx context.Context, t *tx) (store.Endpoint, error) {
		stored, err := portable.EnsureEndpoint(ctx, t, e)
		if err == nil {
			t.addPool(stored.ID, stored.Workspace)
		}
		return stored, err
	})
}

// Endpoint reads an endpoint.
func (s *Store) Endpoint(ctx context.Context, workspace, id string) (store.Endpoint, error) {
	e, err := portable.Endpoint(ctx, s.reads, workspace, id)
	return e, s.failure(ctx, "reading an endpoint", err)
}

// Receiver reads an endpoint of any workspace.
func (s *Store) Receiver(ctx context.Context, id string) (store.Endpoint, error) {
	e, err := portable.Receiver(ctx, s.reads, id)
	return e, s.failure(ctx, "reading an endpoint", err)
}

// AllEndpoints reads all endpoints.
func (s *Store) AllEndpoints(ctx context.Context) ([]store.Endpoint, error) {
	l, err := portable.AllEndpoints(ctx, s.reads)
	return l, s.failure(ctx, "listing endpoints", err)
}

// WantedTypes unites the wishes of an endpoint's webhooks.
func (s *Store) WantedTypes(ctx context.Context, workspace, id string) ([]string, error) {
	types, err := portable.WantedTypes(ctx, s.reads, workspace, id)
	return types, s.failure(ctx, "reading wanted event types", err)
}

// UpdateEndpoint changes an endpoint.
func (s *Store) UpdateEndpoint(
	ctx context.Context, workspace, id string, change func(*store.Endpoint) error,
) (store.Endpoint, error) {
	return ask(ctx, s, "changing an endpoint", func(ctx context.Context, t *tx) (store.Endpoint, error) {
		before, err := portable.Endpoint(ctx, t, workspace, id)
		if err != nil {
			return before, err
		}
		e := before
		if err := change(&e); err != nil {
			return e, err
		}
		e.ID, e.Workspace, e.Created = before.ID, before.Workspace, before.Created
		e.Connection, e.Connect, e.APIVersion = before.Connection, before.Connect, before.APIVersion
		if err := portable.PutEndpoint(ctx, t, e); err != nil {
			return e, err
		}
		return portable.Endpoint(ctx, t, workspace, id)
	})
}

// DeleteEndpoint forgets an endpoint.
func (s *Store) DeleteEndpoint(ctx context.Context, workspace, id string) error {
	return s.write(ctx, "deleting an endpoint", 0, func(ctx context.Context, t *tx) error {
		err := portable.DeleteEndpoint(ctx, t, workspace, id)
		if err == nil {
			t.removePool(id)
		}
		return err
	})
}

// CreateWebhook attaches a webhook.
func (s *Store) CreateWebhook(ctx context.Context, w store.Webhook) (store.Webhook, bool, error) {
	var created bool
	stored, err := ask(ctx, s, "storing a webhook", func(ctx context.Context, t *tx) (stored store.Webhook, err error) {
		stored, created, err = portable.CreateWebhook(ctx, t, w)
		if err == nil && created {
			t.attach(stored)
		}
		return stored, err
	})
	return stored, created && err == nil, err
}

// Webhook reads a webhook.
func (s *Store) Webhook(ctx context.Context, workspace, id string) (store.Webhook, error) {
	w, err := portable.Webhook(ctx, s.reads, workspace, id)
	return w, s.failure(ctx, "reading a webhook", err)
}

// UpdateWebhook changes a webhook.
func (s *Store) UpdateWebhook(
	ctx context.Context, workspace, id string, change func(*store.Webhook) error,
) (store.Webhook, error) {
	return ask(ctx, s, "changing a webhook", func(ctx context.Context, t *tx) (store.Webhook, error) {
		l, err := t.own(workspace, id)
		if err != nil {
			return store.Webhook{}, err
		}
		before, err := portable.Webhook(ctx, t, workspace, id)
		if err != nil {
			return before, err
		}
		w := before
		if err := change(&w); err != nil {
			return w, err
		}
		w.ID, w.Workspace, w.Created = before.ID, before.Workspace, before.Created
		if w, err = portable.PutWebhook(ctx, t, w); err != nil {
			return w, err
		}
		t.replace(l, w)
		return w, nil
	})
}

// DeleteWebhook detaches a webhook, and then marks what was pending, in steps that let others write in between. Of a long
// queue it leaves the rest to Prune.
func (s *Store) DeleteWebhook(ctx context.Context, workspace, id string) error {
	const step, steps = 500, 10
	const doing = "detaching a webhook"
	err := s.write(ctx, doing, 0, func(ctx context.Context, t *tx) error {
		l, err := t.own(workspace, id)
		if err != nil {
			return err
		}
		t.detach(l)
		return portable.DetachWebhook(ctx, t, workspace, id, t.now)
	})
	for n, i := step, 0; err == nil && n == step && i < steps; i++ {
		n, err = ask(ctx, s, doing, func(ctx context.Context, t *tx) (int, error) {
			return portable.SkipDetached(ctx, t, id, step)
		})
	}
	return err
}

// Webhooks lists webhooks.
func (s *Store) Webhooks(
	ctx context.Context, workspace string, f store.WebhookFilter, p store.Page,
) (store.List[store.Webhook], error) {
	l, err := portable.Webhooks(ctx, s.reads, workspace, f, p)
	return l, s.failure(ctx, "listing webhooks", err)
}

// Event reads an event.
func (s *Store) Event(ctx context.Context, workspace, id string) ([]store.Event, error) {
	e, err := portable.Event(ctx, s.reads, workspace, id)
	return e, s.failure(ctx, "reading an event", err)
}

// Events lists events.
func (s *Store) Events(ctx context.Context, workspace string, f store.EventFilter, p store.Page) (store.List[store.Event], error) {
	l, err := portable.Events(ctx, s.reads, workspace, f, p)
	return l, s.failure(ctx, "listing events", err)
}

// CountEvents counts events.
func (s *Store) CountEvents(ctx context.Context, workspace string, f store.EventFilter, limit int) (int, error) {
	n, err := portable.CountEvents(ctx, s.reads, workspace, f, limit)
	return n, s.failure(ctx, "counting events", err)
}

// Fates tells what became of an event.
func (s *Store) Fates(ctx context.Context, workspace, endpoint, event string) ([]store.Fate, error) {
	l, err := portable.Fates(ctx, s.reads, workspace, endpoint, event)
	return l, s.failure(ctx, "reading what became of an event", err)
}

// Delivery reads a delivery.
func (s *Store) Delivery(ctx context.Context, workspace, id string) (store.Delivery, error) {
	d, err := portable.Delivery(ctx, s.reads, workspace, id)
	return d, s.failure(ctx, "reading a delivery", err)
}

// Attempts reads the tries of a delivery.
func (s *Store) Attempts(ctx context.Context, workspace, delivery string) ([]store.Attempt, error) {
	l, err := portable.Attempts(ctx, s.reads, workspace, delivery)
	return l, s.failure(ctx, "reading attempts", err)
}

// Deliveries lists deliveries.
func (s *Store) Deliveries(
	ctx context.Context, workspace string, f store.DeliveryFilter, p store.Page,
) (store.List[store.Delivery], error) {
	l, err := portable.Deliveries(ctx, s.reads, workspace, f, p)
	return l, s.failure(ctx, "listing deliveries", err)
}

// Reseal passes every sealed value through seal.
func (s *Store) Reseal(ctx context.Context, seal func(owner, purpose string, sealed []byte) ([]byte, error)) (int, error) {
	const step = 100
	total := 0
	for _, table := range portable.SealedTables() {
		for after, more := "", true; more; more = after != "" {
			n, err := ask(ctx, s, "sealing anew", func(ctx context.Context, t *tx) (n int, err error) {
				n, after, err = table.Reseal(ctx, t, seal, after, step)
				return n, err
			})
			if err != nil {
				return total, err
			}
			total += n
		}
	}
	return total, nil
}
