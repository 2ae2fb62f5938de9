package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"stripe-connector/internal/store"
)

func ingest() suite {
	return suite{
		"Ingest": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"a.b"}, []string{"c.d"})
			e := l.event("a.b")
			e.Body = []byte("{\"odd\":1.00, \"é\" :\"\\u00e9\"}\n")
			got := must[[]store.Ingested](t)(s.Ingest(t.Context(), []store.NewEvent{e, l.event("x.y")}, lease))
			wantEqual(t, "results", len(got), 2)
			wantEqual(t, "deliveries", []int{got[0].Deliveries, got[1].Deliveries}, []int{2, 1})
			wantEqual(t, "claimed", []int{len(got[0].Work), len(got[1].Work)}, []int{2, 1})
			for _, w := range got[0].Work {
				if !bytes.Equal(w.Event.Body, e.Body) || w.Event.Account != e.Account || w.Webhook.ID != w.Delivery.Webhook || len(w.Webhook.Secrets) != 1 {
					t.Errorf("work lacks something: %+v %+v %+v", w.Delivery, w.Event, w.Webhook)
				}
			}
			wantEqual(t, "left to claim", len(l.claim(t, lease, 100)), 0)
			stored := must[[]store.Event](t)(s.Event(t.Context(), "a", e.ID))
			if stored[0].Received.IsZero() {
				t.Error("received at no time")
			}
			stored[0].Received = time.Time{}
			wantEqual(t, "stored", stored, []store.Event{{
				ID: e.ID, Workspace: "a", Endpoint: l.endpoint.ID, Type: "a.b", Body: e.Body, Account: "acct_1",
				APIVersion: "2024-06-20", Source: store.SourceWebhook, Created: e.Created, Trace: e.Trace,
			}})
		},
		"Trace": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			followed, other := l.event("a.b"), l.event("a.b")
			followed.Trace, other.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""
			fresh := must[[]store.Ingested](t)(s.Ingest(t.Context(), []store.NewEvent{followed}, lease))
			wantEqual(t, "claimed at once", fresh[0].Work[0].Event.Trace, followed.Trace)
			l.finish(t, fresh[0].Work[0], store.Outcome{Verdict: store.VerdictRelease})
			l.ingest(t, other)
			got := map[string]string{}
			for _, w := range l.claim(t, lease, 100) {
				got[w.Event.ID] = w.Event.Trace
			}
			wantEqual(t, "claimed later", got, map[string]string{followed.ID: followed.Trace, other.ID: ""})
		},
		"Dedup": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			other := newLine(t, s, "a", []string{"*"})
			e := l.event("a.b")
			got := l.ingest(t, e, e)
			wantEqual(t, "new, twice in one call", []bool{got[0].New, got[1].New}, []bool{true, false})
			changed := e
			changed.Body = []byte("other")
			got = must[[]store.Ingested](t)(s.Ingest(t.Context(), []store.NewEvent{changed}, lease))
			wantEqual(t, "again", got, []store.Ingested{{}})
			wantEqual(t, "body", must[[]store.Event](t)(s.Event(t.Context(), "a", e.ID))[0].Body, e.Body)
			e.Endpoint = other.endpoint.ID
			wantEqual(t, "new to another pool", l.ingest(t, e)[0].New, true)
			wantEqual(t, "found at both", len(must[[]store.Event](t)(s.Event(t.Context(), "a", e.ID))), 2)
			wantEqual(t, "deliveries", len(l.deliveries(t, store.DeliveryFilter{})), 2)
		},
		"DedupAtOnce": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			e := l.event("a.b")
			results := make(chan int)
			for range 16 {
				go func() {
					got, err := s.Ingest(t.Context(), []store.NewEvent{e}, lease)
					if err != nil {
						t.Error(err)
						results <- 0
						return
					}
					results <- len(got[0].Work)
				}()
			}
			n := 0
			for range 16 {
				n += <-results
			}
			wantEqual(t, "handed out", n, 1)
		},
		"AllOrNone": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			e, lost := l.event("a.b"), l.event("a.b")
			lost.Endpoint = "ep_unknown"
			_, err := s.Ingest(t.Context(), []store.NewEvent{e, lost}, lease)
			wantErr(t, "an unknown endpoint", err, store.ErrNotFound)
			_, err = s.Event(t.Context(), "a", e.ID)
			wantErr(t, "the other one", err, store.ErrNotFound)
			wantEqual(t, "claimed", len(l.claim(t, lease, 100)), 0)
			b := must[store.Backlog](t)(s.Backlog(t.Context()))
			wantEqual(t, "backlog", []int{b.Pending, b.Out}, []int{0, 0})
			wantEqual(t, "afterwards", l.ingest(t, e)[0].New, true)
		},
		"ForOneWebhook": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"x.y"}, []string{"*"})
			e := l.event("a.b")
			e.Webhook, e.Source, e.Created = l.webhooks[0].ID, store.SourceTest, born.Add(-time.Hour)
			wantEqual(t, "deliveries", l.ingest(t, e)[0].Deliveries, 1)
			wantEqual(t, "to", l.deliveries(t, store.DeliveryFilter{})[0].Webhook, l.webhooks[0].ID)
			e.ID, e.Webhook = "evt_other", newLine(t, s, "a", []string{"*"}).webhooks[0].ID
			_, err := s.Ingest(t.Context(), []store.NewEvent{e}, lease)
			wantErr(t, "a webhook of another pool", err, store.ErrNotFound)
		},
		"Fates": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"x.y"}, []string{"a.b"}, []string{"a.b"}, []string{"a.b"}, []string{"a.b"})
			late := webhook(l.endpoint, 6, "*")
			late.Since = born.Add(time.Hour)
			_, _, err := s.CreateWebhook(t.Context(), late)
			mustDo(t, err)
			l.setState(t, l.webhooks[2], store.WebhookPaused)
			l.setState(t, l.webhooks[3], store.WebhookDisabled)
			l.setState(t, l.webhooks[4], store.WebhookFailing)
			e := l.event("a.b")
			l.ingest(t, e)
			mustDo(t, s.DeleteWebhook(t.Context(), "a", l.webhooks[5].ID))
			type fate struct {
				name, reason string
				state        store.DeliveryState
			}
			var got []fate
			for _, f := range must[[]store.Fate](t)(s.Fates(t.Context(), "a", l.endpoint.ID, e.ID)) {
				short := fate{name: f.Name, reason: f.Reason}
				if f.Delivery != nil {
					short.state = f.Delivery.State
				}
				got = append(got, short)
			}
			want := []fate{
				{"Webhook 0", "", store.DeliveryPending},
				{"Webhook 1", store.ReasonNotWanted, ""},
				{"Webhook 2", store.ReasonPaused, store.DeliveryPending},
				{"Webhook 3", store.ReasonDisabled, store.DeliverySkipped},
				{"Webhook 4", "", store.DeliveryPending},
				{"Webhook 5", store.ReasonDetached, store.DeliverySkipped},
				{"Webhook 6", store.ReasonLater, ""},
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got fates\n%v, want\n%v", got, want)
			}
			_, err = s.Fates(t.Context(), "a", l.endpoint.ID, "evt_unknown")
			wantErr(t, "an unknown event", err, store.ErrNotFound)
		},
		"WantedByNobody": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a")
			e := l.event("a.b")
			wantEqual(t, "result", l.ingest(t, e), []store.Ingested{{New: true}})
			wantEqual(t, "stored", len(must[[]store.Event](t)(s.Event(t.Context(), "a", e.ID))), 1)
		},
		"SinceCountsSeconds": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}) // attached in the middle of a second
			same, before := l.event("a.b"), l.event("a.b")
			same.Created, before.Created = born.Truncate(time.Second), born.Truncate(time.Second).Add(-time.Second)
			got := l.ingest(t, same, before)
			wantEqual(t, "deliveries", []int{got[0].Deliveries, got[1].Deliveries}, []int{1, 0})
		},
		"MovedWebhook": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			c := must[store.Connection](t)(s.Connection(t.Context(), "a", l.endpoint.Connection))
			other := endpoint(c)
			other.Connect = true
			other = must[store.Endpoint](t)(s.EnsureEndpoint(t.Context(), other))
			_, err := s.UpdateWebhook(t.Context(), "a", l.webhooks[0].ID, func(w *store.Webhook) error {
				w.Endpoint = other.ID
				return nil
			})
			mustDo(t, err)
			wantEqual(t, "at the old endpoint", l.ingest(t, l.event("a.b"))[0].Deliveries, 0)
			e := l.event("a.b")
			e.Endpoint = other.ID
			wantEqual(t, "at the new endpoint", l.ingest(t, e)[0].Deliveries, 1)
			mustDo(t, s.DeleteEndpoint(t.Context(), "a", l.endpoint.ID))
		},
	}
}

func queue() suite {
	return suite{
		"ClaimAndFinish": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			for range 4 { // one by one, since what arrives together has no order
				l.fill(t, 1, "a.b")
			}
			work := l.claim(t, lease, 3)
			wantEqual(t, "claimed", len(work), 3)
			for i, w := range work {
				wantEqual(t, "oldest first", w.Event.ID, fmt.Sprintf("evt_%06d", i+1))
				wantEqual(t, "body", string(w.Event.Body), `{"a": 1.0 }`)
			}
			attempt := store.Attempt{At: born, Duration: 5 * time.Millisecond, Status: 200, Answer: bytes.Repeat([]byte("x"), 2000)}
			l.finish(t, work[0], store.Outcome{Verdict: store.VerdictDelivered, Attempt: &attempt})
			l.finish(t, work[1], store.Outcome{
				Verdict: store.VerdictRetry, After: time.Hour,
				Attempt: &store.Attempt{At: born, Phase: "dial", Error: "connection refused"},
			})
			l.finish(t, work[2], store.Outcome{Verdict: store.VerdictDead, Reason: "given up", Attempt: &store.Attempt{At: born, Status: 500}})
			get := func(w store.Work) store.Delivery {
				return must[store.Delivery](t)(s.Delivery(t.Context(), "a", w.Delivery.ID))
			}
			d := get(work[0])
			if d.State != store.DeliveryDelivered || d.LastStatus != 200 || d.Attempts != 1 || d.Tries != 1 || !d.NextAt.IsZero() {
				t.Errorf("delivered: %+v", d)
			}
			d = get(work[1])
			if d.State != store.DeliveryPending || d.LastStatus != 0 || d.Attempts != 1 || d.NextAt.Before(d.Created.Add(59*time.Minute)) {
				t.Errorf("to be retried: %+v", d)
			}
			d = get(work[2])
			if d.State != store.DeliveryDead || d.LastStatus != 500 || d.Reason != "given up" {
				t.Errorf("dead: %+v", d)
			}
			attempt.Answer = attempt.Answer[:store.MaxAnswer]
			wantEqual(t, "attempts", must[[]store.Attempt](t)(s.Attempts(t.Context(), "a", work[0].Delivery.ID)), []store.Attempt{attempt})
			last := must[store.Claimed](t)(s.Claim(t.Context(), lease, 100))
			wantEqual(t, "left", len(last.Work), 1)
			if last.Next <= 50*time.Minute || last.Next > time.Hour {
				t.Errorf("the next is foretold in %v, want an hour", last.Next)
			}
			b := must[store.Backlog](t)(s.Backlog(t.Context()))
			wantEqual(t, "backlog", []int{b.Pending, b.Out, b.Waiting}, []int{2, 1, 0})
		},
		"CountDead": func(t *testing.T, s store.Store) {
			dead := func(limit int) int { t.Helper(); return must[int](t)(s.CountDead(t.Context(), limit)) }
			wantEqual(t, "of nothing", dead(10), 0)
			for _, workspace := range []string{"a", "b"} {
				l := newLine(t, s, workspace, []string{"*"})
				l.fill(t, 4, "a.b")
				work := l.claim(t, lease, 3)
				l.finish(t, work[0], store.Outcome{Verdict: store.VerdictDelivered})
				l.finish(t, work[1], store.Outcome{Verdict: store.VerdictDead, Reason: "given up"})
				l.finish(t, work[2], store.Outcome{Verdict: store.VerdictDead, Reason: "given up"})
			}
			wantEqual(t, "of both workspaces", dead(10), 4)
			wantEqual(t, "at most one of each", dead(1), 2)
		},
		"LongestDue": func(t *testing.T, s store.Store) {
			longest := func() time.Time { t.Helper(); return must[time.Time](t)(s.LongestDue(t.Context())) }
			wantEqual(t, "of nothing", longest(), time.Time{})
			l := newLine(t, s, "a", []string{"*"}, []string{"*"})
			l.fill(t, 3, "a.b")
			var due []time.Time
			for _, d := range must[store.List[store.Delivery]](t)(s.Deliveries(t.Context(), "a", store.DeliveryFilter{}, store.Page{})).Data {
				due = append(due, d.NextAt)
			}
			wantEqual(t, "of six", longest(), slices.MinFunc(due, time.Time.Compare))
			for _, w := range l.webhooks {
				must[store.Webhook](t)(s.UpdateWebhook(t.Context(), "a", w.ID, func(w *store.Webhook) error {
					w.State = store.WebhookPaused
					return nil
				}))
			}
			wantEqual(t, "of paused webhooks", longest(), time.Time{})
		},
		"ReleaseAndRetryNow": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			l.fill(t, 1, "a.b")
			l.finish(t, l.claim(t, lease, 1)[0], store.Outcome{Verdict: store.VerdictRelease})
			w := l.claim(t, lease, 1)[0]
			wantEqual(t, "tries after a release", w.Delivery.Attempts, 0)
			l.finish(t, w, store.Outcome{Verdict: store.VerdictRetry, After: -time.Second, Attempt: &store.Attempt{At: born}})
			w = l.claim(t, lease, 1)[0]
			wantEqual(t, "tries after a try", []int{w.Delivery.Attempts, w.Delivery.Tries}, []int{1, 1})
		},
		"NoVerdict": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			l.fill(t, 1, "a.b")
			w := l.claim(t, lease, 1)[0]
			o := store.Outcome{Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Attempt: &store.Attempt{At: born}}
			if err := s.Finish(t.Context(), []store.Outcome{o}); err == nil {
				t.Error("an outcome without a verdict was taken")
			}
			wantEqual(t, "attempts", len(must[[]store.Attempt](t)(s.Attempts(t.Context(), "a", w.Delivery.ID))), 0)
			l.finish(t, w, store.Outcome{Verdict: store.VerdictDelivered})
		},
		"NextWhenCutShort": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			empty := must[store.Claimed](t)(s.Claim(t.Context(), lease, 10))
			if empty.Next >= 0 {
				t.Errorf("an empty queue foretells %v, want nothing", empty.Next)
			}
			l.fill(t, 2, "a.b")
			wantEqual(t, "next", must[store.Claimed](t)(s.Claim(t.Context(), lease, 1)).Next, time.Duration(0))
		},
		"LapsedLease": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			l.fill(t, 1, "a.b")
			lost := l.claim(t, lapsed, 1)[0]
			w := l.claim(t, lease, 1)
			wantEqual(t, "claimed again", len(w), 1)
			l.finish(t, lost, store.Outcome{Verdict: store.VerdictDead, Attempt: &store.Attempt{At: born, Status: 500}})
			d := must[store.Delivery](t)(s.Delivery(t.Context(), "a", lost.Delivery.ID))
			wantEqual(t, "state after the late outcome", d.State, store.DeliveryPending)
			wantEqual(t, "the late try is logged", len(must[[]store.Attempt](t)(s.Attempts(t.Context(), "a", d.ID))), 1)
			wantEqual(t, "claimed a third time", len(l.claim(t, lease, 1)), 0)
			l.finish(t, w[0], store.Outcome{Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: born, Status: 200}})
			d = must[store.Delivery](t)(s.Delivery(t.Context(), "a", lost.Delivery.ID))
			wantEqual(t, "state in the end", d.State, store.DeliveryDelivered)
		},
		"PerWebhookBound": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"*"})
			narrow := store.Lease{PerWebhook: 3, For: time.Hour}
			var events []store.NewEvent
			for range 5 {
				events = append(events, l.event("a.b"))
			}
			born := 0
			for _, r := range must[[]store.Ingested](t)(s.Ingest(t.Context(), events, narrow)) {
				born += len(r.Work)
			}
			more := l.claim(t, narrow, 100)
			wantEqual(t, "out", born+len(more), 6)
			wantEqual(t, "with no room", len(l.claim(t, narrow, 100)), 0)
			wantEqual(t, "with a wider bound", len(l.claim(t, store.Lease{PerWebhook: 4, For: time.Hour}, 100)), 2)
		},
		"NarrowerBound": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			l.fill(t, 12, "a.b")
			l.deliveries(t, store.DeliveryFilter{}) // from here on all of them have rows
			out := l.claim(t, lease, 8)
			wantEqual(t, "out and lost", len(out)+len(l.claim(t, lapsed, 2)), 10)
			narrow := store.Lease{PerWebhook: 3, For: time.Hour}
			wantEqual(t, "with more out than the bound", len(l.claim(t, narrow, 100)), 0)
			for _, w := range out {
				l.finish(t, w, store.Outcome{Verdict: store.VerdictDelivered})
			}
			wantEqual(t, "with none out", len(l.claim(t, narrow, 100)), 3)
		},
		"SlowBound": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"*"})
			slow := l.webhooks[1].ID
			lease := store.Lease{PerWebhook: 4, PerSlow: 2, Slow: []string{slow}, For: time.Hour}
			var events []store.NewEvent
			for range 3 {
				events = append(events, l.event("a.b"))
			}
			out := map[bool]int{}
			for _, r := range must[[]store.Ingested](t)(s.Ingest(t.Context(), events, lease)) {
				for _, w := range r.Work {
					out[w.Webhook.ID == slow]++
				}
			}
			wantEqual(t, "out as they came in", out, map[bool]int{true: 2, false: 3})
			l.fill(t, 3, "a.b")
			for _, w := range l.claim(t, lease, 100) {
				out[w.Webhook.ID == slow]++
			}
			wantEqual(t, "out after a claim", out, map[bool]int{true: 2, false: 4})
			lease.Slow = nil
			for _, w := range l.claim(t, lease, 100) {
				out[w.Webhook.ID == slow]++
			}
			wantEqual(t, "out when none is slow", out, map[bool]int{true: 4, false: 4})
		},
		"Fair": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"big"}, []string{"b"}, []string{"c"}, []string{"d"})
			l.fill(t, 50, "big")
			l.fill(t, 1, "b")
			l.fill(t, 1, "c")
			l.fill(t, 1, "d")
			served := make(map[string]int)
			for range 4 {
				for _, w := range l.claim(t, store.Lease{PerWebhook: 40, For: time.Hour}, 5) {
					served[w.Delivery.Type]++
				}
			}
			if served["b"] != 1 || served["c"] != 1 || served["d"] != 1 {
				t.Errorf("four claims of five served %v, want each lane", served)
			}
		},
		"EightClaimers": func(t *testing.T, s store.Store) {
			const webhooks, events = 10, 40
			types := make([][]string, webhooks)
			for i := range types {
				types[i] = []string{"*"}
			}
			l := newLine(t, s, "a", types...)
			narrow := store.Lease{PerWebhook: 4, For: time.Hour}
			var mu sync.Mutex
			seen := make(map[string]int)
			left := webhooks * events
			var wg sync.WaitGroup
			wg.Go(func() { // live traffic meanwhile
				for range events {
					got, err := s.Ingest(t.Context(), []store.NewEvent{l.event("a.b")}, store.Lease{})
					if err != nil || !got[0].New {
						t.Errorf("ingesting: %v %v", got, err)
					}
				}
			})
			for range 8 {
				wg.Go(func() {
					for t.Context().Err() == nil {
						mu.Lock()
						done := left == 0
						mu.Unlock()
						if done {
							return
						}
						claimed, err := s.Claim(t.Context(), narrow, 7)
						if err != nil {
							t.Error(err)
							return
						}
						outcomes := make([]store.Outcome, len(claimed.Work))
						mu.Lock()
						for i, w := range claimed.Work {
							seen[w.Delivery.ID]++
							left--
							outcomes[i] = store.Outcome{Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered}
						}
						mu.Unlock()
						if err := s.Finish(t.Context(), outcomes); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			wantEqual(t, "deliveries handed out", len(seen), webhooks*events)
			for id, n := range seen {
				if n != 1 {
					t.Errorf("delivery %s was handed out %d times, want once", id, n)
				}
			}
			b := must[store.Backlog](t)(s.Backlog(t.Context()))
			wantEqual(t, "backlog", []int{b.Pending, b.Out, b.Waiting}, []int{0, 0, 0})
		},
		"PauseAndResume": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"*"})
			l.fill(t, 2, "a.b")
			for _, state := range []store.WebhookState{store.WebhookPaused, store.WebhookDisabled} {
				l.setState(t, l.webhooks[0], state)
				b := must[store.Backlog](t)(s.Backlog(t.Context()))
				wantEqual(t, "backlog", []int{b.Pending, b.Waiting}, []int{2, 2})
				for _, w := range l.claim(t, lapsed, 100) {
					wantEqual(t, "claimed while the other is "+string(state), w.Delivery.Webhook, l.webhooks[1].ID)
				}
			}
			l.setState(t, l.webhooks[0], store.WebhookPaused)
			got := must[[]store.Ingested](t)(s.Ingest(t.Context(), []store.NewEvent{l.event("a.b")}, lease))
			wantEqual(t, "made and claimed while paused", []int{got[0].Deliveries, len(got[0].Work)}, []int{2, 0})
			drain(s.Wake())
			l.setState(t, l.webhooks[0], store.WebhookActive)
			<-s.Wake()
			waited := 0
			for _, w := range l.claim(t, lease, 100) {
				if w.Delivery.Webhook == l.webhooks[0].ID {
					waited++
				}
			}
			wantEqual(t, "claimed after it", waited, 3)
		},
		"Hold": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"*"})
			l.fill(t, 3, "a.b")
			w := l.claim(t, store.Lease{PerWebhook: 1, For: time.Hour}, 100)[0]
			l.finish(t, w, store.Outcome{Verdict: store.VerdictRetry, After: -time.Second, Hold: time.Hour, Attempt: &store.Attempt{At: born, Status: 429}})
			for _, other := range l.claim(t, lapsed, 100) {
				if other.Delivery.Webhook == w.Delivery.Webhook {
					t.Errorf("claimed %s while its webhook is held", other.Delivery.ID)
				}
			}
		},
		"HoldEnds": func(t *testing.T, s store.Store) {
			for name, end := range map[string]func(*line, store.Work) error{
				"retry": func(l *line, w store.Work) error {
					_, err := s.Retry(t.Context(), "a", w.Delivery.ID)
					return err
				},
				"another URL": func(l *line, w store.Work) error {
					_, err := s.UpdateWebhook(t.Context(), "a", w.Webhook.ID, func(w *store.Webhook) error { w.URL += "/new"; return nil })
					return err
				},
				"pause and resume": func(l *line, w store.Work) error {
					l.setState(t, l.webhooks[0], store.WebhookPaused)
					l.setState(t, l.webhooks[0], store.WebhookActive)
					return nil
				},
			} {
				l := newLine(t, s, "a", []string{"*"})
				l.fill(t, 2, "a.b")
				w := l.claim(t, store.Lease{PerWebhook: 1, For: time.Hour}, 1)[0]
				l.finish(t, w, store.Outcome{Verdict: store.VerdictRetry, After: -time.Second, Hold: time.Hour, Attempt: &store.Attempt{At: born, Status: 429}})
				wantEqual(t, "claimed while held", len(l.claim(t, lease, 100)), 0)
				mustDo(t, end(l, w))
				wantEqual(t, "claimed after "+name, len(l.claim(t, lease, 100)), 2)
				mustDo(t, s.DeleteWebhook(t.Context(), "a", l.webhooks[0].ID))
			}
		},
		"DetachWhileOut": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			l.fill(t, 3, "a.b")
			w := l.claim(t, lease, 1)[0]
			mustDo(t, s.DeleteWebhook(t.Context(), "a", l.webhooks[0].ID))
			l.finish(t, w, store.Outcome{Verdict: store.VerdictRetry, Attempt: &store.Attempt{At: born, Status: 500}})
			wantEqual(t, "claimed", len(l.claim(t, lapsed, 100)), 0)
			for _, d := range l.deliveries(t, store.DeliveryFilter{}) {
				wantEqual(t, "state", d.State, store.DeliverySkipped)
				wantEqual(t, "reason", d.Reason, store.ReasonDetached)
			}
			_, err := s.Retry(t.Context(), "a", w.Delivery.ID)
			wantErr(t, "retrying it", err, store.ErrConflict)
			b := must[store.Backlog](t)(s.Backlog(t.Context()))
			wantEqual(t, "backlog", []int{b.Pending, b.Out, b.Waiting}, []int{0, 0, 0})
		},
		"WakeOnIngest": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			drain(s.Wake())
			l.fill(t, 1, "a.b")
			<-s.Wake()
		},
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

func rescue() suite {
	return suite{
		"Retry": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			l.fill(t, 1, "a.b")
			w := l.claim(t, lease, 1)[0]
			d := must[store.Delivery](t)(s.Retry(t.Context(), "a", w.Delivery.ID))
			wantEqual(t, "while it is out", d.State, store.DeliveryPending)
			wantEqual(t, "claimed while it is out", len(l.claim(t, lease, 1)), 0)
			l.finish(t, w, store.Outcome{Verdict: store.VerdictDead, Reason: "no", Attempt: &store.Attempt{At: born, Status: 500}})
			d = must[store.Delivery](t)(s.Retry(t.Context(), "a", w.Delivery.ID))
			if d.State != store.DeliveryPending || d.Reason != "" || d.Attempts != 1 || d.Tries != 0 {
				t.Errorf("retried: %+v", d)
			}
			w = l.claim(t, lease, 1)[0]
			l.finish(t, w, store.Outcome{Verdict: store.VerdictRetry, After: time.Hour, Attempt: &store.Attempt{At: born, Status: 500}})
			must[store.Delivery](t)(s.Retry(t.Context(), "a", w.Delivery.ID))
			w = l.claim(t, lease, 1)[0]
			l.finish(t, w, store.Outcome{Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: born, Status: 200}})
			must[store.Delivery](t)(s.Retry(t.Context(), "a", w.Delivery.ID))
			wantEqual(t, "a delivered one again", len(l.claim(t, lease, 1)), 1)
			wantEqual(t, "attempts", len(must[[]store.Attempt](t)(s.Attempts(t.Context(), "a", w.Delivery.ID))), 3)
			_, err := s.Retry(t.Context(), "a", "dlv_unknown")
			wantErr(t, "an unknown delivery", err, store.ErrNotFound)
		},
		"RetryDead": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"}, []string{"*"})
			l.fill(t, 5, "a.b")
			for _, w := range l.claim(t, lease, 100) {
				l.finish(t, w, store.Outcome{Verdict: store.VerdictDead})
			}
			var steps []int
			for n := 2; n == 2; steps = append(steps, n) {
				n = must[int](t)(s.RetryDead(t.Context(), "a", l.webhooks[0].ID, 2))
			}
			wantEqual(t, "steps", steps, []int{2, 2, 1})
			wantEqual(t, "claimed", len(l.claim(t, lease, 100)), 5)
			wantEqual(t, "still dead", len(l.deliveries(t, store.DeliveryFilter{State: store.DeliveryDead})), 5)
		},
		"Replay": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"*"})
			l.fill(t, 6, "a.b")
			l.fill(t, 1, "c.d")
			for _, w := range l.claim(t, lease, 100) {
				l.finish(t, w, store.Outcome{Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: born, Status: 200}})
			}
			late := webhook(l.endpoint, 1, "a.b")
			late.Since = born.Add(time.Hour)
			_, _, err := s.CreateWebhook(t.Context(), late)
			mustDo(t, err)
			from := born.Truncate(time.Second).Add(2 * time.Second)
			filter := store.EventFilter{Types: []string{"a.b"}, From: from}
			for _, webhook := range []string{l.webhooks[0].ID, late.ID} {
				var steps []int
				for after, more := "", true; more; more = after != "" {
					step := must[store.ReplayStep](t)(s.Replay(t.Context(), "a", webhook, filter, after, 2))
					steps, after = append(steps, step.Queued), step.Next
				}
				wantEqual(t, "queued", steps, []int{2, 2, 1})
				again := must[store.ReplayStep](t)(s.Replay(t.Context(), "a", webhook, filter, "", 100))
				wantEqual(t, "queued again while pending", again.Queued, 0)
				var got []string
				for _, w := range l.claim(t, lease, 100) {
					wantEqual(t, "webhook", w.Delivery.Webhook, webhook)
					got = append(got, w.Event.ID)
				}
				wantEqual(t, "number claimed", len(got), 5)
			}
			_, err = s.Replay(t.Context(), "a", late.ID, filter, "bad", 2)
			wantErr(t, "a bad position", err, store.ErrCursor)
		},
	}
}

func retention() suite {
	return suite{
		"Prune": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a", []string{"a.b"}, []string{"c.d"})
			l.fill(t, 5, "a.b") // delivered
			l.fill(t, 2, "x.y") // wanted by nobody
			for _, w := range l.claim(t, lease, 100) {
				l.finish(t, w, store.Outcome{Verdict: store.VerdictDelivered, Attempt: &store.Attempt{At: born, Status: 200}})
			}
			delivered := l.deliveries(t, store.DeliveryFilter{})[0].ID
			dead, pending := l.event("c.d"), l.event("c.d")
			l.ingest(t, dead)
			l.finish(t, l.claim(t, lease, 1)[0], store.Outcome{Verdict: store.VerdictDead})
			l.ingest(t, pending)

			wantEqual(t, "young ones", must[int](t)(s.Prune(t.Context(), time.Hour, 100)), 0)
			wantEqual(t, "in steps", must[int](t)(s.Prune(t.Context(), -time.Hour, 3)), 7)
			events := must[store.List[store.Event]](t)(s.Events(t.Context(), "a", store.EventFilter{}, store.Page{})).Data
			wantEqual(t, "kept", []string{events[0].ID, events[1].ID}, []string{pending.ID, dead.ID})
			wantEqual(t, "number kept", len(events), 2)
			wantEqual(t, "deliveries kept", len(l.deliveries(t, store.DeliveryFilter{})), 2)
			_, err := s.Attempts(t.Context(), "a", delivered)
			wantErr(t, "attempts of a pruned delivery", err, store.ErrNotFound)
			l.fill(t, 2, "x.y")
			wantEqual(t, "behind those that are kept", must[int](t)(s.Prune(t.Context(), -time.Hour, 1)), 2)

			mustDo(t, s.DeleteWebhook(t.Context(), "a", l.webhooks[1].ID))
			wantEqual(t, "with the webhook gone", must[int](t)(s.Prune(t.Context(), -time.Hour, 100)), 3)
			wantEqual(t, "deliveries left", len(l.deliveries(t, store.DeliveryFilter{})), 0)
			wantEqual(t, "nothing left", must[int](t)(s.Prune(t.Context(), -time.Hour, 100)), 0)
		},
		"DedupAfterPrune": func(t *testing.T, s store.Store) {
			l := newLine(t, s, "a")
			e := l.event("a.b")
			l.ingest(t, e)
			wantEqual(t, "pruned", must[int](t)(s.Prune(t.Context(), -time.Hour, 100)), 1)
			wantEqual(t, "new again", l.ingest(t, e)[0].New, true)
		},
	}
}
