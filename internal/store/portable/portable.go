// Package portable holds the SQL that every engine of the store understands, as functions of a Querier: the nouns, their
// lists and filters. What differs between engines, such as how deliveries are claimed, stands with the engine.
//
// Placeholders are $1, $2, …; times are BIGINT microseconds since 1970, 0 for the zero time; lists are JSON text. Conflicts
// are found with ON CONFLICT DO NOTHING and the count of changed rows, so that no engine's error codes are needed.
package portable

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stripe-connector/internal/store"
)

// A Querier runs statements: a connection, a transaction or a pool.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Micros is how a time is stored.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros wrote.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// timeColumn scans a stored time.
type timeColumn struct{ to *time.Time }

func (c timeColumn) Scan(value any) error {
	micros, ok := value.(int64)
	if !ok {
		return fmt.Errorf("reading a time from %T", value)
	}
	*c.to = Time(micros)
	return nil
}

// jsonColumn scans a stored list.
type jsonColumn struct{ to any }

func (c jsonColumn) Scan(value any) error {
	switch v := value.(type) {
	case string:
		return json.Unmarshal([]byte(v), c.to)
	case []byte:
		return json.Unmarshal(v, c.to)
	default:
		return fmt.Errorf("reading a list from %T", value)
	}
}

func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// A scanner is a row, be it the only one or one of many.
type scanner interface {
	Scan(dest ...any) error
}

// one reads the only row of a statement; no row is ErrNotFound.
func one[T any](scan func(scanner) (T, error), row *sql.Row) (T, error) {
	v, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		return v, store.ErrNotFound
	}
	return v, err
}

// all reads every row of a statement.
func all[T any](ctx context.Context, q Querier, scan func(scanner) (T, error), query string, args ...any) (_ []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// changed runs a statement and returns how many rows it changed.
func changed(ctx context.Context, q Querier, query string, args ...any) (int, error) {
	result, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// mustChange is changed for a statement that ought to change a row; missing is the error if it does not.
func mustChange(ctx context.Context, q Querier, missing error, query string, args ...any) error {
	n, err := changed(ctx, q, query, args...)
	if err == nil && n == 0 {
		return missing
	}
	return err
}

// A selection is a statement that grows condition by condition.
type selection struct {
	text strings.Builder
	args []any
}

// selectWhere begins a selection; text may hold placeholders for args.
func selectWhere(text string, args ...any) *selection {
	s := &selection{args: args}
	s.text.WriteString(text)
	return s
}

// and adds a condition in which each ? stands for one argument.
func (s *selection) and(condition string, args ...any) {
	s.text.WriteString(" AND ")
	s.add(condition, args...)
}

func (s *selection) add(text string, args ...any) {
	for _, arg := range args {
		before, after, _ := strings.Cut(text, "?")
		s.args = append(s.args, arg)
		s.text.WriteString(before + "$" + strconv.Itoa(len(s.args)))
		text = after
	}
	s.text.WriteString(text)
}

// equal adds a condition unless the value is empty.
func (s *selection) equal(column, value string) {
	if value != "" {
		s.and(column+" = ?", value)
	}
}

func (s *selection) between(column string, from, to time.Time) {
	if !from.IsZero() {
		s.and(column+" >= ?", Micros(from))
	}
	if !to.IsZero() {
		s.and(column+" < ?", Micros(to))
	}
}

func (s *selection) oneOf(column string, values []string) {
	switch len(values) {
	case 0:
	case 1:
		s.equal(column, values[0])
	default:
		args := make([]any, len(values))
		for i, v := range values {
			args[i] = v
		}
		s.and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
	}
}

// A cut is what a page is of a list.
type cut struct {
	key   []string // the columns of the order, creation time first
	after []any    // the position behind which it begins; nil: at the start
	limit int
}

func cutOf(p store.Page, key []string) (cut, error) {
	c := cut{key: key, limit: p.Limit}
	if c.limit < 1 || c.limit > store.MaxPage {
		c.limit = store.MaxPage
	}
	if p.Cursor == "" {
		return c, nil
	}
	at, err := store.ParseCursor(p.Cursor)
	if err != nil {
		return c, err
	}
	c.after = []any{Micros(at.Created)}
	for _, part := range strings.SplitN(at.ID, "/", len(key)-1) {
		c.after = append(c.after, part)
	}
	if len(c.after) != len(key) {
		return c, store.ErrCursor
	}
	return c, nil
}

// behind adds the condition that an item is not on an earlier page.
func (c *cut) behind(s *selection) {
	if c.after != nil {
		s.and("("+strings.Join(c.key, ", ")+") < (?"+strings.Repeat(", ?", len(c.key)-1)+")", c.after...)
	}
}

// order ends a selection. The limit is one more than the page holds, which tells whether there is another one.
func (c *cut) order(s *selection) {
	s.add(" ORDER BY "+strings.Join(c.key, " DESC, ")+" DESC LIMIT ?", c.limit+1)
}

// page reads a selection that c has ended. position says where an item stands.
func page[T any](ctx context.Context, q Querier, s *selection, c cut, scan func(scanner) (T, error), position func(T) store.Position,
) (store.List[T], error) {
	items, err := all(ctx, q, scan, s.text.String(), s.args...)
	if err != nil {
		return store.List[T]{}, err
	}
	if len(items) <= c.limit {
		return store.List[T]{Data: items}, nil
	}
	return store.List[T]{Data: items[:c.limit], Next: position(items[c.limit-1]).Cursor()}, nil
}

// list reads one page of a selection. key lists the columns of the order, creation time first.
func list[T any](ctx context.Context, q Querier, s *selection, p store.Page, key []string,
	scan func(scanner) (T, error), position func(T) store.Position,
) (store.List[T], error) {
	c, err := cutOf(p, key)
	if err != nil {
		return store.List[T]{}, err
	}
	c.behind(s)
	c.order(s)
	return page(ctx, q, s, c, scan, position)
}

var byCreated = []string{"created", "id"}

// Canonical returns event types sorted and without repetition; "*" stands for all others.
func Canonical(types []string) []string {
	if slices.Contains(types, "*") {
		return []string{"*"}
	}
	sorted := slices.Sorted(slices.Values(types))
	if sorted == nil {
		return []string{}
	}
	return slices.Compact(sorted)
}
