package webhooks

import (
	"slices"
	"time"

	"stripe-connector/internal/store"
)

const (
	// laneWidth is how many attempts a webhook may have under way at once.
	laneWidth = 16

	// laneAhead is how many deliveries of a webhook may be claimed beyond those that are attempted, so that an attempt that ends
	// makes way for the next one without waiting for the store. It is for subscribers that are through with them within seconds,
	// which is those that answer within slowAfter.
	laneAhead = 512
	slowAfter = 250 * time.Millisecond
)

// A lane is what is claimed of a webhook.
type lane struct {
	webhook string
	waiting []claimed
	busy    int           // attempts under way
	narrow  bool          // fewer than wanted, as there was no room for more
	took    time.Duration // by one attempt, on the average of late
	slow    bool
	changed bool // the webhook, since anything was claimed
}

type claimed struct {
	work store.Work
	at   time.Time
}

// width is how many attempts a lane may have under way now: one at least.
func (d *Dispatcher) width() int {
	return max(1, (laneWidth*(maxOut-d.out)+maxOut-1)/maxOut)
}

// begin puts work that was claimed at the given time into its lanes, unless the dispatcher is not running.
func (d *Dispatcher) begin(work []store.Work, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running {
		return false
	}
	for _, w := range work {
		d.outBytes += int64(len(w.Event.Body))
		l := d.lanes[w.Webhook.ID]
		if l == nil {
			l = &lane{webhook: w.Webhook.ID}
			d.lanes[w.Webhook.ID] = l
		}
		l.changed = false
		l.waiting = append(l.waiting, claimed{w, at})
		d.ahead++
		d.widen(l)
	}
	return true
}

// widen has one more attempt be made in a lane, if something waits for it. Without room that is done later, by widenNarrow.
func (d *Dispatcher) widen(l *lane) {
	switch {
	case len(l.waiting) == 0 || l.busy == laneWidth:
	case l.busy < d.width():
		l.busy++
		d.attempts.Go(func() { d.serve(l) })
	case !l.narrow:
		l.narrow = true
		d.narrow = append(d.narrow, l)
	}
}

// widenNarrow is for when there is room again: in a lane that hangs, no attempt ends that would widen it.
func (d *Dispatcher) widenNarrow() {
	narrow := d.narrow
	d.narrow = nil
	for _, l := range narrow {
		l.narrow = false
		d.widen(l)
	}
}

// Recall gives back what is claimed of a webhook and not attempted yet. It is for who has changed the webhook, so that what
// was claimed before does not go out as if nothing had happened.
func (d *Dispatcher) Recall(webhook string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lanes[webhook]; l != nil {
		d.recall(l)
		l.took, l.changed = 0, true // it may be another subscriber now, or none
		d.setSlow(l, false)
		d.forget(l)
	}
}

func (d *Dispatcher) recall(l *lane) {
	if len(l.waiting) == 0 {
		return
	}
	waiting := l.waiting
	l.waiting = nil
	d.ahead -= len(waiting)
	d.out += len(waiting)
	d.attempts.Go(func() {
		for _, c := range waiting {
			d.outcomes <- finished{released(c.work), int64(len(c.work.Event.Body))}
		}
	})
}

func released(w store.Work) store.Outcome {
	return store.Outcome{Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictRelease}
}

// serve attempts what waits in a lane, one after the other, until nothing does.
func (d *Dispatcher) serve(l *lane) {
	for {
		c, more := d.next(l)
		if !more {
			return
		}
		o := d.attempt(d.ctx, c.work, c.at)
		d.outcomes <- finished{o, int64(len(c.work.Event.Body))}
		d.learn(l, &o)
	}
}

// next takes what has waited longest in a lane. Without anything, an attempt less is under way there.
func (d *Dispatcher) next(l *lane) (c claimed, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(l.waiting) == 0 {
		l.busy--
		d.forget(l)
		return c, false
	}
	c = l.waiting[0]
	l.waiting[0] = claimed{} // or the slice would hold the event's body on
	l.waiting = l.waiting[1:]
	d.ahead--
	d.out++
	d.widen(l)
	return c, true
}

// forget lets go of a lane of which nothing is claimed, unless it has to be remembered that it is slow.
func (d *Dispatcher) forget(l *lane) {
	if l.busy == 0 && (!l.slow || l.changed) {
		d.setSlow(l, false)
		delete(d.lanes, l.webhook)
	}
}

// learn learns from an attempt how long they take in a lane, and gives back what waits there if the subscriber asks us to wait.
func (d *Dispatcher) learn(l *lane, o *store.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.Attempt != nil {
		l.took += (o.Attempt.Duration - l.took) / laneWidth
		d.setSlow(l, l.took > slowAfter || l.slow && l.took > slowAfter/2)
	}
	if o.Hold > 0 {
		d.recall(l)
	}
}

func (d *Dispatcher) setSlow(l *lane, slow bool) {
	if slow == l.slow {
		return
	}
	l.slow = slow
	at, _ := slices.BinarySearch(d.slow, l.webhook)
	if slow {
		d.slow = slices.Insert(slices.Clip(d.slow), at, l.webhook)
	} else {
		d.slow = slices.Delete(slices.Clone(d.slow), at, at+1)
	}
}
