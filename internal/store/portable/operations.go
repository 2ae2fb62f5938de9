package portable

import (
	"context"

	"stripe-connector/internal/store"
)

const operationsColumns = "id, workspace, url, secrets, created"

func scanOperationsURL(row scanner) (store.OperationsURL, error) {
	var o store.OperationsURL
	return o, row.Scan(&o.ID, &o.Workspace, &o.URL, jsonColumn{&o.Secrets}, timeColumn{&o.Created})
}

// SetOperationsURL is Operations.SetOperationsURL.
func SetOperationsURL(ctx context.Context, q Querier, o store.OperationsURL) (store.OperationsURL, error) {
	secrets, err := jsonText(o.Secrets)
	if err != nil {
		return store.OperationsURL{}, err
	}
	return one(scanOperationsURL, q.QueryRowContext(ctx, "INSERT INTO operations ("+operationsColumns+") VALUES ($1, $2, $3, $4, $5) "+
		"ON CONFLICT (workspace) DO UPDATE SET url = excluded.url RETURNING "+operationsColumns,
		o.ID, o.Workspace, o.URL, secrets, Micros(o.Created)))
}

// OperationsURL is Operations.OperationsURL.
func OperationsURL(ctx context.Context, q Querier, workspace string) (store.OperationsURL, error) {
	return one(scanOperationsURL, q.QueryRowContext(ctx, "SELECT "+operationsColumns+" FROM operations WHERE workspace = $1", workspace))
}

// PutOperationsURL stores what UpdateOperationsURL changed.
func PutOperationsURL(ctx context.Context, q Querier, o store.OperationsURL) error {
	secrets, err := jsonText(o.Secrets)
	if err != nil {
		return err
	}
	return mustChange(ctx, q, store.ErrNotFound, "UPDATE operations SET url = $2, secrets = $3 WHERE id = $1", o.ID, o.URL, secrets)
}

// DeleteOperationsURL is Operations.DeleteOperationsURL.
func DeleteOperationsURL(ctx context.Context, q Querier, workspace string) (string, error) {
	return one(scanString, q.QueryRowContext(ctx, "DELETE FROM operations WHERE workspace = $1 RETURNING id", workspace))
}
