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

// Note stores an entry of the audit trail.
func (s *Store) Note(ctx context.Context, d store.Deed) error {
	return s.write(ctx, "noting what was done", 0, func(ctx context.Context, t *tx) error {
		return portable.Note(ctx, t, d)
	})
}

// CreateConnection stores a connection.
func (s *Store) CreateConnection(ctx context.Context, c store.Connection) error {
	return s.write(ctx, "storing a connection", 0, func(ctx context.Context, t *tx) error {
		return portable.CreateConnection(ctx, t, c)
	})
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
		if err := t.settleAll(ctx); err != nil {
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

// SetOperationsURL stores where a workspace wants to be told.
func (s *Store) SetOperationsURL(ctx context.Context, o store.OperationsURL) (store.OperationsURL, error) {
	return ask(ctx, s, "storing the operations URL", func(ctx context.Context, t *tx) (store.OperationsURL, error) {
		return portable.SetOperationsURL(ctx, t, o)
	})
}

// UpdateOperationsURL changes where a workspace wants to be told.
func (s *Store) UpdateOperationsURL(
	ctx context.Context, workspace string, change func(*store.OperationsURL) error,
) (store.OperationsURL, error) {
	return ask(ctx, s, "changing the operations URL", func(ctx context.Context, t *tx) (store.OperationsURL, error) {
		before, err := portable.OperationsURL(ctx, t, workspace)
		if err != nil {
			return before, err
		}
		o := before
		if err := change(&o); err != nil {
			return o, err
		}
		o.ID, o.Workspace, o.Created = before.ID, before.Workspace, before.Created
		return o, portable.PutOperationsURL(ctx, t, o)
	})
}

// DeleteOperationsURL forgets where a workspace wants to be told.
func (s *Store) DeleteOperationsURL(ctx context.Context, workspace string) (string, error) {
	return ask(ctx, s, "deleting the operations URL", func(ctx context.Context, t *tx) (string, error) {
		return portable.DeleteOperationsURL(ctx, t, workspace)
	})
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
