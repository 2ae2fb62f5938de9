// Package transfer moves a store from one engine to another: every row of every table, as it is. A transfer that was
// interrupted goes on where it stopped, and counts as done only when both sides have the same rows.
package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"stripe-connector/internal/store/portable"
)

// A Source is read from, in the order of keys.
type Source interface {
	Rows(ctx context.Context, t portable.Table, after []any, limit int) ([][]any, error)
	CountRows(ctx context.Context, t portable.Table) (int, error)
}

// A Target is filled. Nobody else writes to it from Begin to End.
type Target interface {
	Source
	// Begin fails unless the target is empty, or has what an interrupted transfer left.
	Begin(ctx context.Context) error
	LastKey(ctx context.Context, t portable.Table) ([]any, error)
	// Load stores all rows, or none of them.
	Load(ctx context.Context, t portable.Table, rows [][]any) error
	// End makes the target fit for use.
	End(ctx context.Context) error
}

// A Progress is how far one pass over a table has come.
type Progress struct {
	Table    string
	Checking bool // false: copying
	Done     int  // rows
	Total    int
}

// A Result is what both sides have of a table.
type Result struct {
	Table string
	Rows  int
	Sum   [sha256.Size]byte // over all rows in the order of keys
}

// Copy fills the target with what is in the source, and compares. It can be repeated after an error. It calls progress now
// and then, and at the end of each pass over a table.
func Copy(ctx context.Context, from Source, to Target, progress func(Progress)) ([]Result, error) {
	if err := to.Begin(ctx); err != nil {
		return nil, fmt.Errorf("preparing the target: %w", err)
	}
	var results []Result
	for _, t := range portable.Tables() {
		total, err := from.CountRows(ctx, t)
		if err != nil {
			return nil, err
		}
		if err := fill(ctx, from, to, t, func(done int) { progress(Progress{t.Name, false, done, total}) }); err != nil {
			return nil, err
		}
		result, err := compare(ctx, from, to, t, func(done int) { progress(Progress{t.Name, true, done, total}) })
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	if err := to.End(ctx); err != nil {
		return nil, fmt.Errorf("finishing the target: %w", err)
	}
	return results, nil
}

// fill copies what the target lacks of a table. What it has is a beginning, since rows are copied in the order of keys.
func fill(ctx context.Context, from Source, to Target, t portable.Table, progress func(done int)) error {
	last, err := to.LastKey(ctx, t)
	if err != nil {
		return err
	}
	done := 0
	if last != nil {
		if done, err = to.CountRows(ctx, t); err != nil {
			return err
		}
	}
	progress(done)
	return pages(ctx, from, t, last, func(rows [][]any) error {
		if err := to.Load(ctx, t, rows); err != nil {
			return err
		}
		done += len(rows)
		progress(done)
		return nil
	})
}

func compare(ctx context.Context, from Source, to Target, t portable.Table, progress func(done int)) (Result, error) {
	want, err := sum(ctx, from, t, func(int) {})
	if err != nil {
		return Result{}, err
	}
	got, err := sum(ctx, to, t, progress)
	if err != nil {
		return Result{}, err
	}
	if got != want {
		return Result{}, fmt.Errorf("%s differs: the source has %d rows with the sum %x, the target %d with %x; empty the target and start anew",
			t.Name, want.Rows, want.Sum[:6], got.Rows, got.Sum[:6])
	}
	return got, nil
}

// sum counts and hashes the rows of a table.
func sum(ctx context.Context, s Source, t portable.Table, progress func(done int)) (Result, error) {
	h := sha256.New()
	r := Result{Table: t.Name}
	err := pages(ctx, s, t, nil, func(rows [][]any) error {
		for _, row := range rows {
			for _, v := range row {
				write(h, v)
			}
		}
		r.Rows += len(rows)
		progress(r.Rows)
		return nil
	})
	h.Sum(r.Sum[:0])
	return r, err
}

// write adds a value to a hash so that no two rows look the same.
func write(h hash.Hash, v any) {
	number := func(n int64) { _, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) } //nolint:gosec // any bits will do
	switch v := v.(type) {
	case string:
		number(int64(len(v)))
		_, _ = h.Write([]byte(v))
	case []byte:
		number(int64(len(v)))
		_, _ = h.Write(v)
	case int64:
		number(v)
	case bool:
		if v {
			number(1)
		} else {
			number(0)
		}
	}
}

// pages reads a table after a key, in pages of a few megabytes.
func pages(ctx context.Context, s Source, t portable.Table, after []any, use func(rows [][]any) error) error {
	const most, enough = 2000, 4 << 20
	for limit := 100; ; {
		rows, err := s.Rows(ctx, t, after, limit)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if err := use(rows); err != nil {
			return err
		}
		after = rows[len(rows)-1][:t.Key]
		if size(rows) > enough {
			limit = max(1, limit/2)
		} else {
			limit = min(most, 2*limit)
		}
	}
}

func size(rows [][]any) (n int) {
	for _, row := range rows {
		for _, v := range row {
			if b, ok := v.([]byte); ok {
				n += len(b)
			}
		}
	}
	return n
}
