package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"stripe-connector/internal/stripetest"
)

// An event that was acknowledged reaches every subscriber, however often the process is killed with events and deliveries
// under way. What comes twice comes under the same webhook-id.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	const rounds, perSecond = 5, 300
	perRound := scaled(300)
	stripe := stripetest.New(t)
	p := newProgram(t, stripe, "RETRY_SCHEDULE=50ms*20", "LOG_LEVEL=warn")
	s := p.start()
	conn := p.connect(stripetest.Key)
	subscribers := []*subscriber{newSubscriber(t, nil), newSubscriber(t, nil), newSubscriber(t, failing(1, http.StatusInternalServerError))}
	hooks := make([]webhook, len(subscribers))
	for i, sub := range subscribers {
		hooks[i] = p.attach(conn, sub.url, "invoice.paid")
	}

	l := startLoad(t, p.sender(stripe, stripetest.Key, hooks[0]), "evt", "invoice.paid", perSecond)
	for round := range rounds {
		began := time.Now()
		l.until(t, (round+1)*perRound)
		s.kill()
		t.Logf("round %d: %.0f acknowledged events/s", round+1, float64(perRound)/time.Since(began).Seconds())
		s = p.start()
	}
	l.until(t, (rounds+1)*perRound)
	acked := l.stop()
	if l.refused < rounds {
		t.Errorf("%d attempts to send failed in %d rounds: the process was not killed under load", l.refused, rounds)
	}
	t.Log(l)

	for i, sub := range subscribers {
		sub.has(t, acked...)
		p.drained(hooks[i].ID)
		events, arrivals := sub.count()
		t.Logf("subscriber %d: %d events, %d arrivals", i, events, arrivals)
		for _, id := range acked {
			for _, a := range sub.of(id) {
				a.verify(t, id, hooks[i].SigningSecret)
				var body struct{ ID string }
				must(t, json.Unmarshal(a.body, &body))
				if body.ID != id {
					t.Errorf("event %s came with the webhook-id %s", body.ID, id)
				}
			}
		}
	}
	s.stop()
}

// An orderly restart loses nothing either, and sends nothing twice.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	const rounds, perSecond = 3, 300
	perRound := scaled(300)
	stripe := stripetest.New(t)
	p := newProgram(t, stripe, "LOG_LEVEL=warn")
	s := p.start()
	conn := p.connect(stripetest.Key)
	target := newSubscriber(t, nil)
	w := p.attach(conn, target.url, "invoice.paid")
	l := startLoad(t, p.sender(stripe, stripetest.Key, w), "evt", "invoice.paid", perSecond)
	for round := range rounds {
		l.until(t, (round+1)*perRound)
		s.stop()
		s = p.start()
	}
	l.until(t, (rounds+1)*perRound)
	acked := l.stop()
	target.has(t, acked...)
	p.drained(w.ID)
	if events, arrivals := target.count(); events != arrivals {
		t.Errorf("%d events came in %d arrivals", events, arrivals)
	}
	t.Log(l)
	s.stop()
}

// Whatever was being attached and detached when the process was killed: after the restart Stripe has what the stored
// webhooks want, and each of them gets its events.
func TestKillWhileAttaching(t *testing.T) {
	t.Parallel()
	const rounds, workers, changes = 5, 4, 12
	stripe := stripetest.New(t)
	p := newProgram(t, stripe, "LOG_LEVEL=warn")
	s := p.start()
	conn := p.connect(stripetest.Key)
	target := newSubscriber(t, nil)
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		changed := make(chan struct{})
		change := func(method, path string, in any) (w webhook, ok bool) {
			r, err := p.try(ctx, method, path, in)
			if err != nil || r.status >= http.StatusBadRequest || r.status != http.StatusNoContent && json.Unmarshal(r.body, &w) != nil {
				return w, false
			}
			select {
			case changed <- struct{}{}:
			case <-ctx.Done():
			}
			return w, true
		}
		var changing sync.WaitGroup
		for worker := range workers {
			changing.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					eventType := twentyTypes[(round*workers+worker+n)%len(twentyTypes)]
					w, ok := change(http.MethodPost, watchEvents, form(conn, fmt.Sprintf("%s/%d/%d/%d", target.url, round, worker, n), eventType))
					if ok && n%3 > 0 {
						change(http.MethodDelete, "/v1/webhooks/"+w.ID, nil)
					}
				}
			})
		}
		for range changes + round {
			<-changed
		}
		s.kill()
		cancel()
		changing.Wait()
		s = p.start()

		hooks := p.webhooks()
		var want []string
		for _, w := range hooks {
			want = append(want, w.EnabledEvents...)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		if len(want) == 0 {
			t.Fatal("nothing was attached")
		}
		eventually(t, "Stripe has what is wanted", func() bool {
			ids := stripe.Account(stripetest.Key).IDs("webhook_endpoint")
			return len(ids) == 1 && slices.Equal(enabled(t, stripe, stripetest.Key), want)
		})
		for _, eventType := range want {
			id, err := stripe.Account(stripetest.Key).Emit(eventType, `{"id":"obj_1","object":"thing"}`)
			must(t, err)
			wanting := 0
			for _, w := range hooks {
				if w.EnabledEvents[0] == eventType {
					wanting++
				}
			}
			target.until(t, "all who want it have the event", func() bool { return len(target.arrivals[id]) == wanting })
		}
		t.Logf("round %d: %d webhooks want %d types", round+1, len(hooks), len(want))
	}
	s.stop()
}

// What happened while the process was away for so long that Stripe gave up is fetched, and delivered like everything else.
func TestCatchUpAfterOutage(t *testing.T) {
	t.Parallel()
	stripe := stripetest.NewWith(t, stripetest.Options{RetryWaits: []time.Duration{}})
	p := newProgram(t, stripe)
	s := p.start()
	target := newSubscriber(t, nil)
	w := p.attach(p.connect(stripetest.Key), target.url, "invoice.paid")
	account := stripe.Account(stripetest.Key)
	emit := func(eventType string) string {
		id, err := account.Emit(eventType, `{"id":"in_1","object":"invoice","lines":null,"tax":0.0}`)
		must(t, err)
		return id
	}
	before := emit("invoice.paid")
	p.settled(w.ID, before, "delivered") // or it would rightly come again
	s.kill()

	missed := make([]string, 120) // more than one page of Stripe's list
	for i := range missed {
		missed[i] = emit("invoice.paid")
	}
	emit("invoice.sent")
	must(t, stripe.Flush(t.Context()))
	p.start()
	target.has(t, missed...)
	p.drained(w.ID)
	if events, arrivals := target.count(); events != len(missed)+1 || arrivals != events {
		t.Errorf("%d events came in %d arrivals, want %d", events, arrivals, len(missed)+1)
	}
	for _, id := range missed {
		a := target.of(id)[0]
		a.verify(t, id, w.SigningSecret)
		if !bytes.Equal(a.body, account.Object(id)) {
			t.Errorf("%s was changed on its way:\n got %s\nwant %s", id, a.body, account.Object(id))
		}
	}
	var e struct{ Source string }
	p.get("/v1/events/"+missed[0], &e)
	if e.Source != "catch_up" {
		t.Errorf("source = %q, want catch_up", e.Source)
	}
}
