package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
	"stripe-connector/internal/store/postgres"
	"stripe-connector/internal/store/sqlite"
)

// What is stored beside the events that are sent: types that nobody waits for, and one that hangs.
const (
	storedType  = "charge.refunded"
	hangingType = "charge.failed"
)

// fill makes a database that has been in use: many webhooks of the same endpoint, many events, and a long queue for a
// subscriber that hangs. It returns the load on it.
func (b *bench) fill(ctx context.Context, kind string, subscribers int) (load, error) {
	database, err := b.database(ctx, kind)
	if err != nil {
		return nil, err
	}
	s, err := b.start(ctx, database)
	if err != nil {
		return nil, err
	}
	d, err := b.attach(ctx, s, subscribers)
	s.Stop()
	if err != nil {
		return nil, err
	}
	if err := b.fillStore(ctx, kind, database); err != nil {
		return nil, fmt.Errorf("filling the %s store: %w", kind, err)
	}
	return func(ctx context.Context) (*service, door, error) {
		s, err := b.start(ctx, database)
		if err != nil {
			return nil, door{}, err
		}
		d.url = s.url + d.url[strings.Index(d.url, "/stripe/"):]
		return s, d, nil
	}, nil
}

func (b *bench) fillStore(ctx context.Context, kind, database string) (err error) {
	var db store.Store
	if kind == sqliteKind {
		db, err = sqlite.Open(ctx, strings.TrimPrefix(database, "sqlite:"), time.Now)
	} else {
		db, err = postgres.Open(ctx, database, zerolog.Nop())
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	endpoints, err := db.AllEndpoints(ctx)
	if err != nil {
		return err
	}
	e := endpoints[0]
	if err := b.fillWebhooks(ctx, db, e); err != nil {
		return err
	}
	if err := b.fillEvents(ctx, db, e.ID, hangingType, b.backlog); err != nil {
		return err
	}
	if err := b.fillEvents(ctx, db, e.ID, storedType, b.stored-b.backlog); err != nil || kind == sqliteKind {
		return err
	}
	return b.postgres.Settle(ctx, database) // or it would do so while we measure
}

func (b *bench) fillWebhooks(ctx context.Context, db store.Store, e store.Endpoint) error {
	ring, err := connection.NewRing(time.Now, connection.NewKey(sealing, b.key[:]))
	if err != nil {
		return err
	}
	secret := "whsec_" + base64.StdEncoding.EncodeToString(b.key[:])
	return b.together(ctx, "webhooks", b.webhooks, 1, func(from, _ int) error {
		w := store.Webhook{
			ID: fmt.Sprintf("whk_bench%d", from), Workspace: e.Workspace, Connection: e.Connection, Endpoint: e.ID, Name: "bench", Group: "all",
			EventTypes: []string{"payout.paid"}, URL: fmt.Sprintf("%s/quiet/%d", b.subscribers.url, from), State: store.WebhookActive,
			Since: time.Now().Add(-time.Hour), Created: time.Now(),
		}
		if from == 0 {
			w.EventTypes, w.URL = []string{hangingType}, b.subscribers.url+"/hang"
		}
		sealed, err := ring.Seal(w.ID, store.PurposeWebhook, []byte(secret))
		if err != nil {
			return err
		}
		w.Secrets = []store.Secret{{Sealed: sealed}}
		_, _, err = db.CreateWebhook(ctx, w)
		return err
	})
}

func (b *bench) fillEvents(ctx context.Context, db store.Store, endpoint, eventType string, n int) error {
	body := []byte(`{"id":"` + strings.Repeat("x", bodySize) + `"}`)
	return b.together(ctx, "events of "+eventType, n, 500, func(from, to int) error {
		events := make([]store.NewEvent, to-from)
		for i := range events {
			events[i] = store.NewEvent{
				Endpoint: endpoint, ID: fmt.Sprintf("evt_%s_%d", eventType, from+i), Type: eventType, Body: body,
				Created: time.Now(), Source: store.SourceWebhook,
			}
		}
		_, err := db.Ingest(ctx, events, store.Lease{})
		return err
	})
}

// together does n things, some at once and so many in one go, and tells how far it is.
func (b *bench) together(ctx context.Context, what string, n, each int, do func(from, to int) error) error {
	const atOnce = 32
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var running sync.WaitGroup
	for range atOnce {
		running.Go(func() {
			for from := range next {
				if err := do(from, min(from+each, n)); err != nil {
					cancel(err)
				}
			}
		})
	}
	for from := 0; from < n && ctx.Err() == nil; from += each {
		if from%(100*each) == 0 {
			b.progress("storing %s: %s of %s", what, count(from), count(n))
		}
		next <- from
	}
	close(next)
	running.Wait()
	return context.Cause(ctx)
}
