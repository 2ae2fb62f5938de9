package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/stripetest"
)

// A bench is a program with a connection, for webhooks that are each tried on their own.
type bench struct {
	*program
	stripe *stripetest.Server
	conn   string
}

func newBench(t *testing.T, settings ...string) *bench {
	t.Helper()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe, settings...)
	p.start()
	return &bench{p, stripe, p.connect(stripetest.Key)}
}

// in is the same bench for a subtest.
func (b *bench) in(t *testing.T) *bench {
	t.Helper()
	p := *b.program
	p.t = t
	return &bench{&p, b.stripe, b.conn}
}

// watch attaches a subscriber to one type of event, and returns the way in.
func (b *bench) watch(target *subscriber, eventType string) (webhook, *sender) {
	b.t.Helper()
	w := b.attach(b.conn, target.url, eventType)
	return w, b.sender(b.stripe, stripetest.Key, w)
}

// What subscribers do wrong is answered with patience, and all of it can be looked up.
func TestSubscribersFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t, "RETRY_SCHEDULE=1ms,1ms", "DELIVERY_TIMEOUT=2s")
	elsewhere := newSubscriber(t, nil)
	t.Cleanup(func() {
		if events, _ := elsewhere.count(); events != 0 {
			t.Error("a redirect was followed")
		}
	})
	tests := []struct {
		name      string
		eventType string
		react     reaction
		state     string
		statuses  []int
		words     string // in the last attempt's answer, phase or error
	}{
		{"takes it", "charge.captured", answering(204), "delivered", []int{204}, ""},
		{"takes it the third time", "charge.expired", failing(2, 500), "delivered", []int{500, 500, 200}, ""},
		{"fails always", "charge.failed", failing(9, 500), "dead", []int{500, 500, 500}, "not now"},
		{"has a full queue", "charge.pending", failing(1, 400), "delivered", []int{400, 200}, ""},
		{"redirects", "charge.refunded", redirecting(elsewhere.url), "dead", []int{302, 302, 302}, ""},
		{"drips", "charge.succeeded", dripping(), "dead", []int{200, 200, 200}, "no whole answer within 2s"},
		{"hangs", "charge.updated", hanging(nil), "dead", []int{0, 0, 0}, "no whole answer within 2s"},
		{"is down", "customer.created", nil, "dead", []int{0, 0, 0}, "connection refused"},
		{"talks much", "customer.deleted", func(w http.ResponseWriter, _ *http.Request, _ int) {
			_, _ = w.Write([]byte(strings.Repeat("x", 100_000)))
		}, "delivered", []int{200}, "xxx"},
		{"hangs up", "customer.updated", func(http.ResponseWriter, *http.Request, int) { panic(http.ErrAbortHandler) }, "dead", []int{0, 0, 0}, "wait"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			target := newSubscriber(t, tt.react)
			if tt.react == nil {
				target = &subscriber{url: "http://" + freeAddress(t) + "/"}
			}
			w, from := b.watch(target, tt.eventType)
			id := "evt_" + strings.ReplaceAll(tt.eventType, ".", "_")
			from.accept(t, event(id, tt.eventType))
			d := b.settled(w.ID, id, tt.state)
			var statuses []int
			for _, a := range d.Log {
				statuses = append(statuses, a.Status)
				if len(a.Answer) > 1024 {
					t.Errorf("%d bytes of the answer were kept", len(a.Answer))
				}
			}
			if diff := cmp.Diff(statuses, tt.statuses); diff != "" {
				t.Errorf("statuses (-got +want):\n%s", diff)
			}
			if d.Attempts != len(tt.statuses) || d.LastStatus != tt.statuses[len(tt.statuses)-1] {
				t.Errorf("attempts = %d, last status = %d", d.Attempts, d.LastStatus)
			}
			last := d.Log[len(d.Log)-1]
			if !strings.Contains(last.Answer+last.Phase+last.Error, tt.words) {
				t.Errorf("the last attempt %+v does not show %q", last, tt.words)
			}
			for _, a := range target.of(id) {
				a.verify(t, id, w.SigningSecret)
			}
		})
	}
	t.Run("is gone", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		gone := newSubscriber(t, answering(http.StatusGone))
		w, from := b.watch(gone, "invoice.paid")
		from.accept(t, event("evt_gone", "invoice.paid"))
		if d := b.settled(w.ID, "evt_gone", "dead"); d.Attempts != 1 || !strings.Contains(d.Reason, "410") {
			t.Errorf("the delivery went like this: %+v", d)
		}
		if w := b.webhook(w.ID); w.State != "disabled" || !strings.Contains(w.Reason, "410") {
			t.Errorf("the webhook is %s (%s), want disabled with the reason", w.State, w.Reason)
		}
		// What comes meanwhile is shown as skipped; after Resume all goes on.
		from.accept(t, event("evt_skipped", "invoice.paid"))
		if d := b.settled(w.ID, "evt_skipped", "skipped"); d.Reason != "disabled" {
			t.Errorf("skipped for %q, want disabled", d.Reason)
		}
		gone.now(answering(http.StatusOK))
		b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/resume", nil).want(http.StatusOK)
		from.accept(t, event("evt_back", "invoice.paid"))
		b.settled(w.ID, "evt_back", "delivered")
		if len(gone.of("evt_skipped")) != 0 {
			t.Error("a skipped event was sent")
		}
	})
}

// A subscriber that asks for time gets it, and whoever knows better may retry sooner.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	b := newBench(t, "RETRY_SCHEDULE=1ms*20")
	for _, tt := range []struct {
		status    int
		eventType string
	}{
		{http.StatusTooManyRequests, "charge.captured"},
		{http.StatusServiceUnavailable, "charge.expired"},
	} {
		t.Run(http.StatusText(tt.status), func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			target := newSubscriber(t, waiting(tt.status, "3600"))
			w, from := b.watch(target, tt.eventType)
			first, second := fmt.Sprintf("evt_first_%d", tt.status), fmt.Sprintf("evt_second_%d", tt.status)
			from.accept(t, event(first, tt.eventType))
			var d delivery
			eventually(t, "the first attempt is noted", func() bool {
				d = b.settled(w.ID, first, "pending")
				return d.Attempts == 1
			})
			if wait := d.NextAt.Sub(d.Log[0].At); wait < time.Hour {
				t.Errorf("it is tried again after %v, want an hour", wait)
			}
			// It spoke of itself, so the next event waits too.
			from.accept(t, event(second, tt.eventType))
			if d := b.settled(w.ID, second, "pending"); d.Attempts != 0 {
				t.Errorf("the second event: %+v, want it to wait", d)
			}
			target.now(answering(http.StatusOK))
			b.call(http.MethodPost, "/v1/deliveries/"+d.ID+"/retry", nil).want(http.StatusAccepted)
			b.settled(w.ID, first, "delivered")
			b.settled(w.ID, second, "delivered")
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	target := newSubscriber(t, nil)
	w, from := b.watch(target, "invoice.paid")
	b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/pause", nil).want(http.StatusOK)
	if got := b.webhook(w.ID).State; got != "paused" {
		t.Errorf("state = %s, want paused", got)
	}
	from.accept(t, event("evt_1", "invoice.paid"))
	if d := b.settled(w.ID, "evt_1", "pending"); d.Attempts != 0 {
		t.Errorf("a paused webhook was called: %+v", d)
	}
	if got := b.fates("evt_1")[w.ID]; got != "pending paused" {
		t.Errorf("the event's fate is %q", got)
	}
	b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/resume", nil).want(http.StatusOK)
	b.settled(w.ID, "evt_1", "delivered")
	if got := len(target.of("evt_1")); got != 1 {
		t.Errorf("the event arrived %d times, want 1", got)
	}
}

// fates says, for each webhook, the state of an event's delivery and the reason.
func (p *program) fates(event string) map[string]string {
	p.t.Helper()
	var e struct {
		Webhooks []struct{ Webhook, State, Reason string }
	}
	p.get("/v1/events/"+event, &e)
	fates := map[string]string{}
	for _, f := range e.Webhooks {
		fates[f.Webhook] = strings.TrimSpace(f.State + " " + f.Reason)
	}
	return fates
}

// Of every event it can be said why each webhook did or did not get it.
func TestWhyNotDelivered(t *testing.T) {
	t.Parallel()
	b := newBench(t, "RETRY_SCHEDULE=1ms")
	targets := map[string]*subscriber{
		"taken": newSubscriber(t, nil), "other": newSubscriber(t, nil), "paused": newSubscriber(t, nil), "disabled": newSubscriber(t, nil),
		"dead": newSubscriber(t, answering(http.StatusInternalServerError)), "detached": newSubscriber(t, nil), "later": newSubscriber(t, nil),
	}
	taken, from := b.watch(targets["taken"], "invoice.paid")
	other, _ := b.watch(targets["other"], "invoice.sent")
	paused, _ := b.watch(targets["paused"], "invoice.paid")
	disabled, _ := b.watch(targets["disabled"], "invoice.paid")
	dead, _ := b.watch(targets["dead"], "invoice.paid")
	detached, _ := b.watch(targets["detached"], "invoice.paid")
	b.call(http.MethodPost, "/v1/webhooks/"+paused.ID+"/pause", nil).want(http.StatusOK)
	b.call(http.MethodPost, "/v1/webhooks/"+detached.ID+"/pause", nil).want(http.StatusOK)
	targets["disabled"].now(answering(http.StatusGone))
	from.accept(t, event("evt_0", "invoice.paid"))
	b.settled(disabled.ID, "evt_0", "dead")

	from.accept(t, event("evt_1", "invoice.paid"))
	b.call(http.MethodDelete, "/v1/webhooks/"+detached.ID, nil).want(http.StatusNoContent)
	later, _ := b.watch(targets["later"], "invoice.paid")
	old := fmt.Sprintf(`{"id":"evt_2","type":"invoice.paid","livemode":false,"created":%d}`, time.Now().Add(-time.Hour).Unix())
	from.accept(t, []byte(old))
	b.settled(dead.ID, "evt_1", "dead")
	b.settled(taken.ID, "evt_1", "delivered")

	got := b.fates("evt_1")
	want := map[string]string{
		taken.ID: "delivered", other.ID: "type_not_wanted", paused.ID: "pending paused", disabled.ID: "skipped disabled", dead.ID: "dead",
		detached.ID: "skipped detached", later.ID: "attached_later",
	}
	delete(got, later.ID) // it may be of the same second
	delete(want, later.ID)
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("why (-got +want):\n%s", diff)
	}
	if got := b.fates("evt_2")[later.ID]; got != "attached_later" {
		t.Errorf("an event older than its webhook: %q, want attached_later", got)
	}
}

// Whatever a webhook has missed can be sent again, under the webhook-ids that it had.
func TestRescue(t *testing.T) {
	t.Parallel()
	b := newBench(t, "RETRY_SCHEDULE=1ms")
	target := newSubscriber(t, failing(2, http.StatusInternalServerError))
	w, from := b.watch(target, "invoice.paid")
	others := newSubscriber(t, nil)
	other, _ := b.watch(others, "invoice.paid")
	ids := make([]string, 210) // more than a job does in one step
	for i := range ids {
		ids[i] = fmt.Sprintf("evt_%d", i)
		from.accept(t, event(ids[i], "invoice.paid"))
	}
	b.drained(w.ID)
	others.has(t, ids...)

	// One by one.
	d := b.settled(w.ID, ids[0], "dead")
	b.call(http.MethodPost, "/v1/deliveries/"+d.ID+"/retry", nil).want(http.StatusAccepted)
	if d := b.settled(w.ID, ids[0], "delivered"); d.Attempts != 3 || len(d.Log) != 3 {
		t.Errorf("after a retry: %+v, want all three attempts in the log", d)
	}
	b.call(http.MethodPost, "/v1/deliveries/dlv_foreign/retry", nil).want(http.StatusNotFound)

	// All that is dead.
	job := b.finished(b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/retry-dead", nil))
	if job.State != "done" || job.Queued != len(ids)-1 {
		t.Errorf("retry-dead ended as %+v, want %d queued", job, len(ids)-1)
	}
	b.drained(w.ID)
	if dead := b.deliveries(w.ID, url.Values{"state": {"dead"}}); len(dead) != 0 {
		t.Errorf("%d deliveries are still dead", len(dead))
	}

	// A range of time: to one webhook, and only what lies in it.
	before, after := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	job = b.finished(b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/replay", object{"from": before, "to": after}))
	if job.State != "done" || job.Queued != len(ids) {
		t.Errorf("replay ended as %+v, want %d queued", job, len(ids))
	}
	b.drained(w.ID)
	job = b.finished(b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/replay", object{"from": before, "to": after, "types": []string{"invoice.sent"}}))
	if job.Queued != 0 {
		t.Errorf("replay of another type queued %d", job.Queued)
	}
	job = b.finished(b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/replay", object{"from": before, "to": before.Add(time.Minute)}))
	if job.Queued != 0 {
		t.Errorf("replay of another time queued %d", job.Queued)
	}
	b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/replay", object{"from": after, "to": before}).want(http.StatusUnprocessableEntity)
	b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/replay", nil).want(http.StatusUnprocessableEntity)

	for _, id := range ids {
		all := target.of(id)
		if len(all) != 4 {
			t.Errorf("%s came %d times, want 4: twice in vain, once retried, once replayed", id, len(all))
		}
		for _, a := range all {
			a.verify(t, id, w.SigningSecret)
		}
		if got := len(others.of(id)); got != 1 {
			t.Errorf("%s came %d times to a webhook that was not asked for again", id, got)
		}
	}
	b.drained(other.ID)
}

func TestSample(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	target := newSubscriber(t, nil)
	w, _ := b.watch(target, "invoice.paid")
	var trial struct {
		Event, Type, Answer string
		Delivered           bool
		Status              int
	}
	b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/test", nil).want(http.StatusOK).into(&trial)
	if !trial.Delivered || trial.Status != http.StatusOK || trial.Type != "invoice.paid" {
		t.Errorf("got %+v", trial)
	}
	target.of(trial.Event)[0].verify(t, trial.Event, w.SigningSecret)
	target.now(failing(9, http.StatusTeapot))
	b.call(http.MethodPost, "/v1/webhooks/"+w.ID+"/test", nil).want(http.StatusOK).into(&trial)
	if trial.Delivered || trial.Status != http.StatusTeapot || trial.Answer != "not now\n" {
		t.Errorf("got %+v", trial)
	}
	if got := b.deliveries(w.ID, nil); len(got) != 0 {
		t.Errorf("a sample is in the log: %+v", got)
	}
}

// Nothing of one workspace can be seen or touched from another.
func TestWebhooksOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	foreigner := *p
	p.token = p.newToken("acme", "admin")
	foreigner.token = p.newToken("other", "admin")
	p.start()
	b := &bench{p, stripe, p.connect(stripetest.Key)}
	w, from := b.watch(newSubscriber(t, nil), "invoice.paid")
	from.accept(t, event("evt_1", "invoice.paid"))
	d := p.settled(w.ID, "evt_1", "delivered")

	for _, route := range []string{
		"GET /v1/webhooks/" + w.ID, "PATCH /v1/webhooks/" + w.ID, "POST /v1/webhooks/" + w.ID + "/pause", "POST /v1/webhooks/" + w.ID + "/resume",
		"POST /v1/webhooks/" + w.ID + "/rotate-secret", "POST /v1/webhooks/" + w.ID + "/test", "POST /v1/webhooks/" + w.ID + "/retry-dead",
		"GET /v1/events/evt_1", "GET /v1/deliveries/" + d.ID, "POST /v1/deliveries/" + d.ID + "/retry", "GET /v1/connections/" + b.conn,
	} {
		method, path, _ := strings.Cut(route, " ")
		foreigner.call(method, path, "{}").want(http.StatusNotFound)
	}
	foreigner.call(http.MethodDelete, "/v1/webhooks/"+w.ID, nil).want(http.StatusNoContent) // as for one that is not there
	foreigner.call(http.MethodPost, watchEvents, form(b.conn, "https://example.com", "invoice.paid")).want(http.StatusNotFound)
	for _, list := range []string{"/v1/webhooks", "/v1/events", "/v1/deliveries", "/v1/connections"} {
		var page struct{ Data []any }
		foreigner.get(list, &page)
		if len(page.Data) != 0 {
			t.Errorf("%s shows %v", list, page.Data)
		}
	}
	if got := p.webhook(w.ID).State; got != "active" {
		t.Errorf("state = %s, want active", got)
	}
}
