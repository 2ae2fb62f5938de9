package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// Most deliveries are made at once, and then a row that is inserted as pending, changed by the claim and changed by the outcome
// costs a multiple of one that is written when the outcome is known. So a delivery begins as fresh: it stands in a row of
// arrivals, with all that came in together, and in the memory of the replica that took it in. It gets its row
//
//   - from Finish, in its final state,
//   - from settle, as pending, before anybody reads deliveries or changes them,
//   - from settle, too, when it waited for freshTime, or when its lease ended.
//
// Any replica may settle at any time: Finish finds the row, then, and Claim finds that the arrival is gone. Claim moves what it
// takes from the memory into an arrival of its own. Who does that holds the lanes, as does who settles, so that nobody gets a
// delivery twice. What a lane has out is counted over the rows and the arrivals of all replicas, so its bound holds as ever. It is
// counted too high for a while where another replica settled what is out here.

const (
	// freshTime is how long a delivery may wait without a row. It is also how late another replica comes to it when its own
	// one is gone.
	freshTime = 10 * time.Second

	// maxFresh and maxFreshBytes bound what waits in memory, in deliveries and in bytes of their events.
	maxFresh      = 50_000
	maxFreshBytes = 64 << 20

	// settleBytes is how much of arrivals is settled in one transaction.
	settleBytes = 100_000
)

// An arrival is a row of arrivals, as the replica that wrote it remembers it.
type arrival struct {
	id         string
	taken      bool
	until      int64
	deliveries []*fresh // that it began with
	left       int      // of them, those that have no row and are in no other arrival
	bytes      int      // of the events of one that waits
}

// A fresh delivery has no row yet.
type fresh struct {
	store.Delivery

	event   *store.Event
	in      *arrival
	outcome *store.Outcome // when it has one
}

// queue stores the arrival.
func (a *arrival) queue(b *pgx.Batch) error {
	deliveries := make([]store.Delivery, len(a.deliveries))
	for i, d := range a.deliveries {
		deliveries[i] = d.Delivery
	}
	text, err := portable.PackArrival(deliveries)
	if err != nil {
		return err
	}
	b.Queue("INSERT INTO arrivals (id, taken, until, deliveries) VALUES ($1, $2, $3, $4)", a.id, a.taken, a.until, text)
	return nil
}

// queueDrop takes arrivals out of the table.
func queueDrop(b *pgx.Batch, arrivals []string) {
	if len(arrivals) > 0 {
		b.Queue("DELETE FROM arrivals WHERE id = "+anyOf1, arrivals)
	}
}

// A nursery is what a replica remembers of its fresh deliveries. What it has is in arrivals, or in deliveries if somebody settled
// it; what it has not is somebody else's, or settled.
type nursery struct {
	mu      sync.Mutex
	out     map[string]*fresh // those that are taken
	cots    map[string]*cot   // by webhook
	turn    string            // the webhook that was served last
	waiting int
	bytes   int
	made    int      // arrivals ever, for their ids
	spent   []string // arrivals that are empty and still in the table
}

// A cot is the part of one webhook.
type cot struct {
	waiting []*fresh // oldest first
	out     map[string]*fresh
	slow    bool // some had to be settled since they waited too long
}

func newNursery() *nursery {
	return &nursery{out: make(map[string]*fresh), cots: make(map[string]*cot)}
}

// cot makes the cot of a webhook, if need be.
func (n *nursery) cot(webhook string) *cot {
	c := n.cots[webhook]
	if c == nil {
		c = &cot{out: make(map[string]*fresh)}
		n.cots[webhook] = c
	}
	return c
}

// tidy forgets a cot that is empty.
func (n *nursery) tidy(webhook string) {
	if c := n.cots[webhook]; c != nil && len(c.waiting) == 0 {
		c.slow = false
		if len(c.out) == 0 {
			delete(n.cots, webhook)
		}
	}
}

// count says how many are out for whom no lease has ended.
func (c *cot) count(now int64) (out int) {
	for _, n := range c.out {
		if n.in.until > now {
			out++
		}
	}
	return out
}

// look says how many wait and are out for a webhook, and whether more may wait.
func (n *nursery) look(webhook string, now int64) (waiting, out int, may bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	may = n.waiting < maxFresh && n.bytes < maxFreshBytes
	c := n.cots[webhook]
	if c == nil {
		return 0, 0, may
	}
	return len(c.waiting), c.count(now), may && !c.slow
}

// add remembers arrivals that are about to be stored, and gives them ids that begin with self.
func (n *nursery) add(self string, arrivals ...*arrival) (ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range arrivals {
		n.made++
		a.id, a.left = fmt.Sprintf("%s.%09d", self, n.made), len(a.deliveries)
		var last *store.Event
		for _, d := range a.deliveries {
			d.in = a
			c := n.cot(d.Webhook)
			if a.taken {
				n.out[d.ID], c.out[d.ID] = d, d
				continue
			}
			c.waiting = append(c.waiting, d)
			n.waiting++
			if d.event != last {
				last, a.bytes = d.event, a.bytes+len(d.event.Body)
			}
		}
		n.bytes += a.bytes
		ids = append(ids, a.id)
	}
	return ids
}

// forget drops all of these arrivals that is still here: it was settled, or never stored.
func (n *nursery) forget(arrivals ...string) {
	if len(arrivals) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	gone := make(map[string]bool, len(arrivals))
	for _, id := range arrivals {
		gone[id] = true
	}
	for webhook, c := range n.cots {
		before := len(c.waiting)
		c.waiting = slices.DeleteFunc(c.waiting, func(d *fresh) bool {
			if gone[d.in.id] {
				n.settle(d.in, d.in.left)
			}
			return gone[d.in.id]
		})
		n.waiting -= before - len(c.waiting)
		c.slow = c.slow || len(c.waiting) < before
		for id, d := range c.out {
			if gone[d.in.id] {
				delete(c.out, id)
				delete(n.out, id)
			}
		}
		n.tidy(webhook)
	}
	n.spent = slices.DeleteFunc(n.spent, func(id string) bool { return gone[id] })
}

// settle notes that so many of an arrival have left it, and reports whether they were the last ones.
func (n *nursery) settle(a *arrival, left int) bool {
	a.left -= left
	if a.left > 0 {
		return false
	}
	n.bytes -= a.bytes
	a.bytes = 0
	return true
}

// leave begins to take deliveries out of their arrivals. It returns the arrivals that they leave empty, which are to be dropped in
// the same transaction; left is to be called when that has committed, or failed.
func (n *nursery) leave(list []*fresh) (empty []string, left func(committed bool)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	leaving := make(map[*arrival]int)
	for _, d := range list {
		leaving[d.in]++
	}
	for a, some := range leaving {
		// Others that leave at the same time are not counted: their transaction may fail.
		if some == a.left {
			empty = append(empty, a.id)
		}
	}
	dropped := len(empty)
	empty = append(empty, n.spent...)
	n.spent = nil
	slices.Sort(empty[:dropped])
	return empty, func(committed bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !committed {
			n.spent = append(n.spent, empty[dropped:]...)
			return
		}
		for a, some := range leaving {
			if n.settle(a, some) && !slices.Contains(empty, a.id) {
				n.spent = append(n.spent, a.id)
			}
		}
	}
}

// heads returns at most limit webhooks for which something waits, in turn, and the arrivals in which its beginning stands.
func (n *nursery) heads(perWebhook, limit int) (webhooks, arrivals []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == 0 {
		return nil, nil
	}
	for webhook, c := range n.cots {
		if len(c.waiting) > 0 {
			webhooks = append(webhooks, webhook)
		}
	}
	slices.Sort(webhooks)
	at, found := slices.BinarySearch(webhooks, n.turn)
	if found {
		at++
	}
	webhooks = slices.Concat(webhooks[at:], webhooks[:at])
	webhooks = webhooks[:min(len(webhooks), limit)]
	named := make(map[*arrival]bool)
	for _, webhook := range webhooks {
		waiting := n.cots[webhook].waiting
		for _, d := range waiting[:min(len(waiting), perWebhook)] {
			if !named[d.in] {
				named[d.in] = true
				arrivals = append(arrivals, d.in.id)
			}
		}
	}
	return webhooks, arrivals
}

// A place is a lane from which Claim may take.
type place struct {
	webhook string
	room    int   // how many more may be out, but for ours that are fresh
	due     int64 // since when deliveries that have rows wait
}

// take takes out what waits for webhooks, at most limit, in turn. Their lanes are locked. found are the arrivals of heads, and
// whether each is still in the table.
func (n *nursery) take(places []place, found map[string]bool, perWebhook int, now int64, limit int) (list []*fresh) {
	n.forget(n.gone(places, found, perWebhook)...)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range places {
		p := &places[i]
		if c := n.cots[p.webhook]; c != nil && len(c.waiting) > 0 {
			p.room -= c.count(now)
			if p.due <= now && p.due <= portable.Micros(c.waiting[0].Created) {
				p.room = 0 // what is older goes first
			}
		}
	}
	for more := true; more; {
		more = false
		for i := range places {
			p := &places[i]
			c := n.cots[p.webhook]
			if p.room <= 0 || len(list) == limit || c == nil || len(c.waiting) == 0 || !found[c.waiting[0].in.id] {
				continue
			}
			list = append(list, c.waiting[0])
			c.waiting = c.waiting[1:]
			n.waiting--
			p.room--
			n.turn, more = p.webhook, true
		}
	}
	return list
}

// gone returns the arrivals of what waits for webhooks that somebody settled. One in whose lanes we are not may be about to be
// stored.
func (n *nursery) gone(places []place, found map[string]bool, perWebhook int) (gone []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range places {
		if c := n.cots[p.webhook]; c != nil {
			for _, d := range c.waiting[:min(len(c.waiting), perWebhook)] {
				if there, asked := found[d.in.id]; asked && !there {
					gone = append(gone, d.in.id)
				}
			}
		}
	}
	return gone
}

// giveBack undoes take.
func (n *nursery) giveBack(list []*fresh) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range slices.Backward(list) {
		c := n.cot(d.Webhook)
		c.waiting = append([]*fresh{d}, c.waiting...)
		n.waiting++
	}
}

// finish takes out the deliveries that have an outcome, and returns the outcomes of those that are not here: they have rows.
func (n *nursery) finish(outcomes []store.Outcome) (early []*fresh, settled []store.Outcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range outcomes {
		o := &outcomes[i]
		if d := n.out[o.Delivery]; d != nil && d.in.until == portable.Micros(o.Lease) {
			d.outcome = o
			early = append(early, d)
			delete(n.out, o.Delivery)
		} else {
			settled = append(settled, *o)
		}
	}
	// One order for all, so that none waits for another one that waits for it.
	slices.SortFunc(early, func(a, b *fresh) int { return cmp.Compare(a.ID, b.ID) })
	return early, settled
}

// finished notes whether what finish took out has its row.
func (n *nursery) finished(list []*fresh, committed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range list {
		c := n.cots[d.Webhook]
		switch {
		case c == nil: // it was settled meanwhile
		case !committed:
			n.out[d.ID] = d
		default:
			delete(c.out, d.ID)
			n.tidy(d.Webhook)
		}
	}
}

// outs says how many are out for each of the webhooks.
func (n *nursery) outs(webhooks []string, now int64) []int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	outs := make([]int64, len(webhooks))
	for i, webhook := range webhooks {
		if c := n.cots[webhook]; c != nil {
			outs[i] = int64(c.count(now))
		}
	}
	return outs
}

// drop forgets what waits for webhooks that were detached.
func (n *nursery) drop(webhook string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.cots[webhook]; c != nil {
		for _, d := range c.waiting {
			n.bytes -= d.in.bytes
			d.in.bytes = 0
		}
		n.waiting -= len(c.waiting)
		c.waiting = nil
		n.tidy(webhook)
	}
}

// ready reports whether something of these arrivals waits for a webhook that has fewer than width out.
func (n *nursery) ready(arrivals []*arrival, width int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range arrivals {
		for _, d := range a.deliveries {
			if c := n.cots[d.Webhook]; !a.taken && c != nil && len(c.waiting) > 0 && len(c.out) < width {
				return true
			}
		}
	}
	return false
}

// any reports whether something waits.
func (n *nursery) any() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting > 0
}

// A taking is the part of a claim that is about what waits in memory.
type taking struct {
	store    *Store
	asked    []string // webhooks
	places   []place
	webhooks map[string]*store.Webhook
	locked   map[string]bool
	found    map[string]bool // arrivals
	now      int64
	until    int64 // the end of the lease

	list    []*fresh
	arrival *arrival
	empty   []string
}

// queueWaiting locks the lanes for which something waits here, and looks how they are.
func (s *Store) queueWaiting(b *pgx.Batch, lease store.Lease, limit int) *taking {
	t := &taking{store: s, webhooks: make(map[string]*store.Webhook), locked: make(map[string]bool), found: make(map[string]bool)}
	b.Queue("SELECT " + clock).QueryRow(func(row pgx.Row) error { return row.Scan(&t.now) })
	var arrivals []string
	if t.asked, arrivals = s.nursery.heads(lease.PerWebhook, limit); len(t.asked) == 0 {
		return t
	}
	for _, id := range arrivals {
		t.found[id] = false
	}
	b.Queue("SELECT webhook FROM lanes WHERE webhook = "+anyOf1+" AND open AND held <= "+clock+" ORDER BY webhook FOR UPDATE SKIP LOCKED", t.asked).
		Query(names(t.locked))
	b.Queue("SELECT "+clock+" + $3, l.due, $2 - "+leased+" - COALESCE(early.out, 0), "+portable.WebhookColumns+" FROM lanes l "+
		"JOIN webhooks w ON w.id = l.webhook LEFT JOIN "+elsewhere+" early ON early.webhook = l.webhook WHERE l.webhook = "+anyOf1,
		t.asked, lease.PerWebhook, lease.For.Microseconds(), s.id).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			var p place
			w := &store.Webhook{}
			if err := rows.Scan(append([]any{&t.until, &p.due, &p.room}, portable.WebhookFields(w)...)...); err != nil {
				return err
			}
			p.webhook, t.webhooks[w.ID] = w.ID, w
			if t.locked[w.ID] {
				t.places = append(t.places, p)
			}
		}
		return rows.Err()
	})
	b.Queue("SELECT id FROM arrivals WHERE id = "+anyOf1, arrivals).Query(names(t.found))
	return t
}

// names reads a column into a set.
func names(to map[string]bool) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var name string
		_, err := pgx.ForEachRow(rows, []any{&name}, func() error {
			to[name] = true
			return nil
		})
		return err
	}
}

// take takes at most limit. done is to be called with what became of the transaction.
func (t *taking) take(perWebhook, limit int) (taken []*fresh, done func(committed bool)) {
	n := t.store.nursery
	for _, webhook := range t.asked {
		if t.webhooks[webhook] == nil {
			n.drop(webhook)
		}
	}
	t.list = n.take(t.places, t.found, perWebhook, t.now, limit)
	if len(t.list) == 0 {
		return nil, func(bool) {}
	}
	t.arrival = &arrival{taken: true, until: t.until}
	for _, d := range t.list {
		moved := &fresh{Delivery: d.Delivery, event: d.event}
		moved.NextAt = portable.Time(t.arrival.until)
		t.arrival.deliveries = append(t.arrival.deliveries, moved)
	}
	n.add(t.store.id, t.arrival)
	empty, left := n.leave(t.list)
	t.empty = empty
	return t.arrival.deliveries, func(committed bool) {
		left(committed)
		if !committed {
			n.forget(t.arrival.id)
			n.giveBack(t.list)
		}
	}
}

// served reports whether something of a webhook was taken.
func (t *taking) served(webhook string) bool {
	return slices.ContainsFunc(t.list, func(d *fresh) bool { return d.Webhook == webhook })
}

// queue stores what was taken.
func (t *taking) queue(b *pgx.Batch) error {
	if len(t.list) == 0 {
		return nil
	}
	queueDrop(b, t.empty)
	return t.arrival.queue(b)
}

// elsewhere counts, by webhook, the fresh deliveries that other replicas than $4 have out. There are none, and nothing is read, if
// neither the first arrival nor the last one is another one's.
const elsewhere = "(SELECT a.webhook, COUNT(*) AS out FROM arriving a " +
	"WHERE ((SELECT MIN(id) FROM arrivals) < $4 OR (SELECT MAX(id) FROM arrivals) > $4 || '~') " +
	"AND (a.arrival < $4 OR a.arrival > $4 || '~') AND a.taken AND a.until > " + clock +
	" AND (SELECT 1 FROM deliveries d WHERE d.id = a.id LIMIT 1) IS NULL GROUP BY a.webhook)"

// freshNotes are notes of fresh deliveries.
type freshNotes struct {
	notes
	workspace, webhook, endpoint, event, kind []string
	created                                   []int64
}

func listFresh(list []*fresh) (*freshNotes, error) {
	f := &freshNotes{}
	for _, d := range list {
		if err := f.add(d.outcome); err != nil {
			return nil, err
		}
		f.workspace, f.webhook, f.endpoint = append(f.workspace, d.Workspace), append(f.webhook, d.Webhook), append(f.endpoint, d.Endpoint)
		f.event, f.kind, f.created = append(f.event, d.Event), append(f.kind, d.Type), append(f.created, portable.Micros(d.Created))
	}
	for i, id := range f.back {
		f.back[i] = list[slices.Index(f.id, id)].Webhook
	}
	return f, nil
}

// queue inserts the deliveries as their outcomes leave them. lost is called for each whose lease is another one's by now.
func (f *freshNotes) queue(b *pgx.Batch, lost func(id string)) {
	statement := arrive
	if len(f.back) > 0 {
		statement = arriveBack
	}
	b.Queue(statement, f.id, f.state, f.reason, f.lease, f.after, f.hold, f.tried, f.status, f.log, f.workspace, f.webhook, f.endpoint, f.event,
		f.kind, f.created).Query(func(rows pgx.Rows) error {
		var id string
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			lost(id)
			return nil
		})
		return err
	})
}

// arrive stores fresh deliveries with their outcomes, and names those that somebody settled whose lease was lost then. arriveBack
// does so where some are to be sent again or hold their lanes.
const (
	arrive     = arriveRows + arriveLost
	arriveBack = arriveRows + arriveLanes + arriveLost
)

const arriveRows = `WITH o AS (
		SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::INTEGER[], $8::INTEGER[], $9::TEXT[],
			$10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[], $14::TEXT[], $15::BIGINT[])
			AS o (id, state, reason, lease, after, hold, tried, status, log, workspace, webhook, endpoint, event, type, created)
	), done AS (
		INSERT INTO deliveries AS d (id, workspace, webhook, endpoint, event, type, state, reason, attempts, tries, last_status, next_at, created, log)
		SELECT id, workspace, webhook, endpoint, event, type, state, reason, tried, tried, status,
			CASE WHEN state = 'pending' THEN ` + clock + ` + after ELSE 0 END, created, log FROM o
		ON CONFLICT (event, endpoint, webhook) DO UPDATE SET state = excluded.state, reason = excluded.reason, leased = FALSE,
			attempts = d.attempts + excluded.attempts, tries = d.tries + excluded.tries,
			last_status = CASE WHEN excluded.attempts > 0 THEN excluded.last_status ELSE d.last_status END,
			next_at = excluded.next_at, log = d.log || excluded.log
		WHERE d.state = 'pending' AND d.leased AND d.next_at = (SELECT o.lease FROM o WHERE o.id = d.id)
		RETURNING d.id, d.webhook, d.state, d.next_at
	)`

const arriveLanes = `, lane AS (
		SELECT d.webhook, MIN(d.next_at) FILTER (WHERE d.state = 'pending') AS next, MAX(o.hold) AS hold FROM done d JOIN o USING (id)
		WHERE d.state = 'pending' OR o.hold > 0 GROUP BY d.webhook
	), moved AS (
		` + advance + `
	)`

const arriveLost = `
	SELECT id FROM o WHERE id NOT IN (SELECT id FROM done)`

// freshEvents names the events that are fresh for a webhook.
func freshEvents(ctx context.Context, tx *sql.Tx, webhook string, found func(event string)) (err error) {
	rows, err := tx.QueryContext(ctx, "SELECT event FROM fresh WHERE webhook = $1", webhook)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var event string
		if err := rows.Scan(&event); err != nil {
			return err
		}
		found(event)
	}
	return rows.Err()
}

// LongestDue tells since when something has been due. It is asked often, so it settles nothing.
func (s *Store) LongestDue(ctx context.Context) (time.Time, error) {
	const doing = "reading what is due longest"
	due, err := portable.LongestDue(ctx, hasty{s.db})
	if err != nil {
		return due, s.failure(ctx, doing, err)
	}
	var micros int64
	err = hasty{s.db}.QueryRowContext(ctx, "SELECT COALESCE(MIN(CASE WHEN f.taken THEN f.until ELSE f.created END), 0) FROM fresh f "+
		"WHERE (SELECT l.open FROM lanes l WHERE l.webhook = f.webhook)").Scan(&micros)
	if early := portable.Time(micros); err == nil && !early.IsZero() && (due.IsZero() || early.Before(due)) {
		due = early
	}
	return due, s.failure(ctx, doing, err)
}

// Which arrivals to settle.
const (
	everything = "TRUE"
	overdue    = "until <= " + clock
)

// settle gives every fresh delivery of all replicas its row.
func (s *Store) settle(ctx context.Context) error { return s.settleThose(ctx, everything) }

// settleThose gives fresh deliveries their rows: those that are taken are leased, the others due.
func (s *Store) settleThose(ctx context.Context, which string) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := s.pool.Query(bounded, "SELECT id, octet_length(deliveries) FROM arrivals WHERE "+which+" ORDER BY id")
	if err != nil {
		return err
	}
	var steps [][]string
	var id string
	var size int
	room := 0
	_, err = pgx.ForEachRow(rows, []any{&id, &size}, func() error {
		if room -= size; room < 0 || len(steps) == 0 {
			steps, room = append(steps, nil), settleBytes-size
		}
		last := &steps[len(steps)-1]
		*last = append(*last, id)
		return nil
	})
	for _, arrivals := range steps {
		if err == nil {
			err = s.settleStep(ctx, arrivals)
		}
		if err == nil {
			s.nursery.forget(arrivals...)
		}
	}
	if len(steps) > 0 {
		s.wakeUp()
	}
	return err
}

func (s *Store) settleStep(ctx context.Context, arrivals []string) error {
	return s.line(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		defer s.begin(1)()
		b := &pgx.Batch{}
		b.Queue("BEGIN")
		b.Queue(hurry)
		b.Queue("SELECT FROM lanes WHERE webhook = ANY ((SELECT array_agg(DISTINCT webhook) FROM arriving WHERE arrival = "+anyOf1+")::TEXT[]) "+
			"ORDER BY webhook FOR UPDATE", arrivals)
		// Now nobody takes what waits in them, and what was taken is seen.
		b.Queue(settle, arrivals)
		b.Queue(announce, s.id)
		b.Queue("COMMIT")
		return send(ctx, conn, b)
	})
}

// settle makes rows of what stands in the arrivals $1, unless it has one or is also in an arrival that is taken.
const settle = `WITH gone AS (
		DELETE FROM arrivals WHERE id = ` + anyOf1 + ` RETURNING id
	), made AS (
		INSERT INTO deliveries (id, workspace, webhook, endpoint, event, type, state, reason, attempts, tries, last_status, next_at, created, leased)
		SELECT id, workspace, webhook, endpoint, event, type, 'pending', '', 0, 0, 0, CASE WHEN taken THEN until ELSE created END, created, taken
		FROM arriving WHERE arrival IN (SELECT id FROM gone) AND (taken OR id NOT IN (SELECT id FROM arriving WHERE taken))
		ORDER BY id ON CONFLICT DO NOTHING RETURNING webhook, next_at
	), lane AS (
		SELECT webhook, MIN(next_at) AS next FROM made GROUP BY webhook
	)
	UPDATE lanes l SET due = GREATEST(l.held, LEAST(l.due, (SELECT next FROM lane WHERE lane.webhook = l.webhook)))
	WHERE l.webhook = ANY ((SELECT array_agg(webhook) FROM lane)::TEXT[])`
