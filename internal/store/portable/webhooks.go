package portable

import (
	"context"
	"errors"
	"time"

	"stripe-connector/internal/store"
)

// WebhookColumns are the columns of a webhook, in the order of WebhookFields.
const WebhookColumns = "id, workspace, connection, endpoint, name, event_group, event_types, url, state, reason, secrets, since, created"

// WebhookFields is where a row of WebhookColumns is scanned to.
func WebhookFields(w *store.Webhook) []any {
	return []any{
		&w.ID, &w.Workspace, &w.Connection, &w.Endpoint, &w.Name, &w.Group,
		jsonColumn{&w.EventTypes},
		&w.URL,
		&w.State, &w.Reason,
		jsonColumn{&w.Secrets},
		timeColumn{&w.Since},
		timeColumn{&w.Created},
	}
}

func scanWebhook(row scanner) (store.Webhook, error) {
	var w store.Webhook
	return w, row.Scan(WebhookFields(&w)...)
}

// CreateWebhook is Webhooks.CreateWebhook.
func CreateWebhook(ctx context.Context, q Querier, w store.Webhook) (store.Webhook, bool, error) {
	if err := ownEndpoint(ctx, q, w); err != nil {
		return store.Webhook{}, false, err
	}
	w.EventTypes, w.Name = Canonical(w.EventTypes), clean(w.Name)
	types, err := jsonText(w.EventTypes)
	if err != nil {
		return store.Webhook{}, false, err
	}
	secrets, err := jsonText(w.Secrets)
	if err != nil {
		return store.Webhook{}, false, err
	}
	n, err := changed(ctx, q, "INSERT INTO webhooks ("+WebhookColumns+
		", detached) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0) ON CONFLICT DO NOTHING",
		w.ID, w.Workspace, w.Connection, w.Endpoint, w.Name, w.Group, types, w.URL, w.State, w.Reason, secrets,
		Micros(w.Since), Micros(w.Created))
	if err != nil {
		return store.Webhook{}, false, err
	}
	stored, err := one(scanWebhook, q.QueryRowContext(ctx, "SELECT "+WebhookColumns+" FROM webhooks "+
		"WHERE workspace = $1 AND endpoint = $2 AND url = $3 AND event_types = $4 AND detached = 0",
		w.Workspace, w.Endpoint, w.URL, types))
	if errors.Is(err, store.ErrNotFound) {
		err = store.ErrConflict // the id is taken
	}
	return stored, n > 0 && err == nil, err
}

// ownEndpoint reports ErrNotFound unless the webhook's endpoint is one of its connection in its workspace.
func ownEndpoint(ctx context.Context, q Querier, w store.Webhook) error {
	e, err := Endpoint(ctx, q, w.Workspace, w.Endpoint)
	if err == nil && e.Connection != w.Connection {
		return store.ErrNotFound
	}
	return err
}

// Webhook is Webhooks.Webhook.
func Webhook(ctx context.Context, q Querier, workspace, id string) (store.Webhook, error) {
	return one(scanWebhook, q.QueryRowContext(ctx,
		"SELECT "+WebhookColumns+" FROM webhooks WHERE id = $1 AND workspace = $2 AND detached = 0", id, workspace))
}

// AllWebhooks returns every attached webhook of every workspace, oldest first.
func AllWebhooks(ctx context.Context, q Querier) ([]store.Webhook, error) {
	return all(ctx, q, scanWebhook, "SELECT "+WebhookColumns+" FROM webhooks WHERE detached = 0 ORDER BY created, id")
}

// PutWebhook stores what UpdateWebhook changed and returns it as it is stored.
func PutWebhook(ctx context.Context, q Querier, w store.Webhook) (store.Webhook, error) {
	if err := ownEndpoint(ctx, q, w); err != nil {
		return w, err
	}
	w.EventTypes, w.Name = Canonical(w.EventTypes), clean(w.Name)
	types, err := jsonText(w.EventTypes)
	if err != nil {
		return w, err
	}
	secrets, err := jsonText(w.Secrets)
	if err != nil {
		return w, err
	}
	var taken bool
	err = q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM webhooks WHERE workspace = $1 AND endpoint = $2 AND url = $3 "+
		"AND event_types = $4 AND detached = 0 AND id <> $5)", w.Workspace, w.Endpoint, w.URL, types, w.ID).Scan(&taken)
	if err != nil {
		return w, err
	}
	if taken {
		return w, store.ErrConflict
	}
	w.Since = Time(Micros(w.Since))
	return w, mustChange(ctx, q, store.ErrNotFound, "UPDATE webhooks SET connection = $2, endpoint = $3, name = $4, "+
		"event_group = $5, event_types = $6, url = $7, state = $8, reason = $9, secrets = $10, since = $11 WHERE id = $1",
		w.ID, w.Connection, w.Endpoint, w.Name, w.Group, types, w.URL, w.State, w.Reason, secrets, Micros(w.Since))
}

// DetachWebhook hides a webhook. Its row stays for as long as deliveries name it.
func DetachWebhook(ctx context.Context, q Querier, workspace, id string, now time.Time) error {
	return mustChange(ctx, q, store.ErrNotFound,
		"UPDATE webhooks SET detached = $3, secrets = '[]' WHERE id = $1 AND workspace = $2 AND detached = 0", id, workspace, Micros(now))
}

// SkipDetached marks at most limit pending deliveries of detached webhooks as skipped; of one webhook if it is not empty.
func SkipDetached(ctx context.Context, q Querier, webhook string, limit int) (int, error) {
	// CROSS JOIN has SQLite begin with the few detached webhooks rather than with all that is pending.
	s := selectWhere("UPDATE deliveries SET state = 'skipped', reason = $1, next_at = 0 WHERE id IN (SELECT d.id FROM webhooks w "+
		"CROSS JOIN deliveries d WHERE d.webhook = w.id AND w.detached > 0 AND d.state = 'pending'", store.ReasonDetached)
	s.equal("w.id", webhook)
	s.add(" LIMIT ?)", limit)
	return changed(ctx, q, s.text.String(), s.args...)
}

// Webhooks is Webhooks.Webhooks.
func Webhooks(ctx context.Context, q Querier, workspace string, f store.WebhookFilter, p store.Page) (store.List[store.Webhook], error) {
	s := selectWhere("SELECT "+WebhookColumns+" FROM webhooks WHERE workspace = $1 AND detached = 0", workspace)
	s.equal("connection", f.Connection)
	s.equal("endpoint", f.Endpoint)
	s.equal("state", string(f.State))
	return list(ctx, q, s, p, byCreated, scanWebhook, func(w store.Webhook) store.Position {
		return store.Position{Created: w.Created, ID: w.ID}
	})
}
