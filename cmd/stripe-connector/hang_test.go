package main

import (
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripetest"
)

var backlogSize = flag.Int("backlog", scaled(50_000), "deliveries that wait for the subscriber that hangs")

// One of ten subscribers answers nothing; the other nine get everything meanwhile, also while a long backlog waits for it.
func TestHangingSubscriber(t *testing.T) {
	t.Parallel()
	for _, backlog := range []int{0, *backlogSize} {
		t.Run(fmt.Sprintf("backlog of %d", backlog), func(t *testing.T) {
			t.Parallel()
			testHangingSubscriber(t, backlog)
		})
	}
}

func testHangingSubscriber(t *testing.T, backlog int) {
	t.Helper()
	const perSecond = 150
	stripe := stripetest.New(t)
	// It hangs until it is let go, and not until somebody loses patience.
	p := newProgram(t, stripe, "DELIVERY_TIMEOUT=10m", "LOG_LEVEL=warn")
	s := p.start()
	conn := p.connect(stripetest.Key)
	let := make(chan struct{})
	hangs := newSubscriber(t, hanging(let))
	var hung webhook
	in := form(conn, hangs.url, "invoice.paid")
	in["enabled_events"] = []string{"invoice.paid", "charge.failed"}
	p.call(http.MethodPost, watchEvents, in).want(http.StatusCreated).into(&hung)
	others := make([]*subscriber, 9)
	for i := range others {
		others[i] = newSubscriber(t, nil)
		p.attach(conn, others[i].url, "invoice.paid")
	}
	from := p.sender(stripe, stripetest.Key, hung)
	if backlog > 0 {
		s.stop()
		p.fill(hung.Endpoint.ID, "charge.failed", backlog)
		s = p.start()
	}

	l := startLoad(t, from, "evt", "invoice.paid", perSecond)
	l.until(t, scaled(300))
	acked := l.stop()
	for _, sub := range others {
		sub.has(t, acked...)
	}
	// Nothing that hung before has been answered, and its lane stands.
	hangs.until(t, "its lane is full", func() bool { return hangs.busy() == laneWidth })
	if _, arrivals := hangs.count(); arrivals != laneWidth {
		t.Errorf("the hanging subscriber was called %d times, want %d", arrivals, laneWidth)
	}
	var took []time.Duration
	for _, sub := range others {
		for _, id := range acked {
			all := sub.of(id)
			took = append(took, all[0].at.Sub(l.sent[id]))
			if len(all) != 1 {
				t.Errorf("%s came %d times to a subscriber that took it", id, len(all))
			}
		}
	}
	t.Logf("%d events to nine subscribers: acknowledged %s; delivered %s", len(acked), spread(l.took), spread(took))

	// What was claimed and has not gone out yet does not go out once the webhook is paused.
	p.call(http.MethodPost, "/v1/webhooks/"+hung.ID+"/pause", nil).want(http.StatusOK)
	close(let)
	hangs.until(t, "nobody calls it any more", func() bool { return hangs.busy() == 0 })
	if _, arrivals := hangs.count(); arrivals != laneWidth {
		t.Errorf("the paused subscriber was called %d times, want %d", arrivals, laneWidth)
	}
	p.call(http.MethodPost, "/v1/webhooks/"+hung.ID+"/resume", nil).want(http.StatusOK)
	if backlog == 0 {
		hangs.has(t, acked...)
	} else {
		hangs.until(t, "it goes on", func() bool { return len(hangs.arrivals) > 10*laneWidth })
	}
	s.stop()
}

// fill stores n events at an endpoint, as if they had been received. The program must not be running.
func (p *program) fill(endpoint, eventType string, n int) {
	p.t.Helper()
	db, err := sqlite.Open(p.t.Context(), p.database(), time.Now)
	must(p.t, err)
	for n > 0 {
		batch := make([]store.NewEvent, min(n, 1000))
		for i := range batch {
			n--
			id := fmt.Sprintf("evt_backlog_%d", n)
			batch[i] = store.NewEvent{
				Endpoint: endpoint, ID: id, Type: eventType, Body: event(id, eventType), Created: time.Now(), Source: store.SourceWebhook,
			}
		}
		_, err := db.Ingest(p.t.Context(), batch, store.Lease{})
		must(p.t, err)
	}
	must(p.t, db.Close())
}
