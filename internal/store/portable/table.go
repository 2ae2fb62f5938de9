package portable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// A Table is one that every engine has, for who moves a store as it is.
type Table struct {
	Name    string
	Key     int // how many of the columns, the first ones, are the key
	Columns []Column
}

// A Column is one of a table.
type Column struct {
	Name string
	Kind Kind
}

// A Kind says what is in a column.
type Kind string

// The kinds of columns, and what stands for them in a row: string, int64, bool and []byte.
const (
	Text  Kind = "TEXT"
	Int   Kind = "BIGINT"
	Bool  Kind = "BOOLEAN"
	Bytes Kind = "BYTEA"
)

// Tables are all of them.
func Tables() []Table {
	return []Table{
		table("workspaces", 1, "id", "created:i"),
		table("tokens", 1, "id", "workspace", "role", "name", "prefix", "hash:b", "created:i", "last_used:i"),
		table("audit", 1, "id", "workspace", "token", "action", "subject", "request", "created:i"),
		table("connections", 1, "id", "workspace", "name", "account", "livemode:t", "last4", "sealed:b", "created:i"),
		table("endpoints", 1, "id", "workspace", "connection", "connect:t", "api_version", "livemode:t", "stripe_id", "secrets",
			"event_types", "state", "reason", "caught:i", "created:i"),
		table("webhooks", 1, "id", "workspace", "connection", "endpoint", "name", "event_group", "event_types", "url", "state",
			"reason", "secrets", "since:i", "created:i", "detached:i"),
		table("operations", 1, "id", "workspace", "url", "secrets", "created:i"),
		table("events", 2, "id", "endpoint", "workspace", "type", "account", "livemode:t", "api_version", "source", "object", "created:i",
			"received:i", "body:b", "trace"),
		table("deliveries", 1, "id", "workspace", "webhook", "endpoint", "event", "type", "state", "reason", "attempts:i", "tries:i",
			"last_status:i", "next_at:i", "created:i", "log"),
	}
}

// table makes a Table of columns, of which those that are no text say so by a letter.
func table(name string, key int, columns ...string) Table {
	kinds := map[string]Kind{"": Text, "i": Int, "t": Bool, "b": Bytes}
	t := Table{Name: name, Key: key}
	for _, c := range columns {
		column, letter, _ := strings.Cut(c, ":")
		t.Columns = append(t.Columns, Column{column, kinds[letter]})
	}
	return t
}

// Names returns the columns, separated by commas.
func (t Table) Names() string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

func (t Table) key() []string { return strings.SplitN(t.Names(), ", ", len(t.Columns))[:t.Key] }

// Rows returns at most limit rows of a table after the given key, nil for the first, in the order of keys.
func (r Reads) Rows(ctx context.Context, t Table, after []any, limit int) ([][]any, error) {
	s := selectWhere("SELECT " + t.Names() + " FROM " + t.Name + " WHERE TRUE")
	if after != nil {
		s.and("("+strings.Join(t.key(), ", ")+") > (?"+strings.Repeat(", ?", t.Key-1)+")", after...)
	}
	s.add(" ORDER BY "+strings.Join(t.key(), ", ")+" LIMIT ?", limit)
	scan := func(row scanner) ([]any, error) { return scanRow(row, t.Columns) }
	rows, err := all(ctx, r.q, scan, s.text.String(), s.args...)
	return rows, r.failure(ctx, "reading "+t.Name, err)
}

// LastKey returns the greatest key of a table, nil if it is empty.
func (r Reads) LastKey(ctx context.Context, t Table) ([]any, error) {
	row := r.q.QueryRowContext(ctx, "SELECT "+strings.Join(t.key(), ", ")+" FROM "+t.Name+
		" ORDER BY "+strings.Join(t.key(), " DESC, ")+" DESC LIMIT 1")
	key, err := scanRow(row, t.Columns[:t.Key])
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return key, r.failure(ctx, "reading the end of "+t.Name, err)
}

// CountRows counts the rows of a table.
func (r Reads) CountRows(ctx context.Context, t Table) (int, error) {
	var n int
	err := r.q.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.Name).Scan(&n)
	return n, r.failure(ctx, "counting "+t.Name, err)
}

func scanRow(row scanner, columns []Column) ([]any, error) {
	var texts [16]string
	var ints [16]int64
	var bools [16]bool
	var bytes [16][]byte
	dest := make([]any, len(columns))
	for i, c := range columns {
		switch c.Kind {
		case Text:
			dest[i] = &texts[i]
		case Int:
			dest[i] = &ints[i]
		case Bool:
			dest[i] = &bools[i]
		case Bytes:
			dest[i] = &bytes[i]
		}
	}
	if err := row.Scan(dest...); err != nil {
		return nil, fmt.Errorf("reading a row: %w", err)
	}
	for i, c := range columns {
		switch c.Kind {
		case Text:
			dest[i] = texts[i]
		case Int:
			dest[i] = ints[i]
		case Bool:
			dest[i] = bools[i]
		case Bytes:
			dest[i] = append([]byte{}, bytes[i]...) // an engine may read nothing as nil, and no column takes that
		}
	}
	return dest, nil
}
