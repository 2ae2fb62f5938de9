package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"stripe-connector/internal/store"
)

// memoryQueue is a store.Queue for tests in a bubble, where a database would stop the clock.
type memoryQueue struct {
	wake chan struct{}

	mu         sync.Mutex
	order      []string
	webhooks   map[string]*store.Webhook
	held       map[string]time.Time
	rows       []*row // of all webhooks, oldest first
	turn       int
	claims     int   // calls of Claim
	claimErr   error // what Claim and Finish answer while not nil
	finishErr  error
	finishes   int
	finishHook func([]store.Outcome)
}

// row is one delivery.
type row struct {
	store.Delivery
	event    *store.Event
	out      bool
	attempts []store.Attempt
}

func newMemoryQueue() *memoryQueue {
	return &memoryQueue{wake: make(chan struct{}, 1), webhooks: map[string]*store.Webhook{}, held: map[string]time.Time{}}
}

func (q *memoryQueue) webhook(id, url string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.order = append(q.order, id)
	q.webhooks[id] = &store.Webhook{
		ID: id, URL: url, State: store.WebhookActive, EventTypes: []string{"*"},
		Secrets: []store.Secret{{Sealed: []byte(id + "/webhook/whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ=")}},
	}
}

// add queues n deliveries for a webhook, due now.
func (q *memoryQueue) add(webhook string, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for range n {
		id := fmt.Sprintf("%s_%d", webhook, len(q.rows))
		q.rows = append(q.rows, &row{
			Delivery: store.Delivery{ID: "dlv_" + id, Webhook: webhook, Event: "evt_" + id, State: store.DeliveryPending, NextAt: time.Now(), Created: time.Now()},
			event:    &store.Event{ID: "evt_" + id, Type: "customer.created", Body: []byte("{}")},
		})
	}
	q.signal()
}

func (q *memoryQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *memoryQueue) Wake() <-chan struct{} { return q.wake }

func (q *memoryQueue) Backlog(context.Context) (store.Backlog, error) { return store.Backlog{}, nil }

func (q *memoryQueue) Claim(_ context.Context, lease store.Lease, limit int) (store.Claimed, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.claims++
	if q.claimErr != nil {
		return store.Claimed{}, q.claimErr
	}
	now := time.Now()
	out := map[string]int{}
	due := map[string][]*row{}
	next := time.Duration(-1)
	for _, r := range q.rows {
		switch {
		case r.State != store.DeliveryPending:
		case r.out && r.NextAt.After(now):
			out[r.Webhook]++
		case r.NextAt.After(now), q.held[r.Webhook].After(now):
			at := r.NextAt
			if held := q.held[r.Webhook]; held.After(at) {
				at = held
			}
			if wait := at.Sub(now); next < 0 || wait < next {
				next = wait
			}
		case q.webhooks[r.Webhook].State == store.WebhookActive && len(due[r.Webhook]) < lease.Bound(r.Webhook):
			due[r.Webhook] = append(due[r.Webhook], r)
		}
	}
	claimed := store.Claimed{Next: next}
	for i := range q.order {
		id := q.order[(q.turn+i)%len(q.order)]
		for _, r := range due[id] {
			if out[id] >= lease.Bound(id) {
				break
			}
			if len(claimed.Work) == limit {
				claimed.Next = 0
				q.turn = (q.turn + i) % len(q.order)
				return claimed, nil
			}
			out[id]++
			r.out, r.NextAt = true, now.Add(lease.For)
			webhook := *q.webhooks[id]
			claimed.Work = append(claimed.Work, store.Work{Delivery: r.Delivery, Event: r.event, Webhook: &webhook})
		}
	}
	return claimed, nil
}

func (q *memoryQueue) Finish(_ context.Context, outcomes []store.Outcome) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finishes++
	if q.finishErr != nil {
		return q.finishErr
	}
	if q.finishHook != nil {
		q.finishHook(outcomes)
	}
	for _, o := range outcomes {
		r := q.rows[slices.IndexFunc(q.rows, func(r *row) bool { return r.ID == o.Delivery })]
		if o.Attempt != nil {
			r.attempts = append(r.attempts, *o.Attempt)
			r.Attempts++
			r.Tries++
		}
		if !r.out || !r.NextAt.Equal(o.Lease) {
			continue
		}
		r.out, r.Reason = false, o.Reason
		switch o.Verdict {
		case store.VerdictDelivered:
			r.State = store.DeliveryDelivered
		case store.VerdictDead:
			r.State = store.DeliveryDead
		case store.VerdictRetry:
			r.NextAt = time.Now().Add(o.After)
		case store.VerdictRelease:
			r.NextAt = time.Now()
		}
		if o.Hold > 0 {
			q.held[r.Webhook] = time.Now().Add(o.Hold)
		}
	}
	q.signal()
	return nil
}

func (q *memoryQueue) UpdateWebhook(_ context.Context, _, id string, change func(*store.Webhook) error) (store.Webhook, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.webhooks[id]
	if w == nil {
		return store.Webhook{}, store.ErrNotFound
	}
	changed := *w
	if err := change(&changed); err != nil {
		return *w, err
	}
	q.webhooks[id] = &changed
	return changed, nil
}

func (q *memoryQueue) fail(claim, finish error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.claimErr, q.finishErr = claim, finish
}

// states counts the deliveries of a webhook by state; those that are out are "out".
func (q *memoryQueue) states(webhook string) map[store.DeliveryState]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	counts := map[store.DeliveryState]int{}
	for _, r := range q.rows {
		switch {
		case r.Webhook != webhook:
		case r.out:
			counts["out"]++
		default:
			counts[r.State]++
		}
	}
	return counts
}

// tagSeal writes owner and purpose before what it seals, and opens it for these alone.
type tagSeal struct{}

func (tagSeal) Seal(owner, purpose string, plain []byte) ([]byte, error) {
	return []byte(owner + "/" + purpose + "/" + string(plain)), nil
}

func (tagSeal) Open(owner, purpose string, sealed []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(owner+"/"+purpose+"/"))
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return plain, nil
}
