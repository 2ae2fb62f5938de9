package portable

import (
	"context"

	"stripe-connector/internal/store"
)

const deedColumns = "id, workspace, token, action, subject, request, created"

func scanDeed(row scanner) (store.Deed, error) {
	var d store.Deed
	return d, row.Scan(&d.ID, &d.Workspace, &d.Token, &d.Action, &d.Subject, &d.Request, timeColumn{&d.Created})
}

// Note is Audit.Note.
func Note(ctx context.Context, q Querier, d store.Deed) error {
	return mustChange(ctx, q, store.ErrConflict,
		"INSERT INTO audit ("+deedColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
		d.ID, d.Workspace, d.Token, d.Action, d.Subject, d.Request, Micros(d.Created))
}

// Deeds is Audit.Deeds.
func Deeds(ctx context.Context, q Querier, workspace string, p store.Page) (store.List[store.Deed], error) {
	s := selectWhere("SELECT "+deedColumns+" FROM audit WHERE workspace = $1", workspace)
	return list(ctx, q, s, p, byCreated, scanDeed, func(d store.Deed) store.Position {
		return store.Position{Created: d.Created, ID: d.ID}
	})
}
