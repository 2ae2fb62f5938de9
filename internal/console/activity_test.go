package console

import (
	"math"
	"net/http"
	"strings"
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
	again := work("again", now.Add(-time.Hour)) // what is sent again a day later took no day
	again.Delivery.Attempts = 1
	a.Attempted(again, store.Outcome{Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: now}})
	if s := a.summarize("again"); s.Delivered != 1 || s.P50() != 0 {
		t.Errorf("what was sent again took %v ms", s.P50())
	}

	s := a.summarize("w")
	if diff := cmp.Diff([]int{s.Received, s.Delivered, s.Failed}, []int{3, 100, 2}); diff != "" {
		t.Error(diff)
	}
	if got := s.Success(); math.Abs(got-98.04) > 0.01 {
		t.Errorf("success = %v", got)
	}
	if s.P50() < 100 || s.P50() > 100*latencyGrowth || s.P99() < 10_000 || s.P99() > 10_000*latencyGrowth {
		t.Errorf("p50 = %v, p99 = %v ms, want about 100 and 10000", s.P50(), s.P99())
	}
	if got, want := s.EventsNow(), "2"; got != want { // 3 in the minute before and half of this one
		t.Errorf("events a minute = %s, want %s", got, want)
	}
	if len(s.Spans) != youngHour || s.Spans[youngHour-1].Received != 3 {
		t.Errorf("the young process shows %d spans", len(s.Spans))
	}
	if empty := a.summarize("nobody"); empty.Success() >= 0 || empty.P50() != 0 || empty.Received != 0 {
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
	if s.Whole() || s.Since != start {
		t.Errorf("the summary begins %v", s.Since)
	}

	now = start.Add(24 * time.Hour) // the same minute of the clock, a day later
	receive("w", 1, true)
	if s = a.summarize("w"); s.Received != 2 || !s.Whole() {
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

// Of a webhook the attempts count that failed since the last one that came through.
func TestActivityOfAWebhook(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 10, 0, 0, time.UTC)
	a := NewActivity(func() time.Time { return now })
	attempt := func(webhook string, verdict store.Verdict) {
		w := work("w", now)
		w.Delivery.Webhook = webhook
		a.Attempted(w, store.Outcome{Verdict: verdict, Attempt: &store.Attempt{At: now}})
	}
	attempt("good", store.VerdictRetry)
	attempt("good", store.VerdictDelivered)
	attempt("bad", store.VerdictDelivered)
	attempt("bad", store.VerdictRetry)
	now = now.Add(10 * time.Minute) // another quarter of an hour
	attempt("bad", store.VerdictDead)
	if _, row := a.summarizeWebhook("good"); row != 0 {
		t.Errorf("%d attempts failed in a row, want 0", row)
	}
	s, row := a.summarizeWebhook("bad")
	if row != 2 {
		t.Errorf("%d attempts failed in a row, want 2", row)
	}
	if len(s.Spans) != dayQuarters || s.Failed != 2 || s.Spans[dayQuarters-1].Failed != 1 || s.Spans[dayQuarters-2].Failed != 1 {
		t.Errorf("the last spans show %+v", s.Spans[dayQuarters-2:])
	}
	if got, want := s.Rate(), "33.3 %"; got != want {
		t.Errorf("the rate is %s, want %s", got, want)
	}
	now = now.Add(24 * time.Hour)
	attempt("new", store.VerdictDelivered)
	if len(a.webhooks) != 1 {
		t.Errorf("%d webhooks are remembered, want that of today", len(a.webhooks))
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]span{
		"–": {}, "0 %": {Failed: 3}, "100 %": {Delivered: 3}, "99.9 %": {Delivered: 99_999, Failed: 1}, "50 %": {Delivered: 1, Failed: 1},
	} {
		if got := s.Rate(); got != want {
			t.Errorf("%d of %d is shown as %s, want %s", s.Delivered, s.Delivered+s.Failed, got, want)
		}
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	s := &summary{Step: 15 * time.Minute, Now: start.Add(24*time.Hour - 5*time.Minute), Spans: make([]span, 96)}
	for i := range s.Spans {
		s.Spans[i].From = start.Add(time.Duration(i) * s.Step)
	}
	for i, m := range map[int]*minute{0: {delivered: 15}, 95: {delivered: 3000, failed: 1505}} { // the last one runs for 10 minutes
		m.waits[bucketOf(100*time.Millisecond)] = m.delivered
		s.Spans[i].add(m)
		s.add(m)
	}
	c := s.rates("x", "Attempts", attemptCounters)
	if c.Label != "Attempts, 3015 delivered, 1505 failed" || c.From != start.Unix() || c.Step != 900 || c.Empty {
		t.Errorf("chart = %+v", c)
	}
	if diff := cmp.Diff([]value{c.Series[0].Values[0], c.Series[0].Values[1], c.Series[0].Values[95], c.Series[1].Values[95]}, []value{1, 0, 300, 150.5}); diff != "" {
		t.Error(diff)
	}
	c = s.latencies("x", "Latency")
	text, err := c.JSON()
	if err != nil || !strings.Contains(text, `"unit":"ms"`) || !strings.Contains(text, `[114.5,null`) || !strings.Contains(text, `,null,114.5]`) {
		t.Errorf("%v: %s", err, text)
	}
	if c = (&summary{Spans: make([]span, 1)}).latencies("x", "Latency"); !c.Empty || c.Label != "Latency" {
		t.Errorf("an idle chart = %+v", c)
	}
}
