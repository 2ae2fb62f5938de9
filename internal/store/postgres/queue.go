package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// claimable is the condition under which a lane has something to claim, with the bounds of a lease in $1, $2 and $3.
const claimable = "l.open AND l.due <= " + clock + " AND (SELECT COUNT(*) FROM deliveries d WHERE d.webhook = l.webhook " +
	"AND d.state = 'pending' AND d.leased AND d.next_at > " + clock + ") < CASE WHEN l.webhook = ANY ($1::TEXT[]) THEN $2::INTEGER ELSE $3::INTEGER END"

// bounds are the arguments of claimable.
func bounds(l *store.Lease) []any { return []any{l.Slow, l.PerSlow, l.PerWebhook} }

// Claim takes due deliveries, beginning with the lane that has waited longest since it was last served.
func (s *Store) Claim(ctx context.Context, lease store.Lease, limit int) (store.Claimed, error) {
	var claimed store.Claimed
	err := s.line(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		claimed, err = claim(ctx, conn, lease, limit)
		return err
	})
	if err != nil {
		return store.Claimed{}, s.failure(ctx, "claiming deliveries", err)
	}
	return claimed, nil
}

func claim(ctx context.Context, conn *pgx.Conn, lease store.Lease, limit int) (store.Claimed, error) {
	var claimed store.Claimed
	var lanes []string
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	// Another claimer serves what is locked, or who comes in or gives back wakes somebody when it is done.
	b.Queue("SELECT l.webhook FROM lanes l WHERE "+claimable+" ORDER BY l.due LIMIT $4 FOR UPDATE OF l SKIP LOCKED",
		append(bounds(&lease), limit)...).Query(func(rows pgx.Rows) (err error) {
		lanes, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err := send(ctx, conn, b); err != nil {
		return claimed, err
	}

	b = &pgx.Batch{}
	if len(lanes) > 0 {
		webhooks := make(map[string]*store.Webhook)
		b.Queue("SELECT "+portable.WebhookColumns+" FROM webhooks WHERE id = "+anyOf1, lanes).Query(func(rows pgx.Rows) error {
			defer rows.Close()
			for rows.Next() {
				w := &store.Webhook{}
				if err := rows.Scan(portable.WebhookFields(w)...); err != nil {
					return err
				}
				webhooks[w.ID] = w
			}
			return rows.Err()
		})
		each := make([]int, len(lanes))
		for i, webhook := range lanes {
			each[i] = lease.Bound(webhook)
		}
		b.Queue(take, lanes, each, limit, lease.For.Microseconds()).Query(func(rows pgx.Rows) error {
			return fill(rows, webhooks, &claimed)
		})
		// A lane that is not empty yet goes to the end of the queue.
		b.Queue("UPDATE lanes l SET due = GREATEST(l.held, "+clock+", COALESCE((SELECT MIN(d.next_at) FROM deliveries d "+
			"WHERE d.webhook = l.webhook AND d.state = 'pending'), $2)) WHERE l.webhook = "+anyOf1, lanes, int64(never))
	}
	claimed.Next = -1
	b.Queue("SELECT l.due - "+clock+" FROM lanes l WHERE l.open AND l.due > "+clock+" AND l.due < $1 ORDER BY l.due LIMIT 1", int64(never)).
		Query(func(rows pgx.Rows) error {
			var micros int64
			_, err := pgx.ForEachRow(rows, []any{&micros}, func() error {
				claimed.Next = time.Duration(micros) * time.Microsecond
				return nil
			})
			return err
		})
	more := false
	b.Queue("SELECT EXISTS (SELECT 1 FROM lanes l WHERE "+claimable+")", bounds(&lease)...).QueryRow(func(row pgx.Row) error {
		return row.Scan(&more)
	})
	b.Queue("COMMIT")
	if err := send(ctx, conn, b); err != nil {
		return claimed, err
	}
	if more && len(claimed.Work) == limit {
		claimed.Next = 0
	}
	return claimed, nil
}

// take claims due deliveries of the lanes $1, which are locked: at most so many out for each as $2 says, at most $3 in all, for $4
// microseconds. It goes round the lanes, so that each gets its share, and returns each event's body once. The concatenation keeps a
// young database from looking for an event among all of its endpoint.
const take = `WITH lane AS (
	SELECT u.webhook, u.n, GREATEST(0, u.bound - (SELECT COUNT(*) FROM deliveries d WHERE d.webhook = u.webhook AND d.state = 'pending'
		AND d.leased AND d.next_at > ` + clock + `)) AS room
	FROM unnest((SELECT $1::TEXT[]), (SELECT $2::INTEGER[])) WITH ORDINALITY AS u (webhook, bound, n)
), due AS (
	SELECT d.id, d.next_at, row_number() OVER (PARTITION BY lane.n ORDER BY d.next_at, d.id) AS round, lane.n FROM lane CROSS JOIN LATERAL (
		SELECT id, next_at FROM deliveries WHERE webhook = lane.webhook AND state = 'pending' AND next_at <= ` + clock + `
		ORDER BY next_at, id LIMIT lane.room) d
	ORDER BY round, lane.n LIMIT $3
), taken AS (
	UPDATE deliveries d SET leased = TRUE, next_at = ` + clock + ` + $4 FROM due
	WHERE d.id = due.id AND d.next_at = due.next_at -- it may have been finished late, meanwhile
	RETURNING d.id, d.workspace, d.webhook, d.endpoint, d.event, d.type, d.state, d.reason, d.attempts, d.tries, d.last_status, d.next_at,
		d.created, due.round, due.n
)
SELECT t.id, t.workspace, t.webhook, t.endpoint, t.event, t.type, t.state, t.reason, t.attempts, t.tries, t.last_status, t.next_at,
	t.created, e.id, e.endpoint, e.workspace, e.type, e.account, e.livemode, e.api_version, e.source, e.object, e.created, e.received,
	CASE WHEN row_number() OVER (PARTITION BY t.endpoint, t.event ORDER BY t.round, t.n) = 1 THEN e.body END, e.trace
FROM taken t JOIN events e ON e.id = t.event AND e.endpoint || '' = t.endpoint ORDER BY t.round, t.n`

// fill makes work of the rows of take.
func fill(rows pgx.Rows, webhooks map[string]*store.Webhook, claimed *store.Claimed) error {
	defer rows.Close()
	events := make(map[portable.EventKey]*store.Event)
	for rows.Next() {
		var d store.Delivery
		e := &store.Event{}
		if err := rows.Scan(append(append(portable.DeliveryFields(&d), portable.EventFields(e)...), &e.Body, &e.Trace)...); err != nil {
			return err
		}
		key := portable.EventKey{Endpoint: e.Endpoint, ID: e.ID}
		if known := events[key]; known != nil {
			e = known
		} else {
			events[key] = e
		}
		claimed.Work = append(claimed.Work, store.Work{Delivery: d, Event: e, Webhook: webhooks[d.Webhook]})
	}
	return rows.Err()
}

// Finish notes how claimed deliveries went.
func (s *Store) Finish(ctx context.Context, outcomes []store.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	var waiting bool
	err := s.line(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		defer s.begin(1)()
		b := &pgx.Batch{}
		b.Queue("BEGIN")
		// An outcome that a crash of the server takes back means one more attempt, which the subscriber knows by its webhook-id.
		b.Queue("SET LOCAL synchronous_commit TO OFF")
		released, err := queueOutcomes(b, outcomes)
		if err != nil {
			return err
		}
		if released {
			b.Queue(announce, s.id)
		}
		b.Queue("COMMIT")
		// Only now: who found these lanes full looks again after its own commit, so that one of us sees the other.
		b.Queue("SELECT EXISTS (SELECT 1 FROM lanes WHERE open AND due <= "+clock+
			" AND webhook IN (SELECT webhook FROM deliveries WHERE id = "+anyOf1+"))", ids(outcomes)).
			QueryRow(func(row pgx.Row) error { return row.Scan(&waiting) })
		return send(ctx, conn, b)
	})
	if err != nil {
		return s.failure(ctx, "noting outcomes", err)
	}
	if waiting || retried(outcomes) {
		s.wakeUp()
	}
	return nil
}

func ids(outcomes []store.Outcome) []string {
	list := make([]string, len(outcomes))
	for i := range outcomes {
		list[i] = outcomes[i].Delivery
	}
	return list
}

func retried(outcomes []store.Outcome) bool {
	for i := range outcomes {
		if outcomes[i].Verdict == store.VerdictRetry {
			return true
		}
	}
	return false
}

// queueOutcomes notes outcomes. It reports whether one was released, perhaps for another replica.
func queueOutcomes(b *pgx.Batch, outcomes []store.Outcome) (released bool, err error) {
	var o struct {
		id, state, reason, log []string
		lease, after, hold     []int64
		tried, status          []int
	}
	var back []string         // deliveries that are to be sent again, or hold their lane
	var again []store.Outcome // of deliveries that have one in o: an earlier lease was lost
	noted := make(map[string]bool)
	for i := range outcomes {
		out := &outcomes[i]
		if noted[out.Delivery] {
			again = append(again, *out)
			continue
		}
		noted[out.Delivery] = true
		state, reason, after := store.DeliveryPending, "", time.Duration(0)
		switch out.Verdict {
		case store.VerdictDelivered:
			state = store.DeliveryDelivered
		case store.VerdictDead:
			state, reason = store.DeliveryDead, portable.Phrase(out.Reason)
		case store.VerdictRetry:
			after = out.After
		case store.VerdictRelease:
			released = true
		default:
			return false, fmt.Errorf("delivery %s: %q is no verdict", out.Delivery, out.Verdict)
		}
		if state == store.DeliveryPending || out.Hold > 0 {
			back = append(back, out.Delivery)
		}
		tried, status := 0, 0
		if out.Attempt != nil {
			tried, status = 1, out.Attempt.Status
		}
		line, err := portable.LogLine(out.Attempt)
		if err != nil {
			return false, fmt.Errorf("delivery %s: %w", out.Delivery, err)
		}
		o.id, o.state, o.reason = append(o.id, out.Delivery), append(o.state, string(state)), append(o.reason, reason)
		o.lease, o.log = append(o.lease, portable.Micros(out.Lease)), append(o.log, line)
		o.after, o.hold = append(o.after, after.Microseconds()), append(o.hold, out.Hold.Microseconds())
		o.tried, o.status = append(o.tried, tried), append(o.status, status)
	}
	// Giving room back needs no lock: who counts what is out counts too much at worst.
	if len(back) > 0 {
		b.Queue("SELECT FROM lanes WHERE webhook IN (SELECT webhook FROM deliveries WHERE id = "+anyOf1+") ORDER BY webhook FOR UPDATE", back)
	}
	b.Queue(conclude, o.id, o.state, o.reason, o.lease, o.after, o.hold, o.tried, o.status, o.log)
	if len(again) > 0 {
		more, err := queueOutcomes(b, again)
		return released || more, err
	}
	return released, nil
}

// conclude stores outcomes, of a delivery one at most. One whose lease was lost adds its attempt to the log and nothing else. The
// concatenation keeps the server from looking for each delivery among all that are leased.
const conclude = `WITH o AS (
		SELECT * FROM unnest((SELECT $1::TEXT[]), (SELECT $2::TEXT[]), (SELECT $3::TEXT[]), (SELECT $4::BIGINT[]), (SELECT $5::BIGINT[]),
			(SELECT $6::BIGINT[]), (SELECT $7::INTEGER[]), (SELECT $8::INTEGER[]), (SELECT $9::TEXT[]))
			AS o (id, state, reason, lease, after, hold, tried, status, log)
	), done AS (
		UPDATE deliveries d SET state = o.state, reason = o.reason, leased = FALSE, attempts = d.attempts + o.tried,
			tries = d.tries + o.tried, last_status = CASE WHEN o.tried > 0 THEN o.status ELSE d.last_status END,
			next_at = CASE WHEN o.state = 'pending' THEN ` + clock + ` + o.after ELSE 0 END, log = d.log || o.log
		FROM o WHERE d.id = o.id AND d.state || '' = 'pending' AND d.leased AND d.next_at = o.lease
		RETURNING d.id, d.webhook, d.state, d.next_at, o.hold
	), lost AS (
		SELECT id, log FROM o WHERE log <> '' AND id NOT IN (SELECT id FROM done)
	), late AS (
		UPDATE deliveries d SET log = d.log || lost.log FROM lost WHERE d.id = lost.id
	), lane AS (
		SELECT webhook, MIN(next_at) FILTER (WHERE state = 'pending') AS next, MAX(hold) AS hold FROM done GROUP BY webhook
	)
	UPDATE lanes l SET held = GREATEST(l.held, ` + clock + ` + lane.hold),
		due = GREATEST(l.held, ` + clock + ` + lane.hold, LEAST(l.due, lane.next))
	FROM lane WHERE l.webhook = lane.webhook AND (lane.hold > 0 OR lane.next < l.due)`

// ownLane locks the lane of a webhook of the workspace.
func ownLane(ctx context.Context, tx *sql.Tx, workspace, webhook string) (store.Webhook, error) {
	if err := lockLane(ctx, tx, webhook); err != nil {
		return store.Webhook{}, err
	}
	return portable.Webhook(ctx, tx, workspace, webhook)
}

func lockLane(ctx context.Context, tx *sql.Tx, webhook string) error {
	var one int
	err := tx.QueryRowContext(ctx, "SELECT 1 FROM lanes WHERE webhook = $1 FOR UPDATE", webhook).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// unhold ends a lane's hold and makes it due now.
func (s *Store) unhold(ctx context.Context, tx *sql.Tx, webhook string) error {
	if _, err := tx.ExecContext(ctx, "UPDATE lanes SET held = 0 WHERE webhook = $1", webhook); err != nil {
		return err
	}
	return s.hasten(ctx, tx, webhook)
}

// hasten makes a lane due now, and tells the other replicas.
func (s *Store) hasten(ctx context.Context, tx *sql.Tx, webhook string) error {
	_, err := tx.ExecContext(ctx, "UPDATE lanes SET due = GREATEST(held, LEAST(due, "+clock+")) WHERE webhook = $1", webhook)
	if err == nil {
		_, err = tx.ExecContext(ctx, announce, s.id)
	}
	return err
}

// Retry makes a delivery due now.
func (s *Store) Retry(ctx context.Context, workspace, id string) (store.Delivery, error) {
	defer s.wakeUp()
	return ask(ctx, s, "retrying a delivery", func(ctx context.Context, tx *sql.Tx) (store.Delivery, error) {
		d, err := portable.Delivery(ctx, tx, workspace, id)
		if err != nil {
			return d, err
		}
		// The event stays for as long as we hold it, and the delivery with it.
		if err := lockEvents(ctx, tx, d.Endpoint, []string{d.Event}, func(string) {}); err != nil {
			return d, err
		}
		err = lockLane(ctx, tx, d.Webhook)
		if errors.Is(err, store.ErrNotFound) {
			return d, fmt.Errorf("its webhook was detached: %w", store.ErrConflict)
		}
		if err != nil {
			return d, err
		}
		var out bool
		err = tx.QueryRowContext(ctx, "SELECT state = 'pending' AND leased AND next_at > "+clock+" FROM deliveries WHERE id = $1", id).Scan(&out)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return d, store.ErrNotFound
		case err != nil:
			return d, err
		case out:
			return portable.Delivery(ctx, tx, workspace, id)
		}
		at, err := now(ctx, tx)
		if err != nil {
			return d, err
		}
		if err := portable.Restart(ctx, tx, id, at); err != nil {
			return d, err
		}
		if err := s.unhold(ctx, tx, d.Webhook); err != nil {
			return d, err
		}
		return portable.Delivery(ctx, tx, workspace, id)
	})
}

// RetryDead makes dead deliveries of a webhook due now.
func (s *Store) RetryDead(ctx context.Context, workspace, webhook string, limit int) (int, error) {
	defer s.wakeUp()
	return ask(ctx, s, "retrying dead deliveries", func(ctx context.Context, tx *sql.Tx) (int, error) {
		if _, err := ownLane(ctx, tx, workspace, webhook); err != nil {
			return 0, err
		}
		at, err := now(ctx, tx)
		if err != nil {
			return 0, err
		}
		n, err := portable.RestartDead(ctx, tx, webhook, limit, at)
		if err != nil {
			return 0, err
		}
		return n, s.hasten(ctx, tx, webhook)
	})
}

// lockEvents keeps events of an endpoint from being pruned, and names those that there are.
func lockEvents(ctx context.Context, tx *sql.Tx, endpoint string, ids []string, found func(id string)) (err error) {
	rows, err := tx.QueryContext(ctx, "SELECT id FROM events WHERE endpoint = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE", endpoint, ids)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		found(id)
	}
	return rows.Err()
}

// Replay makes stored events due again for one webhook.
func (s *Store) Replay(
	ctx context.Context, workspace, webhook string, f store.EventFilter, after string, limit int,
) (store.ReplayStep, error) {
	defer s.wakeUp()
	return ask(ctx, s, "replaying events", func(ctx context.Context, tx *sql.Tx) (step store.ReplayStep, err error) {
		w, err := ownLane(ctx, tx, workspace, webhook)
		if err != nil {
			return step, err
		}
		events, err := portable.Replayable(ctx, tx, w.Endpoint, f, after, limit)
		if err != nil {
			return step, err
		}
		if len(events) == limit && limit > 0 {
			last := events[len(events)-1]
			step.Next = store.Position{Created: last.Created, ID: last.ID}.Cursor()
		}
		names := make([]string, len(events))
		for i := range events {
			names[i] = events[i].ID
		}
		there := make(map[string]bool)
		if err := lockEvents(ctx, tx, w.Endpoint, names, func(id string) { there[id] = true }); err != nil {
			return step, err
		}
		at, err := now(ctx, tx)
		if err != nil {
			return step, err
		}
		w.State = store.WebhookActive // who asks for a replay wants it kept, even while the webhook is disabled
		var list []store.Delivery
		for i := range events {
			if there[events[i].ID] {
				list = append(list, portable.NewDelivery(&w, &events[i], at))
			}
		}
		query, args := insertDeliveries(list, make([]bool, len(list)), "DO UPDATE SET state = excluded.state, reason = '', "+
			"tries = 0, next_at = excluded.next_at, leased = FALSE WHERE deliveries.state <> 'pending'")
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return step, err
		}
		queued, err := result.RowsAffected()
		if err != nil {
			return step, err
		}
		step.Queued = int(queued)
		return step, s.hasten(ctx, tx, webhook)
	})
}

// Prune forgets what has had its time. Of several replicas one does it at a time.
func (s *Store) Prune(ctx context.Context, keep time.Duration, step int) (int, error) {
	events := func(from int64) (portable.PruneStep, error) {
		return prune(ctx, s, func(ctx context.Context, tx *sql.Tx) (portable.PruneStep, error) {
			return pruneEvents(ctx, tx, from, keep, step)
		})
	}
	rest := func(forget func(context.Context, portable.Querier, int) (int, error)) (int, error) {
		return prune(ctx, s, func(ctx context.Context, tx *sql.Tx) (int, error) { return forget(ctx, tx, step) })
	}
	return portable.Prune(step, events, rest)
}

// prune is one transaction of Prune. It does nothing while another replica is at it.
func prune[T any](ctx context.Context, s *Store, do func(ctx context.Context, tx *sql.Tx) (T, error)) (T, error) {
	return ask(ctx, s, "pruning", func(ctx context.Context, tx *sql.Tx) (none T, err error) {
		var mine bool
		if err := tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock(hashtextextended('prune', 0))").Scan(&mine); err != nil || !mine {
			return none, err
		}
		return do(ctx, tx)
	})
}

// pruneEvents takes events out in two steps: what is locked can no more be made due again, and is then looked at anew.
func pruneEvents(ctx context.Context, tx *sql.Tx, from int64, keep time.Duration, limit int) (p portable.PruneStep, err error) {
	at, err := now(ctx, tx)
	if err != nil {
		return p, err
	}
	p, err = portable.Prunable(ctx, tx, from, portable.Micros(at.Add(-keep)), limit, " FOR UPDATE OF events SKIP LOCKED")
	if err != nil || len(p.Events) == 0 {
		return p, err
	}
	endpoints, ids := make([]string, len(p.Events)), make([]string, len(p.Events))
	for i, k := range p.Events {
		endpoints[i], ids[i] = k.Endpoint, k.ID
	}
	const prune = `WITH gone AS (
			DELETE FROM events USING unnest($1::TEXT[], $2::TEXT[]) AS old (endpoint, id)
			WHERE events.endpoint = old.endpoint AND events.id = old.id AND NOT ` + portable.Kept + ` RETURNING events.endpoint, events.id
		), unsent AS (
			DELETE FROM deliveries d USING gone WHERE d.endpoint = gone.endpoint AND d.event = gone.id
		)
		SELECT COUNT(*) FROM gone`
	err = tx.QueryRowContext(ctx, prune, endpoints, ids).Scan(&p.Gone)
	return p, err
}
