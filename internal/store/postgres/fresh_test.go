package postgres

import (
	"context"
	"testing"
	"time"

	"stripe-connector/internal/store"
)

// one lets one delivery of a webhook be out, so that the others wait.
var one = store.Lease{PerWebhook: 1, For: time.Hour}

// come takes n events in and returns what was claimed of them.
func come(t *testing.T, s *Store, e store.Endpoint, from, n int, lease store.Lease) (work []store.Work) {
	t.Helper()
	events := make([]store.NewEvent, n)
	for i := range events {
		events[i] = event(e, from+i)
	}
	got, err := s.Ingest(t.Context(), events, lease)
	check(t, err)
	for _, in := range got {
		work = append(work, in.Work...)
	}
	return work
}

func claimed(t *testing.T, s *Store, lease store.Lease) []store.Work {
	t.Helper()
	got, err := s.Claim(t.Context(), lease, 100)
	check(t, err)
	return got.Work
}

func finish(t *testing.T, s *Store, work ...store.Work) {
	t.Helper()
	outcomes := make([]store.Outcome, len(work))
	for i, w := range work {
		outcomes[i] = delivered(w)
	}
	check(t, s.Finish(t.Context(), outcomes))
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// is checks the state of a delivery, as a replica sees it, and how many attempts its log has.
func is(t *testing.T, s *Store, id string, state store.DeliveryState, attempts int) {
	t.Helper()
	d, err := s.Delivery(t.Context(), "w", id)
	check(t, err)
	log, err := s.Attempts(t.Context(), "w", id)
	check(t, err)
	want(t, "state", d.State, state)
	want(t, "attempts in the log", len(log), attempts)
}

// early counts what is in the table of deliveries, and what is in that of arrivals.
func early(t *testing.T, s *Store) (rows, arrivals int) {
	t.Helper()
	check(t, s.pool.QueryRow(t.Context(), "SELECT (SELECT COUNT(*) FROM deliveries), (SELECT COUNT(*) FROM arrivals)").Scan(&rows, &arrivals))
	return rows, arrivals
}

// What is delivered at once, or soon after, gets a row when its outcome is known, and leaves nothing behind.
func TestOneWrite(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url)
	e := line(t, s, 2)
	out := come(t, s, e, 1, 3, one)
	want(t, "claimed at once", len(out), 2)
	finish(t, s, out[0])
	rows, _ := early(t, s)
	want(t, "rows after the first outcome", rows, 1)
	for out = out[1:]; len(out) > 0; out = claimed(t, s, one) {
		finish(t, s, out...)
	}
	rows, arrivals := early(t, s)
	want(t, "rows in the end", rows, 6)
	want(t, "arrivals in the end", arrivals, 0)
	want(t, "webhooks of which something is remembered", len(s.nursery.cots), 0)
	want(t, "bytes that are remembered", s.nursery.bytes, 0)
	consistent(t, url)
}

// A replica sees what another one has under way, and does not disturb it.
func TestSettledWhileOut(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	out := come(t, a, line(t, a, 1), 1, 1, wide)[0]
	d, err := b.Delivery(t.Context(), "w", out.Delivery.ID)
	check(t, err)
	want(t, "the delivery, for the other replica", d, out.Delivery)
	want(t, "claimed by the other replica", len(claimed(t, b, wide)), 0)
	finish(t, a, out)
	is(t, b, out.Delivery.ID, store.DeliveryDelivered, 1)
	_, arrivals := early(t, a)
	want(t, "arrivals", arrivals, 0)
	consistent(t, url)
}

// What waits at a replica is everybody's once somebody looked at it, and is delivered once.
func TestSettledWhileWaiting(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	out := come(t, a, line(t, a, 1), 1, 4, one)
	due, err := b.LongestDue(t.Context())
	check(t, err)
	want(t, "due longest", due, out[0].Delivery.Created)
	_, err = b.Deliveries(t.Context(), "w", store.DeliveryFilter{}, store.Page{})
	check(t, err)
	two := store.Lease{PerWebhook: 3, For: time.Hour}
	others := claimed(t, b, two)
	want(t, "claimed by the other replica, beside one that is out", len(others), 2)
	want(t, "left", len(claimed(t, a, store.Lease{PerWebhook: 5, For: time.Hour})), 1)
	want(t, "left in memory", a.nursery.waiting, 0)
	finish(t, b, others...)
	finish(t, a, out...)
	for _, w := range append(out, others...) {
		is(t, a, w.Delivery.ID, store.DeliveryDelivered, 1)
	}
	consistent(t, url)
}

// A replica that is gone leaves nothing behind that another one does not find when its time has come.
func TestOwnerIsGone(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	out := come(t, a, line(t, a, 1), 1, 3, one)
	want(t, "claimed while the owner may live", len(claimed(t, b, wide)), 0)
	var found []store.Work
	for n, which := range []string{"NOT taken", "taken"} {
		check(t, execute(url, "UPDATE arrivals SET until = 1 WHERE "+which))
		for len(found) < 2+n {
			<-b.Wake() // once a second
			found = append(found, claimed(t, b, wide)...)
		}
	}
	finish(t, b, found...)
	want(t, "claimed by who was taken for gone", len(claimed(t, a, wide)), 0)
	finish(t, a, out[0])
	is(t, b, out[0].Delivery.ID, store.DeliveryDelivered, 2)
	consistent(t, url)
}

// An outcome that comes after its lease, of a delivery that another replica has by now, is logged and changes nothing else.
func TestLeaseLostWhileFresh(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	lost := come(t, a, line(t, a, 1), 1, 1, store.Lease{PerWebhook: 1, For: -time.Second})[0]
	check(t, b.settleThose(t.Context(), overdue))
	again := claimed(t, b, wide)
	want(t, "claimed by the other replica", len(again), 1)
	o := delivered(lost)
	o.Verdict, o.Hold = store.VerdictDead, time.Hour
	check(t, a.Finish(t.Context(), []store.Outcome{o}))
	is(t, b, lost.Delivery.ID, store.DeliveryPending, 1)
	finish(t, b, again...)
	is(t, a, lost.Delivery.ID, store.DeliveryDelivered, 2)
	want(t, "claimed at once, in spite of the hold", len(come(t, a, store.Endpoint{ID: lost.Event.Endpoint}, 2, 1, one)), 1)
}

// However finishing and settling meet, the outcome stands, and is logged once.
func TestFinishAndSettle(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	e := line(t, a, 3)
	for i := range 100 {
		out := come(t, a, e, i, 1, wide)
		settled := make(chan error)
		for _, s := range []*Store{a, b} {
			go func() { settled <- s.settle(context.Background()) }()
		}
		outcomes := make([]store.Outcome, len(out))
		for j, w := range out {
			outcomes[j] = delivered(w)
		}
		outcomes[i%3].Verdict, outcomes[i%3].After = store.VerdictRetry, time.Hour
		check(t, a.Finish(t.Context(), outcomes))
		check(t, <-settled)
		check(t, <-settled)
		for j, w := range out {
			state := store.DeliveryDelivered
			if j == i%3 {
				state = store.DeliveryPending
			}
			is(t, b, w.Delivery.ID, state, 1)
		}
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
	consistent(t, url)
}

// Nothing of a webhook that is paused or detached elsewhere goes out from the memory, and what waited goes out when it is resumed.
func TestPausedAndDetachedWhileFresh(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	out := come(t, a, line(t, a, 1), 1, 2, one)[0]
	set := func(state store.WebhookState) {
		t.Helper()
		_, err := b.UpdateWebhook(t.Context(), "w", out.Webhook.ID, func(w *store.Webhook) error {
			w.State, w.URL = state, "https://example.com/"+string(state)
			return nil
		})
		check(t, err)
	}
	set(store.WebhookPaused)
	want(t, "claimed while paused", len(claimed(t, a, wide)), 0)
	set(store.WebhookActive)
	resumed := claimed(t, a, wide)
	want(t, "claimed when resumed", len(resumed), 1)
	want(t, "target", resumed[0].Webhook.URL, "https://example.com/active")

	more := come(t, a, store.Endpoint{ID: out.Event.Endpoint}, 3, 1, store.Lease{PerWebhook: 2, For: time.Hour})
	want(t, "claimed without room", len(more), 0)
	check(t, b.DeleteWebhook(t.Context(), "w", out.Webhook.ID))
	want(t, "claimed when detached", len(claimed(t, a, wide)), 0)
	want(t, "left in memory", a.nursery.waiting, 0)
	finish(t, a, out, resumed[0])
	list, err := a.Deliveries(t.Context(), "w", store.DeliveryFilter{State: store.DeliverySkipped}, store.Page{})
	check(t, err)
	want(t, "skipped", len(list.Data), 3)
	is(t, b, out.Delivery.ID, store.DeliverySkipped, 1)
	consistent(t, url)
}

// A replay leaves alone what is on its way.
func TestReplayWhileFresh(t *testing.T) {
	t.Parallel()
	url := database(t)
	a, b := open(t, url), open(t, url)
	out := come(t, a, line(t, a, 1), 1, 2, one)
	finish(t, a, out[0])
	step, err := b.Replay(t.Context(), "w", out[0].Webhook.ID, store.EventFilter{}, "", 10)
	check(t, err)
	want(t, "queued: what was delivered", step.Queued, 1)
	for range 2 {
		finish(t, a, claimed(t, a, one)...)
	}
	want(t, "left", len(claimed(t, b, one)), 0)
	list, err := b.Deliveries(t.Context(), "w", store.DeliveryFilter{State: store.DeliveryDelivered}, store.Page{})
	check(t, err)
	want(t, "delivered", len(list.Data), 2)
}

// A store that is closed leaves what waits to the others.
func TestCloseSettles(t *testing.T) {
	t.Parallel()
	url := database(t)
	b := open(t, url)
	a := open(t, url)
	come(t, a, line(t, a, 1), 1, 3, one)
	check(t, a.Close())
	want(t, "claimed by the other replica", len(claimed(t, b, wide)), 2)
}

// A transaction that fails leaves the memory as it was.
func TestClaimFails(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url)
	e := line(t, s, 1)
	out := come(t, s, e, 1, 3, one)
	finish(t, s, out...)
	check(t, execute(url, "ALTER TABLE arrivals ADD CONSTRAINT shut CHECK (id = '') NOT VALID"))
	if _, err := s.Claim(t.Context(), one, 10); err == nil {
		t.Error("a claim that could not be stored was given out")
	}
	if _, err := s.Ingest(t.Context(), []store.NewEvent{event(e, 4)}, one); err == nil {
		t.Error("an event whose deliveries could not be stored was acknowledged")
	}
	check(t, execute(url, "ALTER TABLE arrivals DROP CONSTRAINT shut"))
	for _, id := range []int{2, 3} {
		out := claimed(t, s, one)
		want(t, "claimed", len(out), 1)
		want(t, "the event", out[0].Event.ID, event(e, id).ID)
		finish(t, s, out...)
	}
	want(t, "left", len(claimed(t, s, one)), 0)
	_, arrivals := early(t, s)
	want(t, "arrivals", arrivals, 0)
}
