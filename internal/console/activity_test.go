package console

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/store"
	"stripe-connector/webhooks"
)

// work is a delivery of an event that was received at the moment.
func work(workspace string, received time.Time) store.Work {
	return store.Work{Delivery: store.Delivery{Workspace: workspace}, Event: &store.Event{Received: received}}
}

func TestActivity(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 31, 12, 0, 30, 0, time.UTC)
	now := start
	a := NewActivity(func() time.Time { return now })
	receive := func(workspace string, n int, fresh bool) {
		for range n {
			a.Received(store.Endpoint{Workspace: workspace}, webhooks.Receipt{New: fresh})
		}
	}
	deliver := func(verdict store.Verdict, took time.Duration) {
		a.Attempted(work("w", now.Add(-took)), store.Outcome{Verdict: verdict, Attempt: &store.Attempt{At: now}})
	}
	receive("w", 3, true)
	receive("w", 2, false) // they were there already
	receive("other", 7, true)
	a.Attempted(work("w", now), store.Outcome{Verdict: store.VerdictRelease}) // nothing was tried
	for range 98 {
		deliver(store.VerdictDelivered, 100*time.Millisecond)
	}
	deliver(store.VerdictDelivered, 10*time.Second)
	deliver(store.VerdictDelivered, 10*time.Second)
	deliver(store.VerdictRetry, 0)
	deliver(store.VerdictDead, 0)

	s := a.summarize("w")
	if diff := cmp.Diff([]int{s.Received, s.Delivered, s.Failed}, []int{3, 100, 2}); diff != "" {
		t.Error(diff)
	}
	if got := s.Success(); math.Abs(got-98.04) > 0.01 {
		t.Errorf("success = %v", got)
	}
	if s.P50 < 100 || s.P50 > 100*latencyGrowth || s.P99 < 10_000 || s.P99 > 10_000*latencyGrowth {
		t.Errorf("p50 = %v, p99 = %v ms, want about 100 and 10000", s.P50, s.P99)
	}
	if got, want := s.EventsNow(), "2"; got != want { // 3 in the minute before and half of this one
		t.Errorf("events a minute = %s, want %s", got, want)
	}
	if len(s.Spans) != youngHour || s.Spans[youngHour-1].Received != 3 {
		t.Errorf("the young process shows %d spans", len(s.Spans))
	}
	if empty := a.summarize("nobody"); empty.Success() >= 0 || empty.P50 != 0 || empty.Received != 0 {
		t.Errorf("an idle workspace shows %+v", empty)
	}

	now = start.Add(23 * time.Hour)
	receive("w", 1, true)
	s = a.summarize("w")
	total := 0
	for _, at := range s.Spans {
		total += at.Received
	}
	if s.Received != 4 || total != 4 || len(s.Spans) != dayMinutes/quarter || s.lately.Received != 1 {
		t.Errorf("after 23 h: %d received, %d in %d spans, %d lately", s.Received, total, len(s.Spans), s.lately.Received)
	}
	if s.Whole(now) || s.Since != start {
		t.Errorf("the summary begins %v", s.Since)
	}

	now = start.Add(24 * time.Hour) // the same minute of the clock, a day later
	receive("w", 1, true)
	if s = a.summarize("w"); s.Received != 2 || !s.Whole(now) {
		t.Errorf("after a day: %d received, want 2", s.Received)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{
		http.StatusOK: callDone, http.StatusCreated: callDone, http.StatusUnprocessableEntity: callRefused, http.StatusFailedDependency: callRefused,
		http.StatusTooManyRequests: callFailed, http.StatusBadGateway: callFailed, http.StatusInternalServerError: callFailed,
	} {
		if got := outcomeOf(status); got != want {
			t.Errorf("outcomeOf(%d) = %d, want %d", status, got, want)
		}
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	s := &summary{Step: 15 * time.Minute, Spans: make([]span, 96)}
	s.Spans[0] = span{Delivered: 15}
	s.Spans[95] = span{Delivered: 3000, Failed: 1500}
	c := draw(s, "Attempts", series{"delivered", "c2", func(at span) int { return at.Delivered }}, series{"failed", "c3", func(at span) int { return at.Failed }})
	if c.Top != "500/min" || c.Label != "Attempts, 3015 delivered, 1500 failed" || len(c.Ticks) != 5 {
		t.Errorf("chart = %s, %s, %v", c.Top, c.Label, c.Ticks)
	}
	if diff := cmp.Diff(c.Bars[95].Parts, []part{{"c2", 60, 40}, {"c3", 40, 20}}); diff != "" {
		t.Error(diff)
	}
	if got := c.Bars[0].Parts; len(got) != 1 || got[0].H < 1 {
		t.Errorf("a small count is not to be seen: %v", got)
	}
	for v, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 1.1: 2, 7: 10, 2000: 2000, 2001: 5000} {
		if got := niceCeil(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("niceCeil(%v) = %v, want %v", v, got, want)
		}
	}
}
