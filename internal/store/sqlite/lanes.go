package sqlite

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/portable"
)

// never is a due time that does not come.
const never = math.MaxInt64

// lanes is what the writer remembers of the queue. All of it can be read from the tables, except the leases.
type lanes struct {
	byID   map[string]*lane // by webhook
	holder map[string]*lane // by delivery that is out
	pools  map[string]*pool // by endpoint
	order  []*lane          // whose turn it is
	turn   int              // index in order of who is asked first
	total  store.Backlog
	leases int64 // how many were given

	fresh      map[string]*fresh // by delivery
	arrivals   []*arrival        // oldest first, those that are over included
	arrived    int64             // how many there were
	freshBytes int               // of arrivals
}

// A pool is an endpoint with its webhooks.
type pool struct {
	workspace string
	lanes     []*lane
}

// A lane is a webhook's queue. Times are microseconds since 1970.
type lane struct {
	standing
	out  map[string]int64 // claimed deliveries, with the ends of their leases
	ends int64            // none of them ends before
}

type standing struct {
	webhook *store.Webhook // replaced rather than changed
	gone    bool           // detached
	pending int            // rows in state pending, claimed or not
	due     int64          // no row that is pending and not out falls due before
	fresh   []*fresh       // waiting, older than any row that is due; those that are noted are passed over
	held    int64          // nothing is claimed before
}

// open reports whether deliveries go out.
func (l *lane) open() bool {
	return !l.gone && (l.webhook.State == store.WebhookActive || l.webhook.State == store.WebhookFailing)
}

// next is when the lane may have something to claim with a lease.
func (l *lane) next(lease *store.Lease) int64 {
	if !l.open() {
		return never
	}
	at := l.ends
	if len(l.out) < lease.Bound(l.webhook.ID) {
		at = min(at, l.due)
		if len(l.fresh) > 0 {
			at = 0
		}
	}
	return max(at, l.held)
}

// loadLanes reads the queue from the tables.
func loadLanes(ctx context.Context, q portable.Querier) (*lanes, error) {
	ls := &lanes{
		byID: make(map[string]*lane), holder: make(map[string]*lane), pools: make(map[string]*pool), fresh: make(map[string]*fresh),
	}
	endpoints, err := portable.AllEndpoints(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, e := range endpoints {
		ls.pools[e.ID] = &pool{workspace: e.Workspace}
	}
	webhooks, err := portable.AllWebhooks(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, w := range webhooks {
		ls.add(w)
	}
	queued, err := portable.AllQueued(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, c := range queued {
		if l := ls.byID[c.Webhook]; l != nil {
			l.pending, l.due = c.Count, portable.Micros(c.First)
			ls.count(l, 1)
		}
	}
	return ls, nil
}

func (ls *lanes) add(w store.Webhook) {
	l := &lane{standing: standing{webhook: &w, due: never}, out: make(map[string]int64), ends: never}
	ls.byID[w.ID] = l
	ls.order = append(ls.order, l)
	p := ls.pools[w.Endpoint]
	p.lanes = append(p.lanes, l)
}

// count adds a lane to the totals, or takes it out with sign -1.
func (ls *lanes) count(l *lane, sign int) {
	switch {
	case l.gone:
	case l.open():
		ls.total.Pending += sign * l.pending
		ls.total.Out += sign * len(l.out)
	default:
		ls.total.Waiting += sign * l.pending
	}
}

// lease returns the end of a lease that begins now. Its last digits count, so that an end names its lease even if the clock
// stands still.
func (ls *lanes) lease(now time.Time, length time.Duration) int64 {
	ls.leases++
	end := now.Add(length).UnixMicro()
	return end - end%1000 + ls.leases%1000
}

// recount alters a lane and keeps the totals right.
func (ls *lanes) recount(l *lane, alter func()) {
	ls.count(l, -1)
	alter()
	ls.count(l, 1)
}

// change alters how a lane stands and remembers how it stood.
func (t *tx) change(l *lane, alter func()) {
	before := l.standing
	t.lanes.recount(l, alter)
	t.undo = append(t.undo, func() { t.lanes.recount(l, func() { l.standing = before }) })
}

// put notes that a delivery is out until the end of its lease.
func (t *tx) put(l *lane, delivery string, end int64) {
	t.lanes.put(l, delivery, end)
	t.undo = append(t.undo, func() { t.lanes.drop(l, delivery) })
}

// drop notes that a delivery is out no more.
func (t *tx) drop(l *lane, delivery string) {
	end := l.out[delivery]
	t.lanes.drop(l, delivery)
	t.undo = append(t.undo, func() { t.lanes.put(l, delivery, end) })
}

func (ls *lanes) put(l *lane, delivery string, end int64) {
	ls.recount(l, func() { l.out[delivery] = end })
	l.ends = min(l.ends, end)
	ls.holder[delivery] = l
}

func (ls *lanes) drop(l *lane, delivery string) {
	ls.recount(l, func() { delete(l.out, delivery) })
	if len(l.out) == 0 {
		l.ends = never
	}
	delete(ls.holder, delivery)
}

// queue notes n more pending deliveries, due at the given time.
func (t *tx) queue(l *lane, n int, at time.Time) {
	t.wake = true
	t.change(l, func() {
		l.pending += n
		l.due = min(l.due, at.UnixMicro())
	})
}

// unhold ends a lane's hold.
func (t *tx) unhold(l *lane) {
	t.change(l, func() { l.held = 0 })
}

// attach gives a new webhook its lane.
func (t *tx) attach(w store.Webhook) {
	p := t.lanes.pools[w.Endpoint]
	t.lanes.add(w)
	t.undo = append(t.undo, func() {
		delete(t.lanes.byID, w.ID)
		t.lanes.order = t.lanes.order[:len(t.lanes.order)-1]
		p.lanes = p.lanes[:len(p.lanes)-1]
	})
}

// detach closes a webhook's lane.
func (t *tx) detach(l *lane) {
	t.change(l, func() { l.gone = true })
	delete(t.lanes.byID, l.webhook.ID)
	t.undo = append(t.undo, func() { t.lanes.byID[l.webhook.ID] = l })
	t.setOrder(without(t.lanes.order, l))
	t.setPool(l.webhook.Endpoint, without(t.lanes.pools[l.webhook.Endpoint].lanes, l))
}

// replace puts the changed webhook into its lane, and the lane into the pool where it now belongs.
func (t *tx) replace(l *lane, w store.Webhook) {
	from := l.webhook.Endpoint
	t.wake = true
	if w.URL != l.webhook.URL || w.State != l.webhook.State {
		t.unhold(l)
	}
	t.change(l, func() { l.webhook = &w })
	if from != w.Endpoint {
		t.setPool(from, without(t.lanes.pools[from].lanes, l))
		joined := append(slices.Clone(t.lanes.pools[w.Endpoint].lanes), l)
		slices.SortFunc(joined, func(a, b *lane) int { return cmp.Compare(a.webhook.ID, b.webhook.ID) })
		t.setPool(w.Endpoint, joined)
	}
}

func (t *tx) setOrder(order []*lane) {
	before, turn := t.lanes.order, t.lanes.turn
	t.lanes.order, t.lanes.turn = order, 0
	t.undo = append(t.undo, func() { t.lanes.order, t.lanes.turn = before, turn })
}

func (t *tx) setPool(endpoint string, members []*lane) {
	p := t.lanes.pools[endpoint]
	before := p.lanes
	p.lanes = members
	t.undo = append(t.undo, func() { p.lanes = before })
}

func (t *tx) addPool(endpoint, workspace string) {
	if t.lanes.pools[endpoint] == nil {
		t.lanes.pools[endpoint] = &pool{workspace: workspace}
		t.undo = append(t.undo, func() { delete(t.lanes.pools, endpoint) })
	}
}

func (t *tx) removePool(endpoint string) {
	p := t.lanes.pools[endpoint]
	delete(t.lanes.pools, endpoint)
	t.undo = append(t.undo, func() { t.lanes.pools[endpoint] = p })
}

// without copies a list, so that the old one can be put back.
func without(list []*lane, l *lane) []*lane {
	return slices.DeleteFunc(slices.Clone(list), func(other *lane) bool { return other == l })
}

// backlog is the writer's latest count, for everyone.
type backlog struct{ latest atomic.Pointer[store.Backlog] }

func (b *backlog) set(total store.Backlog) { b.latest.Store(&total) }
