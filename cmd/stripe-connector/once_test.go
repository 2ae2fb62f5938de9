package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// However often the same event comes in, is retried by hand and is replayed, and however slowly it is taken: it is never at
// its subscriber twice at once.
func TestNeverTwiceAtOnce(t *testing.T) {
	t.Parallel()
	const events, senders = 24, 8
	b := newBench(t, "RETRY_SCHEDULE=1ms*100", "LOG_LEVEL=warn")
	// Every arrival stays until somebody has tried to make it come again.
	tried := make(chan struct{})
	target := newSubscriber(t, func(w http.ResponseWriter, r *http.Request, nth int) {
		hanging(tried)(w, r, nth)
		failing(1, http.StatusInternalServerError)(w, r, nth)
	})
	w, from := b.watch(target, "invoice.paid")

	ids := make([]string, events)
	for i := range ids {
		ids[i] = fmt.Sprintf("evt_%d", i)
	}
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for _, id := range ids {
				if status, _, err := from.send(t.Context(), event(id, "invoice.paid")); err != nil || status != http.StatusOK {
					t.Errorf("sending %s: %d %v", id, status, err)
				}
			}
		})
	}
	sending.Wait()
	target.until(t, "its lane is full", func() bool { return target.busy() == laneWidth })
	again := func() {
		for _, d := range b.deliveries(w.ID, nil) {
			b.call(http.MethodPost, "/v1/deliveries/"+d.ID+"/retry", nil).want(http.StatusAccepted)
		}
		from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		b.finished(b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/replay", object{"from": from, "to": to}))
	}
	again()
	close(tried)
	for range 5 {
		again()
	}
	target.has(t, ids...)
	b.drained(w.ID)
	target.mu.Lock()
	defer target.mu.Unlock()
	if target.atOnce != 1 {
		t.Errorf("an event was at its subscriber %d times at once", target.atOnce)
	}
	arrivals := 0
	for _, all := range target.arrivals {
		arrivals += len(all)
	}
	if arrivals < 2*events {
		t.Errorf("%d arrivals of %d events: nothing was sent again", arrivals, events)
	}
}
