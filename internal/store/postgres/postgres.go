// Package postgres keeps the store in a PostgreSQL database, for any number of processes.
//
//	postgres.go  opening, migrating, transactions, errors
//	watch.go     what runs beside: hearing the other replicas, counting the backlog
//	lock.go      Store.Lock, on advisory locks
//	ingest.go    events coming in: whatever waits shares a transaction
//	queue.go     claim, finish, send again, prune
//	nouns.go     everything else, on the shared statements of portable
//	target.go    being filled from another engine
//
// All state is in the tables and every decision is taken there, on the database's clock, so replicas need to know nothing
// of each other. Each attached webhook has a row in lanes. Whoever claims its deliveries or makes them due locks that row
// first, and by that a lane's bound and its order hold over all replicas. Those who need several rows lock them in the order of
// ids; Claim passes over what is locked. What is over for good gives its room back without the lock.
//
// It needs a session of its own for LISTEN and for locks: a pooler between must not share sessions between transactions.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jackc/puddle/v2"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/rs/zerolog"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

const (
	// patience bounds a transaction of ours, so that a database that hangs is like one that is away.
	patience = 6 * time.Second

	// idle is after how long a connection is tested before it is used again.
	idle = 100 * time.Millisecond

	// connections is the most that one process opens for its statements, unless the URL sets pool_max_conns.
	connections = 16

	// never is a due time that does not come.
	never = math.MaxInt64

	// clock is the database's, in microseconds since 1970.
	clock = "(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000)::BIGINT"

	// anyOf1 is any of the texts in $1. The planner does not look into an array that is selected, so it takes one plan for all
	// lengths and makes it once, which would otherwise be half of the work of a small batch.
	anyOf1 = "ANY ((SELECT $1::TEXT[])::TEXT[])"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a store.Store on PostgreSQL. It is safe for concurrent use.
type Store struct {
	portable.Reads

	id   string // tells our notifications from those of others
	log  zerolog.Logger
	pool *pgxpool.Pool
	db   *sql.DB // the same pool, for portable

	ingestions chan *ingestion
	wake       chan struct{}
	backlog    atomic.Pointer[store.Backlog]
	begun      atomic.Pointer[func(calls int) (ended func())]
	countNow   bool // count for every call of Backlog; for tests

	locks   locks
	ctx     context.Context // of what runs beside
	stop    context.CancelFunc
	running sync.WaitGroup
	close   func() error
}

var _ store.Store = (*Store)(nil)

// Open connects to the database at url and brings its tables up to date. A database that is not there yet is waited for,
// and the log says so; what waiting cannot mend, such as a wrong password, is an error at once. Several processes may open
// the same database at the same time.
func Open(ctx context.Context, url string, log zerolog.Logger) (*Store, error) {
	s, err := connect(ctx, url, log)
	if err != nil {
		return nil, fmt.Errorf("opening the PostgreSQL database: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the PostgreSQL database: %w", err), s.Close())
	}
	return s, nil
}

// start makes the database fit for use, and has run what runs beside.
func (s *Store) start(ctx context.Context) error {
	if _, err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	unfinished, err := s.unfinished(ctx)
	if err != nil {
		return fmt.Errorf("looking for an unfinished copy: %w", err)
	}
	if unfinished {
		return errors.New("a copy into it has not finished; run stripe-connector copy again")
	}
	var careless bool
	err = s.pool.QueryRow(ctx, "SELECT 'off' IN (current_setting('fsync'), current_setting('synchronous_commit'))").Scan(&careless)
	if err != nil {
		return fmt.Errorf("reading its settings: %w", err)
	}
	if careless {
		s.log.Warn().Msg("fsync or synchronous_commit is off in the database: a crash may lose events that were acknowledged")
	}
	b, _, err := s.count(ctx)
	if err != nil {
		return fmt.Errorf("counting what is due: %w", err)
	}
	s.backlog.Store(&b)
	for _, job := range []func(){s.ingestAll, s.listen, s.poll, s.countAll} {
		s.running.Go(job)
	}
	return nil
}

// Migrate brings the tables of the database at url up to date and returns the names of the migrations that it applied. Open
// does the same; this is for who wants it done beforehand.
func Migrate(ctx context.Context, url string, log zerolog.Logger) (applied []string, err error) {
	s, err := connect(ctx, url, log)
	if err != nil {
		return nil, fmt.Errorf("opening the PostgreSQL database: %w", err)
	}
	applied, err = s.migrate(ctx)
	if err != nil {
		err = fmt.Errorf("migrating the PostgreSQL database: %w", err)
	}
	return applied, errors.Join(err, s.Close())
}

// connect makes a Store without anything running beside.
func connect(ctx context.Context, url string, log zerolog.Logger) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("its URL cannot be understood") // the cause would repeat it, with the password
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = connections
	}
	if _, found := config.ConnConfig.RuntimeParams["application_name"]; !found {
		config.ConnConfig.RuntimeParams["application_name"] = "stripe-connector"
	}
	config.ConnConfig.AfterConnect = setUp
	if !strings.Contains(url, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = patience
	}
	config.PingTimeout = patience
	// No database restarts in less, so who asks after a restart does not get a connection from before.
	config.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool { return p.IdleDuration > idle }
	config.ConnConfig.DialFunc = dialer().DialContext
	// Background work ends with this context, not with that of the call that opens.
	ctxOwn, stop := context.WithCancel(context.WithoutCancel(ctx))
	pool, err := pgxpool.NewWithConfig(ctxOwn, config)
	if err != nil {
		stop()
		return nil, err
	}
	s := &Store{
		id: store.NewID("rep", time.Time{}), log: log, pool: pool, db: stdlib.OpenDBFromPool(pool),
		ingestions: make(chan *ingestion), wake: make(chan struct{}, 1), ctx: ctxOwn, stop: stop,
	}
	s.locks.config = config.ConnConfig
	s.Reads = portable.NewReads(hasty{s.db}, func(context.Context) {}, s.failure)
	s.close = sync.OnceValue(s.release)
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// setUp has the server end a session soon that freezes within a transaction, or whose machine is gone, so that its locks are not
// held for long. And it has the server look for an index in tables that are small still, since it keeps its plans when they grow;
// what finds none it would then take for so long that it compiles it. Nothing of ours is in such a hurry that it may take all
// processors.
func setUp(ctx context.Context, conn *pgconn.PgConn) error {
	_, err := conn.Exec(ctx, "SET idle_in_transaction_session_timeout = '10s'; SET tcp_keepalives_idle = 10; "+
		"SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET enable_seqscan = off; SET jit = off; SET max_parallel_workers_per_gather = 0").ReadAll()
	return err
}

// await waits until the database answers.
func (s *Store) await(ctx context.Context) error {
	const pause, quiet = time.Second, 10 // between tries, and how many of them pass without a word
	at := s.pool.Config().ConnConfig
	for n := 0; ; n++ {
		err := s.pool.Ping(ctx)
		switch {
		case err == nil:
			if n > 0 {
				s.log.Info().Str("host", at.Host).Str("database", at.Database).Msg("the database is there")
			}
			return nil
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		case !unavailable(err):
			return err
		case n%quiet == 0:
			s.log.Warn().Err(err).Str("host", at.Host).Uint16("port", at.Port).Str("database", at.Database).
				Msg("waiting for the database")
		}
		wait(ctx, pause)
	}
}

// migrate applies what is missing, while a lock keeps other processes from doing the same.
func (s *Store) migrate(ctx context.Context) (applied []string, err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, s.db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, err
	}
	// Most starts find nothing to do, and need not queue for the lock.
	if pending, err := provider.HasPending(ctx); err == nil && !pending {
		return nil, nil
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	return applied, err
}

// Close finishes what was accepted and lets go of the database.
func (s *Store) Close() error { return s.close() }

func (s *Store) release() error {
	s.stop()
	s.running.Wait()
	s.locks.close(context.WithoutCancel(s.ctx))
	err := s.db.Close()
	s.pool.Close()
	return err
}

// Observe has begun told of the transactions that write, claims left out: they are made also when there is nothing to claim.
func (s *Store) Observe(begun func(calls int) (ended func())) { s.begun.Store(&begun) }

// begin tells of a transaction. ended is to be called when it is over.
func (s *Store) begin(calls int) (ended func()) {
	if begun := s.begun.Load(); begun != nil {
		return (*begun)(calls)
	}
	return func() {}
}

// Ping reports whether the database can be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	err := hasty{s.db}.QueryRowContext(ctx, "SELECT 1 FROM goose_db_version LIMIT 1").Scan(&one)
	return s.failure(ctx, "reading the database", err)
}

// write runs do in a transaction, and again if the database ended it for the sake of another one.
func (s *Store) write(ctx context.Context, doing string, do func(ctx context.Context, tx *sql.Tx) error) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.failure(ctx, doing, again(func() error { return s.transaction(bounded, do) }))
}

func (s *Store) transaction(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) (err error) {
	defer s.begin(1)()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { // also when do panics
		if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) && err == nil {
			err = rollback
		}
	}()
	if err := do(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// ask is write for a transaction with a result.
func ask[T any](ctx context.Context, s *Store, doing string, do func(ctx context.Context, tx *sql.Tx) (T, error)) (T, error) {
	var result T
	err := s.write(ctx, doing, func(ctx context.Context, tx *sql.Tx) (err error) {
		result, err = do(ctx, tx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// hasty is a database whose answers are not waited for longer than our patience.
type hasty struct{ *sql.DB }

func (h hasty) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return h.DB.QueryContext(expiring(ctx), query, args...)
}

func (h hasty) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return h.DB.QueryRowContext(expiring(ctx), query, args...)
}

// expiring is for who cannot say when the rows have been read.
func expiring(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	time.AfterFunc(patience, func() { cancel(errHasty) })
	return ctx
}

var errHasty = fmt.Errorf("no answer for %v", patience)

// again repeats do, a few times, for as long as two transactions got into each other's way.
func again(do func() error) error {
	for tries := 1; ; tries++ {
		err := do()
		pg, ok := errors.AsType[*pgconn.PgError](err)
		if tries == 5 || !ok {
			return err
		}
		if pg.Code != "40P01" && pg.Code != "40001" { // deadlock, serialization
			return err
		}
	}
}

// line runs do on a connection of the event line. A transaction that do leaves open is rolled back.
func (s *Store) line(ctx context.Context, do func(ctx context.Context, conn *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return again(func() error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		err = do(ctx, conn.Conn())
		if err != nil && conn.Conn().PgConn().TxStatus() != 'I' {
			_, _ = conn.Exec(ctx, "ROLLBACK") // if it fails, so does the connection
		}
		return err
	})
}

// send runs a batch in one round trip and calls back for each result.
func send(ctx context.Context, conn *pgx.Conn, b *pgx.Batch) error {
	return conn.SendBatch(ctx, b).Close()
}

// now reads the database's clock.
func now(ctx context.Context, q portable.Querier) (time.Time, error) {
	var micros int64
	err := q.QueryRowContext(ctx, "SELECT "+clock).Scan(&micros)
	return portable.Time(micros), err
}

// lockRow holds a row until the transaction ends, and reports ErrNotFound if there is none. strength is UPDATE or SHARE.
func lockRow(ctx context.Context, tx *sql.Tx, strength, table, id string) error {
	var one int
	err := tx.QueryRowContext(ctx, "SELECT 1 FROM "+table+" WHERE id = $1 FOR "+strength, id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
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
	pg, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case s.ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, s.closed())
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case pg != nil && pg.Code == "23505": // somebody else was faster
		return fmt.Errorf("%s: %w: %w", doing, store.ErrConflict, err)
	case unavailable(err):
		return fmt.Errorf("%s: %w: %w", doing, store.ErrUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// unavailable reports whether an error is about the database or the way to it rather than about the statement.
// See https://www.postgresql.org/docs/current/errcodes-appendix.html.
func unavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code[:2] {
		case "08", "53", "57", "58", "XX": // connection, resources, operator, system, internal
			return true
		}
		// Read only: a standby, or a primary that is one no more. Then what a time-out or a rival ended.
		return pg.Code == "25006" || pg.Code == "25P03" || pg.Code == "55P03" || pg.Code == "40P01" || pg.Code == "40001"
	}
	for _, known := range []error{
		errHasty, context.Canceled, // not by the caller, as failure has seen
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, puddle.ErrClosedPool, sql.ErrConnDone, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	_, network := errors.AsType[net.Error](err)
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return network || connecting || pgconn.SafeToRetry(err)
}

// wait waits for so long, or until the context is done.
func wait(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
