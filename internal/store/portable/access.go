package portable

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"stripe-connector/internal/store"
)

const tokenColumns = "id, workspace, role, name, prefix, hash, created, last_used"

func scanToken(row scanner) (store.Token, error) {
	var t store.Token
	var hash []byte
	err := row.Scan(&t.ID, &t.Workspace, &t.Role, &t.Name, &t.Prefix, &hash, timeColumn{&t.Created}, timeColumn{&t.LastUsed})
	if err == nil && copy(t.Hash[:], hash) != len(t.Hash) {
		err = fmt.Errorf("reading token %s: its hash has %d bytes", t.ID, len(hash))
	}
	return t, err
}

func ensureWorkspace(ctx context.Context, q Querier, id string, now time.Time) error {
	_, err := q.ExecContext(ctx, "INSERT INTO workspaces (id, created) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, Micros(now))
	return err
}

// CreateToken is Access.CreateToken.
func CreateToken(ctx context.Context, q Querier, t store.Token) error {
	if err := ensureWorkspace(ctx, q, t.Workspace, t.Created); err != nil {
		return err
	}
	return mustChange(ctx, q, store.ErrConflict,
		"INSERT INTO tokens ("+tokenColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
		t.ID, t.Workspace, t.Role, clean(t.Name), t.Prefix, t.Hash[:], Micros(t.Created), Micros(t.LastUsed))
}

// Bootstrap is Access.Bootstrap. The caller sees to it that no two run at once.
func Bootstrap(ctx context.Context, q Querier, t store.Token) (bool, error) {
	var exists bool
	if err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM tokens)").Scan(&exists); err != nil || exists {
		return false, err
	}
	return true, CreateToken(ctx, q, t)
}

// TokenByHash is Access.TokenByHash.
func TokenByHash(ctx context.Context, q Querier, hash [32]byte) (store.Token, error) {
	return one(scanToken, q.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM tokens WHERE hash = $1", hash[:]))
}

// TouchTokens is Access.TouchTokens.
func TouchTokens(ctx context.Context, q Querier, used map[string]time.Time) error {
	for _, id := range slices.Sorted(maps.Keys(used)) { // one order for all, so that two callers do not wait for each other
		_, err := q.ExecContext(ctx, "UPDATE tokens SET last_used = $2 WHERE id = $1 AND last_used < $2", id, Micros(used[id]))
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteToken is Access.DeleteToken.
func DeleteToken(ctx context.Context, q Querier, workspace, id string) error {
	return mustChange(ctx, q, store.ErrNotFound, "DELETE FROM tokens WHERE id = $1 AND workspace = $2", id, workspace)
}

// Tokens is Access.Tokens.
func Tokens(ctx context.Context, q Querier, workspace string, p store.Page) (store.List[store.Token], error) {
	s := selectWhere("SELECT "+tokenColumns+" FROM tokens WHERE workspace = $1", workspace)
	return list(ctx, q, s, p, byCreated, scanToken, func(t store.Token) store.Position {
		return store.Position{Created: t.Created, ID: t.ID}
	})
}

// Workspaces is Access.Workspaces.
func Workspaces(ctx context.Context, q Querier) ([]store.Workspace, error) {
	scan := func(row scanner) (w store.Workspace, err error) {
		return w, row.Scan(&w.ID, timeColumn{&w.Created})
	}
	return all(ctx, q, scan, "SELECT id, created FROM workspaces ORDER BY id")
}
