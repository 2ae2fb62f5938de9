package console

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
)

// deliveries is how many the store holds when pages are measured. The pages are to be there within 200 ms with a million.
var deliveries = flag.Int("deliveries", 20_000, "how many deliveries the store of BenchmarkPages holds")

// BenchmarkPages gets each page of a busy workspace.
func BenchmarkPages(b *testing.B) {
	s := newService(b)
	hook := fill(b, s, *deliveries)
	person := s.signedIn(adminToken)
	var list struct{ Data []struct{ ID, Event string } }
	s.api(adminToken, http.MethodGet, "/v1/deliveries", nil, &list)
	for name, path := range map[string]string{
		"overview": "/console/", "live": "/console/overview", "webhooks": "/console/webhooks", "webhook": "/console/webhooks/" + hook,
		"events": "/console/events", "type": "/console/events?type=customer.created", "object": "/console/events?object=cus_nobody",
		"event": "/console/events/" + list.Data[0].Event, "deliveries": "/console/deliveries", "dead": "/console/deliveries?state=dead",
		"narrow": "/console/deliveries?state=delivered&type=customer.created&webhook=" + hook, "delivery": "/console/deliveries/" + list.Data[0].ID,
		"span": "/console/events?type=customer.created&from=" + url.QueryEscape(time.Now().UTC().Add(-time.Hour).Format("2006-01-02T15:04")),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got := person.get(path); got.status != http.StatusOK {
					b.Fatalf("%s: %d %s", path, got.status, got.body)
				}
			}
		})
	}
}

// fill stores deliveries for ten webhooks, most of them delivered, some of one webhook dead or pending, and returns one of the
// webhooks.
func fill(b *testing.B, s *service, n int) (hook string) {
	b.Helper()
	const hooks, batch = 10, 200
	for i := range hooks {
		hook = s.attach(fmt.Sprintf("Webhook %d", i), "customer.created", "invoice.paid")
	}
	w, err := s.db.Webhook(b.Context(), connection.DefaultWorkspace, hook)
	if err != nil {
		b.Fatal(err)
	}
	for made := 0; made < n; made += batch * hooks {
		events := make([]store.NewEvent, batch)
		for i := range events {
			id := fmt.Sprintf("evt_%09d", made/hooks+i)
			events[i] = store.NewEvent{
				Endpoint: w.Endpoint, ID: id, Type: []string{"customer.created", "invoice.paid"}[i%2], Created: time.Now().Add(time.Second), APIVersion: "2024-06-20",
				Source: store.SourceWebhook, Body: fmt.Appendf(nil, `{"id":%q,"object":"event","data":{"object":{"id":"cus_%d","object":"customer"}}}`, id, i),
			}
		}
		stored, err := s.db.Ingest(b.Context(), events, store.Lease{PerWebhook: n, For: time.Hour}) // so that nothing is sent
		if err != nil {
			b.Fatal(err)
		}
		var outcomes []store.Outcome
		for _, one := range stored {
			for i, w := range one.Work {
				o := store.Outcome{
					Delivery: w.Delivery.ID, Lease: w.Delivery.NextAt, Verdict: store.VerdictDelivered,
					Attempt: &store.Attempt{At: time.Now(), Duration: time.Millisecond, Status: http.StatusOK},
				}
				if i == 0 {
					o.Verdict, o.Reason = store.VerdictDead, "all attempts failed"
				}
				if i == 0 && len(outcomes)%2 == 0 {
					continue
				}
				outcomes = append(outcomes, o)
			}
		}
		if err := s.db.Finish(b.Context(), outcomes); err != nil {
			b.Fatal(err)
		}
	}
	return hook
}
