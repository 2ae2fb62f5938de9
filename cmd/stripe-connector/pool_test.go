package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripetest"
)

// enabled are the event types of the only endpoint that an account has at Stripe.
func enabled(t *testing.T, stripe *stripetest.Server, key string) []string {
	t.Helper()
	ids := stripe.Account(key).IDs("webhook_endpoint")
	if len(ids) != 1 {
		t.Fatalf("Stripe has the endpoints %q, want one", ids)
	}
	var endpoint struct {
		EnabledEvents []string `json:"enabled_events"`
		Metadata      map[string]string
	}
	must(t, json.Unmarshal(stripe.Account(key).Object(ids[0]), &endpoint))
	if endpoint.Metadata["connector_endpoint"] == "" {
		t.Error("the endpoint carries no mark of ours")
	}
	return slices.Sorted(slices.Values(endpoint.EnabledEvents))
}

var twentyTypes = []string{
	"charge.captured", "charge.expired", "charge.failed", "charge.pending", "charge.refunded", "charge.succeeded", "charge.updated",
	"customer.created", "customer.deleted", "customer.updated", "invoice.created", "invoice.deleted", "invoice.finalized", "invoice.paid",
	"invoice.sent", "invoice.updated", "payout.canceled", "payout.created", "payout.failed", "payout.paid",
}

// Where Stripe allows 16 endpoints, twenty webhooks use one, which sends just what they want together.
func TestTwentyWebhooksOneEndpoint(t *testing.T) {
	t.Parallel()
	stripe := stripetest.NewWith(t, stripetest.Options{EndpointLimit: 16})
	p := newProgram(t, stripe)
	s := p.start()
	conn := p.connect(stripetest.Key)
	targets, hooks := make([]*subscriber, len(twentyTypes)), make([]webhook, len(twentyTypes))
	for i, eventType := range twentyTypes {
		targets[i] = newSubscriber(t, nil)
		hooks[i] = p.attach(conn, targets[i].url, eventType)
		if diff := cmp.Diff(enabled(t, stripe, stripetest.Key), slices.Sorted(slices.Values(twentyTypes[:i+1]))); diff != "" {
			t.Fatalf("after %d webhooks (-got +want):\n%s", i+1, diff)
		}
	}
	// The same again is the same, and shows no secret.
	var again webhook
	p.call(http.MethodPost, watchEvents, form(conn, targets[16].url, twentyTypes[16])).want(http.StatusOK).into(&again)
	if again.ID != hooks[16].ID || again.SigningSecret != "" {
		t.Errorf("attached again: id %s, secret %q; want %s and no secret", again.ID, again.SigningSecret, hooks[16].ID)
	}
	// Each gets its own events, from Stripe's own hand, and no other.
	for _, eventType := range twentyTypes {
		_, err := stripe.Account(stripetest.Key).Emit(eventType, `{"id":"obj_1","object":"thing"}`)
		must(t, err)
	}
	must(t, stripe.Flush(t.Context()))
	for i, target := range targets {
		target.until(t, "its event arrived", func() bool { return len(target.arrivals) == 1 })
		for id, all := range target.arrivals {
			if !strings.Contains(string(all[0].body), twentyTypes[i]) {
				t.Errorf("the webhook for %s got %s", twentyTypes[i], all[0].body)
			}
			all[0].verify(t, id, hooks[i].SigningSecret)
		}
	}

	p.call(http.MethodDelete, "/v1/connections/"+conn, nil).want(http.StatusConflict)
	for i, w := range hooks {
		p.call(http.MethodDelete, "/v1/webhooks/"+w.ID, nil).want(http.StatusNoContent)
		p.call(http.MethodDelete, "/v1/webhooks/"+w.ID, nil).want(http.StatusNoContent)
		rest := twentyTypes[i+1:]
		if len(rest) == 0 {
			break
		}
		if diff := cmp.Diff(enabled(t, stripe, stripetest.Key), slices.Sorted(slices.Values(rest))); diff != "" {
			t.Fatalf("after %d were detached (-got +want):\n%s", i+1, diff)
		}
	}
	if left := stripe.Account(stripetest.Key).IDs("webhook_endpoint"); len(left) != 0 {
		t.Errorf("Stripe still has %q", left)
	}
	p.call(http.MethodDelete, "/v1/connections/"+conn, nil).want(http.StatusNoContent)
	s.stop()
	p.nothingAttached()
}

// nothingAttached looks into the store for what should not be there. The program must not be running.
func (p *program) nothingAttached() {
	p.t.Helper()
	db, err := sqlite.Open(p.t.Context(), p.database(), time.Now)
	must(p.t, err)
	left, err := db.AllEndpoints(p.t.Context())
	must(p.t, err)
	if len(left) != 0 {
		p.t.Errorf("%d endpoints are left in the store", len(left))
	}
	must(p.t, db.Close())
}

// Fifty attaches and then fifty detaches at once make and leave what one after the other would.
func TestFiftyAtOnce(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	s := p.start()
	conn := p.connect(stripetest.Key)
	target := newSubscriber(t, nil)
	const n = 50
	atOnce := func(do func(i int) error) {
		t.Helper()
		var running sync.WaitGroup
		errs := make([]error, n)
		for i := range n {
			running.Go(func() { errs[i] = do(i) })
		}
		running.Wait()
		for _, err := range errs {
			must(t, err)
		}
	}
	ids := make([]string, n)
	atOnce(func(i int) error {
		// Every webhook is asked for twice.
		r, err := p.try(t.Context(), http.MethodPost, watchEvents, form(conn, fmt.Sprintf("%s/%d", target.url, i/2), twentyTypes[i/2%20]))
		if err != nil || r.status != http.StatusCreated && r.status != http.StatusOK {
			return fmt.Errorf("attaching: %d %s %w", r.status, r.body, err)
		}
		var w webhook
		err = json.Unmarshal(r.body, &w)
		ids[i] = w.ID
		return err
	})
	if diff := cmp.Diff(enabled(t, stripe, stripetest.Key), slices.Sorted(slices.Values(twentyTypes))); diff != "" {
		t.Errorf("-got +want:\n%s", diff)
	}
	made := 0
	for _, c := range stripe.Calls() {
		if c.Method == http.MethodPost && c.Path == "/v1/webhook_endpoints" {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d endpoints were made at Stripe, want 1", made)
	}
	if got := len(p.webhooks()); got != n/2 {
		t.Errorf("%d webhooks are attached, want %d", got, n/2)
	}
	for i := 0; i < n; i += 2 {
		if ids[i] != ids[i+1] {
			t.Errorf("the same webhook, attached twice at once, has the ids %s and %s", ids[i], ids[i+1])
		}
	}
	atOnce(func(i int) error {
		r, err := p.try(t.Context(), http.MethodDelete, "/v1/webhooks/"+ids[i], nil)
		if err != nil || r.status != http.StatusNoContent {
			return fmt.Errorf("detaching: %d %s %w", r.status, r.body, err)
		}
		return nil
	})
	if left := stripe.Account(stripetest.Key).IDs("webhook_endpoint"); len(left) != 0 {
		t.Errorf("Stripe still has %q", left)
	}
	s.stop()
	p.nothingAttached()
}

// When Stripe refuses an endpoint, the caller is told in plain words, and nothing is left behind here or there.
func TestRefusedAttach(t *testing.T) {
	t.Parallel()
	stripe := stripetest.NewWith(t, stripetest.Options{EndpointLimit: 3})
	stripe.Account(stripetest.Key).Seed("webhook_endpoint", 2, nil)
	p := newProgram(t, stripe)
	s := p.start()
	conn := p.connect(stripetest.Key)
	target := newSubscriber(t, nil)

	refused := func(in object, status int, words string) {
		t.Helper()
		r := p.call(http.MethodPost, watchEvents, in).want(status)
		if !strings.Contains(string(r.body), words) {
			t.Errorf("the refusal %s does not say %q", r.body, words)
		}
		if got := p.webhooks(); len(got) != 0 {
			t.Errorf("the refusal left %v", got)
		}
		if got := stripe.Account(stripetest.Key).IDs("webhook_endpoint"); len(got) != 2 {
			t.Errorf("the refusal left %q at Stripe", got)
		}
	}
	in := form(conn, target.url, "invoice.paid")
	unreachable := stripetest.Refused(http.StatusBadRequest, "invalid_request_error", "url_invalid", "Invalid URL: URL must be publicly accessible.")
	stripe.Fault(unreachable.On(http.MethodPost, "/v1/webhook_endpoints"))
	refused(in, http.StatusBadRequest, "publicly accessible")
	stripe.Fault(stripetest.ServerError(http.StatusInternalServerError).On(http.MethodPost, "/v1/webhook_endpoints").Times(10))
	refused(in, http.StatusBadGateway, "ConnectionError")
	stripe.ResetFaults()
	in["enabled_events"] = []string{"invoice.imagined"}
	refused(in, http.StatusUnprocessableEntity, "invoice.imagined")
	in["enabled_events"], in["url"] = []string{"invoice.paid"}, "ftp://example.com"
	refused(in, http.StatusUnprocessableEntity, `"url"`)
	in["url"] = target.url
	restricted := p.connect(stripetest.KeyRestricted)
	stripe.Restrict(stripetest.KeyRestricted, "balance_read")
	in["connection"] = restricted
	refused(in, http.StatusForbidden, "Webhook Endpoints: Write")
	in["connection"] = "conn_foreign"
	refused(in, http.StatusNotFound, "")
	in["connection"] = conn

	// The third endpoint is the last. A webhook that can share it still works; one of another pool cannot.
	first := p.attach(conn, target.url, "invoice.paid")
	in["connect"] = true
	r := p.call(http.MethodPost, watchEvents, in).want(http.StatusBadRequest)
	if !strings.Contains(r.detail(), "as many webhook endpoints as Stripe allows") {
		t.Errorf("the refusal says %q", r.detail())
	}
	p.attach(conn, target.url, "invoice.sent")
	if got := len(p.webhooks()); got != 2 {
		t.Errorf("%d webhooks are attached, want 2", got)
	}
	// A change that Stripe refuses leaves everything as it was.
	stripe.Fault(stripetest.ServerError(http.StatusInternalServerError).On(http.MethodPost, "/v1/webhook_endpoints").Times(10))
	p.call(http.MethodPatch, "/v1/webhooks/"+first.ID, object{"enabled_events": []string{"invoice.created"}}).want(http.StatusBadGateway)
	stripe.ResetFaults()
	if diff := cmp.Diff(p.webhook(first.ID).EnabledEvents, []string{"invoice.paid"}); diff != "" {
		t.Errorf("after a refused change (-got +want):\n%s", diff)
	}
	stripe.Fault(stripetest.ServerError(http.StatusInternalServerError).On(http.MethodPost, "/v1/webhook_endpoints").Times(10))
	p.call(http.MethodDelete, "/v1/webhooks/"+first.ID, nil).want(http.StatusBadGateway)
	stripe.ResetFaults()
	if got := p.webhook(first.ID).State; got != "active" {
		t.Errorf("after a refused detach the webhook is %s", got)
	}

	for _, w := range p.webhooks() {
		p.call(http.MethodDelete, "/v1/webhooks/"+w.ID, nil).want(http.StatusNoContent)
	}
	s.stop()
	p.nothingAttached()
}

// Without an address of its own the connector attaches nothing, and says what is missing.
func TestAttachWithoutPublicURL(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe, "PUBLIC_URL=")
	p.start()
	in := form(p.connect(stripetest.Key), "https://example.com/hook", "invoice.paid")
	if r := p.call(http.MethodPost, watchEvents, in).want(http.StatusConflict); !strings.Contains(r.detail(), "CONNECTOR_PUBLIC_URL") {
		t.Errorf("the refusal says %q", r.detail())
	}
}

// Unless the operator allows it, nothing is sent to private addresses.
func TestPrivateTargetsAreRefused(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe, "RETRY_SCHEDULE=1ms")
	s := p.start()
	target := newSubscriber(t, nil)
	conn := p.connect(stripetest.Key)
	w := p.attach(conn, strings.Replace(target.url, "http:", "https:", 1), "invoice.paid")
	s.stop()
	p.set("ALLOW_PRIVATE_TARGETS=false")
	p.start()
	for _, url := range []string{"http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/"} {
		p.call(http.MethodPost, watchEvents, form(conn, url, "invoice.sent")).want(http.StatusUnprocessableEntity)
	}
	// One that is attached already is judged again at each attempt.
	p.sender(stripe, stripetest.Key, w).accept(t, event("evt_1", "invoice.paid"))
	d := p.settled(w.ID, "evt_1", "dead")
	if d.Attempts != 2 || d.Log[1].Phase != "target" || !strings.Contains(d.Log[1].Error, "not public") {
		t.Errorf("the delivery went like this: %+v", d)
	}
	if events, _ := target.count(); events != 0 {
		t.Error("a private target was called")
	}
}
