package modules

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
)

// A walk runs modules against a Stripe with a memory.
type walk struct {
	t       *testing.T
	modules *spec.Catalogue
	client  *stripeapi.Client
	session stripeapi.Session
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	server := stripetest.NewWith(t, stripetest.Options{Strict: true, HoldEvents: true})
	client, err := stripeapi.New(stripeapi.Config{BaseURL: server.URL, RateTest: 1e6, Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &walk{t: t, modules: catalogue(t), client: client, session: stripeapi.Session{Connection: "conn_1", Key: stripetest.Key}}
}

func (w *walk) decode(key, fields string) (*spec.Module, *spec.Bundle) {
	w.t.Helper()
	m, ok := w.modules.Module(key)
	if !ok {
		w.t.Fatalf("no module %s", key)
	}
	b, err := m.Decode([]byte(`{"connection":"conn_1",`+fields+`}`), maxLimit)
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	return m, b
}

// An object is what the walk looks at of Stripe's objects.
type object struct {
	ID       string
	Status   string
	Total    int64
	Amount   int64
	Metadata map[string]string
}

func (w *walk) do(key, fields string) object {
	w.t.Helper()
	m, b := w.decode(key, fields)
	answer, err := w.client.Run(w.t.Context(), w.session, m.Steps(b))
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	return w.read(answer.Body)
}

func (w *walk) find(key, fields string) (ids string) {
	w.t.Helper()
	m, b := w.decode(key, fields)
	results, err := w.client.Search(w.session, m.Query(b), b.Limit(), b.Cursor())
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	var found []string
	for raw, err := range results.All(w.t.Context()) {
		if err != nil {
			w.t.Fatalf("%s: %v", key, err)
		}
		found = append(found, w.read(raw).ID)
	}
	return strings.Join(found, " ")
}

func (w *walk) read(raw []byte) (o object) {
	w.t.Helper()
	if err := json.Unmarshal(raw, &o); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// wants fails if a search finds anything else than the ids.
func (w *walk) wants(ids, key, fields string) {
	w.t.Helper()
	if got := w.find(key, fields); got != ids {
		w.t.Errorf("%s {%s} finds %q, want %q", key, fields, got, ids)
	}
}

// TestBilling walks an invoice from its item to its end.
func TestBilling(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	customer := w.do("create-customer", `"email":"jenny@example.com"`).ID
	mine := `"customer":"` + customer + `"`
	item := w.do("create-invoice-item", mine+`,"amount":"1500","currency":"JPY"`).ID
	w.wants(item, "search-invoice-items", mine+`,"pending":"yes"`)

	invoice := w.do("create-invoice", mine)
	if invoice.Total != 1500 || invoice.Status != "draft" {
		t.Errorf("invoice is %s over %d, want a draft over the pending 1500", invoice.Status, invoice.Total)
	}
	other := w.do("create-invoice", mine).ID
	this := `"invoice":"` + invoice.ID + `"`
	w.wants("", "search-invoice-items", mine+`,"pending":"yes"`)
	w.wants(item, "search-invoice-items", this)
	w.wants("", "search-invoice-items", this+`,"pending":"yes"`)
	w.wants(other+" "+invoice.ID, "search-invoices", mine)
	w.wants(other+" "+invoice.ID, "search-invoices", mine+`,"pending":"yes"`)
	w.wants(invoice.ID, "search-invoices", this+`,"pending":"yes"`)
	w.wants("", "search-invoices", `"invoice":"in_unknown"`)

	if got := w.do("finalize-draft-invoice", this).Status; got != "open" {
		t.Errorf("finalized invoice is %s", got)
	}
	w.wants(invoice.ID, "search-invoices", this+`,"filter":[{"field":"status","operator":"equals","value":"open"}]`)
	w.wants("", "search-invoices", this+`,"filter":[{"field":"status","operator":"equals","value":"draft"}]`)
	w.wants(invoice.ID, "search-invoices", mine+`,"status":"open"`)
	if got := w.do("void-invoice", this).Status; got != "void" {
		t.Errorf("voided invoice is %s", got)
	}
	w.wants("", "search-invoices", this+`,"pending":"yes"`)
	w.wants(other, "search-invoices", mine+`,"pending":"yes"`)
	w.do("delete-draft-invoice", `"invoice":"`+other+`"`)
	w.wants(invoice.ID, "search-invoices", mine)
}

// TestPaying walks a payment to its refund.
func TestPaying(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	intent := w.do("create-payment-intent", `"amount":"1999","currency":"USD","payment_method":"pm_card_visa","confirmation_method":"manual"`).ID
	this := `"payment_intent":"` + intent + `"`
	paid := w.do("confirm-payment-intent", this+`,"metadata":{"order_id":"6735"},"return_url":"https://example.com/back"`)
	if paid.Status != "succeeded" || paid.Metadata["order_id"] != "6735" {
		t.Errorf("payment is %s with %v, want it succeeded with the metadata", paid.Status, paid.Metadata)
	}

	m, b := w.decode("confirm-payment-intent", this+`,"metadata":{"order_id":"6736"}`)
	_, err := w.client.Run(t.Context(), w.session, m.Steps(b))
	if err == nil || !strings.Contains(err.Error(), "set the metadata") {
		t.Errorf("err = %v, want it to tell what was done", err)
	}
	if got := w.do("retrieve-payment-intent", this).Metadata["order_id"]; got != "6736" {
		t.Errorf("order_id = %q, want what the first step has set", got)
	}

	refund := w.do("create-refund", `"charge":"`+intent+`","amount":999`)
	if refund.Amount != 999 {
		t.Errorf("refund of %d, want 999", refund.Amount)
	}
	w.wants(refund.ID, "list-all-refunds", `"charge":"`+intent+`"`)
}
