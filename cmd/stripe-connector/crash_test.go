package main

import (
	"encoding/json"
	"net/http"
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
