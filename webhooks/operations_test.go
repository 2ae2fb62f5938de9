package webhooks

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripetest"
)

// newOperations makes Operations on a store, until the end of the test.
func newOperations(t *testing.T, s store.Operations, schedule Schedule) *Operations {
	t.Helper()
	deliverer := NewDeliverer(10*time.Second, true, time.Now)
	o := NewOperations(OperationsConfig{
		Store: s, Secrets: tagSeal{}, Deliverer: deliverer, Schedule: schedule, Now: time.Now, Log: zerolog.Nop(),
	})
	t.Cleanup(func() {
		o.Close()
		deliverer.Close()
	})
	return o
}

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "connector.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// setURL has a workspace be told, and returns the secret.
func setURL(t *testing.T, o *Operations, workspace, url string) string {
	t.Helper()
	_, secret, err := o.SetURL(t.Context(), workspace, url)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// told is an operational event as it came.
type told struct {
	ID, Type, Workspace string
	Data                struct {
		Object struct{ ID, State, Reason, URL string }
	}
}

// next returns the n-th event that came, from 0 on, which one of the secrets has signed.
func (s *subscriber) next(t *testing.T, n int, secrets ...string) told {
	t.Helper()
	s.wait(t, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got[n]
	for _, secret := range secrets {
		if !signs(t, secret, got) {
			t.Errorf("event %d is not signed with the workspace's secret", n)
		}
	}
	var event told
	if err := json.Unmarshal(got.body, &event); err != nil {
		t.Fatal(err)
	}
	if event.ID != got.header.Get("Webhook-Id") {
		t.Errorf("webhook-id = %s, want the event's id %s", got.header.Get("Webhook-Id"), event.ID)
	}
	return event
}

func signs(t *testing.T, secret string, r received) bool {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return verifier.Verify(r.body, r.header) == nil
}

// TestOperationsAreTold: a subscriber that answers 410 disables its webhook, and the workspace hears of it, signed.
func TestOperationsAreTold(t *testing.T) {
	t.Parallel()
	operator, s := newSubscriber(t), newSubscriber(t)
	s.answer(http.StatusGone)
	l := newLine(t, lineOptions{})
	operations := newOperations(t, l.store, Schedule{})
	secret := setURL(t, operations, workspace, operator.URL)
	l.dispatcher.Guard = NewGuard(GuardConfig{Store: l.store, Operations: operations, Now: time.Now, Log: zerolog.Nop()})
	w := l.attach(Attachment{Connection: l.connection(stripetest.Key), Group: "customer", URL: s.URL + "/with-a-secret"}).Webhook
	l.emit(l.stripe.Account(stripetest.Key), "customer.created", 1)
	event := operator.next(t, 0, secret)
	o := event.Data.Object
	if event.Type != TypeDisabled || event.Workspace != workspace || o.ID != w.ID || o.State != "disabled" || o.Reason != reasonGone || o.URL != "" {
		t.Errorf("event = %+v", event)
	}
}

// TestGuardTells: each turn of a webhook's state is told.
func TestGuardTells(t *testing.T) {
	t.Parallel()
	now := time.Now()
	operator := newSubscriber(t)
	operations := newOperations(t, newStore(t), Schedule{})
	secret := setURL(t, operations, workspace, operator.URL)
	book := &logbook{
		webhook: store.Webhook{ID: "whk_1", Workspace: workspace, State: store.WebhookActive},
		deliveries: []store.Delivery{
			{ID: "dlv_x", State: store.DeliveryDead, Attempts: 25, Created: now.AddDate(0, 0, -6)},
		},
	}
	g := NewGuard(GuardConfig{Store: book, Operations: operations, Now: func() time.Time { return now }, Log: zerolog.Nop()})
	attempted := func(n int, verdict store.Verdict) {
		for range n {
			w := book.webhook
			g.attempted(t.Context(), &w, &store.Outcome{Verdict: verdict, Attempt: &store.Attempt{}})
		}
	}
	attempted(failingRow, store.VerdictRetry)
	failing := operator.next(t, 0, secret)
	attempted(1, store.VerdictDelivered)
	recovered := operator.next(t, 1, secret)
	attempted(1, store.VerdictDead)
	disabled := operator.next(t, 2, secret)
	for _, tt := range []struct {
		got         told
		typ         string
		state       store.WebhookState
		wantsReason string
	}{
		{failing, TypeFailing, store.WebhookFailing, reasonFailing},
		{recovered, TypeRecovered, store.WebhookActive, ""},
		{disabled, TypeDisabled, store.WebhookDisabled, reasonSilent},
	} {
		o := tt.got.Data.Object
		if tt.got.Type != tt.typ || o.ID != "whk_1" || o.State != string(tt.state) || o.Reason != tt.wantsReason {
			t.Errorf("got %+v, want %s with the state %s", tt.got, tt.typ, tt.state)
		}
	}
}

// TestOperationsAreApart: no workspace hears of another's webhooks, and one without a URL hears of nothing.
func TestOperationsAreApart(t *testing.T) {
	t.Parallel()
	operations := newOperations(t, newStore(t), Schedule{})
	a, b := newSubscriber(t), newSubscriber(t)
	secrets := []string{setURL(t, operations, "a", a.URL), setURL(t, operations, "b", b.URL)}
	for _, of := range []string{"a", "b", "c"} {
		operations.announce(TypeFailing, &store.Webhook{ID: "whk_" + of, Workspace: of})
	}
	for i, operator := range []*subscriber{a, b} {
		event := operator.next(t, 0, secrets[i])
		if want := []string{"a", "b"}[i]; event.Workspace != want || event.Data.Object.ID != "whk_"+want {
			t.Errorf("%s heard %+v", want, event)
		}
		if signs(t, secrets[1-i], operator.got[0]) {
			t.Error("the other workspace's secret signs too")
		}
	}
	operations.under.Wait()
	if len(a.got) != 1 || len(b.got) != 1 {
		t.Errorf("%d and %d events came, want one each", len(a.got), len(b.got))
	}
}

// TestOperationsURLIsMended: what could not be delivered goes to the URL that is set meanwhile.
func TestOperationsURLIsMended(t *testing.T) {
	t.Parallel()
	operations := newOperations(t, newStore(t), Schedule{time.Millisecond, time.Millisecond, time.Hour})
	right := newSubscriber(t)
	wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, again, err := operations.SetURL(r.Context(), workspace, right.URL); err != nil || again != "" {
			t.Errorf("another URL has made another secret, or failed: %v", err)
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(wrong.Close)
	secret := setURL(t, operations, workspace, wrong.URL)
	operations.announce(TypeDisabled, &store.Webhook{ID: "whk_1", Workspace: workspace})
	if event := right.next(t, 0, secret); event.Type != TypeDisabled {
		t.Errorf("event = %+v", event)
	}
}

// TestOperationsStop: nothing is repeated to who wants nothing, or has been removed.
func TestOperationsStop(t *testing.T) {
	t.Parallel()
	operations := newOperations(t, newStore(t), Schedule{time.Millisecond, time.Millisecond, time.Hour})
	gone := newSubscriber(t)
	gone.answer(http.StatusGone)
	setURL(t, operations, workspace, gone.URL)
	operations.announce(TypeDisabled, &store.Webhook{ID: "whk_1", Workspace: workspace})
	operations.under.Wait()
	if len(gone.got) != 1 {
		t.Errorf("%d attempts at one that is gone, want 1", len(gone.got))
	}
	removed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := operations.RemoveURL(r.Context(), workspace); err != nil { // as it would be the second time
			t.Error(err)
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(removed.Close)
	setURL(t, operations, workspace, removed.URL)
	operations.announce(TypeDisabled, &store.Webhook{ID: "whk_1", Workspace: workspace})
	operations.under.Wait()
}

func TestOperationsSecretRotates(t *testing.T) {
	t.Parallel()
	operations := newOperations(t, newStore(t), Schedule{})
	operator := newSubscriber(t)
	old := setURL(t, operations, workspace, operator.URL)
	u, fresh, err := operations.RotateSecret(t.Context(), workspace)
	if err != nil {
		t.Fatal(err)
	}
	if fresh == old {
		t.Error("the secret is the one before")
	}
	trial, err := operations.Test(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	event := operator.next(t, 0, old, fresh)
	if !trial.Delivered || trial.Status != http.StatusOK || event.Type != TypeTest || event.ID != trial.Event || event.Data.Object.ID != u.ID {
		t.Errorf("trial = %+v, event = %+v", trial, event)
	}
	_, _, err = operations.RotateSecret(t.Context(), "other")
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got error %v for a workspace without a URL, want ErrNotFound", err)
	}
}

func TestOperationsURLIsJudged(t *testing.T) {
	t.Parallel()
	operations := newOperations(t, newStore(t), Schedule{})
	operations.Deliverer = NewDeliverer(time.Second, false, time.Now)
	tests := []struct{ url, code string }{
		{"", spec.CodeRequired},
		{"https://example.com/" + strings.Repeat("x", maxTarget), spec.CodeTooLong},
		{"http://example.com", spec.CodeRefused},
		{"https://127.0.0.1/", spec.CodeRefused},
		{"https://169.254.169.254/", spec.CodeRefused},
		{"https://user:password@example.com/", spec.CodeRefused},
		{"operations", spec.CodeRefused},
	}
	for _, tt := range tests {
		_, _, err := operations.SetURL(t.Context(), workspace, tt.url)
		faults, _ := errors.AsType[spec.Faults](err)
		if len(faults) != 1 || faults[0].Field != "url" || faults[0].Code != tt.code {
			t.Errorf("%.40q: got %v, want %s of url", tt.url, err, tt.code)
		}
	}
	if _, err := operations.URL(t.Context(), workspace); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a refused URL was stored: %v", err)
	}
}
