package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

const (
	maxBatch      = 512      // calls of Ingest in one transaction
	maxBatchBytes = 16 << 20 // of event bodies in one transaction, so that nobody waits for a very long one
)

// An ingestion is one call of Ingest.
type ingestion struct {
	ctx     context.Context //nolint:containedctx // it must be seen whether the caller has gone
	events  []store.NewEvent
	lease   store.Lease
	results []store.Ingested
	err     error
	done    chan struct{}
}

// Ingest stores events and the deliveries that they lead to. Cancelling ctx has an effect only until the call's turn comes.
func (s *Store) Ingest(ctx context.Context, events []store.NewEvent, lease store.Lease) ([]store.Ingested, error) {
	const doing = "storing events"
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	in := &ingestion{ctx: ctx, events: events, lease: lease, done: make(chan struct{})}
	select {
	case s.ingestions <- in:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", doing, ctx.Err())
	case <-s.ctx.Done():
		return nil, fmt.Errorf("%s: %w", doing, s.closed())
	}
	<-in.done
	if in.err != nil {
		return nil, s.failure(ctx, doing, in.err)
	}
	return in.results, nil
}

// ingestAll stores what comes in until the store is closed: whatever waits shares a transaction.
func (s *Store) ingestAll() {
	for {
		select {
		case first := <-s.ingestions:
			s.ingest(s.gather(first))
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Store) gather(first *ingestion) []*ingestion {
	size := func(in *ingestion) (n int) {
		for i := range in.events {
			n += len(in.events[i].Body)
		}
		return n
	}
	batch := []*ingestion{first}
	for bytes := size(first); len(batch) < maxBatch && bytes < maxBatchBytes; {
		select {
		case in := <-s.ingestions:
			batch = append(batch, in)
			bytes += size(in)
		default:
			return batch
		}
	}
	return batch
}

// ingest stores a batch and answers every caller. A call that is at fault is taken out, and the others are stored.
func (s *Store) ingest(batch []*ingestion) {
	var err error
	for {
		left := slices.DeleteFunc(slices.Clone(batch), func(in *ingestion) bool {
			if in.err == nil {
				in.err = in.ctx.Err()
			}
			return in.err != nil
		})
		if len(left) == 0 {
			break
		}
		var committed, wake bool
		err = s.line(context.WithoutCancel(s.ctx), func(ctx context.Context, conn *pgx.Conn) (err error) {
			defer s.begin(len(left))()
			committed, wake, err = ingestBatch(ctx, conn, left, s.id)
			return err
		})
		if wake && err == nil {
			s.wakeUp()
		}
		if committed || err != nil {
			break
		}
	}
	for _, in := range batch {
		if in.err == nil {
			in.err = err
		}
		close(in.done)
	}
}

// A candidate is a webhook that may want an event, with the state of its lane.
type candidate struct {
	webhook store.Webhook
	locked  bool // nobody else changes the lane until we commit
	open    bool
	held    int64
	due     int64
	out     int
	before  int64 // due, as it is stored
}

// room reports whether a new delivery may be claimed at once: there is room, and nothing older waits in front of it.
func (c *candidate) room(lease *store.Lease, now int64) bool {
	return c.locked && c.open && c.held <= now && c.due > now && c.out < lease.Bound(c.webhook.ID)
}

// wanted is any of the webhooks that want what is given by endpoint and type, and of those that are given by id. The array and the
// offset have the planner look each of them up; a join would read all webhooks of the endpoint.
const wanted = "ANY (ARRAY(SELECT w.webhook FROM unnest((SELECT $1::TEXT[]), (SELECT $2::TEXT[])) AS e (endpoint, type) " +
	"CROSS JOIN LATERAL (SELECT webhook FROM wishes WHERE endpoint = e.endpoint AND type = e.type OFFSET 0) w " +
	"UNION ALL SELECT unnest((SELECT $3::TEXT[]))))"

// ingestBatch stores a batch in one transaction of two round trips. If a call names something unknown, that is noted in the
// call, and nothing is committed. wake says that something is due that was not claimed.
func ingestBatch(ctx context.Context, conn *pgx.Conn, calls []*ingestion, self string) (committed, wake bool, err error) {
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	found := queueEvents(b, calls)
	if err := send(ctx, conn, b); err != nil {
		return false, false, err
	}
	if !found.judge(calls) {
		_, err := conn.Exec(ctx, "ROLLBACK")
		return false, false, err
	}
	var made []store.Delivery
	var leased []bool
	var full []string // lanes, for who claims with:
	var by *store.Lease
	for _, call := range calls {
		call.results = make([]store.Ingested, len(call.events))
		for i := range call.events {
			in := &call.events[i]
			key := portable.EventKey{Endpoint: in.Endpoint, ID: in.ID}
			received, isNew := found.fresh[key]
			if !isNew {
				continue
			}
			delete(found.fresh, key) // the first one with this id was stored
			result := &call.results[i]
			result.New = true
			e := &store.Event{
				ID: in.ID, Workspace: found.workspaces[in.Endpoint], Endpoint: in.Endpoint, Type: in.Type, Body: in.Body,
				Account: in.Account, Livemode: in.Livemode, APIVersion: in.APIVersion, Source: in.Source, Object: in.Object, Trace: in.Trace,
				Created: portable.Time(portable.Micros(in.Created)), Received: portable.Time(received),
			}
			for _, c := range found.candidates[in.Endpoint] {
				w := &c.webhook
				if in.Webhook != "" && in.Webhook != w.ID || in.Webhook == "" && (!w.Wants(e.Type) || portable.TooOld(w, e.Created)) {
					continue
				}
				d := portable.NewDelivery(w, e, e.Received)
				result.Deliveries++
				claim := false
				switch {
				case d.State != store.DeliveryPending:
				case c.room(&call.lease, received):
					claim = true
					d.NextAt = portable.Time(received + call.lease.For.Microseconds())
					c.out++
					result.Work = append(result.Work, store.Work{Delivery: d, Event: e, Webhook: w})
				case !c.open:
				case call.lease.PerWebhook == 0 || c.out < call.lease.Bound(w.ID):
					wake = true
				default: // it is claimed from again when it gets room
					full, by = append(full, w.ID), &call.lease
				}
				if d.State == store.DeliveryPending {
					c.due = min(c.due, portable.Micros(d.NextAt))
				}
				made, leased = append(made, d), append(leased, claim)
			}
		}
	}
	b = &pgx.Batch{}
	if len(made) > 0 {
		query, args := insertDeliveries(made, leased, "DO NOTHING")
		b.Queue(query, args...)
	}
	found.queueDue(b)
	if wake {
		b.Queue(announce, self)
	}
	b.Queue("COMMIT")
	if len(full) > 0 { // which may have been while we were at it, see Finish
		b.Queue("SELECT EXISTS (SELECT 1 FROM lanes l WHERE l.webhook = ANY ($4) AND "+claimable+")", append(bounds(by), full)...).
			QueryRow(func(row pgx.Row) error {
				var room bool
				err := row.Scan(&room)
				wake = wake || room
				return err
			})
	}
	if err := send(ctx, conn, b); err != nil {
		return false, false, err
	}
	return true, wake, nil
}

// findings are what the database says to a batch of events.
type findings struct {
	workspaces map[string]string           // by endpoint
	pools      map[string]string           // endpoints, by webhooks that events name
	fresh      map[portable.EventKey]int64 // new events, with the time at which they were received
	candidates map[string][]*candidate     // by endpoint
}

// queueEvents inserts the events of calls and looks for their webhooks, whose lanes it locks.
func queueEvents(b *pgx.Batch, calls []*ingestion) *findings {
	f := &findings{
		workspaces: make(map[string]string), pools: make(map[string]string), fresh: make(map[portable.EventKey]int64),
		candidates: make(map[string][]*candidate),
	}
	// One order for all replicas, so that none waits for another one that waits for it.
	events := make(map[portable.EventKey]*store.NewEvent)
	types := make(map[[2]string]bool)
	named := make(map[string]bool)
	for _, call := range calls {
		for i := range call.events {
			e := &call.events[i]
			key := portable.EventKey{Endpoint: e.Endpoint, ID: e.ID}
			if events[key] == nil {
				events[key] = e
			}
			if e.Webhook != "" {
				named[e.Webhook] = true
			} else {
				types[[2]string{e.Endpoint, e.Type}], types[[2]string{e.Endpoint, "*"}] = true, true
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(events), func(a, b portable.EventKey) int {
		return cmp.Or(cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.ID, b.ID))
	})
	var c struct {
		id, endpoint, kind, account, version, source, object, trace []string
		livemode                                                    []bool
		created                                                     []int64
		body                                                        [][]byte
	}
	for _, key := range keys {
		e := events[key]
		body := e.Body
		if body == nil {
			body = []byte{}
		}
		c.id, c.endpoint, c.kind = append(c.id, e.ID), append(c.endpoint, e.Endpoint), append(c.kind, e.Type)
		c.account, c.version = append(c.account, e.Account), append(c.version, e.APIVersion)
		c.source, c.livemode = append(c.source, string(e.Source)), append(c.livemode, e.Livemode)
		c.object = append(c.object, e.Object)
		c.created, c.body, c.trace = append(c.created, portable.Micros(e.Created)), append(c.body, body), append(c.trace, e.Trace)
	}
	var endpoints, kinds []string
	for pair := range types {
		endpoints, kinds = append(endpoints, pair[0]), append(kinds, pair[1])
	}
	webhooks := slices.Sorted(maps.Keys(named))

	b.Queue("SELECT id, workspace FROM endpoints WHERE id = "+anyOf1, c.endpoint).Query(func(rows pgx.Rows) error {
		return pairs(rows, f.workspaces)
	})
	if len(webhooks) > 0 {
		b.Queue("SELECT id, endpoint FROM webhooks WHERE id = ANY ($1) AND detached = 0", webhooks).Query(func(rows pgx.Rows) error {
			return pairs(rows, f.pools)
		})
	}
	b.Queue("INSERT INTO events ("+portable.EventColumns+", body, trace) "+
		"SELECT e.id, e.endpoint, p.workspace, e.type, e.account, e.livemode, e.api_version, e.source, e.object, e.created, "+clock+", e.body, e.trace "+
		// Selected, so that the planner does not plan anew for every length.
		"FROM unnest((SELECT $1::TEXT[]), (SELECT $2::TEXT[]), (SELECT $3::TEXT[]), (SELECT $4::TEXT[]), (SELECT $5::BOOLEAN[]), "+
		"(SELECT $6::TEXT[]), (SELECT $7::TEXT[]), (SELECT $8::TEXT[]), (SELECT $9::BIGINT[]), (SELECT $10::BYTEA[]), (SELECT $11::TEXT[])) "+
		"WITH ORDINALITY AS e (id, endpoint, type, account, livemode, api_version, source, object, created, body, trace, n) "+
		"JOIN endpoints p ON p.id = e.endpoint ORDER BY e.n ON CONFLICT DO NOTHING RETURNING endpoint, id, received",
		c.id, c.endpoint, c.kind, c.account, c.livemode, c.version, c.source, c.object, c.created, c.body, c.trace).Query(func(rows pgx.Rows) error {
		var key portable.EventKey
		var received int64
		_, err := pgx.ForEachRow(rows, []any{&key.Endpoint, &key.ID, &received}, func() error {
			f.fresh[key] = received
			return nil
		})
		return err
	})
	locked := make(map[string]bool)
	b.Queue("SELECT webhook FROM lanes WHERE webhook = "+wanted+" ORDER BY webhook FOR UPDATE", endpoints, kinds, webhooks).
		Query(func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				locked[id] = true
				return nil
			})
			return err
		})
	// Now that they are locked, how many are out cannot grow any more.
	b.Queue("SELECT l.open, l.held, l.due, (SELECT COUNT(*) FROM deliveries d WHERE d.webhook = l.webhook AND d.state = 'pending' "+
		"AND d.leased AND d.next_at > "+clock+"), "+portable.WebhookColumns+" FROM lanes l JOIN webhooks w ON w.id = l.webhook "+
		"WHERE l.webhook = "+wanted+" ORDER BY l.webhook", endpoints, kinds, webhooks).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			c := &candidate{}
			if err := rows.Scan(append([]any{&c.open, &c.held, &c.due, &c.out}, portable.WebhookFields(&c.webhook)...)...); err != nil {
				return err
			}
			c.locked, c.before = locked[c.webhook.ID], c.due
			f.candidates[c.webhook.Endpoint] = append(f.candidates[c.webhook.Endpoint], c)
		}
		return rows.Err()
	})
	return f
}

func pairs(rows pgx.Rows, to map[string]string) error {
	var key, value string
	_, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		to[key] = value
		return nil
	})
	return err
}

// judge notes ErrNotFound in each call that names something unknown, and reports whether there was none.
func (f *findings) judge(calls []*ingestion) bool {
	fine := true
	for _, call := range calls {
		for _, e := range call.events {
			if _, known := f.workspaces[e.Endpoint]; !known {
				call.err = fmt.Errorf("endpoint %s: %w", e.Endpoint, store.ErrNotFound)
			} else if e.Webhook != "" && f.pools[e.Webhook] != e.Endpoint {
				call.err = fmt.Errorf("webhook %s: %w", e.Webhook, store.ErrNotFound)
			}
		}
		fine = fine && call.err == nil
	}
	return fine
}

// queueDue stores when the lanes fall due, where that is earlier than it was.
func (f *findings) queueDue(b *pgx.Batch) {
	var webhooks []string
	var due []int64
	for _, pool := range f.candidates {
		for _, c := range pool {
			if c.due < c.before {
				webhooks, due = append(webhooks, c.webhook.ID), append(due, c.due)
			}
		}
	}
	if len(webhooks) > 0 {
		b.Queue("UPDATE lanes l SET due = GREATEST(l.held, LEAST(l.due, u.due)) FROM unnest((SELECT $1::TEXT[]), (SELECT $2::BIGINT[])) AS u (webhook, due) "+
			"WHERE l.webhook = u.webhook", webhooks, due)
	}
}

// insertDeliveries is the statement that inserts deliveries; conflict says what to do about those that exist.
func insertDeliveries(list []store.Delivery, leased []bool, conflict string) (query string, args []any) {
	var c struct {
		id, workspace, webhook, endpoint, event, kind, state, reason []string
		next, created                                                []int64
	}
	for i := range list {
		d := &list[i]
		c.id, c.workspace, c.webhook = append(c.id, d.ID), append(c.workspace, d.Workspace), append(c.webhook, d.Webhook)
		c.endpoint, c.event, c.kind = append(c.endpoint, d.Endpoint), append(c.event, d.Event), append(c.kind, d.Type)
		c.state, c.reason = append(c.state, string(d.State)), append(c.reason, d.Reason)
		c.next, c.created = append(c.next, portable.Micros(d.NextAt)), append(c.created, portable.Micros(d.Created))
	}
	return "INSERT INTO deliveries (id, workspace, webhook, endpoint, event, type, state, reason, attempts, tries, last_status, " +
			"next_at, created, leased) SELECT id, workspace, webhook, endpoint, event, type, state, reason, 0, 0, 0, next_at, created, leased " +
			"FROM unnest((SELECT $1::TEXT[]), (SELECT $2::TEXT[]), (SELECT $3::TEXT[]), (SELECT $4::TEXT[]), (SELECT $5::TEXT[]), " +
			"(SELECT $6::TEXT[]), (SELECT $7::TEXT[]), (SELECT $8::TEXT[]), (SELECT $9::BIGINT[]), (SELECT $10::BIGINT[]), (SELECT $11::BOOLEAN[])) " +
			"AS d (id, workspace, webhook, endpoint, event, type, state, reason, next_at, created, leased) " +
			"ON CONFLICT (event, endpoint, webhook) " + conflict,
		[]any{c.id, c.workspace, c.webhook, c.endpoint, c.event, c.kind, c.state, c.reason, c.next, c.created, leased}
}
