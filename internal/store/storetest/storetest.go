// Package storetest holds an implementation of store.Store to its contract. Every engine runs the same suite.
//
// It needs no clock of its own: what must be due is made due in the past, what must not is made due in an hour, and a lease
// that has to end is given a length below zero.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/store"
)

// Run runs the suite. open returns a store that is empty and is closed when its test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, part := range []suite{access(), nouns(), lists(), ingest(), queue(), rescue(), retention(), general()} {
		for name, test := range part {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}

// A suite is tests by name, each with a store of its own.
type suite map[string]func(*testing.T, store.Store)

// lease is long enough for any test, and wide.
var lease = store.Lease{PerWebhook: 1000, For: time.Hour}

// lapsed is a lease that has ended when it begins.
var lapsed = store.Lease{PerWebhook: 1000, For: -time.Hour}

// born is when the fixtures were made. Stored times have microseconds.
var born = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func id(prefix string) string { return store.NewID(prefix, born) }

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", doing, got, want)
	}
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// A line is an event line: a connection with an endpoint and webhooks.
type line struct {
	store.Store
	workspace string
	endpoint  store.Endpoint
	webhooks  []store.Webhook
	events    int
}

// newLine attaches one webhook for each list of event types.
func newLine(t *testing.T, s store.Store, workspace string, types ...[]string) *line {
	t.Helper()
	l := &line{Store: s, workspace: workspace}
	c := connection(workspace)
	mustDo(t, s.CreateConnection(t.Context(), c))
	l.endpoint = must[store.Endpoint](t)(s.EnsureEndpoint(t.Context(), endpoint(c)))
	for _, want := range types {
		l.attach(t, want...)
	}
	return l
}

func (l *line) attach(t *testing.T, types ...string) store.Webhook {
	t.Helper()
	w, created, err := l.CreateWebhook(t.Context(), webhook(l.endpoint, len(l.webhooks), types...))
	mustDo(t, err)
	if !created {
		t.Fatalf("webhook %d was there already", len(l.webhooks))
	}
	l.webhooks = append(l.webhooks, w)
	return w
}

// event makes an event of this line, a second after the one before.
func (l *line) event(eventType string) store.NewEvent {
	l.events++
	return store.NewEvent{
		Endpoint: l.endpoint.ID, ID: fmt.Sprintf("evt_%06d", l.events), Type: eventType, Body: []byte(`{"a": 1.0 }`),
		Account: "acct_1", APIVersion: "2024-06-20", Created: born.Truncate(time.Second).Add(time.Duration(l.events) * time.Second),
		Source: store.SourceWebhook, Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

// ingest stores events without claiming any delivery.
func (l *line) ingest(t *testing.T, events ...store.NewEvent) []store.Ingested {
	t.Helper()
	return must[[]store.Ingested](t)(l.Ingest(t.Context(), events, store.Lease{}))
}

// fill ingests n events of one type.
func (l *line) fill(t *testing.T, n int, eventType string) {
	t.Helper()
	events := make([]store.NewEvent, n)
	for i := range events {
		events[i] = l.event(eventType)
	}
	l.ingest(t, events...)
}

func (l *line) claim(t *testing.T, with store.Lease, limit int) []store.Work {
	t.Helper()
	return must[store.Claimed](t)(l.Claim(t.Context(), with, limit)).Work
}

func (l *line) finish(t *testing.T, work store.Work, o store.Outcome) {
	t.Helper()
	o.Delivery, o.Lease = work.Delivery.ID, work.Delivery.NextAt
	mustDo(t, l.Finish(t.Context(), []store.Outcome{o}))
}

func (l *line) setState(t *testing.T, w store.Webhook, state store.WebhookState) {
	t.Helper()
	_, err := l.UpdateWebhook(t.Context(), w.Workspace, w.ID, func(w *store.Webhook) error {
		w.State = state
		return nil
	})
	mustDo(t, err)
}

func (l *line) deliveries(t *testing.T, f store.DeliveryFilter) []store.Delivery {
	t.Helper()
	return must[store.List[store.Delivery]](t)(l.Deliveries(t.Context(), l.workspace, f, store.Page{})).Data
}

func connection(workspace string) store.Connection {
	return store.Connection{
		ID: id(store.PrefixConnection), Workspace: workspace, Name: "Shop", Account: "acct_1", Last4: "wxyz",
		Key: []byte("sealed key"), Created: born,
	}
}

func endpoint(c store.Connection) store.Endpoint {
	return store.Endpoint{
		ID: id(store.PrefixEndpoint), Workspace: c.Workspace, Connection: c.ID, State: store.EndpointAbsent,
		EventTypes: []string{}, Created: born,
	}
}

func webhook(e store.Endpoint, n int, types ...string) store.Webhook {
	return store.Webhook{
		ID: id(store.PrefixWebhook), Workspace: e.Workspace, Connection: e.Connection, Endpoint: e.ID,
		Name: fmt.Sprintf("Webhook %d", n), Group: "all", EventTypes: types, URL: fmt.Sprintf("https://example.com/%d", n),
		State: store.WebhookActive, Secrets: []store.Secret{{Sealed: []byte("sealed"), NotAfter: born.Add(time.Hour)}},
		Since: born, Created: born.Add(time.Duration(n) * time.Second),
	}
}

func operationsURL(workspace string) store.OperationsURL {
	return store.OperationsURL{
		ID: id(store.PrefixOperations), Workspace: workspace, URL: "https://example.com/" + workspace,
		Secrets: []store.Secret{{Sealed: []byte("sealed " + workspace)}}, Created: born,
	}
}

// pages turns all pages of a list and returns the ids.
func pages[T any](t *testing.T, limit int, read func(store.Page) (store.List[T], error), idOf func(T) string) []string {
	t.Helper()
	var ids []string
	for p := (store.Page{Limit: limit}); ; {
		l := must[store.List[T]](t)(read(p))
		if len(l.Data) > limit {
			t.Fatalf("a page has %d items, want at most %d", len(l.Data), limit)
		}
		for _, item := range l.Data {
			ids = append(ids, idOf(item))
		}
		if l.Next == "" {
			return ids
		}
		p.Cursor = l.Next
	}
}

func general() suite {
	return suite{
		"Lock": func(t *testing.T, s store.Store) {
			release := must[func()](t)(s.Lock(t.Context(), "a"))
			other := must[func()](t)(s.Lock(t.Context(), "b"))
			other()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.Lock(ctx, "a")
			wantErr(t, "locking what is locked", err, context.Canceled)
			release()
			again := must[func()](t)(s.Lock(t.Context(), "a"))
			again()
		},
		"LockExcludes": func(t *testing.T, s store.Store) {
			n, done := 0, make(chan error)
			for range 8 {
				go func() {
					for range 20 {
						release, err := s.Lock(t.Context(), "counter")
						if err != nil {
							done <- err
							return
						}
						n++ // the race detector watches
						release()
					}
					done <- nil
				}()
			}
			for range 8 {
				mustDo(t, <-done)
			}
			wantEqual(t, "count", n, 160)
		},
		"Observe": func(t *testing.T, s store.Store) {
			var begun, ended atomic.Int64
			s.Observe(func(calls int) func() {
				begun.Add(int64(calls))
				return func() { ended.Add(int64(calls)) }
			})
			l := newLine(t, s, "w", []string{"*"})
			made := begun.Load()
			if made == 0 {
				t.Error("changes are not told of")
			}
			l.fill(t, 3, "a.b")
			filled := begun.Load()
			if filled == made {
				t.Error("events are not told of")
			}
			l.finish(t, l.claim(t, lease, 1)[0], store.Outcome{Verdict: store.VerdictDelivered})
			if begun.Load() == filled {
				t.Error("outcomes are not told of")
			}
			mustDo(t, s.Close())
			wantEqual(t, "ended", ended.Load(), begun.Load())
		},
		"Closed": func(t *testing.T, s store.Store) {
			mustDo(t, s.Ping(t.Context()))
			mustDo(t, s.Close())
			wantErr(t, "Ping", s.Ping(t.Context()), store.ErrUnavailable)
			wantErr(t, "CreateConnection", s.CreateConnection(t.Context(), connection("w")), store.ErrUnavailable)
			_, err := s.Connections(t.Context(), "w", store.Page{})
			wantErr(t, "Connections", err, store.ErrUnavailable)
			_, err = s.Claim(t.Context(), lease, 1)
			wantErr(t, "Claim", err, store.ErrUnavailable)
		},
		"CancelledBeforehand": func(t *testing.T, s store.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			c := connection("w")
			wantErr(t, "CreateConnection", s.CreateConnection(ctx, c), context.Canceled)
			_, err := s.Connection(t.Context(), "w", c.ID)
			wantErr(t, "Connection", err, store.ErrNotFound)
		},
		"Reseal": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "w", []string{"*"})
			for range 150 { // more than one step
				mustDo(t, s.CreateConnection(t.Context(), connection("w")))
			}
			_, err := s.UpdateEndpoint(t.Context(), "w", l.endpoint.ID, func(e *store.Endpoint) error {
				e.Secrets = []store.Secret{{Sealed: []byte("one")}, {Sealed: []byte("two"), NotAfter: born}}
				return nil
			})
			mustDo(t, err)
			must[store.OperationsURL](t)(s.SetOperationsURL(t.Context(), operationsURL("w")))
			seal := func(owner, purpose string, sealed []byte) ([]byte, error) {
				return fmt.Appendf(nil, "%s %s %s", owner, purpose, sealed), nil
			}
			n := must[int](t)(s.Reseal(t.Context(), seal))
			wantEqual(t, "count", n, 151+2+1+1)
			e := must[store.Endpoint](t)(s.Endpoint(t.Context(), "w", l.endpoint.ID))
			wantEqual(t, "endpoint secret", string(e.Secrets[1].Sealed), e.ID+" endpoint two")
			wantEqual(t, "its end", e.Secrets[1].NotAfter, born)
			c := must[store.Connection](t)(s.Connection(t.Context(), "w", e.Connection))
			wantEqual(t, "key", string(c.Key), c.ID+" key sealed key")
			o := must[store.OperationsURL](t)(s.OperationsURL(t.Context(), "w"))
			wantEqual(t, "operations secret", string(o.Secrets[0].Sealed), o.ID+" operations sealed w")
			n = must[int](t)(s.Reseal(t.Context(), func(_, _ string, sealed []byte) ([]byte, error) { return sealed, nil }))
			wantEqual(t, "count of a second time", n, 0)
			refused := errors.New("refused")
			_, err = s.Reseal(t.Context(), func(string, string, []byte) ([]byte, error) { return nil, refused })
			wantErr(t, "Reseal", err, refused)
		},
	}
}
