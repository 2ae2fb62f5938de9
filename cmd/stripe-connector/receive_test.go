package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"stripe-connector/internal/stripetest"
)

// What Stripe did not sign, not now, or not for this endpoint is refused and leaves no row.
func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	p.start()
	target := newSubscriber(t, nil)
	conn, other := p.connect(stripetest.Key), p.connect(stripetest.KeyOther)
	w := p.attach(conn, target.url, "invoice.paid")
	from := p.sender(stripe, stripetest.Key, w)
	foreign := p.sender(stripe, stripetest.KeyOther, p.attach(other, target.url, "invoice.paid"))

	body := event("evt_refused", "invoice.paid")
	live := bytes.Replace(body, []byte(`"livemode":false`), []byte(`"livemode":true`), 1)
	large := pad(body, 1<<20+1)
	sign := func(body []byte, after time.Duration) string {
		return stripetest.Sign(from.secret, body, time.Now().Add(after))
	}
	good := sign(body, 0)
	stamp, signature, _ := strings.Cut(good, ",")

	tests := []struct {
		name      string
		body      []byte
		signature string
		status    int
	}{
		{"unsigned", body, "", 400},
		{"header of nothing", body, ",,=,", 400},
		{"no timestamp", body, signature, 400},
		{"no signature", body, stamp, 400},
		{"forged", body, stripetest.Sign("whsec_guessed", body, time.Now()), 400},
		{"empty secret", body, stripetest.Sign("", body, time.Now()), 400},
		{"secret of another endpoint", body, stripetest.Sign(foreign.secret, body, time.Now()), 400},
		{"replayed", body, sign(body, -6*time.Minute), 400},
		{"future-dated", body, sign(body, 6*time.Minute), 400},
		{"new timestamp on an old signature", body, fmt.Sprintf("t=%d,%s", time.Now().Unix()+1, signature), 400},
		{"second timestamp", body, good + fmt.Sprintf(",t=%d", time.Now().Unix()+1), 400},
		{"another scheme", body, strings.Replace(good, "v1=", "v0=", 1), 400},
		{"one byte changed", bytes.Replace(body, []byte("invoice"), []byte("invoicE"), 1), good, 400},
		{"truncated", body[:len(body)-10], good, 400},
		{"truncated and signed", body[:len(body)-10], sign(body[:len(body)-10], 0), 400},
		{"empty and signed", nil, sign(nil, 0), 400},
		{"not an event", []byte(`[]`), sign([]byte(`[]`), 0), 400},
		{"live mode at a test endpoint", live, sign(live, 0), 400},
		{"oversized", large, sign(large, 0), 413},
	}
	for _, tt := range tests { // one after the other, since the signatures are of now
		t.Run(tt.name, func(t *testing.T) {
			status, _, err := from.post(t.Context(), tt.body, tt.signature)
			must(t, err)
			if status != tt.status {
				t.Errorf("status = %d, want %d", status, tt.status)
			}
		})
	}
	nobody := *from
	nobody.url = p.url + "/stripe/ep_unknown"
	status, _, err := nobody.post(t.Context(), body, good)
	must(t, err)
	if status != http.StatusNotFound {
		t.Errorf("at an unknown endpoint: status = %d, want 404", status)
	}
	p.call(http.MethodGet, strings.TrimPrefix(from.url, p.url), nil).want(http.StatusMethodNotAllowed)

	var page struct{ Data []struct{ ID string } }
	p.get("/v1/events", &page)
	if len(page.Data) != 0 {
		t.Errorf("refused events left rows: %v", page.Data)
	}
	if events, _ := target.count(); events != 0 {
		t.Errorf("%d refused events were delivered", events)
	}
	from.accept(t, body) // it was the signatures that were wrong
}

// What only looks odd is taken: the largest event, one that comes twice, several signatures, one that nobody wants.
func TestAcceptedEvents(t *testing.T) {
	t.Parallel()
	stripe := stripetest.New(t)
	p := newProgram(t, stripe)
	p.start()
	target := newSubscriber(t, nil)
	w := p.attach(p.connect(stripetest.Key), target.url, "invoice.paid")
	from := p.sender(stripe, stripetest.Key, w)

	largest := pad(event("evt_largest", "invoice.paid"), 1<<20)
	from.accept(t, largest)
	target.has(t, "evt_largest")
	if !bytes.Equal(target.of("evt_largest")[0].body, largest) {
		t.Error("the largest event was changed on its way")
	}

	twice := event("evt_twice", "invoice.paid")
	signatures := stripetest.Sign("whsec_old", twice, time.Now())
	_, current, _ := strings.Cut(stripetest.Sign(from.secret, twice, time.Now()), ",")
	stamp, _, _ := strings.Cut(signatures, ",")
	// Stripe signs with all secrets of an endpoint while one of them is being replaced.
	status, _, err := from.post(t.Context(), twice, stamp+",v1="+strings.Repeat("0", 64)+","+current+",v0=ff")
	must(t, err)
	if status != http.StatusOK {
		t.Errorf("several signatures: status = %d, want 200", status)
	}
	from.accept(t, twice)
	from.accept(t, twice)

	from.accept(t, event("evt_unwanted", "charge.failed"))
	if !p.stored("evt_unwanted") {
		t.Error("an event that nobody wants was not stored")
	}
	p.settled(w.ID, "evt_twice", "delivered")
	p.drained(w.ID)
	if got := len(target.of("evt_twice")); got != 1 {
		t.Errorf("an event that was sent three times arrived %d times, want 1", got)
	}
}

// pad makes an event of exactly n bytes.
func pad(body []byte, n int) []byte {
	const field = `"padding":"",`
	return bytes.Replace(body, []byte(`"object":"event"`),
		fmt.Appendf(nil, `"padding":"%s","object":"event"`, strings.Repeat("x", n-len(body)-len(field))), 1)
}
