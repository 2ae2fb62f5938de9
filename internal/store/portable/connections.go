package portable

import (
	"context"

	"stripe-connector/internal/store"
)

const connectionColumns = "id, workspace, name, account, livemode, last4, sealed, created"

func scanConnection(row scanner) (store.Connection, error) {
	var c store.Connection
	return c, row.Scan(&c.ID, &c.Workspace, &c.Name, &c.Account, &c.Livemode, &c.Last4, &c.Key, timeColumn{&c.Created})
}

// CreateConnection is Connections.CreateConnection.
func CreateConnection(ctx context.Context, q Querier, c store.Connection) error {
	if err := ensureWorkspace(ctx, q, c.Workspace, c.Created); err != nil {
		return err
	}
	return mustChange(ctx, q, store.ErrConflict,
		"INSERT INTO connections ("+connectionColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
		c.ID, c.Workspace, clean(c.Name), c.Account, c.Livemode, c.Last4, c.Key, Micros(c.Created))
}

// Connection is Connections.Connection.
func Connection(ctx context.Context, q Querier, workspace, id string) (store.Connection, error) {
	return one(scanConnection, q.QueryRowContext(ctx,
		"SELECT "+connectionColumns+" FROM connections WHERE id = $1 AND workspace = $2", id, workspace))
}

// PutConnection stores what UpdateConnection changed.
func PutConnection(ctx context.Context, q Querier, c store.Connection) error {
	return mustChange(ctx, q, store.ErrNotFound,
		"UPDATE connections SET name = $2, account = $3, livemode = $4, last4 = $5, sealed = $6 WHERE id = $1",
		c.ID, clean(c.Name), c.Account, c.Livemode, c.Last4, c.Key)
}

// DeleteConnection is Connections.DeleteConnection. It returns the ids of the endpoints that went with it.
func DeleteConnection(ctx context.Context, q Querier, workspace, id string) ([]string, error) {
	if _, err := Connection(ctx, q, workspace, id); err != nil {
		return nil, err
	}
	var used bool
	err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM webhooks WHERE connection = $1 AND detached = 0)", id).Scan(&used)
	if err != nil {
		return nil, err
	}
	if used {
		return nil, store.ErrConflict
	}
	endpoints, err := all(ctx, q, scanString, "DELETE FROM endpoints WHERE connection = $1 RETURNING id", id)
	if err != nil {
		return nil, err
	}
	_, err = q.ExecContext(ctx, "DELETE FROM connections WHERE id = $1", id)
	return endpoints, err
}

func scanString(row scanner) (s string, err error) {
	return s, row.Scan(&s)
}

// Connections is Connections.Connections.
func Connections(ctx context.Context, q Querier, workspace string, p store.Page) (store.List[store.Connection], error) {
	s := selectWhere("SELECT "+connectionColumns+" FROM connections WHERE workspace = $1", workspace)
	return list(ctx, q, s, p, byCreated, scanConnection, func(c store.Connection) store.Position {
		return store.Position{Created: c.Created, ID: c.ID}
	})
}
