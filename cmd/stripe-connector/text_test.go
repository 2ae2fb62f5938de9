package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"stripe-connector/internal/store"
	"stripe-connector/internal/store/postgres/pgtest"
	"stripe-connector/internal/stripetest"
)

// A text that PostgreSQL cannot hold is answered alike with every store: named as a fault where it was given as a value, and
// found nowhere where it was given as an id.
func TestUnstorableText(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		stripe := stripetest.New(t)
		testUnstorableText(t, stripe, newProgram(t, stripe))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		stripe := stripetest.New(t)
		p, _ := newReplicas(t, stripe, pgtest.Need(t, "fsync=off"))
		testUnstorableText(t, stripe, p)
	})
}

func testUnstorableText(t *testing.T, stripe *stripetest.Server, p *program) {
	t.Helper()
	const odd = "a\x00b"
	p.start()
	conn := p.connect(stripetest.Key)
	target := newSubscriber(t, nil)
	hook := p.attach(conn, target.url, "invoice.paid")
	with := func(field string, value any) object {
		in := form(conn, target.url, "charge.failed")
		in[field] = value
		return in
	}
	for _, tt := range []struct {
		method, path string
		in           any
		field        string // that is at fault; empty: nothing is found
	}{
		{http.MethodPost, "/v1/connections", object{"connection_name": odd, "key": stripetest.Key}, "connection_name"},
		{http.MethodPatch, "/v1/connections/" + conn, object{"connection_name": odd}, "connection_name"},
		{http.MethodPost, "/v1/tokens", object{"name": odd, "role": "run"}, "name"},
		{http.MethodPost, watchEvents, with("webhook_name", odd), "webhook_name"},
		{http.MethodPost, watchEvents, with("connection", odd), "connection"},
		{http.MethodPost, watchEvents, with("enabled_events", []string{odd}), "enabled_events"},
		{http.MethodPost, watchEvents, with("url", target.url+odd), "url"},
		{http.MethodPatch, "/v1/webhooks/" + hook.ID, object{"webhook_name": odd}, "webhook_name"},
		{http.MethodPost, "/v1/webhooks/" + hook.ID + "/replay", object{"from": "2026-01-02T03:04:05Z", "types": []string{odd}}, "types"},
		{http.MethodPut, "/v1/operations", object{"url": target.url + odd}, "url"},
		{http.MethodPost, "/v1/modules/retrieve-balance", object{"connection": odd}, "connection"},
		{http.MethodGet, "/v1/lookups/customers?connection=%00", nil, "connection"},
		{http.MethodGet, "/v1/webhooks?connection=%00", nil, "connection"},
		{http.MethodGet, "/v1/webhooks?connection=%ff", nil, "connection"},
		{http.MethodGet, "/v1/events?type=invoice.paid,%00", nil, "type"},
		{http.MethodGet, "/v1/events?object=%00", nil, "object"},
		{http.MethodGet, "/v1/deliveries?webhook=%00", nil, "webhook"},
		{http.MethodGet, "/v1/deliveries?cursor=" + store.Position{ID: odd}.Cursor(), nil, "cursor"},
		{http.MethodGet, "/v1/webhooks/%00", nil, ""},
		{http.MethodGet, "/v1/webhooks/%ff", nil, ""},
		{http.MethodGet, "/v1/events/%00", nil, ""},
		{http.MethodPost, "/stripe/%00", object{}, ""},
	} {
		r := p.call(tt.method, tt.path, tt.in)
		if tt.field == "" {
			if r.status != http.StatusNotFound {
				t.Errorf("%s %s answered %d, want 404: %s", tt.method, tt.path, r.status, r.body)
			}
			continue
		}
		if r.status != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), `"field":"`+tt.field) {
			t.Errorf("%s %s of %s answered %d, want 422: %s", tt.method, tt.path, tt.field, r.status, r.body)
		}
	}
	// What Stripe says about an event beside its id and type keeps none out.
	for _, rest := range []string{`"api_version":"a\u0000b"`, `"data":{"object":{"id":"a\u0000b"}}`} {
		body := fmt.Sprintf(`{"id":"evt_%d","object":"event","livemode":false,"type":"invoice.paid",%s}`, len(rest), rest)
		p.sender(stripe, stripetest.Key, hook).accept(t, []byte(body))
	}
}
