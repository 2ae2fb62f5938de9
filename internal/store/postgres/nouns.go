package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// CreateToken stores a token.
func (s *Store) CreateToken(ctx context.Context, token store.Token) error {
	return s.write(ctx, "storing a token", func(ctx context.Context, tx *sql.Tx) error {
		return portable.CreateToken(ctx, tx, token)
	})
}

// Bootstrap stores the first token.
func (s *Store) Bootstrap(ctx context.Context, token store.Token) (bool, error) {
	return ask(ctx, s, "storing the first token", func(ctx context.Context, tx *sql.Tx) (bool, error) {
		if _, err := tx.ExecContext(ctx, "LOCK TABLE tokens IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return false, err
		}
		return portable.Bootstrap(ctx, tx, token)
	})
}

// TouchTokens notes last uses.
func (s *Store) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	return s.write(ctx, "noting uses of tokens", func(ctx context.Context, tx *sql.Tx) error {
		return portable.TouchTokens(ctx, tx, used)
	})
}

// DeleteToken revokes a token.
func (s *Store) DeleteToken(ctx context.Context, workspace, id string) error {
	return s.write(ctx, "deleting a token", func(ctx context.Context, tx *sql.Tx) error {
		return portable.DeleteToken(ctx, tx, workspace, id)
	})
}

// Note stores an entry of the audit trail.
func (s *Store) Note(ctx context.Context, d store.Deed) error {
	return s.write(ctx, "noting what was done", func(ctx context.Context, tx *sql.Tx) error {
		return portable.Note(ctx, tx, d)
	})
}

// CreateConnection stores a connection.
func (s *Store) CreateConnection(ctx context.Context, c store.Connection) error {
	return s.write(ctx, "storing a connection", func(ctx context.Context, tx *sql.Tx) error {
		return portable.CreateConnection(ctx, tx, c)
	})
}

// UpdateConnection changes a connection.
func (s *Store) UpdateConnection(
	ctx context.Context, workspace, id string, change func(*store.Connection) error,
) (store.Connection, error) {
	return ask(ctx, s, "changing a connection", func(ctx context.Context, tx *sql.Tx) (store.Connection, error) {
		if err := lockRow(ctx, tx, "UPDATE", "connections", id); err != nil {
			return store.Connection{}, err
		}
		before, err := portable.Connection(ctx, tx, workspace, id)
		if err != nil {
			return before, err
		}
		c := before
		if err := change(&c); err != nil {
			return c, err
		}
		c.ID, c.Workspace, c.Created = before.ID, before.Workspace, before.Created
		return c, portable.PutConnection(ctx, tx, c)
	})
}

// DeleteConnection forgets a connection and its endpoints.
func (s *Store) DeleteConnection(ctx context.Context, workspace, id string) error {
	return s.write(ctx, "deleting a connection", func(ctx context.Context, tx *sql.Tx) error {
		if err := lockRow(ctx, tx, "UPDATE", "connections", id); err != nil {
			return err
		}
		// Who attaches a webhook holds its endpoint.
		if _, err := tx.ExecContext(ctx, "SELECT FROM endpoints WHERE connection = $1 ORDER BY id FOR UPDATE", id); err != nil {
			return err
		}
		_, err := portable.DeleteConnection(ctx, tx, workspace, id)
		return err
	})
}

// EnsureEndpoint finds or stores an endpoint.
func (s *Store) EnsureEndpoint(ctx context.Context, e store.Endpoint) (store.Endpoint, error) {
	return ask(ctx, s, "storing an endpoint", func(ctx context.Context, tx *sql.Tx) (store.Endpoint, error) {
		if err := lockRow(ctx, tx, "SHARE", "connections", e.Connection); err != nil {
			return store.Endpoint{}, err
		}
		return portable.EnsureEndpoint(ctx, tx, e)
	})
}

// UpdateEndpoint changes an endpoint.
func (s *Store) UpdateEndpoint(
	ctx context.Context, workspace, id string, change func(*store.Endpoint) error,
) (store.Endpoint, error) {
	return ask(ctx, s, "changing an endpoint", func(ctx context.Context, tx *sql.Tx) (store.Endpoint, error) {
		if err := lockRow(ctx, tx, "UPDATE", "endpoints", id); err != nil {
			return store.Endpoint{}, err
		}
		before, err := portable.Endpoint(ctx, tx, workspace, id)
		if err != nil {
			return before, err
		}
		e := before
		if err := change(&e); err != nil {
			return e, err
		}
		e.ID, e.Workspace, e.Created = before.ID, before.Workspace, before.Created
		e.Connection, e.Connect, e.APIVersion = before.Connection, before.Connect, before.APIVersion
		if err := portable.PutEndpoint(ctx, tx, e); err != nil {
			return e, err
		}
		return portable.Endpoint(ctx, tx, workspace, id)
	})
}

// DeleteEndpoint forgets an endpoint.
func (s *Store) DeleteEndpoint(ctx context.Context, workspace, id string) error {
	return s.write(ctx, "deleting an endpoint", func(ctx context.Context, tx *sql.Tx) error {
		if err := lockRow(ctx, tx, "UPDATE", "endpoints", id); err != nil {
			return err
		}
		return portable.DeleteEndpoint(ctx, tx, workspace, id)
	})
}

// CreateWebhook attaches a webhook.
func (s *Store) CreateWebhook(ctx context.Context, w store.Webhook) (store.Webhook, bool, error) {
	var created bool
	stored, err := ask(ctx, s, "storing a webhook", func(ctx context.Context, tx *sql.Tx) (stored store.Webhook, err error) {
		if err := lockRow(ctx, tx, "SHARE", "endpoints", w.Endpoint); err != nil {
			return stored, err
		}
		stored, created, err = portable.CreateWebhook(ctx, tx, w)
		if err == nil && created {
			err = queueFor(ctx, tx, stored)
		}
		return stored, err
	})
	return stored, created && err == nil, err
}

// UpdateWebhook changes a webhook.
func (s *Store) UpdateWebhook(
	ctx context.Context, workspace, id string, change func(*store.Webhook) error,
) (store.Webhook, error) {
	defer s.wakeUp()
	return ask(ctx, s, "changing a webhook", func(ctx context.Context, tx *sql.Tx) (store.Webhook, error) {
		// Whoever works for the webhook has its lane, and no endpoint may go while a webhook comes to it.
		if err := lockRow(ctx, tx, "UPDATE", "webhooks", id); err != nil {
			return store.Webhook{}, err
		}
		before, err := ownLane(ctx, tx, workspace, id)
		if err != nil {
			return before, err
		}
		w := before
		if err := change(&w); err != nil {
			return w, err
		}
		w.ID, w.Workspace, w.Created = before.ID, before.Workspace, before.Created
		if w.Endpoint != before.Endpoint {
			if err := lockRow(ctx, tx, "SHARE", "endpoints", w.Endpoint); err != nil {
				return w, err
			}
		}
		if w, err = portable.PutWebhook(ctx, tx, w); err != nil {
			return w, err
		}
		if err := queueFor(ctx, tx, w); err != nil {
			return w, err
		}
		if w.URL != before.URL || w.State != before.State {
			return w, s.unhold(ctx, tx, w.ID)
		}
		_, err = tx.ExecContext(ctx, announce, s.id)
		return w, err
	})
}

// queueFor gives an attached webhook its lane, and notes what it wants.
func queueFor(ctx context.Context, tx *sql.Tx, w store.Webhook) error {
	open := w.State == store.WebhookActive || w.State == store.WebhookFailing
	_, err := tx.ExecContext(ctx, "INSERT INTO lanes (webhook, open, due) VALUES ($1, $2, $3) ON CONFLICT (webhook) DO UPDATE SET open = $2",
		w.ID, open, int64(never))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM wishes WHERE webhook = $1 AND NOT (endpoint = $2 AND type = ANY ($3))", w.ID, w.Endpoint, w.EventTypes)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO wishes (endpoint, type, webhook) SELECT $2, unnest($3::TEXT[]), $1 ON CONFLICT DO NOTHING",
		w.ID, w.Endpoint, w.EventTypes)
	return err
}

// DeleteWebhook detaches a webhook, and then marks what was pending, in steps that let others write in between. Of a long
// queue it leaves the rest to Prune.
func (s *Store) DeleteWebhook(ctx context.Context, workspace, id string) error {
	const step, steps = 500, 10
	const doing = "detaching a webhook"
	err := s.write(ctx, doing, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := ownLane(ctx, tx, workspace, id); err != nil {
			return err
		}
		at, err := now(ctx, tx)
		if err != nil {
			return err
		}
		for _, statement := range []string{"DELETE FROM lanes WHERE webhook = $1", "DELETE FROM wishes WHERE webhook = $1"} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		return portable.DetachWebhook(ctx, tx, workspace, id, at)
	})
	for n, i := step, 0; err == nil && n == step && i < steps; i++ {
		n, err = ask(ctx, s, doing, func(ctx context.Context, tx *sql.Tx) (int, error) {
			return portable.SkipDetached(ctx, tx, id, step)
		})
	}
	return err
}

// SetOperationsURL stores where a workspace wants to be told.
func (s *Store) SetOperationsURL(ctx context.Context, o store.OperationsURL) (store.OperationsURL, error) {
	return ask(ctx, s, "storing the operations URL", func(ctx context.Context, tx *sql.Tx) (store.OperationsURL, error) {
		return portable.SetOperationsURL(ctx, tx, o)
	})
}

// UpdateOperationsURL changes where a workspace wants to be told.
func (s *Store) UpdateOperationsURL(
	ctx context.Context, workspace string, change func(*store.OperationsURL) error,
) (store.OperationsURL, error) {
	return ask(ctx, s, "changing the operations URL", func(ctx context.Context, tx *sql.Tx) (store.OperationsURL, error) {
		if _, err := tx.ExecContext(ctx, "SELECT FROM operations WHERE workspace = $1 FOR UPDATE", workspace); err != nil {
			return store.OperationsURL{}, err
		}
		before, err := portable.OperationsURL(ctx, tx, workspace)
		if err != nil {
			return before, err
		}
		o := before
		if err := change(&o); err != nil {
			return o, err
		}
		o.ID, o.Workspace, o.Created = before.ID, before.Workspace, before.Created
		return o, portable.PutOperationsURL(ctx, tx, o)
	})
}

// DeleteOperationsURL forgets where a workspace wants to be told.
func (s *Store) DeleteOperationsURL(ctx context.Context, workspace string) (string, error) {
	return ask(ctx, s, "deleting the operations URL", func(ctx context.Context, tx *sql.Tx) (string, error) {
		return portable.DeleteOperationsURL(ctx, tx, workspace)
	})
}

// Reseal passes every sealed value through seal. What somebody changes meanwhile is passed through again.
func (s *Store) Reseal(ctx context.Context, seal func(owner, purpose string, sealed []byte) ([]byte, error)) (int, error) {
	const step = 100
	total := 0
	for _, table := range portable.SealedTables() {
		for after, done := "", false; !done; {
			var last string
			n, err := ask(ctx, s, "sealing anew", func(ctx context.Context, tx *sql.Tx) (n int, err error) {
				n, last, err = table.Reseal(ctx, tx, seal, after, step)
				return n, err
			})
			if errors.Is(err, portable.ErrChanged) {
				continue
			}
			if err != nil {
				return total, err
			}
			total, after, done = total+n, last, last == ""
		}
	}
	return total, nil
}
