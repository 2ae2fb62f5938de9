package sqlite

import (
	"context"
	"slices"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

const (
	// maxFresh and maxFreshBytes bound what waits without rows. What comes beyond them gets its rows at once.
	maxFresh      = 65536
	maxFreshBytes = 32 << 20 // of event bodies

	// maxFreshAge is for how long a delivery is fresh, while others come in.
	maxFreshAge = 5 * time.Second

	// settleStep is how many rows are made before others are let in between.
	settleStep = 512
)

// A fresh delivery has no row yet. Most are made within milliseconds and get theirs with the outcome, written once in place
// of twice. Until then a row of arrivals names it, from which Open makes up for what a crash cut short.
type fresh struct {
	id      string
	event   *store.Event
	lane    *lane
	arrival *arrival
	noted   bool // it is fresh no more
}

// delivery is what its row would say.
func (f *fresh) delivery() store.Delivery {
	e, w := f.event, f.lane.webhook
	return store.Delivery{
		ID: f.id, Workspace: w.Workspace, Webhook: w.ID, Endpoint: e.Endpoint, Event: e.ID, Type: e.Type,
		State: store.DeliveryPending, NextAt: e.Received, Created: e.Received,
	}
}

// An arrival holds the fresh deliveries of one transaction.
type arrival struct {
	row        int64 // its id; 0 while the transaction is not through
	number     int64 // counts arrivals; never while the transaction is not committed
	at         int64 // when they came, in microseconds since 1970
	deliveries []*fresh
	left       int // that are not noted
	bytes      int // of their events
}

// arrive notes a new delivery that needs no row yet.
func (t *tx) arrive(l *lane, e *store.Event, id string) *fresh {
	a, ls := t.arrival, t.lanes
	f := &fresh{id: id, event: e, lane: l, arrival: a}
	before := *a
	if n := len(a.deliveries); n == 0 || a.deliveries[n-1].event != e {
		a.bytes += len(e.Body)
	}
	a.deliveries, a.left = append(a.deliveries, f), a.left+1
	ls.fresh[id] = f
	t.undo = append(t.undo, func() {
		delete(ls.fresh, id)
		*a = before
	})
	return f
}

// roomForFresh reports whether another delivery may wait without a row.
func (ls *lanes) roomForFresh() bool {
	return len(ls.fresh) < maxFresh && ls.freshBytes < maxFreshBytes
}

// noted says that a fresh delivery has a row, and forgets the arrival of which it was the last one.
func (t *tx) noted(ctx context.Context, f *fresh) error {
	a, ls, e := f.arrival, t.lanes, f.event
	f.noted, f.event = true, nil // the queue of its lane may name it for some time
	a.left--
	delete(ls.fresh, f.id)
	t.undo = append(t.undo, func() {
		f.noted, f.event = false, e
		a.left++
		ls.fresh[f.id] = f
	})
	if a.left > 0 || a.row == 0 {
		return nil
	}
	_, err := t.ExecContext(ctx, "DELETE FROM arrivals WHERE id = $1", a.row)
	return err
}

// settle gives a fresh delivery a row, as one that is pending.
func (t *tx) settle(ctx context.Context, f *fresh) error {
	d := f.delivery()
	if _, err := portable.InsertDelivery(ctx, t, &d); err != nil {
		return err
	}
	if _, out := f.lane.out[f.id]; !out {
		t.change(f.lane, func() { f.lane.due = min(f.lane.due, portable.Micros(d.NextAt)) })
	}
	return t.noted(ctx, f)
}

// settleAll gives rows to all that is fresh.
func (t *tx) settleAll(ctx context.Context) error {
	return t.settleSome(ctx, func(int, *arrival) bool { return true })
}

// settleSome gives rows to whole arrivals, beginning with the oldest, for as long as more agrees, which is told how many
// rows there are by then.
func (t *tx) settleSome(ctx context.Context, more func(rows int, next *arrival) bool) error {
	rows := 0
	for i := 0; i <= len(t.lanes.arrivals); i++ {
		a := t.arrival
		if i < len(t.lanes.arrivals) {
			a = t.lanes.arrivals[i]
		}
		if a.left == 0 {
			continue
		}
		if !more(rows, a) {
			return nil
		}
		for _, f := range a.deliveries {
			if f.noted {
				continue
			}
			if err := t.settle(ctx, f); err != nil {
				return err
			}
			rows++
		}
	}
	return nil
}

// keep ends a transaction's work: its arrival gets a row, and what was fresh for long gets its own ones.
func (t *tx) keep(ctx context.Context) error {
	a := t.arrival
	if a.left == 0 {
		return nil
	}
	a.at = t.now.UnixMicro()
	old := a.at - maxFreshAge.Microseconds()
	if err := t.settleSome(ctx, func(rows int, next *arrival) bool { return rows < settleStep && next.at < old }); err != nil {
		return err
	}
	deliveries := make([]store.Delivery, 0, a.left)
	for _, f := range a.deliveries {
		if !f.noted {
			deliveries = append(deliveries, f.delivery())
		}
	}
	text, err := packArrival(deliveries)
	if err != nil {
		return err
	}
	result, err := t.ExecContext(ctx, "INSERT INTO arrivals (deliveries) VALUES ($1)", text)
	if err != nil {
		return err
	}
	a.row, err = result.LastInsertId()
	return err
}

// tidy takes a transaction's arrival in, now that it is committed, and lets go of the oldest that are over.
func (ls *lanes) tidy(a *arrival) {
	if a.left > 0 {
		ls.arrived++
		a.number = ls.arrived
		ls.arrivals, ls.freshBytes = append(ls.arrivals, a), ls.freshBytes+a.bytes
	}
	for len(ls.arrivals) > 0 && ls.arrivals[0].left == 0 {
		ls.freshBytes -= ls.arrivals[0].bytes
		ls.arrivals[0] = nil
		ls.arrivals = ls.arrivals[1:]
	}
}

// settle gives rows to what is fresh by now, in steps between which others are let in. What cannot be written at this time
// stays fresh: who reads then reads what has rows.
func (s *Store) settle(ctx context.Context) {
	last := int64(0)
	for more := s.fresh.Load() > 0; more; {
		err := s.hand(ctx, &operation{doing: "settling", needs: written, run: func(ctx context.Context, t *tx) error {
			if last == 0 {
				last = t.lanes.arrived
			}
			err := t.settleSome(ctx, func(rows int, next *arrival) bool { return rows < settleStep && next.number <= last })
			more = slices.ContainsFunc(t.lanes.arrivals, func(a *arrival) bool { return a.left > 0 && a.number <= last })
			return err
		}})
		if err != nil {
			return
		}
	}
}

// recoverFresh gives rows to what was fresh when the process before this one ended.
func recoverFresh(ctx context.Context, q portable.Querier) error {
	texts, err := arrivals(ctx, q)
	if err != nil || len(texts) == 0 {
		return err
	}
	if _, err := q.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, text := range texts {
		deliveries, err := unpackArrival(text)
		if err != nil {
			return err
		}
		for i := range deliveries { // of which some may have their rows
			if _, err := portable.InsertDelivery(ctx, q, &deliveries[i]); err != nil {
				return err
			}
		}
	}
	if _, err := q.ExecContext(ctx, "DELETE FROM arrivals"); err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, "COMMIT")
	return err
}
