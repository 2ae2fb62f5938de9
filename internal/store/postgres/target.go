package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store/portable"
)

// loadTime bounds one step of filling a Target.
const loadTime = 5 * time.Minute

// copying is a table that is there while a Target is being filled.
const copying = "copying"

// A Target is a database that another store is copied into. It is a transfer.Target.
type Target struct {
	portable.Reads

	store   *Store
	release func()
}

// OpenTarget opens a database to be filled, and brings its tables up to date. The caller closes it.
func OpenTarget(ctx context.Context, url string, log zerolog.Logger) (*Target, error) {
	s, err := connect(ctx, url, log)
	if err != nil {
		return nil, fmt.Errorf("opening the PostgreSQL database: %w", err)
	}
	if _, err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrating the PostgreSQL database: %w", err), s.Close())
	}
	release, err := s.Lock(ctx, copying)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Target{Reads: portable.NewReads(s.db, func(context.Context) {}, s.failure), store: s, release: release}, nil
}

// Close lets go of the database.
func (t *Target) Close() error {
	t.release()
	return t.store.Close()
}

// unfinished reports whether a Target was begun and not ended.
func (s *Store) unfinished(ctx context.Context) (yes bool, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", copying).Scan(&yes)
	return yes, err
}

// Begin marks the database, which must be empty or be marked already. A Store cannot be opened on it until End.
func (t *Target) Begin(ctx context.Context) error {
	if begun, err := t.store.unfinished(ctx); err != nil || begun {
		return err
	}
	for _, table := range portable.Tables() {
		n, err := t.CountRows(ctx, table)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("it is in use already: there are %d %s; copy into a new database", n, table.Name)
		}
	}
	_, err := t.store.db.ExecContext(ctx, "CREATE TABLE "+copying+" ()")
	return err
}

// Load stores rows.
func (t *Target) Load(ctx context.Context, table portable.Table, rows [][]any) error {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	args := make([]any, len(table.Columns))
	params := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		params[i] = fmt.Sprintf("$%d::%s[]", i+1, c.Kind)
		args[i] = column(rows, i)
	}
	query := fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM unnest(%s)", table.Name, table.Names(), strings.Join(params, ", ")) //nolint:gosec // of our own names
	_, err := t.store.db.ExecContext(ctx, query, args...)
	return t.store.failure(ctx, "storing "+table.Name, err)
}

func column(rows [][]any, i int) []any {
	values := make([]any, len(rows))
	for n, row := range rows {
		values[n] = row[i]
	}
	return values
}

// End makes what only this engine has of what was loaded, and takes the mark away.
func (t *Target) End(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	return t.store.transaction(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, statement := range []string{
			"INSERT INTO wishes (endpoint, type, webhook) SELECT w.endpoint, t.type, w.id FROM webhooks w " +
				"CROSS JOIN LATERAL json_array_elements_text(w.event_types::JSON) AS t (type) WHERE w.detached = 0",
			fmt.Sprintf("INSERT INTO lanes (webhook, open, due) SELECT w.id, w.state IN ('active', 'failing'), COALESCE((SELECT MIN(d.next_at) "+
				"FROM deliveries d WHERE d.webhook = w.id AND d.state = 'pending'), %d) FROM webhooks w WHERE w.detached = 0", int64(never)),
			"DROP TABLE " + copying,
			"ANALYZE",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}
