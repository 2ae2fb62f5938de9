package webhooks

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/store"
	"stripe-connector/internal/stripetest"
)

// emit makes n events and returns their ids.
func (l *line) emit(account *stripetest.Account, typ string, n int) []string {
	l.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		var err error
		if ids[i], err = account.Emit(typ, fmt.Sprintf(`{"id":"cus_%d","object":"customer"}`, i)); err != nil {
			l.t.Fatal(err)
		}
	}
	return ids
}

// TestCatchUp: while Stripe delivers nothing, 2,500 events happen. Each arrives once at each webhook that wants it.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	const missed = 2500
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	one, two, other := newSubscriber(t), newSubscriber(t), newSubscriber(t)
	first := l.attach(Attachment{Connection: conn, Group: "customer", URL: one.URL})
	l.attach(Attachment{Connection: conn, Group: "customer", Events: []string{"customer.created"}, URL: two.URL})
	l.attach(Attachment{Connection: conn, Group: "charge", URL: other.URL})
	account := l.stripe.Account(stripetest.Key)
	live := l.emit(account, "customer.created", 3)
	one.wait(t, 3)
	two.wait(t, 3)

	l.stripe.SetDelivery(false)
	ids := append(live, l.emit(account, "customer.created", missed)...)
	l.emit(account, "payout.paid", 50) // nobody wants these
	slices.Sort(ids)
	l.keep()
	one.wait(t, missed)
	two.wait(t, missed)
	if diff := cmp.Diff(ids, one.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ids, two.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
	if got := other.ids(); len(got) > 0 {
		t.Errorf("the other subscriber got %d events", len(got))
	}
	n, err := l.store.CountEvents(t.Context(), workspace, store.EventFilter{Endpoint: first.Endpoint.ID}, 10_000)
	if err != nil || n != missed+3 {
		t.Errorf("%d events stored, want %d (%v)", n, missed+3, err)
	}
	health := l.service.Health(first.Endpoint.ID)
	if health.Caught.IsZero() || health.CatchUp != nil || health.Problem != "" || health.Lag(health.Caught.Add(time.Minute)) != time.Minute {
		t.Errorf("health = %+v", health)
	}

	// In the order of their creation, as far as its lane allows.
	order := map[string]int{}
	for i, id := range account.IDs("event") {
		order[id] = i
	}
	newest := 0
	for _, r := range one.got {
		at := order[r.header.Get("Webhook-Id")]
		if newest-at > 200 {
			t.Fatalf("an event came %d places after a newer one", newest-at)
		}
		newest = max(newest, at)
	}
	sources := map[store.Source]int{}
	page := store.Page{}
	for {
		list, err := l.store.Events(t.Context(), workspace, store.EventFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Data {
			sources[e.Source]++
			if !strings.HasPrefix(e.Object, "cus_") {
				t.Fatalf("%s came by %s and is about %q", e.ID, e.Source, e.Object)
			}
		}
		if page.Cursor = list.Next; list.Next == "" {
			break
		}
	}
	if diff := cmp.Diff(map[store.Source]int{store.SourceWebhook: 3, store.SourceCatchUp: missed}, sources); diff != "" {
		t.Errorf("sources differ (-want +got):\n%s", diff)
	}

	// What arrives late after all is known.
	l.stripe.SetDelivery(true)
	l.stripe.SendHeld()
	if err := l.stripe.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.keep()
	if got := len(one.ids()); got != len(ids) {
		t.Errorf("%d deliveries, want %d", got, len(ids))
	}
}

// TestCatchUpAfterHealing: what happened while the endpoint was gone arrives within the round that heals it.
func TestCatchUpAfterHealing(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL})
	account := l.stripe.Account(stripetest.Key)
	account.Remove(w.Endpoint.StripeID)
	missed := l.emit(account, "customer.updated", 5)
	l.keep()
	s.wait(t, 5)
	live := l.emit(account, "customer.updated", 1)
	s.wait(t, 1)
	want := append(missed, live...)
	slices.Sort(want)
	if diff := cmp.Diff(want, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
	l.agrees(stripetest.Key)
}

func TestCatchUpManyTypes(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	types, _ := eventTypes("customer")
	if len(types) <= maxListTypes {
		t.Fatalf("the group has %d types only", len(types))
	}
	l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL})
	l.stripe.SetDelivery(false)
	var want []string
	for _, typ := range types {
		want = append(want, l.emit(l.stripe.Account(stripetest.Key), typ, 2)...)
	}
	slices.Sort(want)
	l.stripe.ResetCalls()
	l.keep()
	s.wait(t, len(want))
	if diff := cmp.Diff(want, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
	for _, c := range l.stripe.Calls() {
		n := 0
		for key := range c.Form {
			if strings.HasPrefix(key, "types") {
				n += len(c.Form[key])
			}
		}
		if c.Path == "/v1/events" && (n == 0 || n > maxListTypes) {
			t.Errorf("a call asked for %d types", n)
		}
	}
}

func TestCatchUpConnect(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	s := newSubscriber(t)
	l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", Connect: true, URL: s.URL})
	connected := l.stripe.Account(stripetest.Key).Connect("acct_connected")
	want := l.emit(connected, "customer.created", 1) // which names the account
	s.wait(t, 1)
	l.stripe.SetDelivery(false)
	want = append(want, l.emit(connected, "customer.created", 4)...)
	l.emit(l.stripe.Account(stripetest.Key), "customer.created", 1) // of the platform itself: not for a Connect endpoint
	l.keep()
	s.wait(t, 4)
	slices.Sort(want)
	if diff := cmp.Diff(want, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
	for _, r := range s.got {
		if got := r.header.Get("Stripe-Account"); got != "acct_connected" {
			t.Errorf("Stripe-Account = %q", got)
		}
	}
}

// held lets no event of a catch-up in, but those of the first calls, until it is released.
type held struct {
	ReceiverStore

	first   int
	come    chan struct{} // an Ingest has come
	release chan struct{} // closed: it goes on
}

func (h *held) Ingest(ctx context.Context, events []store.NewEvent, lease store.Lease) ([]store.Ingested, error) {
	if events[0].Source == store.SourceCatchUp {
		if h.first--; h.first >= 0 {
			return h.ReceiverStore.Ingest(ctx, events, lease)
		}
		select {
		case h.come <- struct{}{}:
		case <-h.release:
		}
		<-h.release
	}
	return h.ReceiverStore.Ingest(ctx, events, lease)
}

// TestHealingDuringCatchUp: an endpoint that is deleted at Stripe is healed in the next round, however long a catch-up takes.
func TestHealingDuringCatchUp(t *testing.T) {
	t.Parallel()
	hold := &held{come: make(chan struct{}), release: make(chan struct{})}
	l := newLine(t, lineOptions{wrap: func(s ReceiverStore) ReceiverStore { hold.ReceiverStore = s; return hold }})
	s := newSubscriber(t)
	e := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL}).Endpoint
	account := l.stripe.Account(stripetest.Key)
	l.stripe.SetDelivery(false)
	want := l.emit(account, "customer.created", 3)
	var under sync.WaitGroup
	l.keeper.round(t.Context(), &under)
	<-hold.come

	account.Remove(e.StripeID)
	l.keep()
	l.agrees(stripetest.Key)
	if health := l.service.Health(e.ID); health.CatchUp == nil || len(health.Actions) != 1 {
		t.Errorf("health = %+v, want a catch-up under way and one action", health)
	}
	close(hold.release)
	under.Wait()
	s.wait(t, len(want))
	slices.Sort(want)
	if diff := cmp.Diff(want, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
}

// stalling starts a subscriber that answers no event of a set until it is released, and tells of each that comes.
func stalling(t *testing.T, stall map[string]bool, release <-chan struct{}) (url string, came <-chan string) {
	t.Helper()
	ids := make(chan string, 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Webhook-Id")
		ids <- id
		if stall[id] {
			<-release
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, ids
}

// TestLiveDuringCatchUp: an event that Stripe sends during a catch-up does not queue behind what was missed, however long the
// subscriber takes for that.
func TestLiveDuringCatchUp(t *testing.T) {
	t.Parallel()
	const missed = listPage + 20
	hold := &held{first: 1, come: make(chan struct{}), release: make(chan struct{})}
	l := newLine(t, lineOptions{
		timeout: time.Hour, wrap: func(s ReceiverStore) ReceiverStore { hold.ReceiverStore = s; return hold },
	})
	stall, release := map[string]bool{}, make(chan struct{})
	url, came := stalling(t, stall, release)
	e := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: url}).Endpoint
	account := l.stripe.Account(stripetest.Key)
	l.stripe.SetDelivery(false)
	for _, id := range l.emit(account, "customer.created", missed) {
		stall[id] = true
	}
	var under sync.WaitGroup
	l.keeper.round(t.Context(), &under)
	for range chunk {
		if id := <-came; !stall[id] {
			t.Fatalf("%s came, which was not missed", id)
		}
	}
	l.stripe.SetDelivery(true)
	live := l.emit(account, "customer.created", 1)[0]
	if id := <-came; id != live {
		t.Errorf("%s came before the live event", id)
	}
	if l.service.Health(e.ID).CatchUp == nil {
		t.Error("the catch-up was over before the live event came")
	}
	close(hold.release)
	close(release)
	under.Wait()
	for range missed - chunk {
		<-came
	}
}

// TestCatchUpPassesOneThatHangs: a subscriber that does not answer keeps nothing from the others.
func TestCatchUpPassesOneThatHangs(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{timeout: time.Hour})
	stall, release := map[string]bool{}, make(chan struct{})
	conn := l.connection(stripetest.Key)
	url, hung := stalling(t, stall, release)
	well := newSubscriber(t)
	l.attach(Attachment{Connection: conn, Group: "customer", URL: url})
	l.attach(Attachment{Connection: conn, Group: "customer", URL: well.URL})
	l.stripe.SetDelivery(false)
	missed := l.emit(l.stripe.Account(stripetest.Key), "customer.created", 4*chunk)
	for _, id := range missed {
		stall[id] = true
	}
	l.keep()
	well.wait(t, len(missed))
	close(release)
	for range missed {
		<-hung
	}
}

// TestCatchUpBringsNoHistory: the position moves on while nothing happens that anybody wants. So types that a webhook asks for
// later do not bring all that happened since its last event.
func TestCatchUpBringsNoHistory(t *testing.T) {
	t.Parallel()
	var ago atomic.Int64 // how far Stripe's clock is behind, when it makes events
	l := newLine(t, lineOptions{stripe: stripetest.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }}})
	conn := l.connection(stripetest.Key)
	s := newSubscriber(t)
	w := l.attach(Attachment{Connection: conn, Group: "all", Events: []string{"payout.failed"}, URL: s.URL})
	_, err := l.store.UpdateEndpoint(t.Context(), workspace, w.Endpoint.ID, func(e *store.Endpoint) error {
		e.Caught = time.Now().AddDate(0, 0, -20)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.store.UpdateWebhook(t.Context(), workspace, w.Webhook.ID, func(w *store.Webhook) error {
		w.Since = time.Now().AddDate(0, 0, -20)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	account := l.stripe.Account(stripetest.Key)
	ago.Store(int64(10 * 24 * time.Hour))
	l.emit(account, "customer.created", 5)
	ago.Store(0)
	l.keep()
	events := []string{"payout.failed", "customer.created"}
	if _, err := l.service.Patch(t.Context(), workspace, w.Webhook.ID, Change{Events: &events}); err != nil {
		t.Fatal(err)
	}
	l.keep()
	live := l.emit(account, "customer.created", 1)
	s.wait(t, 1)
	if diff := cmp.Diff(live, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}
}

// TestCatchUpGoesOn: a run that fails half-way is taken up where it stopped.
func TestCatchUpGoesOn(t *testing.T) {
	t.Parallel()
	store := &away{}
	l := newLine(t, lineOptions{wrap: func(s ReceiverStore) ReceiverStore { store.ReceiverStore = s; return store }})
	s := newSubscriber(t)
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL})
	l.stripe.SetDelivery(false)
	ids := l.emit(l.stripe.Account(stripetest.Key), "customer.created", 10)
	store.left = 1
	l.keep()
	health := l.service.Health(w.Endpoint.ID)
	if health.CatchProblem != problemOfTheStore || !health.Caught.IsZero() || len(s.ids()) > 0 {
		t.Errorf("health = %+v after a failure", health)
	}
	now := time.Now().Add(time.Hour)
	l.service.now = func() time.Time { return now }
	l.keep()
	s.wait(t, len(ids))
	if health = l.service.Health(w.Endpoint.ID); health.CatchProblem != "" || !health.Caught.Equal(now) {
		t.Errorf("health = %+v after the second try", health)
	}
}

// TestCatchUpDoesNotReviveThePruned: the newest event of a quiet account is listed again and again, also when it has been
// forgotten here.
func TestCatchUpDoesNotReviveThePruned(t *testing.T) {
	t.Parallel()
	c := &catcher{began: time.Now(), retention: time.Hour}
	e := store.Endpoint{Caught: time.Now().Add(-2 * time.Hour)}
	tests := []struct {
		name    string
		created time.Time
		want    bool
	}{
		{"the newest that was seen", e.Caught, true},
		{"one before it", e.Caught.Add(-time.Minute), true},
		{"one after it", e.Caught.Add(time.Second), false},
	}
	for _, tt := range tests {
		if got := c.pruned(e, tt.created); got != tt.want {
			t.Errorf("%s: pruned = %t, want %t", tt.name, got, tt.want)
		}
	}
	e.Caught = time.Now()
	if c.pruned(e, e.Caught.Add(-overlap)) {
		t.Error("an event of the overlap counts as pruned, so a late one would be missed")
	}
}

// TestWalkHoldsLittle: the bodies of a long list are not all held at once, and every event still comes, oldest first.
func TestWalkHoldsLittle(t *testing.T) {
	t.Parallel()
	const n, size = 350, 1 << 20
	start := time.Unix(1_700_000_000, 0)
	grown, calls := 0, 0
	body := make([]byte, size)
	w := &walk{list: func(_ context.Context, after string) ([]listed, bool, error) {
		calls++
		newest := n + grown // events are numbered, the newest is the highest
		grown += 7
		if after != "" {
			if _, err := fmt.Sscanf(after, "evt_%d", &newest); err != nil {
				return nil, false, err
			}
			newest--
		}
		var page []listed
		for i := newest; i > 0 && len(page) < 10; i-- {
			page = append(page, listed{envelope{ID: fmt.Sprintf("evt_%d", i), Created: start.Add(time.Duration(i) * time.Second)}, body})
		}
		return page, newest > 10, nil
	}}
	if err := w.descend(t.Context()); err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, p := range w.pages {
		held += len(p.events)
	}
	if held*size > maxHeld+20*size {
		t.Errorf("%d MiB are held", held)
	}
	want := 1
	for {
		batch, err := ascend(t.Context(), []*walk{w}, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		for _, e := range batch {
			if e.ID != fmt.Sprintf("evt_%d", want) {
				t.Fatalf("got %s, want event %d", e.ID, want)
			}
			want++
		}
	}
	if want != n+1 {
		t.Errorf("%d events came, want %d", want-1, n)
	}
	if calls > 2*n/10 {
		t.Errorf("%d calls for %d pages", calls, n/10)
	}
}
