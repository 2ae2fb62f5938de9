package stripetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v79/webhook"

	"stripe-connector/internal/stripetest"
)

// inbox is a webhook's receiver.
type inbox struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int // answers to come, then 200
	bodies   [][]byte
	headers  []http.Header
}

func newInbox(t *testing.T, statuses ...int) *inbox {
	t.Helper()
	in := &inbox{statuses: statuses}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		in.bodies, in.headers = append(in.bodies, body), append(in.headers, r.Header)
		if len(in.statuses) > 0 {
			w.WriteHeader(in.statuses[0])
			in.statuses = in.statuses[1:]
		}
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) received() []result {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []result
	for i, body := range in.bodies {
		r := result{body: body, header: in.headers[i]}
		_ = json.Unmarshal(body, &r.json)
		all = append(all, r)
	}
	return all
}

func types(events []result) []string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprint(e.json["type"]))
	}
	slices.Sort(all)
	return all
}

func flush(t *testing.T, srv *stripetest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := srv.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func endpoint(t *testing.T, c caller, address, more string, types ...string) result {
	t.Helper()
	return c.post(t, "/v1/webhook_endpoints", "url="+url.QueryEscape(address)+more+"&enabled_events[]="+strings.Join(types, "&enabled_events[]="))
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	const paid = "POST /v1/payment_intents amount=1&currency=usd&confirm=true&payment_method=pm_card_visa"
	tests := []struct {
		name  string
		steps []string // method, path and form; $1 is the id in the answer of the first step
		want  string   // oldest first
	}{
		{"customer", []string{
			"POST /v1/customers name=Ada", "POST /v1/customers/$1 name=Bob", "DELETE /v1/customers/$1",
		}, "customer.created customer.updated customer.deleted"},
		{"refused", []string{"POST /v1/customers nonsense=1", "POST /v1/payouts/po_1/cancel"}, ""},
		{"payment", []string{paid}, "charge.succeeded payment_intent.created payment_intent.succeeded"},
		{"declined payment", []string{
			"POST /v1/payment_intents amount=1&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined",
		}, "payment_intent.created payment_intent.payment_failed"},
		{"capture", []string{
			paid + "&capture_method=manual", "POST /v1/payment_intents/$1/capture",
		}, "charge.succeeded payment_intent.created payment_intent.amount_capturable_updated charge.captured payment_intent.succeeded"},
		{"cancel", []string{
			"POST /v1/payment_intents amount=1&currency=usd", "POST /v1/payment_intents/$1/cancel",
		}, "payment_intent.created payment_intent.canceled"},
		{"refund", []string{
			paid, "POST /v1/refunds payment_intent=$1",
		}, "charge.succeeded payment_intent.created payment_intent.succeeded charge.refunded refund.created"},
		{"payout", []string{
			"POST /v1/payouts amount=1&currency=usd", "POST /v1/payouts/$1/cancel",
		}, "payout.created payout.canceled"},
		{"invoice", []string{
			"POST /v1/customers", "POST /v1/invoiceitems amount=5&currency=usd&customer=$1", "POST /v1/invoices pending_invoice_items_behavior=include&customer=$1",
			"POST /v1/invoices/$3/finalize", "POST /v1/invoices/$3/void",
		}, "customer.created invoiceitem.created invoice.created invoice.finalized invoice.updated invoice.voided invoice.updated"},
		{"tax id", []string{
			"POST /v1/customers", "POST /v1/customers/$1/tax_ids type=gb_vat&value=GB1",
		}, "customer.created customer.tax_id.created"},
		{"catalogue", []string{
			"POST /v1/products name=Hat", "POST /v1/prices unit_amount=1&currency=usd&product=$1", "POST /v1/payment_links line_items[0][quantity]=1&line_items[0][price]=$2",
		}, "product.created price.created payment_link.created"},
		{"payment method", []string{
			"POST /v1/customers", "POST /v1/payment_methods/pm_card_visa/attach customer=$1", "POST /v1/payment_methods/$2/detach",
		}, "customer.created payment_method.attached payment_method.detached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := as(stripetest.New(t), stripetest.Key)
			c.play(t, tt.steps)
			list := c.get(t, "/v1/events", "limit=100")
			var got []string
			for i := range list.ids() {
				got = append(got, fmt.Sprint(list.data(i).at("type")))
			}
			slices.Reverse(got)
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("event types (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventShape(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	srv := stripetest.NewWith(t, stripetest.Options{Now: func() time.Time { return now }})
	c := as(srv, stripetest.Key)
	id := c.post(t, "/v1/customers", "name=Ada&metadata[a]=1&metadata[b]=2").id()
	updated := c.with("Idempotency-Key", "k").post(t, "/v1/customers/"+id, "name=Bob&metadata[a]=5")

	list := c.get(t, "/v1/events", "type=customer.updated")
	event := c.get(t, "/v1/events/"+list.ids()[0], "")
	want := map[string]any{
		"id": event.id(), "object": "event", "api_version": stripetest.APIVersion, "created": float64(now.Unix()), "livemode": false,
		"pending_webhooks": float64(0), "type": "customer.updated",
		"request": map[string]any{"id": updated.header.Get("Request-Id"), "idempotency_key": "k"},
		"data": map[string]any{
			"object":              updated.json,
			"previous_attributes": map[string]any{"name": "Ada", "metadata": map[string]any{"a": "1"}},
		},
	}
	if diff := cmp.Diff(want, event.json); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(event.id(), "evt_1") {
		t.Errorf("got id %s", event.id())
	}

	filters := map[string]int{
		"type=customer.*": 2, "type=customer.created": 1, "types[]=customer.created&types[]=customer.deleted": 1, "type=payout.*": 0,
		fmt.Sprintf("created[gt]=%d", now.Unix()): 0, fmt.Sprintf("created[gte]=%d", now.Unix()): 2, "ending_before=" + event.id(): 0, "starting_after=" + event.id(): 1,
	}
	for query, n := range filters {
		if got := c.get(t, "/v1/events", query).ids(); len(got) != n {
			t.Errorf("%s: got %d events, want %d", query, len(got), n)
		}
	}
	if got := as(srv, stripetest.KeyOther).get(t, "/v1/events", "").ids(); len(got) != 0 {
		t.Errorf("another account sees %v", got)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	srv := stripetest.NewWith(t, stripetest.Options{EndpointLimit: 3})
	c := as(srv, stripetest.Key)
	made := endpoint(t, c, "https://example.com/a", "&metadata[connector_endpoint]=1&description=Mine&api_version=2020-08-27&connect=true", "customer.created")
	secret, _ := made.at("secret").(string)
	if !strings.HasPrefix(secret, "whsec_") || made.at("status") != "enabled" || made.at("api_version") != "2020-08-27" || made.at("metadata.connector_endpoint") != "1" {
		t.Errorf("created: %s", made.body)
	}
	path := "/v1/webhook_endpoints/" + made.id()
	if got := c.get(t, path, ""); got.json["secret"] != nil {
		t.Errorf("the secret is shown again: %s", got.body)
	}
	if srv.Account(stripetest.Key).Secret(made.id()) != secret {
		t.Error("Secret differs from the one shown")
	}
	changed := c.post(t, path, "url=https://example.com/b&enabled_events[]=*&disabled=true&metadata[x]=y&description=")
	if changed.at("status") != "disabled" || changed.at("url") != "https://example.com/b" || changed.at("metadata.x") != "y" || changed.at("description") != nil || changed.json["secret"] != nil {
		t.Errorf("updated: %s", changed.body)
	}
	if srv.Account(stripetest.Key).Secret(made.id()) != secret {
		t.Error("an update changed the secret")
	}
	if got := c.post(t, path, "disabled=false").at("status"); got != "enabled" {
		t.Errorf("enabled again: got %v", got)
	}
	for _, form := range []string{"connect=true", "api_version=2020-08-27"} {
		if got := c.do(t, "POST", path, form); got.status != http.StatusBadRequest || got.at("error.code") != "parameter_unknown" {
			t.Errorf("update of %s: got %d %v, want 400 parameter_unknown", form, got.status, got.at("error.code"))
		}
	}
	endpoint(t, c, "https://example.com/c", "", "*")
	third := endpoint(t, c, "http://example.com/d", "", "*").id()
	if got := c.do(t, "POST", "/v1/webhook_endpoints", "url=https://example.com/e&enabled_events[]=*"); got.status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(got.at("error.message")), "maximum of 3") {
		t.Errorf("the fourth: got %d %s", got.status, got.body)
	}
	if got := len(c.get(t, "/v1/webhook_endpoints", "").ids()); got != 3 {
		t.Errorf("list: got %d, want 3", got)
	}
	c.ok(t, "DELETE", "/v1/webhook_endpoints/"+third, "")
	endpoint(t, c, "https://example.com/e", "", "*")
	if got := c.do(t, "GET", "/v1/webhook_endpoints/"+third, ""); got.status != http.StatusNotFound {
		t.Errorf("deleted: got %d, want 404", got.status)
	}
	for key, address := range map[string]string{stripetest.KeyLive: "http://example.com", stripetest.KeyOther: "example.com"} {
		if got := as(srv, key).do(t, "POST", "/v1/webhook_endpoints", "enabled_events[]=*&url="+address); got.status != http.StatusBadRequest || got.at("error.code") != "url_invalid" {
			t.Errorf("%s: got %d, want 400 url_invalid", address, got.status)
		}
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	all, some, other := newInbox(t), newInbox(t), newInbox(t)
	secret, _ := endpoint(t, c, all.URL, "", "*").at("secret").(string)
	endpoint(t, c, some.URL, "", "customer.deleted", "customer.created")
	endpoint(t, as(srv, stripetest.KeyOther), other.URL, "", "*")
	endpoint(t, as(srv, stripetest.KeyLive), strings.Replace(other.URL, "http:", "https:", 1), "", "*")

	id := c.post(t, "/v1/customers", "name=Zo%C3%AB").id()
	c.post(t, "/v1/customers/"+id, "name=B")
	flush(t, srv)

	got := all.received()
	if want := []string{"customer.created", "customer.updated"}; !cmp.Equal(types(got), want) {
		t.Fatalf("got %v, want %v", types(got), want)
	}
	if want := []string{"customer.created"}; !cmp.Equal(types(some.received()), want) {
		t.Errorf("got %v, want %v", types(some.received()), want)
	}
	if n := len(other.received()); n != 0 {
		t.Errorf("another account's endpoint received %d events", n)
	}
	for _, e := range got {
		if _, err := webhook.ConstructEventWithOptions(e.body, e.header.Get("Stripe-Signature"), secret, webhook.ConstructEventOptions{}); err != nil {
			t.Errorf("stripe-go refuses the event: %v", err)
		}
		if listed := c.get(t, "/v1/events/"+e.id(), "").body; !bytes.Equal(listed, e.body) {
			t.Errorf("delivered and listed bytes differ:\n%s\n%s", e.body, listed)
		}
		if !strings.HasPrefix(e.header.Get("Content-Type"), "application/json") {
			t.Errorf("got content type %q", e.header.Get("Content-Type"))
		}
	}
	log := srv.Deliveries()
	if len(log) != 3 || log[0].Status != http.StatusOK || log[0].Attempt != 1 {
		t.Errorf("deliveries: %+v", log)
	}
	if got := c.get(t, "/v1/events", "limit=1&type=customer.created"); got.data(0).at("pending_webhooks") != float64(2) {
		t.Errorf("pending_webhooks: got %s", got.body)
	}
}

func TestDeliveryRetries(t *testing.T) {
	t.Parallel()
	srv := stripetest.NewWith(t, stripetest.Options{RetryWaits: []time.Duration{time.Millisecond, time.Millisecond}})
	c := as(srv, stripetest.Key)
	recovers, never, gone := newInbox(t, 500, 302), newInbox(t, 500, 503, 400, 200), newInbox(t)
	gone.Close()
	endpoint(t, c, recovers.URL, "", "*")
	endpoint(t, c, never.URL, "", "*")
	endpoint(t, c, gone.URL, "", "*")
	c.post(t, "/v1/customers", "")
	flush(t, srv)
	if got := len(recovers.received()); got != 3 {
		t.Errorf("recovers: got %d attempts, want 3", got)
	}
	if got := len(never.received()); got != 3 {
		t.Errorf("never: got %d attempts, want 3", got)
	}
	statuses := map[int]int{}
	for _, d := range srv.Deliveries() {
		statuses[d.Status]++
	}
	if want := map[int]int{0: 3, 200: 1, 302: 1, 400: 1, 500: 2, 503: 1}; !cmp.Equal(statuses, want) {
		t.Errorf("got %v, want %v", statuses, want)
	}
}

func TestDeliveryOff(t *testing.T) {
	t.Parallel()
	srv := stripetest.NewWith(t, stripetest.Options{HoldEvents: true})
	c, acct := as(srv, stripetest.Key), srv.Account(stripetest.Key)
	in := newInbox(t)
	hook := endpoint(t, c, in.URL, "", "*").id()
	c.post(t, "/v1/customers", "name=one")
	c.post(t, "/v1/customers", "name=two")
	flush(t, srv)
	if n := len(in.received()); n != 0 {
		t.Fatalf("received %d events while delivery is off", n)
	}
	events := acct.IDs("event")
	if len(events) != 2 {
		t.Fatalf("got events %v, want 2", events)
	}
	if err := acct.Send(events[1], events[1]); err != nil {
		t.Fatal(err)
	}
	flush(t, srv)
	if got := in.received(); len(got) != 2 || got[0].id() != events[1] || got[1].id() != events[1] {
		t.Errorf("sending one twice: received %v", types(got))
	}
	srv.SendHeld()
	flush(t, srv)
	if n := len(in.received()); n != 4 {
		t.Errorf("after SendHeld: received %d, want 4", n)
	}
	srv.SetDelivery(true)
	acct.Set(hook, map[string]any{"status": "disabled"})
	c.post(t, "/v1/customers", "name=three")
	flush(t, srv)
	if n := len(in.received()); n != 4 {
		t.Errorf("a disabled endpoint received %d", n-4)
	}
	acct.Set(hook, map[string]any{"status": "enabled"})
	c.post(t, "/v1/customers", "name=four")
	flush(t, srv)
	if n := len(in.received()); n != 5 {
		t.Errorf("switched on: received %d, want 5", n)
	}
	if err := acct.Send("evt_none"); err == nil {
		t.Error("sending an unknown event succeeded")
	}
}

func TestEmit(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c, acct := as(srv, stripetest.Key), srv.Account(stripetest.Key)
	in := newInbox(t)
	endpoint(t, c, in.URL, "&api_version=2022-11-15", "*")
	customer := acct.Seed("customer", 1, nil)[0]
	first, err := acct.Emit("customer.created", customer)
	if err != nil {
		t.Fatal(err)
	}
	second, err := acct.Emit("entirely.new", `{"object":"thing","n":1.50}`)
	if err != nil {
		t.Fatal(err)
	}
	raw := `{"id":"evt_raw","object":"event","type":"customer.created","api_version":"2022-11-15","data":{"object":{"x":1.0e3}}}`
	if _, err := acct.Put(raw); err != nil {
		t.Fatal(err)
	}
	if err := acct.Send("evt_raw"); err != nil {
		t.Fatal(err)
	}
	flush(t, srv)
	got := map[string]result{}
	for _, e := range in.received() {
		got[e.id()] = e
	}
	if len(got) != 3 || got[first].at("data.object.id") != customer || got[second].at("type") != "entirely.new" || !bytes.Contains(got[second].body, []byte("1.50")) {
		t.Errorf("received %v", got)
	}
	if got[first].at("api_version") != "2022-11-15" {
		t.Errorf("the endpoint's version: got %v", got[first].at("api_version"))
	}
	if string(got["evt_raw"].body) != raw {
		t.Errorf("raw event: got %s", got["evt_raw"].body)
	}
	if _, err := acct.Emit("x.y", "cus_none"); err == nil {
		t.Error("emitting about nothing succeeded")
	}
}

func TestConnectEvents(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	c := as(srv, stripetest.Key)
	srv.Account(stripetest.Key).Connect("acct_shop")
	own, connect := newInbox(t), newInbox(t)
	endpoint(t, c, own.URL, "", "*")
	endpoint(t, c, connect.URL, "&connect=true", "*")
	c.post(t, "/v1/products", "name=Hat")
	c.with("Stripe-Account", "acct_shop").post(t, "/v1/customers", "name=Ada")
	flush(t, srv)
	if got := types(own.received()); !cmp.Equal(got, []string{"product.created"}) {
		t.Errorf("own endpoint: got %v", got)
	}
	got := connect.received()
	if !cmp.Equal(types(got), []string{"customer.created"}) || got[0].at("account") != "acct_shop" {
		t.Errorf("Connect endpoint: got %v", types(got))
	}
}

// TestCloseWhileDelivering holds a delivery in the air: Close must end it and return.
func TestCloseWhileDelivering(t *testing.T) {
	t.Parallel()
	srv := stripetest.New(t)
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hanging.Close()
	defer close(release)
	endpoint(t, as(srv, stripetest.Key), hanging.URL, "", "*")
	as(srv, stripetest.Key).post(t, "/v1/customers", "")
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Flush(ctx); err == nil {
		t.Error("Flush returned while a delivery hangs")
	}
	srv.Close()
	srv.Close()
}

func TestSign(t *testing.T) {
	t.Parallel()
	body, at := []byte(`{"object":"event","api_version":"2024-06-20"}`), time.Now()
	header := stripetest.Sign("whsec_x", body, at)
	if _, err := webhook.ConstructEvent(body, header, "whsec_x"); err != nil {
		t.Errorf("stripe-go refuses the signature: %v", err)
	}
	if _, err := webhook.ConstructEvent(body, header, "whsec_y"); err == nil {
		t.Error("another secret passes")
	}
}
