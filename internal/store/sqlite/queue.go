package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// Ingest stores events and the deliveries that they lead to.
func (s *Store) Ingest(ctx context.Context, events []store.NewEvent, lease store.Lease) ([]store.Ingested, error) {
	size := 0
	for _, e := range events {
		size += len(e.Body)
	}
	var results []store.Ingested
	var waiting []*store.Event
	err := s.write(ctx, "storing events", size, func(ctx context.Context, t *tx) error {
		results, waiting = make([]store.Ingested, len(events)), nil
		for i := range events {
			e, err := t.ingest(ctx, &events[i], lease, &results[i])
			if err != nil {
				return err
			}
			if e != nil {
				waiting = append(waiting, e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, e := range waiting {
		s.recent.add(e)
	}
	return results, nil
}

// ingest returns the event if claims will look for it.
func (t *tx) ingest(ctx context.Context, in *store.NewEvent, lease store.Lease, result *store.Ingested) (awaited *store.Event, err error) {
	p := t.lanes.pools[in.Endpoint]
	if p == nil {
		return nil, fmt.Errorf("endpoint %s: %w", in.Endpoint, store.ErrNotFound)
	}
	if l := t.lanes.byID[in.Webhook]; in.Webhook != "" && (l == nil || l.webhook.Endpoint != in.Endpoint) {
		return nil, fmt.Errorf("webhook %s: %w", in.Webhook, store.ErrNotFound)
	}
	e := &store.Event{
		ID: in.ID, Workspace: p.workspace, Endpoint: in.Endpoint, Type: in.Type, Body: in.Body, Account: in.Account,
		Livemode: in.Livemode, APIVersion: in.APIVersion, Source: in.Source, Object: in.Object, Trace: in.Trace,
		Created: portable.Time(portable.Micros(in.Created)), Received: portable.Time(portable.Micros(t.now)),
	}
	isNew, err := portable.InsertEvent(ctx, t, e)
	if err != nil || !isNew {
		return nil, err
	}
	result.New = true
	for _, l := range p.lanes {
		w := l.webhook
		if in.Webhook != "" && in.Webhook != w.ID || in.Webhook == "" && (!w.Wants(e.Type) || portable.TooOld(w, e.Created)) {
			continue
		}
		d := portable.NewDelivery(w, e, e.Received)
		result.Deliveries++
		now := t.now.UnixMicro()
		if d.State == store.DeliveryPending && l.open() && l.held <= now && l.due > now && t.lanes.roomForFresh() {
			f := t.arrive(l, e, d.ID) // nothing that has a row waits in front of it
			if l.next(&lease) > now && len(l.out) < lease.Bound(w.ID) {
				t.change(l, func() { l.pending++ })
				d.NextAt = portable.Time(t.take(l, d.ID, lease))
				result.Work = append(result.Work, store.Work{Delivery: d, Event: e, Webhook: w})
			} else {
				t.wake = true
				t.change(l, func() { l.pending, l.fresh = l.pending+1, append(l.fresh, f) })
			}
			continue
		}
		if _, err := portable.InsertDelivery(ctx, t, &d); err != nil {
			return nil, err
		}
		if d.State == store.DeliveryPending {
			awaited = e
			t.queue(l, 1, d.NextAt)
		}
	}
	return awaited, nil
}

// take puts a delivery out and returns the end of its lease.
func (t *tx) take(l *lane, delivery string, lease store.Lease) int64 {
	end := t.lanes.lease(t.now, lease.For)
	t.put(l, delivery, end)
	return end
}

// Claim takes due deliveries, beginning with the lane after the last one that was served.
func (s *Store) Claim(ctx context.Context, lease store.Lease, limit int) (store.Claimed, error) {
	var claimed store.Claimed
	err := s.hand(ctx, &operation{doing: "claiming deliveries", needs: nothing, run: func(ctx context.Context, t *tx) (err error) {
		claimed, err = t.claim(ctx, lease, limit)
		return err
	}})
	if err != nil {
		return store.Claimed{}, err
	}
	// The bodies are read here, beside the writer. A claim that cannot be filled is given back.
	if err := s.fill(ctx, claimed.Work); err != nil {
		release := make([]store.Outcome, len(claimed.Work))
		for i, w := range claimed.Work {
			release[i] = store.Outcome{Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictRelease}
		}
		err = s.failure(ctx, "reading claimed events", err)
		return store.Claimed{}, errors.Join(err, s.Finish(context.WithoutCancel(ctx), release))
	}
	return claimed, nil
}

func (t *tx) claim(ctx context.Context, lease store.Lease, limit int) (store.Claimed, error) {
	var claimed store.Claimed
	ls, now := t.lanes, t.now.UnixMicro()
	next := int64(never)
	first := ls.turn
	for i := range ls.order {
		at := (first + i) % len(ls.order)
		l := ls.order[at]
		if l.next(&lease) <= now && len(claimed.Work) < limit {
			before := len(claimed.Work)
			if err := t.claimLane(ctx, l, lease, limit-before, &claimed.Work); err != nil {
				return claimed, err
			}
			if len(claimed.Work) > before {
				ls.turn = (at + 1) % len(ls.order)
			}
		}
		next = min(next, l.next(&lease))
	}
	claimed.Next = -1
	if next != never {
		claimed.Next = max(0, time.Duration(next-now)*time.Microsecond)
	}
	return claimed, nil
}

// claimLane adds up to limit due deliveries of one lane to the work, first those that are fresh, and learns when the next one
// falls due. Work for deliveries that have rows is without its event.
func (t *tx) claimLane(ctx context.Context, l *lane, lease store.Lease, limit int, work *[]store.Work) error {
	now := t.now.UnixMicro()
	t.lapse(l, now)
	room := min(limit, lease.Bound(l.webhook.ID)-len(l.out))
	take := func(d store.Delivery, e *store.Event) {
		d.NextAt = portable.Time(t.take(l, d.ID, lease))
		*work = append(*work, store.Work{Delivery: d, Event: e, Webhook: l.webhook})
		room--
	}
	waiting := l.fresh
	for len(waiting) > 0 && room > 0 {
		if f := waiting[0]; !f.noted {
			take(f.delivery(), f.event)
		}
		waiting = waiting[1:]
	}
	t.change(l, func() { l.fresh = waiting })
	if l.due > now || room <= 0 {
		return nil
	}
	rows, err := portable.Due(ctx, t, l.webhook.ID, len(l.out)+room+1)
	if err != nil {
		return err
	}
	due := int64(never)
	for _, d := range rows {
		if _, out := l.out[d.ID]; out {
			continue
		}
		at := portable.Micros(d.NextAt)
		if at > now || room == 0 {
			due = at
			break
		}
		take(d, nil)
	}
	t.change(l, func() { l.due = due })
	return nil
}

// lapse has what is out with a lease that has ended wait again.
func (t *tx) lapse(l *lane, now int64) {
	if l.ends > now {
		return
	}
	l.ends = never
	for id, end := range l.out {
		if end > now {
			l.ends = min(l.ends, end)
			continue
		}
		t.drop(l, id)
		if f := t.lanes.fresh[id]; f != nil {
			t.change(l, func() { l.fresh = append([]*fresh{f}, l.fresh...) })
		} else {
			t.change(l, func() { l.due = min(l.due, end) })
		}
	}
}

// fill reads the events of claimed work, each once.
func (s *Store) fill(ctx context.Context, work []store.Work) error {
	events := make(map[portable.EventKey]*store.Event)
	for i := range work {
		d := &work[i].Delivery
		if work[i].Event != nil {
			continue
		}
		key := portable.EventKey{Endpoint: d.Endpoint, ID: d.Event}
		if events[key] == nil {
			events[key] = s.recent.get(key)
		}
		if events[key] == nil {
			e, err := portable.EventOf(ctx, s.reads, d.Endpoint, d.Event)
			if err != nil {
				return fmt.Errorf("event %s: %w", d.Event, err)
			}
			events[key] = &e
			s.recent.add(&e) // the other lanes come to it too
		}
		work[i].Event = events[key]
	}
	return nil
}

// Finish notes how claimed deliveries went. An outcome that a power failure takes back means one more attempt, which the
// subscriber knows by its webhook-id; events are not made to wait for the disk twice because of that.
func (s *Store) Finish(ctx context.Context, outcomes []store.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	return s.hand(ctx, &operation{doing: "noting outcomes", needs: written, run: func(ctx context.Context, t *tx) error {
		for i := range outcomes {
			if err := t.finish(ctx, &outcomes[i]); err != nil {
				return fmt.Errorf("delivery %s: %w", outcomes[i].Delivery, err)
			}
		}
		return nil
	}})
}

func (t *tx) finish(ctx context.Context, o *store.Outcome) error {
	l := t.lanes.holder[o.Delivery]
	held := l != nil && l.out[o.Delivery] == portable.Micros(o.Lease) // or the lease was lost, and perhaps another one given
	if held {
		t.drop(l, o.Delivery)
	}
	f := t.lanes.fresh[o.Delivery]
	if !held || l.gone {
		if f != nil {
			if err := t.settle(ctx, f); err != nil {
				return err
			}
		}
		return portable.AddToLog(ctx, t, o.Delivery, o.Attempt)
	}
	if err := t.conclude(ctx, f, o); err != nil {
		return err
	}
	t.change(l, func() {
		switch o.Verdict {
		case store.VerdictDelivered, store.VerdictDead:
			l.pending--
		case store.VerdictRetry:
			l.due = min(l.due, t.now.Add(o.After).UnixMicro())
		case store.VerdictRelease:
			l.due = min(l.due, t.now.UnixMicro())
		}
		if o.Hold > 0 {
			l.held = t.now.Add(o.Hold).UnixMicro()
		}
	})
	t.wake = t.wake || l.pending > len(l.out)
	return nil
}

// conclude stores an outcome: of a fresh delivery, if f is not nil, together with its row.
func (t *tx) conclude(ctx context.Context, f *fresh, o *store.Outcome) error {
	if f == nil {
		return portable.Conclude(ctx, t, o, t.now)
	}
	d := f.delivery()
	if err := portable.InsertConcluded(ctx, t, &d, o, t.now); err != nil {
		return err
	}
	return t.noted(ctx, f)
}

// Retry makes a delivery due now.
func (s *Store) Retry(ctx context.Context, workspace, id string) (store.Delivery, error) {
	return ask(ctx, s, "retrying a delivery", func(ctx context.Context, t *tx) (store.Delivery, error) {
		if f := t.lanes.fresh[id]; f != nil {
			if err := t.settle(ctx, f); err != nil {
				return store.Delivery{}, err
			}
		}
		d, err := portable.Delivery(ctx, t, workspace, id)
		if err != nil {
			return d, err
		}
		l := t.lanes.byID[d.Webhook]
		if l == nil {
			return d, fmt.Errorf("its webhook was detached: %w", store.ErrConflict)
		}
		if end, out := l.out[id]; out && end > t.now.UnixMicro() {
			return d, nil
		}
		if err := portable.Restart(ctx, t, id, t.now); err != nil {
			return d, err
		}
		more := 1
		if d.State == store.DeliveryPending {
			more = 0
		}
		t.unhold(l)
		t.queue(l, more, t.now)
		return portable.Delivery(ctx, t, workspace, id)
	})
}

// RetryDead makes dead deliveries of a webhook due now.
func (s *Store) RetryDead(ctx context.Context, workspace, webhook string, limit int) (int, error) {
	return ask(ctx, s, "retrying dead deliveries", func(ctx context.Context, t *tx) (int, error) {
		l, err := t.own(workspace, webhook)
		if err != nil {
			return 0, err
		}
		n, err := portable.RestartDead(ctx, t, webhook, limit, t.now)
		if err != nil {
			return 0, err
		}
		t.queue(l, n, t.now)
		return n, nil
	})
}

// own returns the lane of a webhook of the workspace.
func (t *tx) own(workspace, webhook string) (*lane, error) {
	l := t.lanes.byID[webhook]
	if l == nil || l.webhook.Workspace != workspace {
		return nil, store.ErrNotFound
	}
	return l, nil
}

// Replay makes stored events due again for one webhook.
func (s *Store) Replay(
	ctx context.Context, workspace, webhook string, f store.EventFilter, after string, limit int,
) (store.ReplayStep, error) {
	return ask(ctx, s, "replaying events", func(ctx context.Context, t *tx) (step store.ReplayStep, err error) {
		l, err := t.own(workspace, webhook)
		if err != nil {
			return step, err
		}
		if err := t.settleAll(ctx); err != nil {
			return step, err
		}
		events, err := portable.Replayable(ctx, t, l.webhook.Endpoint, f, after, limit)
		if err != nil {
			return step, err
		}
		active := *l.webhook
		active.State = store.WebhookActive // who asks for a replay wants it kept, even while the webhook is disabled
		for i := range events {
			d := portable.NewDelivery(&active, &events[i], t.now)
			queued, err := portable.ReplayDelivery(ctx, t, &d)
			if err != nil {
				return step, err
			}
			if queued {
				step.Queued++
			}
		}
		t.queue(l, step.Queued, t.now)
		if len(events) == limit && limit > 0 {
			last := events[len(events)-1]
			step.Next = store.Position{Created: last.Created, ID: last.ID}.Cursor()
		}
		return step, nil
	})
}

// Prune looks for events that have had their time beside the writer, and has the writer take them out.
func (s *Store) Prune(ctx context.Context, keep time.Duration, step int) (int, error) {
	const doing = "pruning"
	before := portable.Micros(s.now().Add(-keep))
	events := func(from int64) (portable.PruneStep, error) {
		p, err := portable.Prunable(ctx, s.reads, from, before, step, "")
		if err != nil || len(p.Events) == 0 {
			return p, s.failure(ctx, doing, err)
		}
		p.Gone, err = ask(ctx, s, doing, func(ctx context.Context, t *tx) (int, error) {
			err := t.settleSome(ctx, func(_ int, next *arrival) bool { return next.at < before })
			if err != nil {
				return 0, err
			}
			return portable.PruneEvents(ctx, t, p.Events)
		})
		return p, err
	}
	rest := func(forget func(context.Context, portable.Querier, int) (int, error)) (int, error) {
		return ask(ctx, s, doing, func(ctx context.Context, t *tx) (int, error) { return forget(ctx, t, step) })
	}
	return portable.Prune(step, events, rest)
}

// Wake receives when something may have become due.
func (s *Store) Wake() <-chan struct{} { return s.wake }

// Backlog returns the count as of the last commit. The size is that of the last checkpoint that was asked for.
func (s *Store) Backlog(ctx context.Context) (store.Backlog, error) {
	if err := ctx.Err(); err != nil {
		return store.Backlog{}, err
	}
	return *s.backlog.latest.Load(), nil
}
