package store_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"stripe-connector/internal/store"
)

func TestNewID(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^conn_[0-9a-hjkmnp-tv-z]{26}$`)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	seen := make(map[string]bool)
	for before := ""; len(seen) < 1000; now = now.Add(time.Millisecond) {
		id := store.NewID(store.PrefixConnection, now)
		if !form.MatchString(id) {
			t.Fatalf("got %q, want the form %s", id, form)
		}
		if id <= before {
			t.Fatalf("%s does not sort after %s", id, before)
		}
		before = id
		seen[id] = true
		if same := store.NewID(store.PrefixConnection, now); same[:14] != id[:14] || same == id {
			t.Fatalf("got %s and %s for one time, want the same beginning and another end", id, same)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(store.Position{Created: time.UnixMicro(1), ID: "conn_1"}.Cursor())
	f.Add("")
	f.Add("bm90.")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := store.ParseCursor(cursor)
		if err != nil {
			if !errors.Is(err, store.ErrCursor) {
				t.Errorf("got error %v, want %v", err, store.ErrCursor)
			}
			return
		}
		again, err := store.ParseCursor(p.Cursor())
		if err != nil || again != p {
			t.Errorf("got %+v, %v, want %+v", again, err, p)
		}
	})
}

func TestWants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		types []string
		want  bool
	}{
		{nil, false},
		{[]string{"*"}, true},
		{[]string{"a.b", "customer.created"}, true},
		{[]string{"customer"}, false},
	}
	for _, tt := range tests {
		w := store.Webhook{EventTypes: tt.types}
		if got := w.Wants("customer.created"); got != tt.want {
			t.Errorf("types %q: got %v, want %v", tt.types, got, tt.want)
		}
	}
}
