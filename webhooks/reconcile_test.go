package webhooks

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
)

// kinds are the kinds of actions, in order.
func kinds(actions []Action) []ActionKind {
	var all []ActionKind
	for _, a := range actions {
		all = append(all, a.Kind)
	}
	return all
}

// agrees fails the test unless Stripe has exactly one endpoint for each pool that has webhooks, as it should be, and the
// store nothing else.
func (l *line) agrees(key string) {
	l.t.Helper()
	type state struct {
		ID, URL, Status, Secret string
		Events                  []string
	}
	want, got := map[string]state{}, map[string]state{}
	for _, e := range l.endpoints() {
		wanted, err := l.store.WantedTypes(l.t.Context(), workspace, e.ID)
		if err != nil {
			l.t.Fatal(err)
		}
		if len(wanted) == 0 || len(e.Secrets) == 0 {
			l.t.Errorf("endpoint %s is stored with %d types and %d secrets", e.ID, len(wanted), len(e.Secrets))
			continue
		}
		secret, err := tagSeal{}.Open(e.ID, store.PurposeEndpoint, e.Secrets[0].Sealed)
		if err != nil {
			l.t.Error(err)
		}
		if e.State != store.EndpointEnabled || !cmp.Equal(e.EventTypes, wanted) {
			l.t.Errorf("endpoint %s is stored as %s (%s) with %v, want enabled with %v", e.ID, e.State, e.Reason, e.EventTypes, wanted)
		}
		want[e.ID] = state{e.StripeID, l.service.registrar.url(e.ID), "enabled", string(secret), wanted}
	}
	all := l.registered(key)
	for _, r := range all {
		if mark := r.Metadata[endpointMark]; mark != "" {
			got[mark] = state{r.ID, r.URL, r.Status, l.stripe.Account(key).Secret(r.ID), r.Events}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Errorf("Stripe's endpoints are not the store's (-want +got):\n%s", diff)
	}
	if len(all) > len(want) {
		l.t.Errorf("%d endpoints at Stripe, want %d", len(all), len(want))
	}
	for _, w := range l.webhooks() {
		if _, ok := want[w.Endpoint]; !ok {
			l.t.Errorf("webhook %s has no endpoint", w.ID)
		}
	}
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	const version = "2020-08-27"
	tests := []struct {
		name   string
		change func(l *line, e store.Endpoint)
		want   []ActionKind
		same   bool // the endpoint at Stripe stays the same one
	}{
		{"nothing", func(*line, store.Endpoint) {}, nil, true},
		{"deleted", func(l *line, e store.Endpoint) {
			l.stripe.Account(stripetest.Key).Remove(e.StripeID)
		}, []ActionKind{ActionCreated}, false},
		{"disabled", func(l *line, e store.Endpoint) {
			l.stripe.Account(stripetest.Key).Set(e.StripeID, map[string]any{"status": "disabled"})
		}, []ActionKind{ActionEnabled}, true},
		{"other events", func(l *line, e store.Endpoint) {
			l.stripe.Account(stripetest.Key).Set(e.StripeID, map[string]any{"enabled_events": []any{"charge.failed", "payout.paid"}})
		}, []ActionKind{ActionChanged}, true},
		{"other URL", func(l *line, e store.Endpoint) {
			l.stripe.Account(stripetest.Key).Set(e.StripeID, map[string]any{"url": "https://example.com/stripe/ep_1"})
		}, []ActionKind{ActionChanged}, true},
		{"other version", func(l *line, e store.Endpoint) {
			l.stripe.Account(stripetest.Key).Set(e.StripeID, map[string]any{"api_version": "2019-05-16"})
		}, []ActionKind{ActionReplaced, ActionDeleted}, false},
		{"PUBLIC_URL moved", func(l *line, _ store.Endpoint) {
			l.service.registrar.publicURL = "http://elsewhere.example"
		}, []ActionKind{ActionChanged}, true},
		{"second one with the mark", func(l *line, e store.Endpoint) {
			l.put(`{"object":"webhook_endpoint","id":"we_left","status":"enabled","enabled_events":["*"],"url":"https://example.com",
				"metadata":{"connector_endpoint":"` + e.ID + `"}}`)
		}, []ActionKind{ActionDeleted}, true},
		{"stray of a pool that is forgotten", func(l *line, _ store.Endpoint) {
			l.put(`{"object":"webhook_endpoint","id":"we_stray","status":"enabled","enabled_events":["*"],"url":"` +
				l.service.registrar.url("ep_gone") + `","metadata":{"connector_endpoint":"ep_gone"}}`)
		}, []ActionKind{ActionDeleted}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, lineOptions{})
			conn := l.connection(stripetest.Key)
			before := l.attach(Attachment{Connection: conn, Group: "charge", URL: "https://example.com/1", APIVersion: version}).Endpoint
			tt.change(l, before)
			done, err := l.service.Reconcile(t.Context(), workspace, conn)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, kinds(done)); diff != "" {
				t.Errorf("actions differ (-want +got):\n%s", diff)
			}
			l.agrees(stripetest.Key)
			after := l.endpoints()[0]
			if same := after.StripeID == before.StripeID; same != tt.same {
				t.Errorf("the same endpoint at Stripe: %t, want %t", same, tt.same)
			}
			if !tt.same && len(after.Secrets) != 2 {
				t.Errorf("%d secrets, want the old one too, for late deliveries", len(after.Secrets))
			}
			again, err := l.service.Reconcile(t.Context(), workspace, conn)
			if err != nil || len(again) > 0 {
				t.Errorf("once more: %v, %v, want nothing to do", again, err)
			}
		})
	}
}

// put makes an object at Stripe behind our back.
func (l *line) put(raw string) {
	l.t.Helper()
	if _, err := l.stripe.Account(stripetest.Key).Put(raw); err != nil {
		l.t.Fatal(err)
	}
}

// TestReconcileLeavesOthersAlone: what somebody else has in the account is none of our business, and neither is what another
// installation marked.
func TestReconcileLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	l.put(`{"object":"webhook_endpoint","id":"we_theirs","status":"enabled","enabled_events":["*"],"url":"https://example.com","metadata":{}}`)
	l.put(`{"object":"webhook_endpoint","id":"we_staging","status":"disabled","enabled_events":["*"],
		"url":"https://staging.example.com/stripe/ep_staging","metadata":{"connector_endpoint":"ep_staging"}}`)
	before := l.registered(stripetest.Key)
	if done, err := l.service.Reconcile(t.Context(), workspace, conn); err != nil || len(done) > 0 {
		t.Errorf("Reconcile() = %v, %v, want nothing", done, err)
	}
	if diff := cmp.Diff(before, l.registered(stripetest.Key)); diff != "" {
		t.Errorf("others' endpoints changed (-before +after):\n%s", diff)
	}
}

// TestReconcileDeletesLater: a detach with a refused key leaves an endpoint, which goes when there is a better one.
func TestReconcileDeletesLater(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	w := l.attach(Attachment{Connection: conn, Group: "charge", URL: "https://example.com/1"})
	l.setKey(conn, stripetest.KeyRevoked)
	if err := l.service.Detach(t.Context(), workspace, w.Webhook.ID); err != nil {
		t.Fatal(err)
	}
	l.keep()
	health := l.service.Health(w.Endpoint.ID)
	if health.Problem == "" || !health.NextTry.After(time.Now()) {
		t.Errorf("health = %+v, want a problem and a later try", health)
	}
	l.setKey(conn, stripetest.Key)
	l.keep() // A new key is worth a try at once.
	l.nothingLeft(stripetest.Key)
}

// setKey changes a connection's key.
func (l *line) setKey(conn, key string) {
	l.t.Helper()
	_, err := l.store.UpdateConnection(l.t.Context(), workspace, conn, func(c *store.Connection) (err error) {
		c.Key, err = tagSeal{}.Seal(conn, store.PurposeKey, []byte(key))
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestKeeperBacksOff: a key that may not do it any more is shown, and asked for less and less often.
func TestKeeperBacksOff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(l *line, conn string)
		words string
	}{
		{"permission lost", func(l *line, conn string) {
			l.stripe.Restrict(stripetest.KeyRestricted, "customer_write")
			l.setKey(conn, stripetest.KeyRestricted)
		}, "Webhook Endpoints: Write"},
		{"revoked", func(l *line, _ string) { l.stripe.Revoke(stripetest.Key) }, ""},
		{"Stripe down", func(l *line, _ string) {
			l.stripe.Fault(stripetest.ServerError(503).WithHeader("Stripe-Should-Retry", "false").Times(1000))
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, lineOptions{})
			conn := l.connection(stripetest.Key)
			e := l.attach(Attachment{Connection: conn, Group: "charge", URL: "https://example.com/1"}).Endpoint
			now := time.Now()
			l.service.now = func() time.Time { return now }
			tt.spoil(l, conn)
			tries := 0
			for end := now.Add(24 * time.Hour); now.Before(end); now = now.Add(time.Minute) {
				before := len(l.stripe.Calls())
				l.keep()
				if len(l.stripe.Calls()) > before {
					tries++
				}
			}
			if tries < 4 || tries > 28 {
				t.Errorf("%d tries in a day", tries)
			}
			health := l.service.Health(e.ID)
			if health.Problem == "" || !strings.Contains(health.Problem, tt.words) || !health.Reconciled.IsZero() {
				t.Errorf("health = %+v, want %q in its problem", health, tt.words)
			}
		})
	}
}

// TestReconcileOnDemand: whoever mended a key need not wait for the keeper's next try, and whoever hangs up does no harm.
func TestReconcileOnDemand(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	s := newSubscriber(t)
	e := l.attach(Attachment{Connection: conn, Group: "customer", URL: s.URL}).Endpoint
	l.stripe.SetDelivery(false)
	missed := l.emit(l.stripe.Account(stripetest.Key), "customer.created", 1)
	l.stripe.Fault(stripetest.ServerError(503).WithHeader("Stripe-Should-Retry", "false").Times(1000))
	l.keep()
	if health := l.service.Health(e.ID); health.Problem == "" || health.CatchProblem == "" {
		t.Fatalf("health = %+v while Stripe is away", health)
	}
	l.stripe.ResetFaults()
	if _, err := l.service.Reconcile(t.Context(), workspace, conn); err != nil {
		t.Fatal(err)
	}
	l.keep()
	s.wait(t, 1)
	if diff := cmp.Diff(missed, s.ids()); diff != "" {
		t.Errorf("deliveries differ (-want +got):\n%s", diff)
	}

	ctx, hangUp := context.WithCancel(t.Context())
	stripe := l.service.registrar.stripe
	l.service.registrar.stripe = callerFunc(func(ctx context.Context, s stripeapi.Session, steps []spec.Step) (*stripeapi.Response, error) {
		hangUp()
		return stripe.Run(ctx, s, steps)
	})
	if _, err := l.service.Reconcile(ctx, workspace, conn); err == nil {
		t.Error("reconciling for nobody = nil")
	}
	if health := l.service.Health(e.ID); health.Problem != "" {
		t.Errorf("problem = %q because somebody hung up", health.Problem)
	}
}

type callerFunc func(ctx context.Context, s stripeapi.Session, steps []spec.Step) (*stripeapi.Response, error)

func (f callerFunc) Run(ctx context.Context, s stripeapi.Session, steps []spec.Step) (*stripeapi.Response, error) {
	return f(ctx, s, steps)
}

func TestRollEndpoint(t *testing.T) {
	t.Parallel()
	l := newLine(t, lineOptions{})
	conn := l.connection(stripetest.Key)
	s := newSubscriber(t)
	w := l.attach(Attachment{Connection: conn, Group: "customer", URL: s.URL})
	oldSecret := l.stripe.Account(stripetest.Key).Secret(w.Endpoint.StripeID)
	rolled, err := l.service.RollEndpoint(t.Context(), workspace, w.Webhook.ID)
	if err != nil {
		t.Fatal(err)
	}
	l.agrees(stripetest.Key)
	if rolled.StripeID == w.Endpoint.StripeID {
		t.Error("the endpoint is the same")
	}
	order := []string{}
	for _, c := range l.stripe.Calls() {
		if strings.HasPrefix(c.Path, "/v1/webhook_endpoints") && c.Method != http.MethodGet {
			order = append(order, c.Method)
		}
	}
	if diff := cmp.Diff([]string{"POST", "POST", "DELETE"}, order); diff != "" {
		t.Errorf("calls differ: it must be created before it is deleted (-want +got):\n%s", diff)
	}
	live, err := openLive(tagSeal{}, rolled.ID, store.PurposeEndpoint, rolled.Secrets, time.Now().Add(71*time.Hour))
	if err != nil || len(live) != 2 || live[1] != oldSecret {
		t.Errorf("%d secrets are live in 71 hours, want the old one too (%v)", len(live), err)
	}
	if got := l.service.Health(rolled.ID).Actions; len(got) != 1 || got[0].Kind != ActionReplaced {
		t.Errorf("actions = %+v", got)
	}
}
