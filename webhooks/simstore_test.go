package webhooks

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"stripe-connector/internal/store"
)

// simStore is what survives a crash in the simulation: the part of a store that the event line uses, in memory. A call is one
// transaction. Everything else of the interface is nil.
type simStore struct {
	store.Store

	wake chan struct{}

	mu        sync.Mutex
	conn      store.Connection
	endpoints []store.Endpoint
	webhooks  []store.Webhook
	events    map[[2]string]*store.Event // by endpoint and id
	rows      []*simRow
	made      int // rows ever made, for ids
}

// simRow is a delivery. While it is out, lease is the end of its lease.
type simRow struct {
	store.Delivery

	event *store.Event
	lease time.Time
}

func newSimStore(conn store.Connection) *simStore {
	return &simStore{conn: conn, wake: make(chan struct{}, 1), events: map[[2]string]*store.Event{}}
}

// restart is what the next process finds: leases ended with the one before.
func (s *simStore) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		r.lease = time.Time{}
	}
}

func (s *simStore) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *simStore) endpoint(id string) (*store.Endpoint, error) {
	i := slices.IndexFunc(s.endpoints, func(e store.Endpoint) bool { return e.ID == id })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	return &s.endpoints[i], nil
}

func (s *simStore) webhook(id string) (*store.Webhook, error) {
	i := slices.IndexFunc(s.webhooks, func(w store.Webhook) bool { return w.ID == id })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	return &s.webhooks[i], nil
}

func (s *simStore) Connection(context.Context, string, string) (store.Connection, error) {
	return s.conn, nil
}

func (s *simStore) EnsureEndpoint(_ context.Context, e store.Endpoint) (store.Endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, there := range s.endpoints {
		if poolOf(&there) == poolOf(&e) {
			return there, nil
		}
	}
	s.endpoints = append(s.endpoints, e)
	return e, nil
}

func (s *simStore) Endpoint(ctx context.Context, _, id string) (store.Endpoint, error) {
	return s.Receiver(ctx, id)
}

func (s *simStore) Receiver(_ context.Context, id string) (store.Endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.endpoint(id)
	if err != nil {
		return store.Endpoint{}, err
	}
	return *e, nil
}

func (s *simStore) UpdateEndpoint(_ context.Context, _, id string, change func(*store.Endpoint) error) (store.Endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.endpoint(id)
	if err != nil {
		return store.Endpoint{}, err
	}
	changed := *e
	if err := change(&changed); err != nil {
		return *e, err
	}
	*e = changed
	return changed, nil
}

func (s *simStore) DeleteEndpoint(_ context.Context, _, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.webhooks, func(w store.Webhook) bool { return w.Endpoint == id }) {
		return store.ErrConflict
	}
	n := len(s.endpoints)
	s.endpoints = slices.DeleteFunc(s.endpoints, func(e store.Endpoint) bool { return e.ID == id })
	if len(s.endpoints) == n {
		return store.ErrNotFound
	}
	return nil
}

func (s *simStore) AllEndpoints(context.Context) ([]store.Endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.endpoints), nil
}

func (s *simStore) WantedTypes(_ context.Context, _, id string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.endpoint(id); err != nil {
		return nil, err
	}
	var types []string
	for _, w := range s.webhooks {
		if w.Endpoint == id {
			types = append(types, w.EventTypes...)
		}
	}
	return union(types), nil
}

func (s *simStore) Webhook(_ context.Context, _, id string) (store.Webhook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.webhook(id)
	if err != nil {
		return store.Webhook{}, err
	}
	return *w, nil
}

func (s *simStore) Webhooks(_ context.Context, _ string, f store.WebhookFilter, _ store.Page) (store.List[store.Webhook], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list store.List[store.Webhook]
	for _, w := range s.webhooks {
		if f.Endpoint == "" || f.Endpoint == w.Endpoint {
			list.Data = append(list.Data, w)
		}
	}
	return list, nil
}

func (s *simStore) CreateWebhook(_ context.Context, w store.Webhook) (store.Webhook, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.endpoint(w.Endpoint); err != nil {
		return w, false, err
	}
	for _, there := range s.webhooks {
		if there.URL == w.URL && there.Endpoint == w.Endpoint && slices.Equal(there.EventTypes, w.EventTypes) {
			return there, false, nil
		}
	}
	s.webhooks = append(s.webhooks, w)
	return w, true, nil
}

func (s *simStore) UpdateWebhook(_ context.Context, _, id string, change func(*store.Webhook) error) (store.Webhook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.webhook(id)
	if err != nil {
		return store.Webhook{}, err
	}
	changed := *w
	if err := change(&changed); err != nil {
		return *w, err
	}
	*w = changed
	s.signal()
	return changed, nil
}

func (s *simStore) DeleteWebhook(_ context.Context, _, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhooks = slices.DeleteFunc(s.webhooks, func(w store.Webhook) bool { return w.ID == id })
	for _, r := range s.rows {
		if r.Webhook == id && r.State == store.DeliveryPending {
			r.State, r.Reason = store.DeliverySkipped, store.ReasonDetached
		}
	}
	return nil
}

func (s *simStore) Ingest(_ context.Context, events []store.NewEvent, lease store.Lease) ([]store.Ingested, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	results := make([]store.Ingested, len(events))
	for i, in := range events {
		if _, err := s.endpoint(in.Endpoint); err != nil {
			return nil, err
		}
		key := [2]string{in.Endpoint, in.ID}
		if s.events[key] != nil {
			continue
		}
		e := &store.Event{ID: in.ID, Endpoint: in.Endpoint, Type: in.Type, Body: in.Body, Source: in.Source, Created: in.Created, Received: now}
		s.events[key], results[i].New = e, true
		for _, w := range s.webhooks {
			if w.Endpoint != in.Endpoint || !w.Wants(in.Type) || in.Created.Before(w.Since.Truncate(time.Second)) {
				continue
			}
			s.made++
			row := &simRow{event: e, Delivery: store.Delivery{
				ID: fmt.Sprintf("dlv_%d", s.made), Webhook: w.ID, Endpoint: in.Endpoint, Event: in.ID, Type: in.Type,
				State: store.DeliveryPending, NextAt: now, Created: now,
			}}
			s.rows = append(s.rows, row)
			results[i].Deliveries++
			if w.State == store.WebhookActive && s.out(w.ID, now) < lease.PerWebhook {
				results[i].Work = append(results[i].Work, s.take(row, w, lease, now))
			}
		}
	}
	s.signal()
	return results, nil
}

func (s *simStore) Replay(_ context.Context, _, id string, f store.EventFilter, _ string, _ int) (step store.ReplayStep, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.webhook(id)
	if err != nil {
		return step, err
	}
	now := time.Now()
	for _, e := range s.events {
		if e.Endpoint != w.Endpoint || e.Created.Before(f.From) || f.Types != nil && !slices.Contains(f.Types, e.Type) {
			continue
		}
		i := slices.IndexFunc(s.rows, func(r *simRow) bool { return r.event == e && r.Webhook == id })
		switch {
		case i < 0:
			s.made++
			s.rows = append(s.rows, &simRow{event: e, Delivery: store.Delivery{
				ID: fmt.Sprintf("dlv_%d", s.made), Webhook: id, Endpoint: e.Endpoint, Event: e.ID, Type: e.Type,
				State: store.DeliveryPending, NextAt: now, Created: now,
			}})
		case s.rows[i].State != store.DeliveryPending:
			s.rows[i].State, s.rows[i].Tries, s.rows[i].NextAt = store.DeliveryPending, 0, now
		}
		step.Queued++
	}
	s.signal()
	return step, nil
}

func (s *simStore) out(webhook string, now time.Time) (n int) {
	for _, r := range s.rows {
		if r.Webhook == webhook && r.lease.After(now) {
			n++
		}
	}
	return n
}

func (s *simStore) take(r *simRow, w store.Webhook, lease store.Lease, now time.Time) store.Work {
	r.lease = now.Add(lease.For)
	d := r.Delivery
	d.NextAt = r.lease
	return store.Work{Delivery: d, Event: r.event, Webhook: &w}
}

func (s *simStore) Claim(_ context.Context, lease store.Lease, limit int) (store.Claimed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	claimed := store.Claimed{Next: -1}
	for _, r := range s.rows {
		w, err := s.webhook(r.Webhook)
		if r.State != store.DeliveryPending || err != nil || w.State != store.WebhookActive {
			continue
		}
		at := r.NextAt
		if r.lease.After(now) {
			at = r.lease
		}
		switch wait := at.Sub(now); {
		case wait > 0:
			if claimed.Next < 0 || wait < claimed.Next {
				claimed.Next = wait
			}
		case len(claimed.Work) < limit && s.out(r.Webhook, now) < lease.PerWebhook:
			claimed.Work = append(claimed.Work, s.take(r, *w, lease, now))
		}
	}
	return claimed, nil
}

func (s *simStore) Finish(_ context.Context, outcomes []store.Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, o := range outcomes {
		r := s.rows[slices.IndexFunc(s.rows, func(r *simRow) bool { return r.ID == o.Delivery })]
		if o.Attempt != nil {
			r.Attempts++
		}
		if r.State != store.DeliveryPending || !r.lease.Equal(o.Lease) {
			continue
		}
		r.lease = time.Time{}
		switch o.Verdict {
		case store.VerdictDelivered:
			r.State = store.DeliveryDelivered
		case store.VerdictDead:
			r.State, r.Reason = store.DeliveryDead, o.Reason
		case store.VerdictRetry:
			r.Tries++
			r.NextAt = now.Add(o.After)
		case store.VerdictRelease:
			r.NextAt = now
		}
	}
	s.signal()
	return nil
}

func (s *simStore) Deliveries(_ context.Context, _ string, f store.DeliveryFilter, _ store.Page) (list store.List[store.Delivery], err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if r.Event == f.Event && r.State == f.State {
			list.Data = append(list.Data, r.Delivery)
		}
	}
	return list, nil
}

func (s *simStore) Wake() <-chan struct{} { return s.wake }

func (s *simStore) Backlog(context.Context) (b store.Backlog, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if r.State == store.DeliveryPending {
			b.Pending++
		}
	}
	return b, nil
}
