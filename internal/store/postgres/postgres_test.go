package postgres

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/postgres/pgtest"
	"stripe-connector/internal/store/storetest"
)

// server is for all tests; nil where PostgreSQL is missing.
var server *pgtest.Server

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, func(s *pgtest.Server) { server = s }))
}

// migrated makes a database with all tables once, to be copied.
var migrated = sync.OnceValue(func() error {
	conn, err := Migrate(context.Background(), server.URL("template1"), zerolog.Nop())
	_ = conn
	return err
})

// database returns the URL of an empty store.
func database(tb testing.TB) string {
	tb.Helper()
	if server != nil {
		if err := migrated(); err != nil {
			tb.Fatal(err)
		}
	}
	return server.Database(tb, "")
}

func open(tb testing.TB, url string) *Store {
	tb.Helper()
	s, err := Open(context.Background(), url, zerolog.Nop())
	if err != nil {
		tb.Fatal(err)
	}
	s.countNow = true
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		return open(t, database(t))
	})
}

func TestBadURL(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), "postgres://user:hunter2@host:port/db", zerolog.Nop())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got error %v, want one without the password", err)
	}
}
