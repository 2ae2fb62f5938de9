package portable

import (
	"context"
	"errors"

	"stripe-connector/internal/store"
)

const endpointColumns = "id, workspace, connection, connect, api_version, livemode, stripe_id, secrets, event_types, " +
	"state, reason, caught, created"

func scanEndpoint(row scanner) (store.Endpoint, error) {
	var e store.Endpoint
	return e, row.Scan(&e.ID, &e.Workspace, &e.Connection, &e.Connect, &e.APIVersion, &e.Livemode, &e.StripeID,
		jsonColumn{&e.Secrets}, jsonColumn{&e.EventTypes}, &e.State, &e.Reason, timeColumn{&e.Caught}, timeColumn{&e.Created})
}

// EnsureEndpoint is Endpoints.EnsureEndpoint.
func EnsureEndpoint(ctx context.Context, q Querier, e store.Endpoint) (store.Endpoint, error) {
	if _, err := Connection(ctx, q, e.Workspace, e.Connection); err != nil {
		return store.Endpoint{}, err
	}
	secrets, err := jsonText(e.Secrets)
	if err != nil {
		return store.Endpoint{}, err
	}
	types, err := jsonText(Canonical(e.EventTypes))
	if err != nil {
		return store.Endpoint{}, err
	}
	_, err = q.ExecContext(ctx, "INSERT INTO endpoints ("+endpointColumns+
		") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
		e.ID, e.Workspace, e.Connection, e.Connect, e.APIVersion, e.Livemode, e.StripeID, secrets, types,
		e.State, e.Reason, Micros(e.Caught), Micros(e.Created))
	if err != nil {
		return store.Endpoint{}, err
	}
	stored, err := one(scanEndpoint, q.QueryRowContext(ctx, "SELECT "+endpointColumns+
		" FROM endpoints WHERE connection = $1 AND connect = $2 AND api_version = $3", e.Connection, e.Connect, e.APIVersion))
	if errors.Is(err, store.ErrNotFound) {
		return stored, store.ErrConflict // the id belongs to another pool
	}
	return stored, err
}

// Endpoint is Endpoints.Endpoint.
func Endpoint(ctx context.Context, q Querier, workspace, id string) (store.Endpoint, error) {
	return one(scanEndpoint, q.QueryRowContext(ctx,
		"SELECT "+endpointColumns+" FROM endpoints WHERE id = $1 AND workspace = $2", id, workspace))
}

// Receiver is Endpoints.Receiver.
func Receiver(ctx context.Context, q Querier, id string) (store.Endpoint, error) {
	return one(scanEndpoint, q.QueryRowContext(ctx, "SELECT "+endpointColumns+" FROM endpoints WHERE id = $1", id))
}

// AllEndpoints is Endpoints.AllEndpoints.
func AllEndpoints(ctx context.Context, q Querier) ([]store.Endpoint, error) {
	return all(ctx, q, scanEndpoint, "SELECT "+endpointColumns+" FROM endpoints ORDER BY created, id")
}

// PutEndpoint stores what UpdateEndpoint changed. What makes it the pool that it is stays.
func PutEndpoint(ctx context.Context, q Querier, e store.Endpoint) error {
	secrets, err := jsonText(e.Secrets)
	if err != nil {
		return err
	}
	types, err := jsonText(Canonical(e.EventTypes))
	if err != nil {
		return err
	}
	return mustChange(ctx, q, store.ErrNotFound, "UPDATE endpoints SET livemode = $2, stripe_id = $3, secrets = $4, "+
		"event_types = $5, state = $6, reason = $7, caught = $8 WHERE id = $1",
		e.ID, e.Livemode, e.StripeID, secrets, types, e.State, e.Reason, Micros(e.Caught))
}

// DeleteEndpoint is Endpoints.DeleteEndpoint.
func DeleteEndpoint(ctx context.Context, q Querier, workspace, id string) error {
	if _, err := Endpoint(ctx, q, workspace, id); err != nil {
		return err
	}
	return mustChange(ctx, q, store.ErrConflict, "DELETE FROM endpoints WHERE id = $1 "+
		"AND NOT EXISTS (SELECT 1 FROM webhooks WHERE endpoint = $1 AND detached = 0)", id)
}

// WantedTypes is Endpoints.WantedTypes.
func WantedTypes(ctx context.Context, q Querier, workspace, id string) ([]string, error) {
	if _, err := Endpoint(ctx, q, workspace, id); err != nil {
		return nil, err
	}
	scan := func(row scanner) (types []string, err error) {
		return types, row.Scan(jsonColumn{&types})
	}
	lists, err := all(ctx, q, scan, "SELECT event_types FROM webhooks WHERE endpoint = $1 AND detached = 0", id)
	if err != nil {
		return nil, err
	}
	var union []string
	for _, types := range lists {
		union = append(union, types...)
	}
	return Canonical(union), nil
}
