package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"stripe-connector/internal/store"
)

const (
	// channel is where replicas tell each other that something became due.
	channel = "stripe_connector"

	// pollEvery is how late a replica learns it if it was not told.
	pollEvery = time.Second

	// Counting the backlog takes one part in countShare of the time, which is felt by one event in as many, but a count is no
	// older than countLate.
	countShare = 100
	countLate  = 10 * time.Second
)

// announce is the statement that tells the other replicas. They hear of it after the commit, once for each transaction.
const announce = "SELECT pg_notify('" + channel + "', $1)"

// Wake receives when something may have become due.
func (s *Store) Wake() <-chan struct{} { return s.wake }

func (s *Store) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // one is on its way already
	}
}

// listen hears the other replicas, over a connection of its own that it renews.
func (s *Store) listen() {
	for s.ctx.Err() == nil {
		err := s.hear()
		if s.ctx.Err() != nil {
			return
		}
		s.log.Warn().Err(err).Msg("the connection that hears other replicas broke, polling meanwhile")
		wait(s.ctx, pollEvery)
	}
}

func (s *Store) hear() error {
	conn, err := pgx.ConnectConfig(s.ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(s.ctx)) }()
	if _, err := conn.Exec(s.ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(s.ctx)
		if err != nil {
			return err
		}
		if n.Payload != s.id {
			s.wakeUp()
		}
	}
}

// poll wakes the dispatcher now and then, for what a lost notification or a dead replica left behind.
func (s *Store) poll() {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.wakeUp()
		case <-s.ctx.Done():
			return
		}
	}
}

// Backlog returns the latest count, which is about a second old, or older where counting takes long.
func (s *Store) Backlog(ctx context.Context) (store.Backlog, error) {
	if err := ctx.Err(); err != nil {
		return store.Backlog{}, err
	}
	if s.countNow {
		b, _, err := s.count(ctx)
		return b, s.failure(ctx, "counting what is due", err)
	}
	return *s.backlog.Load(), nil
}

// countAll counts the backlog until the store is closed.
func (s *Store) countAll() {
	for pause := pollEvery; ; {
		wait(s.ctx, pause)
		if s.ctx.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
		b, took, err := s.count(ctx)
		cancel()
		if err == nil {
			s.backlog.Store(&b)
		}
		pause = min(max(pollEvery, countShare*took), countLate)
	}
}

// count counts the backlog and says how long it took.
func (s *Store) count(ctx context.Context) (b store.Backlog, took time.Duration, err error) {
	var micros int64
	err = s.pool.QueryRow(ctx, `WITH queued AS (SELECT webhook, COUNT(*) AS n FROM deliveries WHERE state = 'pending' GROUP BY webhook),
		out AS (SELECT webhook, COUNT(*) AS n FROM deliveries WHERE state = 'pending' AND leased GROUP BY webhook)
		SELECT COALESCE(SUM(q.n) FILTER (WHERE l.open), 0)::BIGINT, COALESCE(SUM(q.n) FILTER (WHERE NOT l.open), 0)::BIGINT,
			COALESCE(SUM(o.n) FILTER (WHERE l.open), 0)::BIGINT, pg_database_size(current_database()),
			(EXTRACT(EPOCH FROM clock_timestamp() - statement_timestamp()) * 1000000)::BIGINT
		FROM queued q JOIN lanes l USING (webhook) LEFT JOIN out o USING (webhook)`).
		Scan(&b.Pending, &b.Waiting, &b.Out, &b.Bytes, &micros)
	return b, time.Duration(micros) * time.Microsecond, err
}
