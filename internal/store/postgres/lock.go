package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockEvery is how often a lock that another replica holds is tried again.
const lockEvery = 50 * time.Millisecond

// locks are what this process holds, or waits for, of Store.Lock. One session holds all of them at the database, however
// many there are, so that waiting for a lock never takes a connection from who holds it.
type locks struct {
	config *pgx.ConnConfig
	names  sync.Map // name to chan struct{}, within this process

	mu   sync.Mutex
	conn *pgx.Conn
}

// Lock waits for name within this process, and then among all replicas. If the connection to the database breaks, so does
// the lock, and nobody is told: what it guards must bear that.
func (s *Store) Lock(ctx context.Context, name string) (release func(), err error) {
	const doing = "locking"
	v, _ := s.locks.names.LoadOrStore(name, make(chan struct{}, 1))
	own, _ := v.(chan struct{})
	select {
	case own <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ctx.Done():
		return nil, fmt.Errorf("%s: %w", doing, s.closed())
	}
	// Giving up must not break the session that holds the other locks.
	whole := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		conn, err := s.locks.try(whole, name)
		if err != nil {
			<-own
			return nil, s.failure(ctx, doing, err)
		}
		if conn != nil {
			return sync.OnceFunc(func() {
				s.locks.release(whole, conn, name)
				<-own
			}), nil
		}
		wait(ctx, lockEvery)
	}
	<-own
	return nil, ctx.Err()
}

// try returns the session that holds the lock now, or nil if another replica has it.
func (l *locks) try(ctx context.Context, name string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.conn.Ping(ctx) != nil {
		conn, err := pgx.ConnectConfig(ctx, l.config)
		if err != nil {
			return nil, err
		}
		l.drop(ctx)
		l.conn = conn
	}
	var locked bool
	err := l.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name).Scan(&locked)
	if err != nil || !locked {
		return nil, err
	}
	return l.conn, nil
}

func (l *locks) release(ctx context.Context, conn *pgx.Conn, name string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn != l.conn {
		return // it went with its session
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name); err != nil {
		l.drop(ctx) // frees it for sure
	}
}

func (l *locks) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(ctx)
}

// drop ends the session, and with it all that it holds.
func (l *locks) drop(ctx context.Context) {
	if l.conn != nil {
		_ = l.conn.Close(ctx) // there is nothing else to be done about it
	}
}
