// Package sqlite keeps the store in one SQLite file, for one process.
//
//	sqlite.go   opening, locking, reading
//	writer.go   the one goroutine that writes: whatever waits shares a transaction and an fsync
//	lanes.go    what is due and what is claimed, in memory, one lane for each webhook
//	queue.go    the event line: ingest, claim, finish, send again, prune
//	fresh.go    deliveries that have no row yet, because most get it with their outcome; arrivals.go: how they are kept until then
//	recent.go   the latest events, so that claims need not read them
//	nouns.go    everything else, on the shared statements of portable
//
// Leases live in memory, since no other process can hold any: a lock file keeps a second one out. After a crash whatever
// was claimed is simply due.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// readers is how many reads run at once, beside the writer.
const readers = 4

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a store.Store on SQLite. It is safe for concurrent use.
type Store struct {
	portable.Reads

	path    string
	now     func() time.Time
	lock    *os.File
	writeDB *sql.DB
	conn    *sql.Conn // the only one of writeDB
	readDB  *sql.DB
	logDB   *sql.DB // for checkpoints
	reads   *prepared
	writes  *prepared

	ops     chan *operation
	closing chan struct{} // closed when Close is called
	stopped chan struct{} // closed when the writer has ended
	grown   chan struct{} // the log has got longer
	folded  chan struct{} // closed when no more checkpoints are made
	close   func() error
	wake    chan struct{}
	backlog backlog
	fresh   atomic.Int64 // deliveries without a row
	recent  recent

	names sync.Map // name to chan struct{}, of Lock

	begun atomic.Pointer[func(calls int) (ended func())]
}

var _ store.Store = (*Store)(nil)

// Open opens the database file at path, making it and its folder if they are new, and brings its tables up to date. It fails
// if another process has it open. now is the clock of everything that the queue schedules.
func Open(ctx context.Context, path string, now func() time.Time) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the database file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	s := &Store{
		path: path, now: now, lock: lock,
		ops: make(chan *operation), closing: make(chan struct{}), stopped: make(chan struct{}),
		grown: make(chan struct{}, 1), folded: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	s.close = sync.OnceValue(s.shut)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), s.release())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	// SQLite gives the files beside it the mode of the database file.
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// Caches are small, since a page takes 9 KiB of memory here and the system has the file in its own cache.
	file := (&url.URL{Scheme: "file", Path: s.path}).String() + "?_pragma=busy_timeout(10000)"
	s.writeDB, err = sql.Open("sqlite", file+"&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=cache_size(-3072)"+
		"&_pragma=journal_size_limit(67108864)&_pragma=wal_autocheckpoint(16384)"+ // pages, the same 64 MiB: see checkpoint
		"&_pragma=temp_store(memory)") // savepoints would write their journals to files
	if err != nil {
		return err
	}
	s.writeDB.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writeDB); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	if s.logDB, err = sql.Open("sqlite", file); err != nil {
		return err
	}
	s.logDB.SetMaxOpenConns(1)
	if s.readDB, err = sql.Open("sqlite", file+"&mode=ro&_pragma=query_only(1)&_pragma=cache_size(-512)"); err != nil {
		return err
	}
	s.readDB.SetMaxOpenConns(readers)
	s.readDB.SetMaxIdleConns(readers)
	s.reads = &prepared{on: s.readDB}
	s.Reads = portable.NewReads(s.reads, s.settle, s.failure)
	if s.conn, err = s.writeDB.Conn(ctx); err != nil {
		return err
	}
	s.writes = &prepared{on: s.conn}
	if err := recoverFresh(ctx, s.writes); err != nil {
		return fmt.Errorf("recovering what was under way: %w", err)
	}
	lanes, err := loadLanes(ctx, s.reads)
	if err != nil {
		return fmt.Errorf("reading what is due: %w", err)
	}
	w := &writer{store: s, q: s.writes, lanes: lanes}
	lanes.total.Bytes = s.size()
	s.backlog.set(lanes.total)
	go w.run()        //nolint:contextcheck // it works until Close, for all callers
	go s.checkpoint() //nolint:contextcheck,gosec // so does this
	return nil
}

// checkpoint brings what was committed from the log into the file, beside the writer, which would stall every time that it
// did so itself. It still does when the log has grown long, since only while nobody writes can the log begin anew.
func (s *Store) checkpoint() {
	defer close(s.folded)
	for {
		select {
		case <-s.grown:
			// A failure leaves the work to the next time, or to the writer, whose callers are told.
			_, _ = s.logDB.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
		case <-s.stopped:
			return
		}
	}
}

// size is what the database takes on disk.
func (s *Store) size() (bytes int64) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path + suffix); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// Observe has begun told of the writer's transactions.
func (s *Store) Observe(begun func(calls int) (ended func())) { s.begun.Store(&begun) }

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Close finishes what the writer has accepted and lets go of the file.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	close(s.closing)
	<-s.stopped
	<-s.folded
	return s.release()
}

// release lets go of the databases that are open and of the lock file.
func (s *Store) release() error {
	var errs []error
	if s.writes != nil {
		errs = append(errs, s.writes.close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	for _, db := range []*sql.DB{s.readDB, s.logDB, s.writeDB} { // the writer's last, so that it folds the log into the file
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// Ping reports whether the database can be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	err := s.reads.QueryRowContext(ctx, "SELECT 1 FROM goose_db_version LIMIT 1").Scan(&one)
	return s.failure(ctx, "reading the database", err)
}

// Lock waits for name within this process, which is the only one.
func (s *Store) Lock(ctx context.Context, name string) (release func(), err error) {
	v, _ := s.names.LoadOrStore(name, make(chan struct{}, 1))
	held, _ := v.(chan struct{})
	select {
	case held <- struct{}{}:
		return sync.OnceFunc(func() { <-held }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closing:
		return nil, s.closed()
	}
}

func (s *Store) closed() error {
	return fmt.Errorf("%w: it is closed", store.ErrUnavailable)
}

// failure words an error for callers: what was being done, and one of the store's sentinels where one fits.
func (s *Store) failure(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrUnavailable, store.ErrCursor} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	select {
	case <-s.closing:
		return fmt.Errorf("%s: %w", doing, s.closed())
	default:
	}
	if broken(err) {
		return fmt.Errorf("%s: %w: %w", doing, store.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// broken reports whether an error is about the file or the machine rather than the statement. SQLite may have rolled the
// whole transaction back by itself.
func broken(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return errors.Is(err, sql.ErrConnDone)
	}
	switch e.Code() & 0xff { // the extended codes stand above
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	default:
		return false
	}
}

// prepared runs statements that it parses once. Filters make for a few dozen of them.
type prepared struct {
	on interface {
		portable.Querier
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}
	mu         sync.RWMutex
	statements map[string]*sql.Stmt
}

// maxPrepared bounds the memory that lists of event types of every length could take.
const maxPrepared = 500

// statement returns nil where a statement is better run unprepared.
func (p *prepared) statement(ctx context.Context, query string) *sql.Stmt {
	if strings.HasPrefix(query, "PRAGMA ") {
		return nil // it takes effect when it is parsed
	}
	p.mu.RLock()
	stmt, full := p.statements[query], len(p.statements) >= maxPrepared
	p.mu.RUnlock()
	if stmt != nil || full {
		return stmt
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.statements[query] == nil {
		stmt, err := p.on.PrepareContext(ctx, query) //nolint:sqlclosecheck // it is closed with the database
		if err != nil {
			return nil // running it says the same, where it can be reported
		}
		if p.statements == nil {
			p.statements = make(map[string]*sql.Stmt)
		}
		p.statements[query] = stmt
	}
	return p.statements[query]
}

// close lets go of the statements, without which a connection of its own stays open behind its back, and the log with it.
func (p *prepared) close() error {
	var errs []error
	for _, stmt := range p.statements {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := p.statement(ctx, query); stmt != nil { //nolint:sqlclosecheck // it stays prepared
		return stmt.ExecContext(ctx, args...)
	}
	return p.on.ExecContext(ctx, query, args...)
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := p.statement(ctx, query); stmt != nil { //nolint:sqlclosecheck // it stays prepared
		return stmt.QueryContext(ctx, args...)
	}
	return p.on.QueryContext(ctx, query, args...)
}

func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := p.statement(ctx, query); stmt != nil { //nolint:sqlclosecheck // it stays prepared
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.on.QueryRowContext(ctx, query, args...)
}
