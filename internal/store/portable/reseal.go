package portable

import (
	"bytes"
	"context"
	"errors"

	"stripe-connector/internal/store"
)

// A Seal turns a sealed value into what is to be stored in its place, as in Store.Reseal.
type Seal func(owner, purpose string, sealed []byte) ([]byte, error)

// A sealedRow is one row that holds sealed values: one or several, as its table has it.
type sealedRow struct {
	id      string
	stored  any // the column as it is
	sealed  []byte
	secrets []store.Secret
}

// ErrChanged is an error of SealedTable.Reseal.
var ErrChanged = errors.New("a sealed value was changed meanwhile")

// Reseal passes the sealed values of the next limit rows of a table through seal, in the order of ids after the given one.
// It returns how many values changed, and the last id; empty when there are no more. ErrChanged means that somebody else
// changed one of them meanwhile, and that the step has to be taken back and repeated.
func (t SealedTable) Reseal(ctx context.Context, q Querier, seal Seal, after string, limit int) (int, string, error) {
	scan := func(row scanner) (r sealedRow, err error) {
		if t.many {
			return r, row.Scan(&r.id, &r.stored, jsonColumn{&r.secrets})
		}
		return r, row.Scan(&r.id, &r.stored, &r.sealed)
	}
	rows, err := all(ctx, q, scan, "SELECT id, "+t.column+", "+t.column+" FROM "+t.name+" WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
	if err != nil || len(rows) == 0 {
		return 0, "", err
	}
	total := 0
	for _, r := range rows {
		n := 0
		again := func(sealed *[]byte) error {
			fresh, err := seal(r.id, t.purpose, *sealed)
			if err == nil && !bytes.Equal(fresh, *sealed) {
				n++
				*sealed = fresh
			}
			return err
		}
		var value any
		if t.many {
			for i := range r.secrets {
				if err := again(&r.secrets[i].Sealed); err != nil {
					return 0, "", err
				}
			}
			if value, err = jsonText(r.secrets); err != nil {
				return 0, "", err
			}
		} else {
			if err := again(&r.sealed); err != nil {
				return 0, "", err
			}
			value = r.sealed
		}
		if n == 0 {
			continue
		}
		total += n
		err := mustChange(ctx, q, ErrChanged, "UPDATE "+t.name+" SET "+t.column+" = $2 WHERE id = $1 AND "+t.column+" = $3", r.id, value, r.stored)
		if err != nil {
			return 0, "", err
		}
	}
	return total, rows[len(rows)-1].id, nil
}

// A SealedTable is a table with sealed values.
type SealedTable struct {
	name, column, purpose string
	many                  bool // a list of secrets rather than one value
}

// SealedTables are all of them.
func SealedTables() []SealedTable {
	return []SealedTable{
		{"connections", "sealed", store.PurposeKey, false},
		{"endpoints", "secrets", store.PurposeEndpoint, true},
		{"webhooks", "secrets", store.PurposeWebhook, true},
		{"operations", "secrets", store.PurposeOperations, true},
	}
}
