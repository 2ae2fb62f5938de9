package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
)

// registered is what Stripe knows of an endpoint.
type registered struct {
	ID         string            `json:"id"`
	URL        string            `json:"url"`
	Events     []string          `json:"enabled_events"`
	Metadata   map[string]string `json:"metadata"`
	APIVersion string            `json:"api_version"`
	Status     string            `json:"status"`
}

// registered lists the endpoints that Stripe has for a key.
func (l *line) registered(key string) []registered {
	l.t.Helper()
	account := l.stripe.Account(key)
	var list []registered
	for _, id := range account.IDs("webhook_endpoint") {
		var r registered
		if err := json.Unmarshal(account.Object(id), &r); err != nil {
			l.t.Fatal(err)
		}
		slices.Sort(r.Events)
		list = append(list, r)
	}
	return list
}

// nothingLeft fails the test unless store and Stripe are as if nothing had ever been attached.
func (l *line) nothingLeft(key string) {
	l.t.Helper()
	if got := l.webhooks(); len(got) > 0 {
		l.t.Errorf("%d webhooks are left", len(got))
	}
	if got := l.endpoints(); len(got) > 0 {
		l.t.Errorf("%d stored endpoints are left", len(got))
	}
	if got := l.registered(key); len(got) > 0 {
		l.t.Errorf("%d endpoints are left at Stripe", len(got))
	}
}

// TestPoolOneEndpoint: where every webhook has an endpoint of its own, the 17th is refused.
func TestPoolOneEndpoint(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{stripe: stripetest.Options{EndpointLimit: 1}})
	conn := l.connection(stripetest.Key)
	types, _ := eventTypes("customer")
	for i := range 20 {
		l.attach(Attachment{
			Connection: conn, Group: "customer", Events: []string{types[i], types[0]}, URL: fmt.Sprintf("https://example.com/%d", i),
		})
	}
	got := l.registered(stripetest.Key)
	stored := l.endpoints()
	if len(got) != 1 || len(stored) != 1 {
		t.Fatalf("%d endpoints at Stripe and %d stored, want one of each", len(got), len(stored))
	}
	want := registered{
		ID: stored[0].StripeID, URL: l.public.URL + "/stripe/" + stored[0].ID, Events: union(types[:20]),
		Metadata: map[string]string{"connector_endpoint": stored[0].ID}, Status: "enabled",
	}
	got[0].APIVersion = ""
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("endpoint differs (-want +got):\n%s", diff)
	}
}

func TestPoolFiftyAttachesAtOnce(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	types, _ := eventTypes("customer")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			a := Attachment{
				Name: "Hook", Connection: conn, Group: "customer", Events: []string{types[i%20]}, Connect: i%2 == 1,
				URL: fmt.Sprintf("https://example.com/%d", i),
			}
			if _, err := l.service.Attach(t.Context(), workspace, a); err != nil {
				t.Errorf("attaching webhook %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	got := l.registered(stripetest.Key)
	if len(got) != 2 {
		t.Fatalf("%d endpoints at Stripe, want one for each value of connect", len(got))
	}
	all := append(got[0].Events, got[1].Events...)
	slices.Sort(all)
	if diff := cmp.Diff(union(types[:20]), all); diff != "" {
		t.Errorf("union differs (-want +got):\n%s", diff)
	}
	// And back again, at once too.
	for _, w := range l.webhooks() {
		wg.Go(func() {
			if err := l.service.Detach(t.Context(), workspace, w.ID); err != nil {
				t.Errorf("detaching: %v", err)
			}
		})
	}
	wg.Wait()
	l.nothingLeft(stripetest.Key)
}

// TestPoolMovesAtOnce changes webhooks back and forth between two pools. In the end Stripe has what the store wants.
func TestPoolMovesAtOnce(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	types, _ := eventTypes("customer")
	var wg sync.WaitGroup
	for i := range 10 {
		w := l.attach(Attachment{
			Connection: conn, Group: "customer", Events: types[i : i+1], Connect: i%2 == 0, URL: fmt.Sprintf("https://example.com/%d", i),
		}).Webhook
		wg.Go(func() {
			for n := range 5 {
				connect, events := (i+n)%2 == 0, []string{types[i], types[n]}
				if _, err := l.service.Patch(t.Context(), workspace, w.ID, Change{Connect: &connect, Events: &events}); err != nil {
					t.Errorf("patching webhook %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	stored := l.endpoints()
	got := map[string][]string{}
	for _, r := range l.registered(stripetest.Key) {
		got[r.Metadata[endpointMark]] = r.Events
	}
	want := map[string][]string{}
	for _, e := range stored {
		wanted, err := l.store.WantedTypes(t.Context(), workspace, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		want[e.ID] = wanted
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stripe's endpoints differ from the store's (-want +got):\n%s", diff)
	}
}

func TestAttachSameTwentyTimesAtOnce(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	a := Attachment{Name: "Hook", Connection: l.connection(stripetest.Key), Group: "invoice", URL: "https://example.com"}
	var mu sync.Mutex
	var secrets []string
	ids := map[string]bool{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			attached, err := l.service.Attach(t.Context(), workspace, a)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[attached.Webhook.ID] = true
			if attached.Created != (attached.SigningSecret != "") {
				t.Errorf("created: %t, with a secret: %t", attached.Created, attached.SigningSecret != "")
			}
			if attached.Created {
				secrets = append(secrets, attached.SigningSecret)
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || len(secrets) != 1 {
		t.Errorf("%d ids and %d secrets, want one of each", len(ids), len(secrets))
	}
}

func TestAttachRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		key    string
		faults func(*stripetest.Server)
		status int
		words  string
	}{
		{"limit", stripetest.Key, func(s *stripetest.Server) {
			s.Fault(stripetest.Refused(400, "invalid_request_error", "", "You have reached the maximum of 16 test webhook endpoints."))
		}, 400, "as many webhook endpoints as Stripe allows"},
		{"permission", stripetest.KeyRestricted, func(s *stripetest.Server) { s.Restrict(stripetest.KeyRestricted, "customer_write") }, 403, "Webhook Endpoints: Write"},
		{"revoked", stripetest.KeyRevoked, func(*stripetest.Server) {}, 424, ""},
		{"down", stripetest.Key, func(s *stripetest.Server) { s.Fault(stripetest.ServerError(503).Times(10)) }, 502, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, lineOptions{})
			conn := l.connection(tt.key)
			tt.faults(l.stripe)
			_, err := l.service.Attach(t.Context(), workspace, Attachment{
				Name: "Hook", Connection: conn, Group: "invoice", URL: "https://example.com",
			})
			var failed *stripeapi.Error
			if !errors.As(err, &failed) || failed.Status != tt.status || !strings.Contains(failed.Detail, tt.words) {
				t.Errorf("Attach() = %v, want status %d and %q", err, tt.status, tt.words)
			}
			l.stripe.ResetFaults()
			l.keep() // Where Stripe's word is missing, a note stays until it is clear that nothing was made.
			l.nothingLeft(tt.key)
		})
	}
}

// TestAttachRefusedBesideOthers: what is attached already is not touched by a refusal.
func TestAttachRefusedBesideOthers(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	l.attach(Attachment{Connection: conn, Group: "invoice", URL: "https://example.com"})
	before := l.registered(stripetest.Key)
	l.stripe.Fault(stripetest.ServerError(500).Times(10))
	_, err := l.service.Attach(t.Context(), workspace, Attachment{
		Name: "Hook", Connection: conn, Group: "customer", URL: "https://example.com",
	})
	if err == nil {
		t.Error("Attach() = nil, want Stripe's failure")
	}
	l.stripe.ResetFaults()
	if diff := cmp.Diff(before, l.registered(stripetest.Key)); diff != "" {
		t.Errorf("endpoint differs (-want +got):\n%s", diff)
	}
	if got := len(l.webhooks()); got != 1 {
		t.Errorf("%d webhooks, want 1", got)
	}
}

func TestPlainNamesTheField(t *testing.T) {
	t.Parallel()
	r := &registrar{publicURL: "https://hooks.example.com"}
	refused := func(param, message string) error {
		return &stripeapi.Error{Status: 400, Detail: message, Stripe: &stripeapi.StripeError{Param: param, Message: message}}
	}
	tests := []struct {
		name  string
		err   error
		field string // of a fault; empty: the error stays Stripe's
		words string
	}{
		{"unknown type", refused("enabled_events[1]", "Invalid enabled_events[1]"), "enabled_events", "foo.bar"},
		{"unknown version", refused("api_version", "Invalid API version"), "api_version", "Stripe does not know this API version"},
		{"unreachable", refused("url", "Invalid URL: must be publicly accessible"), "", "CONNECTOR_PUBLIC_URL"},
		{"other", refused("description", "Too long"), "", "Too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := r.plain(tt.err, []string{"customer.created", "foo.bar"})
			var faults spec.Faults
			errors.As(err, &faults)
			if got := slices.ContainsFunc(faults, func(f spec.Fault) bool { return f.Field == tt.field }); got != (tt.field != "") {
				t.Errorf("plain() = %v, want a fault of %q", err, tt.field)
			}
			if !strings.Contains(err.Error(), tt.words) {
				t.Errorf("plain() = %v, want %q in it", err, tt.words)
			}
		})
	}
}

func TestDetach(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	one := l.attach(Attachment{Connection: conn, Group: "charge", Events: []string{"charge.failed", "charge.captured"}, URL: "https://example.com/1"})
	two := l.attach(Attachment{Connection: conn, Group: "charge", Events: []string{"charge.failed"}, URL: "https://example.com/2"})
	if err := l.store.DeleteConnection(t.Context(), workspace, conn); !errors.Is(err, store.ErrConflict) {
		t.Errorf("DeleteConnection() = %v, want ErrConflict while webhooks use it", err)
	}
	if err := l.service.Detach(t.Context(), "other", one.Webhook.ID); err != nil {
		t.Errorf("detaching a foreign webhook = %v, want nothing", err)
	}
	if got := len(l.webhooks()); got != 2 {
		t.Errorf("%d webhooks, want 2", got)
	}
	for range 2 {
		if err := l.service.Detach(t.Context(), workspace, one.Webhook.ID); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"charge.failed"}, l.registered(stripetest.Key)[0].Events); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
	if err := l.service.Detach(t.Context(), workspace, two.Webhook.ID); err != nil {
		t.Fatal(err)
	}
	l.nothingLeft(stripetest.Key)
}

func TestDetachRefused(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	one := l.attach(Attachment{Connection: conn, Group: "charge", URL: "https://example.com/1"})
	l.stripe.Fault(stripetest.ServerError(500).On(http.MethodDelete, "").Times(10))
	if err := l.service.Detach(t.Context(), workspace, one.Webhook.ID); err == nil {
		t.Error("Detach() = nil, want Stripe's failure")
	}
	if len(l.webhooks()) != 1 || len(l.registered(stripetest.Key)) != 1 {
		t.Error("the webhook did not stay as it was")
	}
	l.stripe.ResetFaults()
	l.stripe.Revoke(stripetest.Key)
	if err := l.service.Detach(t.Context(), workspace, one.Webhook.ID); err != nil {
		t.Errorf("Detach() = %v, want nil: a revoked key must not hold the user back", err)
	}
	if got := l.endpoints(); len(got) != 1 || got[0].State != store.EndpointRefused || got[0].StripeID == "" {
		t.Errorf("endpoints = %+v, want the one that is still to be deleted", got)
	}
}

func TestEndpointDeletedBehindOurBack(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	one := l.attach(Attachment{Connection: conn, Group: "charge", URL: "https://example.com/1"})
	l.stripe.Account(stripetest.Key).Remove(one.Endpoint.StripeID)
	two := l.attach(Attachment{Connection: conn, Group: "invoice", URL: "https://example.com/1"})
	got := l.registered(stripetest.Key)
	if len(got) != 1 || got[0].ID == one.Endpoint.StripeID || got[0].ID != two.Endpoint.StripeID {
		t.Fatalf("registered = %+v", got)
	}
	if got := len(two.Endpoint.Secrets); got != 2 {
		t.Errorf("%d secrets, want the old one too, for late deliveries", got)
	}
	l.stripe.Account(stripetest.Key).Remove(two.Endpoint.StripeID)
	for _, w := range l.webhooks() {
		if err := l.service.Detach(t.Context(), workspace, w.ID); err != nil {
			t.Fatal(err)
		}
	}
	l.nothingLeft(stripetest.Key)
}

// forgetful loses the first change of an endpoint, as a crash between Stripe's answer and the store would.
type forgetful struct {
	ServiceStore

	mu   sync.Mutex
	lose int
}

func (f *forgetful) UpdateEndpoint(
	ctx context.Context, workspace, id string, change func(*store.Endpoint) error,
) (store.Endpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lose > 0 {
		f.lose--
		return store.Endpoint{}, store.ErrUnavailable
	}
	return f.ServiceStore.UpdateEndpoint(ctx, workspace, id, change)
}

// DeleteEndpoint fails as well as long as changes are lost, so that the pool stays.
func (f *forgetful) DeleteEndpoint(ctx context.Context, workspace, id string) error {
	return store.ErrUnavailable
}

func TestAttachAdoptsAfterCrash(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		behind func(l *line) // what happens before the second try
		want   func(first, second registered) bool
	}{
		{"same again", func(*line) {}, func(first, second registered) bool { return first.ID == second.ID }},
		{"deleted since", func(l *line) {
			l.stripe.Account(stripetest.Key).Remove(l.registered(stripetest.Key)[0].ID)
		}, func(first, second registered) bool { return first.ID != second.ID }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, lineOptions{})
			now := time.Now()
			l.service.registrar.now = func() time.Time { return now } // the next sameCreation must not begin in between
			l.service.registrar.store = &forgetful{ServiceStore: l.store, lose: 1}
			a := Attachment{Name: "Hook", Connection: l.connection(stripetest.Key), Group: "charge", URL: "https://example.com"}
			if _, err := l.service.Attach(t.Context(), workspace, a); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("Attach() = %v, want ErrUnavailable", err)
			}
			first := l.registered(stripetest.Key)
			tt.behind(l)
			attached := l.attach(a)
			second := l.registered(stripetest.Key)
			if len(first) != 1 || len(second) != 1 || !tt.want(first[0], second[0]) || second[0].ID != attached.Endpoint.StripeID {
				t.Fatalf("first %+v, second %+v", first, second)
			}
			sealed := attached.Endpoint.Secrets[0].Sealed
			secret, err := tagSeal{}.Open(attached.Endpoint.ID, store.PurposeEndpoint, sealed)
			if err != nil || string(secret) != l.stripe.Account(stripetest.Key).Secret(second[0].ID) {
				t.Errorf("the stored secret is not Stripe's (%v)", err)
			}
		})
	}
}

// TestAttachDeletesWhatWasLeft: the second try wants other events, so Stripe makes a second endpoint. The first has to go.
func TestAttachDeletesWhatWasLeft(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	l.service.registrar.store = &forgetful{ServiceStore: l.store, lose: 1}
	a := Attachment{Name: "Hook", Connection: l.connection(stripetest.Key), Group: "charge", URL: "https://example.com"}
	if _, err := l.service.Attach(t.Context(), workspace, a); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Attach() = %v, want ErrUnavailable", err)
	}
	a.Group = "invoice"
	attached := l.attach(a)
	got := l.registered(stripetest.Key)
	if len(got) != 1 || got[0].ID != attached.Endpoint.StripeID {
		t.Errorf("registered = %+v, want %s alone", got, attached.Endpoint.StripeID)
	}
}

// A hasty store deletes the connection at some moment of an attach.
type hasty struct {
	ServiceStore

	update, create func() // what happens before an endpoint is changed, and before a webhook is stored
}

func (h *hasty) UpdateEndpoint(
	ctx context.Context, workspace, id string, change func(*store.Endpoint) error,
) (store.Endpoint, error) {
	h.update()
	return h.ServiceStore.UpdateEndpoint(ctx, workspace, id, change)
}

func (h *hasty) CreateWebhook(ctx context.Context, w store.Webhook) (store.Webhook, bool, error) {
	h.create()
	return h.ServiceStore.CreateWebhook(ctx, w)
}

// TestConnectionDeletedWhileAttaching: the connection's rows go, and Stripe must not keep what they stood for.
func TestConnectionDeletedWhileAttaching(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"endpoint", "webhook"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, lineOptions{})
			conn := l.connection(stripetest.Key)
			remove := sync.OnceFunc(func() {
				if err := l.store.DeleteConnection(t.Context(), workspace, conn); err != nil {
					t.Error(err)
				}
			})
			h := &hasty{ServiceStore: l.store, update: func() {}, create: remove}
			if moment == "endpoint" {
				h.update = remove
			}
			l.service.store, l.service.registrar.store = h, h
			a := Attachment{Name: "Hook", Connection: conn, Group: "charge", URL: "https://example.com"}
			if _, err := l.service.Attach(t.Context(), workspace, a); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Attach() = %v, want ErrNotFound", err)
			}
			l.nothingLeft(stripetest.Key)
		})
	}
}

// TestRelease: before a connection is deleted, what an attach has left in doubt goes, and only that.
func TestRelease(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	l.service.registrar.store = &forgetful{ServiceStore: l.store, lose: 1}
	a := Attachment{Name: "Hook", Connection: conn, Group: "charge", URL: "https://example.com"}
	if _, err := l.service.Attach(t.Context(), workspace, a); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Attach() = %v, want ErrUnavailable", err)
	}
	l.service.registrar.store = l.store
	a.APIVersion = "2020-08-27"
	used := l.attach(a)
	if got := len(l.registered(stripetest.Key)); got != 2 {
		t.Fatalf("%d endpoints at Stripe, want 2", got)
	}

	l.stripe.Fault(stripetest.ServerError(500).Times(10))
	if err := l.service.Release(t.Context(), workspace, conn); err == nil {
		t.Error("releasing while Stripe is away = nil, and the rest would never be deleted")
	}
	l.stripe.ResetFaults()
	if err := l.service.Release(t.Context(), workspace, conn); err != nil {
		t.Fatal(err)
	}
	if got := l.registered(stripetest.Key); len(got) != 1 || got[0].ID != used.Endpoint.StripeID {
		t.Errorf("registered = %+v, want the one that is used", got)
	}
	l.stripe.Revoke(stripetest.Key)
	if err := l.service.Detach(t.Context(), workspace, used.Webhook.ID); err != nil || len(l.endpoints()) != 1 {
		t.Fatalf("detaching with a refused key = %v, with %d endpoints", err, len(l.endpoints()))
	}
	if err := l.service.Release(t.Context(), workspace, conn); err != nil {
		t.Errorf("releasing with a refused key = %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url        string
		live       bool
		wantSetUp  bool
		wantPublic string
	}{
		{"https://hooks.example.com", true, true, "https://hooks.example.com/stripe/ep_1"},
		{"https://example.com/connector/", true, true, "https://example.com/connector/stripe/ep_1"},
		{"http://localhost:8080", false, true, "http://localhost:8080/stripe/ep_1"},
		{"http://localhost:8080", true, false, ""},
		{"", false, false, ""},
		{"example.com", false, false, ""},
	}
	for _, tt := range tests {
		r := &registrar{publicURL: tt.url}
		err := r.checkURL(&store.Connection{Livemode: tt.live})
		var setup SetupError
		if (err == nil) != tt.wantSetUp || (err != nil && !errors.As(err, &setup)) {
			t.Errorf("checkURL(%q, live: %t) = %v", tt.url, tt.live, err)
		}
		if err == nil && r.url("ep_1") != tt.wantPublic {
			t.Errorf("url = %q, want %q", r.url("ep_1"), tt.wantPublic)
		}
	}
}

// TestAttachAtTheLimitOfItsOwnMaking: what an earlier try left takes the last place that the account has.
func TestAttachAtTheLimitOfItsOwnMaking(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{stripe: stripetest.Options{EndpointLimit: 1}})
	l.service.registrar.store = &forgetful{ServiceStore: l.store, lose: 1}
	a := Attachment{Name: "Hook", Connection: l.connection(stripetest.Key), Group: "charge", URL: "https://example.com"}
	if _, err := l.service.Attach(t.Context(), workspace, a); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Attach() = %v, want ErrUnavailable", err)
	}
	a.Group = "invoice"
	attached := l.attach(a)
	if got := l.registered(stripetest.Key); len(got) != 1 || got[0].ID != attached.Endpoint.StripeID {
		t.Errorf("registered = %+v, want %s alone", got, attached.Endpoint.StripeID)
	}
}
