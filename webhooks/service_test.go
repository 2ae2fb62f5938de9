package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripetest"
)

func TestAttachFaults(t *testing.T) {
	t.Parallel()
	good := Attachment{Name: "Hook", Connection: "conn_1", Group: "customer", URL: "https://example.com"}
	tests := []struct {
		name   string
		change func(*Attachment)
		want   []string // "field code"
	}{
		{"all good", func(*Attachment) {}, nil},
		{"nothing", func(a *Attachment) { *a = Attachment{} }, []string{
			"webhook_name required", "connection required", "group required", "url required",
		}},
		{"long name", func(a *Attachment) { a.Name = strings.Repeat("é", 5001) }, []string{"webhook_name too_long"}},
		{"longest name", func(a *Attachment) { a.Name = strings.Repeat("é", 5000) }, nil},
		{"unknown group", func(a *Attachment) { a.Group = "customers" }, []string{"group invalid"}},
		{"event of another group", func(a *Attachment) { a.Events = []string{"invoice.paid"} }, []string{"enabled_events invalid"}},
		{"event of a group that begins alike", func(a *Attachment) {
			a.Events = []string{"customer_cash_balance_transaction.created"}
		}, []string{"enabled_events invalid"}},
		{"wildcard inside a group", func(a *Attachment) { a.Events = []string{"*"} }, []string{"enabled_events invalid"}},
		{"no event type", func(a *Attachment) { a.Events = []string{"customer created"} }, []string{"enabled_events invalid"}},
		{"wildcard in all", func(a *Attachment) { a.Group, a.Events = "all", []string{"*"} }, nil},
		{"any event in all", func(a *Attachment) { a.Group, a.Events = "all", []string{"invoice.paid", "customer.created"} }, nil},
		{"version", func(a *Attachment) { a.APIVersion = "2025-09-30.clover" }, nil},
		{"bad version", func(a *Attachment) { a.APIVersion = "latest" }, []string{"api_version invalid"}},
		{"http", func(a *Attachment) { a.URL = "http://example.com" }, []string{"url refused"}},
		{"private address", func(a *Attachment) { a.URL = "https://192.168.0.1/" }, []string{"url refused"}},
		{"relative", func(a *Attachment) { a.URL = "/hook" }, []string{"url refused"}},
		{"long URL", func(a *Attachment) { a.URL = "https://example.com/" + strings.Repeat("x", 2048) }, []string{"url too_long"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := good
			tt.change(&a)
			_, _, faults := a.check(false)
			var got []string
			for _, f := range faults {
				got = append(got, f.Field+" "+f.Code)
				if f.Label == "" || f.Message == "" {
					t.Errorf("fault without words: %+v", f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAttachTypes(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	all := l.attach(Attachment{Connection: conn, Group: "all", URL: "https://example.com", APIVersion: "2020-08-27"})
	if diff := cmp.Diff([]string{"*"}, l.registered(stripetest.Key)[0].Events); diff != "" {
		t.Errorf("events at Stripe differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"*"}, all.Webhook.EventTypes); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
	group := l.attach(Attachment{Connection: conn, Group: "credit_note", URL: "https://example.com"})
	want := []string{"credit_note.created", "credit_note.updated", "credit_note.voided"}
	if diff := cmp.Diff(want, group.Webhook.EventTypes); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
	if len(group.Warnings) > 0 {
		t.Errorf("warnings = %q, want none", group.Warnings)
	}
	unknown := Attachment{
		Name: "x", Connection: conn, Group: "customer", Events: []string{"customer.teleported"}, URL: "https://example.com",
	}
	_, warnings, faults := unknown.check(false)
	if len(faults) > 0 || len(warnings) != 1 || !strings.Contains(warnings[0], "customer.teleported") {
		t.Errorf("warnings %q, faults %v, want a warning about the unknown type", warnings, faults)
	}
}

func TestAttachWithoutPublicURL(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	l.service.registrar.publicURL = ""
	_, err := l.service.Attach(t.Context(), workspace, Attachment{
		Name: "Hook", Connection: l.connection(stripetest.Key), Group: "charge", URL: "https://example.com",
	})
	var setup SetupError
	if !errors.As(err, &setup) || !strings.Contains(err.Error(), "CONNECTOR_PUBLIC_URL") {
		t.Errorf("Attach() = %v, want a SetupError", err)
	}
	l.nothingLeft(stripetest.Key)
}

func TestForeignThingsAreNotFound(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	w := l.attach(Attachment{Connection: conn, Group: "charge", URL: "https://example.com"}).Webhook
	ctx, id := t.Context(), w.ID
	name := "x"
	for name, call := range map[string]func() error{
		"attach": func() error {
			_, err := l.service.Attach(ctx, "other", Attachment{Name: "x", Connection: conn, Group: "charge", URL: "https://example.com"})
			return err
		},
		"get":    func() error { _, err := l.service.Webhook(ctx, "other", id); return err },
		"patch":  func() error { _, err := l.service.Patch(ctx, "other", id, Change{Name: &name}); return err },
		"pause":  func() error { _, err := l.service.Pause(ctx, "other", id); return err },
		"resume": func() error { _, err := l.service.Resume(ctx, "other", id); return err },
		"rotate": func() error { _, err := l.service.RotateSecret(ctx, "other", id); return err },
		"test":   func() error { _, err := l.service.Test(ctx, "other", id); return err },
		"replay": func() error {
			_, err := l.service.Replay(ctx, "other", id, Range{From: time.Now().Add(-time.Hour)})
			return err
		},
		"retry dead": func() error { _, err := l.service.RetryDead(ctx, "other", id); return err },
		"job":        func() error { _, err := l.service.Job("other", "job_1"); return err },
	} {
		if err := call(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s = %v, want ErrNotFound", name, err)
		}
	}
}

// TestLine follows an event from Stripe to every subscriber that wants it.
func TestLine(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	wants, other := newSubscriber(t), newSubscriber(t)
	attached := l.attach(Attachment{Connection: conn, Group: "customer", URL: wants.URL + "/hook"})
	second := l.attach(Attachment{Connection: conn, Group: "invoice", URL: other.URL})

	account := l.stripe.Account(stripetest.Key)
	event, err := account.Emit("customer.created", `{"id":"cus_1","object":"customer","name":"Zoë \u0000 <b>"}`)
	if err != nil {
		t.Fatal(err)
	}
	wants.wait(t, 1)
	if err := account.Send(event); err != nil { // Stripe repeats itself; nobody may notice.
		t.Fatal(err)
	}
	if err := l.stripe.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range l.stripe.Deliveries() {
		if d.Status != http.StatusOK {
			t.Errorf("Stripe was answered %d", d.Status)
		}
	}
	if diff := cmp.Diff([]string{event}, wants.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
	if got := other.ids(); len(got) > 0 {
		t.Errorf("the other subscriber got %v", got)
	}

	got := wants.got[0]
	if stored, err := l.service.Event(t.Context(), workspace, event); err != nil || !bytes.Equal(stored[0].Body, got.body) {
		t.Errorf("the subscriber's bytes are not Stripe's (%v)", err)
	}
	if want := account.Object(event); !bytes.Equal(want, got.body) {
		t.Errorf("the subscriber got %s, want %s", got.body, want)
	}
	verifier, err := standardwebhooks.NewWebhook(attached.SigningSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(got.body, got.header); err != nil {
		t.Error(err)
	}
	fates, err := l.service.Fates(t.Context(), workspace, attached.Endpoint.ID, event)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fates {
		switch {
		case f.Webhook == attached.Webhook.ID && (f.Delivery == nil || f.Reason != ""):
			t.Errorf("fate of the one who wants it = %+v", f)
		case f.Webhook == second.Webhook.ID && f.Reason != store.ReasonNotWanted:
			t.Errorf("fate of the other = %+v, want %s", f, store.ReasonNotWanted)
		}
	}
}

func TestLineConnect(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "all", Connect: true, URL: s.URL})
	connected := l.stripe.Account(stripetest.Key).Connect("acct_connected")
	if _, err := connected.Emit("customer.created", `{"id":"cus_1","object":"customer"}`); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
	if got, want := s.got[0].header.Get("Stripe-Account"), "acct_connected"; got != want {
		t.Errorf("Stripe-Account = %q, want %q", got, want)
	}
}

// away is a store that cannot take events at first, as with a full disk.
type away struct {
	ReceiverStore

	mu   sync.Mutex
	left int // Ingests that fail
}

func (a *away) Ingest(ctx context.Context, events []store.NewEvent, lease store.Lease) ([]store.Ingested, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left > 0 {
		a.left--
		return nil, store.ErrUnavailable
	}
	return a.ReceiverStore.Ingest(ctx, events, lease)
}

// TestLineStoreAway: while nothing can be stored Stripe is told to come back, and then everything arrives once.
func TestLineStoreAway(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{
		stripe: stripetest.Options{RetryWaits: []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}},
		wrap:   func(s ReceiverStore) ReceiverStore { return &away{ReceiverStore: s, left: 2} },
	})
	s := newSubscriber(t)
	l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL})
	event, err := l.stripe.Account(stripetest.Key).Emit("customer.created", `{"id":"cus_1"}`)
	if err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
	if err := l.stripe.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var statuses []int
	for _, d := range l.stripe.Deliveries() {
		statuses = append(statuses, d.Status)
	}
	if diff := cmp.Diff([]int{503, 503, 200}, statuses); diff != "" {
		t.Errorf("Stripe was answered otherwise (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{event}, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL}).Webhook
	if _, err := l.service.Pause(t.Context(), workspace, w.ID); err != nil {
		t.Fatal(err)
	}
	event, err := l.stripe.Account(stripetest.Key).Emit("customer.created", `{"id":"cus_1"}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.stripe.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.ids(); len(got) > 0 {
		t.Errorf("a paused webhook got %v", got)
	}
	if _, err := l.service.Resume(t.Context(), workspace, w.ID); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
	if diff := cmp.Diff([]string{event}, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
}

func TestRotateSecret(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	attached := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL})
	secret, err := l.service.RotateSecret(t.Context(), workspace, attached.Webhook.ID)
	if err != nil {
		t.Fatal(err)
	}
	trial, err := l.service.Test(t.Context(), workspace, attached.Webhook.ID)
	if err != nil || !trial.Delivered || trial.Status != 200 {
		t.Fatalf("Test() = %+v, %v", trial, err)
	}
	for name, secret := range map[string]string{"old": attached.SigningSecret, "new": secret} {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(s.got[0].body, s.got[0].header); err != nil {
			t.Errorf("%s secret: %v", name, err)
		}
	}
	w, err := l.service.Webhook(t.Context(), workspace, attached.Webhook.ID)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[time.Duration]int{23 * time.Hour: 2, 25 * time.Hour: 1} {
		live, err := openLive(tagSeal{}, w.ID, store.PurposeWebhook, w.Secrets, time.Now().Add(in))
		if err != nil || len(live) != want || live[0] != secret {
			t.Errorf("in %s %d secrets are live, want %d, the new one first (%v)", in, len(live), want, err)
		}
	}
}

func TestTrialReportsFailure(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	s.answer(http.StatusGone)
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "all", URL: s.URL}).Webhook
	trial, err := l.service.Test(t.Context(), workspace, w.ID)
	if err != nil || trial.Delivered || trial.Status != http.StatusGone {
		t.Errorf("Test() = %+v, %v", trial, err)
	}
	if w, err = l.service.Webhook(t.Context(), workspace, w.ID); err != nil || w.State != store.WebhookActive {
		t.Errorf("a test changed the webhook to %s (%v)", w.State, err)
	}
	if _, err := openEnvelope(s.got[0].body); err != nil {
		t.Errorf("the sample is not an event: %v", err)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	old, next := newSubscriber(t), newSubscriber(t)
	w := l.attach(Attachment{Connection: conn, Group: "customer", Events: []string{"customer.created"}, URL: old.URL}).Webhook
	account := l.stripe.Account(stripetest.Key)

	events, name := []string{"customer.deleted"}, "Renamed"
	patched, err := l.service.Patch(t.Context(), workspace, w.ID, Change{Name: &name, Events: &events, URL: &next.URL})
	if err != nil {
		t.Fatal(err)
	}
	if patched.Webhook.Name != name || !slices.Equal(patched.Webhook.EventTypes, events) || patched.Webhook.URL != next.URL {
		t.Errorf("patched = %+v", patched.Webhook)
	}
	if diff := cmp.Diff(events, l.registered(stripetest.Key)[0].Events); diff != "" {
		t.Errorf("events at Stripe differ (-want +got):\n%s", diff)
	}
	if _, err := account.Emit("customer.deleted", `{"id":"cus_1"}`); err != nil {
		t.Fatal(err)
	}
	next.wait(t, 1)

	// Another version is another endpoint; the one before is not left behind.
	version := "2020-08-27"
	moved, err := l.service.Patch(t.Context(), workspace, w.ID, Change{APIVersion: &version})
	if err != nil {
		t.Fatal(err)
	}
	got := l.registered(stripetest.Key)
	if len(got) != 1 || got[0].APIVersion != version || got[0].ID != moved.Endpoint.StripeID || moved.Webhook.ID != w.ID {
		t.Errorf("registered = %+v", got)
	}
	if len(l.endpoints()) != 1 {
		t.Errorf("%d endpoints stored, want 1", len(l.endpoints()))
	}
	if _, err := account.Emit("customer.deleted", `{"id":"cus_2"}`); err != nil {
		t.Fatal(err)
	}
	next.wait(t, 1)

	group := "invoice"
	grouped, err := l.service.Patch(t.Context(), workspace, w.ID, Change{Group: &group})
	if err != nil || len(grouped.Webhook.EventTypes) != 15 {
		t.Errorf("another group = %v, %v, want all of it", grouped.Webhook.EventTypes, err)
	}
	if len(old.ids()) > 0 {
		t.Errorf("the old target got %v", old.ids())
	}
}

// TestPatchMoves: an event that comes to the new endpoint before the webhook has moved there, and to the old one after it has
// left, reaches it.
func TestPatchMoves(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	s, other := newSubscriber(t), newSubscriber(t)
	version := "2020-08-27"
	from := l.attach(Attachment{Connection: conn, Group: "customer", URL: s.URL})
	to := l.attach(Attachment{Connection: conn, Group: "customer", APIVersion: version, URL: other.URL})
	arrive := func(endpoint store.Endpoint) {
		secret := l.stripe.Account(stripetest.Key).Secret(endpoint.StripeID)
		body := fmt.Appendf(nil, `{"id":"evt_1","object":"event","type":"customer.created","livemode":false,"created":%d}`, time.Now().Unix())
		receipt, err := l.keeper.Receiver.Receive(t.Context(), endpoint.ID, stripetest.Sign(secret, body, time.Now()), whole(body))
		if err != nil || !receipt.New {
			t.Fatalf("receipt = %+v, %v", receipt, err)
		}
	}
	arrive(to.Endpoint)
	other.wait(t, 1)
	if _, err := l.service.Patch(t.Context(), workspace, from.Webhook.ID, Change{APIVersion: &version}); err != nil {
		t.Fatal(err)
	}
	if got := l.waitFor(from.Webhook.ID, store.DeliveryDelivered, 1); got[0].Event != "evt_1" {
		t.Errorf("deliveries = %+v", got)
	}
}

// older makes a webhook want events since an hour ago.
func (l *line) older(w Attached) {
	l.t.Helper()
	_, err := l.store.UpdateWebhook(l.t.Context(), workspace, w.Webhook.ID, func(w *store.Webhook) error {
		w.Since = time.Now().Add(-time.Hour)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// behind makes a webhook older, and its endpoint one that has not caught up since then.
func (l *line) behind(w Attached) {
	l.t.Helper()
	l.older(w)
	_, err := l.store.UpdateEndpoint(l.t.Context(), workspace, w.Endpoint.ID, func(e *store.Endpoint) error {
		e.Caught = time.Now().Add(-time.Hour)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestPatchMovesBeforeCatchUp: what a webhook's endpoint has not fetched yet reaches the webhook though it moves to another,
// whether that one has it already or not.
func TestPatchMovesBeforeCatchUp(t *testing.T) {
	t.Parallel()
	version := "2020-08-27"
	for _, there := range []bool{false, true} {
		t.Run(fmt.Sprintf("other endpoint there %t", there), func(t *testing.T) {
			t.Parallel()
			var ago atomic.Int64 // how far Stripe's clock is behind, when it makes events
			l := newLine(t, lineOptions{stripe: stripetest.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }}})
			conn := l.connection(stripetest.Key)
			s, other := newSubscriber(t), newSubscriber(t)
			w := l.attach(Attachment{Connection: conn, Group: "customer", URL: s.URL})
			l.behind(w)
			account := l.stripe.Account(stripetest.Key)
			if there {
				l.older(l.attach(Attachment{Connection: conn, Group: "customer", APIVersion: version, URL: other.URL}))
			}
			account.Remove(w.Endpoint.StripeID)
			ago.Store(int64(4 * time.Minute)) // which a signature may be old
			missed := l.emit(account, "customer.created", 3)
			if there {
				other.wait(t, len(missed))
			}
			ago.Store(int64(30 * time.Minute))
			l.stripe.SetDelivery(false)
			missed = append(missed, l.emit(account, "customer.created", 2)...)
			ago.Store(0)
			if _, err := l.service.Patch(t.Context(), workspace, w.Webhook.ID, Change{APIVersion: &version}); err != nil {
				t.Fatal(err)
			}
			l.keep()
			s.wait(t, len(missed))
			slices.Sort(missed)
			if diff := cmp.Diff(missed, s.ids()); diff != "" {
				t.Errorf("deliveries differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSetBackDuringCatchUp: a webhook that comes from an endpoint that was less far gets what it lacks, though the endpoint to
// which it comes is just catching up.
func TestSetBackDuringCatchUp(t *testing.T) {
	t.Parallel()
	version := "2020-08-27"
	hold := &held{come: make(chan struct{}), release: make(chan struct{})}
	var ago atomic.Int64
	l := newLine(t, lineOptions{
		stripe: stripetest.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }},
		wrap:   func(s ReceiverStore) ReceiverStore { hold.ReceiverStore = s; return hold },
	})
	conn := l.connection(stripetest.Key)
	s, other := newSubscriber(t), newSubscriber(t)
	l.attach(Attachment{Connection: conn, Group: "customer", APIVersion: version, URL: other.URL})
	l.stripe.SetDelivery(false)
	account := l.stripe.Account(stripetest.Key)
	recent := l.emit(account, "customer.created", 1)
	var under sync.WaitGroup
	l.keeper.round(t.Context(), &under)
	<-hold.come

	w := l.attach(Attachment{Connection: conn, Group: "customer", URL: s.URL})
	l.behind(w)
	ago.Store(int64(30 * time.Minute))
	old := l.emit(account, "customer.created", 1)
	ago.Store(0)
	if _, err := l.service.Patch(t.Context(), workspace, w.Webhook.ID, Change{APIVersion: &version}); err != nil {
		t.Fatal(err)
	}
	close(hold.release)
	under.Wait()
	s.wait(t, 2)
	want := append(recent, old...)
	slices.Sort(want)
	if diff := cmp.Diff(want, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
}

// TestPatchToOtherTypes: a webhook that wants nothing any more of what it has wanted gets nothing of before.
func TestPatchToOtherTypes(t *testing.T) {
	t.Parallel()
	var ago atomic.Int64
	l := newLine(t, lineOptions{stripe: stripetest.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }}})
	s := newSubscriber(t)
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL})
	l.behind(w)
	account := l.stripe.Account(stripetest.Key)
	ago.Store(int64(time.Minute))
	l.emit(account, "invoice.paid", 2)
	ago.Store(0)
	group := "invoice"
	if _, err := l.service.Patch(t.Context(), workspace, w.Webhook.ID, Change{Group: &group}); err != nil {
		t.Fatal(err)
	}
	l.keep()
	live := l.emit(account, "invoice.paid", 1)
	s.wait(t, 1)
	if diff := cmp.Diff(live, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
}

func TestPatchRefused(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	one := l.attach(Attachment{Connection: conn, Group: "customer", URL: "https://example.com/1"})
	l.attach(Attachment{Connection: conn, Group: "customer", URL: "https://example.com/2"})
	twoURL, empty, foreign, yes := "https://example.com/2", "", []string{"invoice.paid"}, true

	if _, err := l.service.Patch(t.Context(), workspace, one.Webhook.ID, Change{URL: &twoURL}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("becoming equal to another = %v, want ErrConflict", err)
	}
	var faults spec.Faults
	_, err := l.service.Patch(t.Context(), workspace, one.Webhook.ID, Change{Name: &empty, Events: &foreign})
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("faulty change = %v, want two faults", err)
	}
	before := l.registered(stripetest.Key)
	l.stripe.Fault(stripetest.ServerError(500).On(http.MethodPost, "").Times(10))
	if _, err := l.service.Patch(t.Context(), workspace, one.Webhook.ID, Change{Connect: &yes}); err == nil {
		t.Error("moving without Stripe = nil, want its failure")
	}
	l.stripe.ResetFaults()
	if diff := cmp.Diff(before, l.registered(stripetest.Key)); diff != "" {
		t.Errorf("Stripe differs (-want +got):\n%s", diff)
	}
	if w, err := l.service.Webhook(t.Context(), workspace, one.Webhook.ID); err != nil || !cmp.Equal(one.Webhook, w) {
		t.Errorf("the webhook changed: %s (%v)", cmp.Diff(one.Webhook, w), err)
	}
	l.keep()
	if got := len(l.endpoints()); got != 1 {
		t.Errorf("%d endpoints stored, want 1", got)
	}
}

// TestRescue: deliveries die, and are given another chance one by one, all together, and by replay.
func TestRescue(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	s.answer(http.StatusInternalServerError)
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL}).Webhook
	var events []string
	for i := range 3 {
		id, err := l.stripe.Account(stripetest.Key).Emit("customer.created", fmt.Sprintf(`{"id":"cus_%d"}`, i))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, id)
	}
	s.wait(t, 3*3) // two waits are three attempts
	dead := l.waitFor(w.ID, store.DeliveryDead, 3)
	attempts, err := l.service.Attempts(t.Context(), workspace, dead[0].ID)
	if err != nil || len(attempts) != 3 || attempts[0].Status != 500 {
		t.Errorf("attempts = %+v, %v", attempts, err)
	}

	s.answer(http.StatusOK)
	if _, err := l.service.Retry(t.Context(), workspace, dead[0].ID); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
	l.waitFor(w.ID, store.DeliveryDelivered, 1)
	job, err := l.service.RetryDead(t.Context(), workspace, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.wait(t, 2)
	l.waitFor(w.ID, store.DeliveryDelivered, 3)
	if got := l.waitForJob(job.ID); got.Queued != 2 || got.State != JobDone {
		t.Errorf("job = %+v, want 2 queued", got)
	}

	job, err = l.service.Replay(t.Context(), workspace, w.ID, Range{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s.wait(t, 3)
	if got := l.waitForJob(job.ID); got.Queued != 3 || got.Events != 3 || got.State != JobDone {
		t.Errorf("job = %+v, want 3 of 3 queued", got)
	}
	got := slices.Compact(s.ids())
	slices.Sort(events)
	if diff := cmp.Diff(events, got); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
	if jobs := l.service.Jobs(workspace, w.ID); len(jobs) != 2 || jobs[0].Kind != JobReplay {
		t.Errorf("jobs = %+v", jobs)
	}
}

func TestReplayFaults(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: "https://example.com"}).Webhook
	now := time.Now()
	tests := []struct {
		r    Range
		want string
	}{
		{Range{}, "from"},
		{Range{From: now, To: now}, "to"},
		{Range{From: now, To: now.Add(-time.Hour)}, "to"},
		{Range{From: now.Add(-time.Hour), Types: []string{"*"}}, "types"},
	}
	for _, tt := range tests {
		var faults spec.Faults
		_, err := l.service.Replay(t.Context(), workspace, w.ID, tt.r)
		if !errors.As(err, &faults) || faults[0].Field != tt.want {
			t.Errorf("Replay(%+v) = %v, want a fault of %s", tt.r, err, tt.want)
		}
	}
}

func TestCloseEndsJobs(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: "https://example.com"}).Webhook
	l.service.Close()
	if _, err := l.service.RetryDead(t.Context(), workspace, w.ID); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("RetryDead() after Close = %v, want ErrUnavailable", err)
	}
}
