package sqlite

import (
	"context"
	"errors"
	"testing"
	"time"

	"stripe-connector/internal/store"
)

// rows counts what stands in the tables, without settling anything.
func rows(tb testing.TB, s *Store) (deliveries, arrivals int) {
	tb.Helper()
	err := s.readDB.QueryRowContext(context.Background(), "SELECT (SELECT COUNT(*) FROM deliveries), (SELECT COUNT(*) FROM arrivals)").
		Scan(&deliveries, &arrivals)
	if err != nil {
		tb.Fatal(err)
	}
	return deliveries, arrivals
}

func wantRows(tb testing.TB, s *Store, when string, deliveries, arrivals int) {
	tb.Helper()
	if d, a := rows(tb, s); d != deliveries || a != arrivals {
		tb.Errorf("%s: %d rows of deliveries and %d of arrivals, want %d and %d", when, d, a, deliveries, arrivals)
	}
}

func ingest(tb testing.TB, s *Store, l store.Lease, events ...store.NewEvent) (work []store.Work) {
	tb.Helper()
	got, err := s.Ingest(context.Background(), events, l)
	if err != nil {
		tb.Fatal(err)
	}
	for _, in := range got {
		work = append(work, in.Work...)
	}
	return work
}

func delivered(tb testing.TB, s *Store, work ...store.Work) {
	tb.Helper()
	outcomes := make([]store.Outcome, len(work))
	for i, w := range work {
		outcomes[i] = store.Outcome{
			Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered,
			Attempt: &store.Attempt{At: time.Unix(1_800_000_001, 0), Status: 200},
		}
	}
	if err := s.Finish(context.Background(), outcomes); err != nil {
		tb.Fatal(err)
	}
}

// TestFresh: a delivery that is made at once gets its row once, with its outcome.
func TestFresh(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	e := line(t, s, 3)
	work := ingest(t, s, lease, event(e, 1, 10), event(e, 2, 10))
	wantRows(t, s, "while six are out", 0, 1)
	delivered(t, s, work[:5]...)
	wantRows(t, s, "with five made", 5, 1)
	delivered(t, s, work[5])
	wantRows(t, s, "with all made", 6, 0)

	ingest(t, s, store.Lease{}, event(e, 3, 10))
	wantRows(t, s, "while three wait", 6, 1)
	claimed, err := s.Claim(t.Context(), lease, 10)
	if err != nil || len(claimed.Work) != 3 || claimed.Work[0].Event.ID != "evt_000000003" {
		t.Fatalf("claimed %+v, %v, want three of the third event", claimed.Work, err)
	}
	list, err := s.Deliveries(t.Context(), "w", store.DeliveryFilter{State: store.DeliveryPending}, store.Page{})
	if err != nil || len(list.Data) != 3 {
		t.Errorf("listed %d that are pending, %v, want 3", len(list.Data), err)
	}
	wantRows(t, s, "after a list", 9, 0)
	delivered(t, s, claimed.Work...)
	list, err = s.Deliveries(t.Context(), "w", store.DeliveryFilter{State: store.DeliveryDelivered}, store.Page{})
	if err != nil || len(list.Data) != 9 {
		t.Errorf("listed %d that are delivered, %v, want 9", len(list.Data), err)
	}
}

// TestFreshCrash: whatever the moment, no delivery is lost, and none that was noted comes again.
func TestFreshCrash(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	e := line(t, s, 2)
	narrow := store.Lease{PerWebhook: 3, For: time.Hour}
	first := ingest(t, s, narrow, event(e, 1, 10), event(e, 2, 10))
	ingest(t, s, narrow, event(e, 3, 10), event(e, 4, 10))
	delivered(t, s, first[:3]...)
	wantRows(t, s, "before the crash", 3, 2)
	s = open(t, killed(t, path))
	wantRows(t, s, "after it", 8, 0)
	claimed, err := s.Claim(t.Context(), lease, 100)
	if err != nil || len(claimed.Work) != 5 {
		t.Fatalf("claimed %d, %v, want the 5 that were not noted", len(claimed.Work), err)
	}
	for _, w := range claimed.Work {
		for _, before := range first[:3] {
			if w.Delivery.ID == before.Delivery.ID {
				t.Errorf("%s came again", w.Delivery.ID)
			}
		}
	}
	if b, err := s.Backlog(t.Context()); err != nil || b.Pending != 5 || b.Out != 5 {
		t.Errorf("got backlog %+v, %v, want 5 out", b, err)
	}
}

// TestFreshAge: what waits for long gets its row while others come in, and so does what comes when too much waits.
func TestFreshAge(t *testing.T) {
	t.Parallel()
	clock := time.Unix(1_800_000_000, 0)
	s, err := Open(t.Context(), file(t), func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	e := line(t, s, 1)
	out := ingest(t, s, store.Lease{PerWebhook: 1, For: time.Hour}, event(e, 1, 10), event(e, 2, 10))
	clock = clock.Add(maxFreshAge + time.Second)
	wantRows(t, s, "with nothing coming in", 0, 1)
	ingest(t, s, lease, event(e, 3, 10))
	wantRows(t, s, "with the third one fresh", 2, 1)
	ingest(t, s, lease, event(e, 4, 10))
	wantRows(t, s, "with the fourth one behind what has a row", 3, 1)
	delivered(t, s, out...)
	for want := 2; want <= 4; want++ {
		claimed, err := s.Claim(t.Context(), lease, 1)
		if err != nil || len(claimed.Work) != 1 {
			t.Fatalf("claimed %+v, %v, want one", claimed.Work, err)
		}
		delivered(t, s, claimed.Work...)
	}
	wantRows(t, s, "in the end", 4, 0)

	err = s.write(t.Context(), "filling", 0, func(_ context.Context, tx *tx) error {
		tx.lanes.freshBytes = maxFreshBytes
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ingest(t, s, lease, event(e, 5, 10))
	wantRows(t, s, "with no room for what is fresh", 5, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFreshClose: a clean stop leaves rows behind.
func TestFreshClose(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	ingest(t, s, lease, event(line(t, s, 5), 1, 10))
	wantRows(t, s, "while it runs", 0, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantRows(t, open(t, path), "afterwards", 5, 0)
}

// TestFreshSteps: more than one step settles, and what has come in meanwhile is not waited for.
func TestFreshSteps(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	e := line(t, s, 3)
	const calls, each = 6, 100
	for i := range calls {
		events := make([]store.NewEvent, each)
		for j := range events {
			events[j] = event(e, i*each+j, 10)
		}
		ingest(t, s, lease, events...)
	}
	wantRows(t, s, "before", 0, calls)
	s.settle(t.Context())
	wantRows(t, s, "after", calls*each*3, 0)
	if n := s.fresh.Load(); n != 0 {
		t.Errorf("%d are fresh still", n)
	}
}

// TestFreshTakenBack: an operation that fails after one of its batch took something in leaves nothing fresh of its own.
func TestFreshTakenBack(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	e := line(t, s, 1)
	errNo := errors.New("no")
	ingest(t, s, lease, event(e, 1, 10))
	err := s.write(t.Context(), "failing", 0, func(ctx context.Context, tx *tx) error {
		in := event(e, 2, 10)
		var result store.Ingested
		if _, err := tx.ingest(ctx, &in, lease, &result); err != nil {
			return err
		}
		if err := tx.settleAll(ctx); err != nil {
			return err
		}
		return errNo
	})
	if !errors.Is(err, errNo) {
		t.Fatalf("got error %v, want %v", err, errNo)
	}
	wantRows(t, s, "after it", 0, 1)
	list, err := s.Deliveries(t.Context(), "w", store.DeliveryFilter{}, store.Page{})
	if err != nil || len(list.Data) != 1 || list.Data[0].Event != "evt_000000001" {
		t.Errorf("listed %+v, %v, want the first one", list.Data, err)
	}
}
