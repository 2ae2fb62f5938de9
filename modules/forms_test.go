package modules

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line is a request in one line.
func (r request) line() string {
	return strings.Join(strings.Fields(r.String()), " ")
}

// TestForms pins what the forms decide by themselves: each bundle either makes these calls or has these faults.
func TestForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, module, bundle string
		want                 []string // calls
		faults               []string // field: code
	}{
		// Payment method: one that exists, or a new one.
		{
			name: "existing payment method", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","payment_method":"pm_1"`,
			want:   []string{"POST /v1/payment_intents/pi_1/confirm payment_method=pm_1"},
		},
		{
			name: "new payment method", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","payment_method_data":{"type":"ideal","billing_details":{"name":"Jo"}}`,
			want:   []string{"POST /v1/payment_intents/pi_1/confirm payment_method_data[billing_details][name]=Jo payment_method_data[type]=ideal"},
		},
		{
			name: "both payment methods", module: "update-payment-intent",
			bundle: `"payment_intent":"pi_1","payment_method":"pm_1","payment_method_data":{"type":"ideal"}`,
			faults: []string{"payment_method_data.type: not_allowed"},
		},
		{
			name: "the other payment method", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","payment_method_mode":"create","payment_method":"pm_1"`,
			faults: []string{"payment_method: not_allowed", "payment_method_data.type: required"},
		},
		{
			name: "payment method of a Make bundle", module: "create-payment-intent",
			bundle: `"amount":"100","currency":"USD","ignore::payment_method":"select","payment_method":"pm_1"`,
			want:   []string{"POST /v1/payment_intents amount=100 currency=usd payment_method=pm_1"},
		},
		{
			name: "details of a type", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"eur","ignore::payment_method":"create","payment_method_data":{"type":"sepa_debit","sepa_debit":{"iban":"DE89370400440532013000"}}`,
			want: []string{
				"POST /v1/payment_intents amount=100 currency=eur payment_method_data[sepa_debit][iban]=DE89370400440532013000 payment_method_data[type]=sepa_debit",
			},
		},
		{
			name: "details missing", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"eur","payment_method_data":{"type":"sepa_debit"}`,
			faults: []string{"payment_method_data.sepa_debit.iban: required"},
		},
		{
			name: "details of another type", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"eur","payment_method_data":{"type":"ideal","fpx":{"bank":"hsbc"}}`,
			faults: []string{"payment_method_data.fpx.bank: not_allowed"},
		},
		{
			name: "types by label and in capitals", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"eur","payment_method_types":["Card","SOFORT","brand_new"]`,
			want: []string{
				"POST /v1/payment_intents amount=100 currency=eur payment_method_types[0]=card payment_method_types[1]=sofort payment_method_types[2]=brand_new",
			},
		},

		// Confirming at once.
		{
			name: "confirmed without a way back", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"usd","confirm":"yes","payment_method":"pm_1"`,
			want: []string{
				"POST /v1/payment_intents amount=100 automatic_payment_methods[allow_redirects]=never automatic_payment_methods[enabled]=true confirm=true currency=usd payment_method=pm_1",
			},
		},
		{
			name: "confirmed with types", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"usd","confirm":true,"payment_method_types":"card"`,
			want:   []string{"POST /v1/payment_intents amount=100 confirm=true currency=usd payment_method_types[0]=card"},
		},
		{
			name: "confirmed with a method", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"usd","confirm":true,"confirmation_method":"manual"`,
			want:   []string{"POST /v1/payment_intents amount=100 confirm=true confirmation_method=manual currency=usd"},
		},
		{
			name: "not confirmed", module: "create-payment-intent",
			bundle: `"amount":100,"currency":"usd","confirm":"no"`,
			want:   []string{"POST /v1/payment_intents amount=100 confirm=false currency=usd"},
		},

		// Metadata of a confirmation.
		{
			name: "confirmed with metadata", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","metadata":{"a":"1","b":""}`,
			want:   []string{"POST /v1/payment_intents/pi_1 metadata[a]=1 metadata[b]=", "POST /v1/payment_intents/pi_1/confirm"},
		},
		{
			name: "confirmed without metadata from now on", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","payment_method_data":{"metadata":""}`,
			want:   []string{"POST /v1/payment_intents/pi_1 metadata=", "POST /v1/payment_intents/pi_1/confirm"},
		},
		{
			name: "confirmed with rows that nobody filled", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","metadata":[{"key":"","value":""}]`,
			want:   []string{"POST /v1/payment_intents/pi_1/confirm"},
		},

		// Mandate.
		{
			name: "existing mandate", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","mandate":"mandate_1"`,
			want:   []string{"POST /v1/payment_intents/pi_1/confirm mandate=mandate_1"},
		},
		{
			name: "offline mandate", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","mandate_data":{"customer_acceptance":{"type":"Offline","accepted_at":1718880000}}`,
			want: []string{
				"POST /v1/payment_intents/pi_1/confirm mandate_data[customer_acceptance][accepted_at]=1718880000 mandate_data[customer_acceptance][type]=offline",
			},
		},
		{
			name: "online mandate", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","mandate_data":{"customer_acceptance":{"type":"online","online":{"ip_address":"::1","user_agent":"curl"}}}`,
			want: []string{
				"POST /v1/payment_intents/pi_1/confirm mandate_data[customer_acceptance][online][ip_address]=::1 mandate_data[customer_acceptance][online][user_agent]=curl mandate_data[customer_acceptance][type]=online",
			},
		},
		{
			name: "online mandate without proof", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","mandate_data.customer_acceptance.type":"online","mandate_data.customer_acceptance.online.ip_address":"localhost"`,
			faults: []string{
				"mandate_data.customer_acceptance.online.ip_address: invalid", "mandate_data.customer_acceptance.online.user_agent: required",
			},
		},
		{
			name: "offline mandate with proof", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","mandate_data":{"customer_acceptance":{"type":"offline","online":{"ip_address":"::1"}}}`,
			faults: []string{"mandate_data.customer_acceptance.online.ip_address: not_allowed"},
		},
		{
			name: "both mandates", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","mandate":"mandate_1","mandate_data":{"customer_acceptance":{"type":"offline"}}`,
			faults: []string{"mandate_data.customer_acceptance.type: not_allowed"},
		},
		{
			name: "mandate type missing", module: "confirm-payment-intent",
			bundle: `"payment_intent":"pi_1","mandate_mode":"create"`,
			faults: []string{"mandate_data.customer_acceptance.type: required"},
		},
		{
			name: "confirmation's fields in an update", module: "update-payment-intent",
			bundle: `"payment_intent":"pi_1","off_session":false,"mandate_data":{"customer_acceptance":{"online":{"ip_address":"x"}}},"return_url":null`,
			faults: []string{"off_session: not_allowed", "mandate_data.customer_acceptance.online.ip_address: not_allowed"},
		},

		// Shipping.
		{
			name: "shipping without a name", module: "create-payment-intent",
			bundle: `"amount":1,"currency":"usd","shipping":{"address":{"city":"Berlin"}}`,
			faults: []string{"shipping.name: required"},
		},
		{
			name: "shipping without an address", module: "create-customer",
			bundle: `"shipping":{"name":"Jo"}`,
			faults: []string{"shipping.address.line1: required"},
		},

		// Connect.
		{
			name: "capture", module: "capture-payment-intent",
			bundle: `"payment_intent":"pi_1","transfer_data":{"amount":7}`,
			want:   []string{"POST /v1/payment_intents/pi_1/capture transfer_data[amount]=7"},
		},
		{
			name: "transfer to nobody", module: "create-payment-intent",
			bundle: `"amount":1,"currency":"usd","transfer_data":{"amount":7}`,
			faults: []string{"transfer_data.destination: required"},
		},

		// Refunds.
		{
			name: "refund of a charge", module: "create-refund", bundle: `"charge":"py_1","reason":"Requested by customer"`,
			want: []string{"POST /v1/refunds charge=py_1 reason=requested_by_customer"},
		},
		{
			name: "refund of a payment intent", module: "create-refund", bundle: `"charge":" pi_1 "`,
			want: []string{"POST /v1/refunds payment_intent=pi_1"},
		},
		{
			name: "refunds of a payment intent", module: "list-all-refunds", bundle: `"charge":"pi_1"`,
			want: []string{"GET /v1/refunds limit=100 payment_intent=pi_1"},
		},

		// Payouts.
		{
			name: "payout from Alipay", module: "create-payout", bundle: `"amount":1,"currency":"usd","source_type":"Alipay account"`,
			faults: []string{"source_type: not_allowed"},
		},
		{
			name: "days of payouts", module: "list-all-payouts",
			bundle: `"timezone":"America/New_York","created":{"operator":"on","timestamp":"2024-06-20"},"arrival_date":{"operator":"on","timestamp":"2024-06-20"}`,
			want: []string{
				"GET /v1/payouts arrival_date[gte]=1718841600 arrival_date[lt]=1718928000 created[gte]=1718856000 created[lt]=1718942400 limit=100",
			},
		},
		{
			name: "half a date filter", module: "list-all-payouts", bundle: `"created":{"operator":"on"},"arrival_date":{"timestamp":"2024-06-20"}`,
			faults: []string{"created.timestamp: required", "arrival_date.operator: required"},
		},

		// Invoices.
		{
			name: "invoice", module: "create-invoice", bundle: `"customer":"cus_1"`,
			want: []string{"POST /v1/invoices auto_advance=false customer=cus_1 pending_invoice_items_behavior=include"},
		},
		{
			name: "invoice of a Make bundle", module: "create-invoice",
			bundle: `"customer":"cus_1","auto_advance":true,"default_source":"src_1","pending_invoice_items_behavior":"exclude","discounts":[{"promotion_code":"promo_1"}]`,
			want: []string{
				"POST /v1/invoices auto_advance=true customer=cus_1 default_source=src_1 discounts[0][promotion_code]=promo_1 pending_invoice_items_behavior=exclude",
			},
		},
		{
			name: "sent invoice without terms", module: "create-invoice", bundle: `"customer":"cus_1","collection_method":"send_invoice"`,
			faults: []string{"days_until_due: required"},
		},
		{
			name: "sent invoice with both terms", module: "create-invoice",
			bundle: `"customer":"cus_1","collection_method":"send_invoice","days_until_due":3,"due_date":"2030-01-01"`,
			faults: []string{"due_date: not_allowed"},
		},
		{
			name: "terms of a charged invoice", module: "create-invoice", bundle: `"customer":"cus_1","collection_method":"charge_automatically","days_until_due":3`,
			faults: []string{"days_until_due: not_allowed"},
		},
		{
			name: "terms without a method", module: "create-invoice", bundle: `"customer":"cus_1","due_date":"2030-01-01"`,
			faults: []string{"due_date: not_allowed"},
		},
		{
			name: "terms of a stored invoice", module: "update-invoice", bundle: `"invoice":"in_1","days_until_due":3`,
			want: []string{"POST /v1/invoices/in_1 days_until_due=3"},
		},
		{
			name: "terms of a stored invoice that is to be charged", module: "update-invoice",
			bundle: `"invoice":"in_1","collection_method":"charge_automatically","days_until_due":3`,
			faults: []string{"days_until_due: not_allowed"},
		},
		{
			name: "stored invoice to be sent without terms", module: "update-invoice", bundle: `"invoice":"in_1","collection_method":"send_invoice"`,
			faults: []string{"days_until_due: required"},
		},
		{
			name: "discount by two means", module: "create-invoice", bundle: `"customer":"cus_1","discounts":[{"coupon":"a"},{"coupon":"a","discount":"di_1"}]`,
			faults: []string{"discounts[1].discount: not_allowed"},
		},
		{
			name: "discounts removed", module: "update-invoice", bundle: `"invoice":"in_1","discounts":[],"default_tax_rates":""`,
			want: []string{"POST /v1/invoices/in_1 default_tax_rates= discounts="},
		},
		{
			name: "subscription of a stored invoice", module: "update-invoice", bundle: `"invoice":"in_1","subscription":"sub_1"`,
			faults: []string{"subscription: not_allowed"},
		},
		{
			name: "limits of an invoice's texts", module: "create-invoice",
			bundle: `"customer":"cus_1","statement_descriptor":"123","custom_fields":[{"name":"` + strings.Repeat("n", 31) + `","value":"` + strings.Repeat("ü", 30) + `"}]`,
			faults: []string{"custom_fields[0].name: too_long", "statement_descriptor: invalid"},
		},

		// Searches by customer or invoice.
		{
			name: "invoices of a customer", module: "search-invoices",
			bundle: `"customer":"cus_1","filter":[{"field":"Status","operator":"equals","value":"paid"},{"field":"due_date","operator":"after","value":1718880000}]`,
			want:   []string{"GET /v1/invoices customer=cus_1 due_date[gt]=1718880000 limit=100 status=paid"},
		},
		{
			name: "invoices of a Make bundle", module: "search-invoices",
			bundle: `"customer":"cus_1","subscription":"sub_1","status":"open","collection_method":"send_invoice","filter":[[{"a":"created","o":"date:less","b":"2024-06-20T00:00:00Z"}]]`,
			want:   []string{"GET /v1/invoices collection_method=send_invoice created[lt]=1718841600 customer=cus_1 limit=100 status=open subscription=sub_1"},
		},
		{
			name: "pending invoices", module: "search-invoices", bundle: `"pending":"yes"`,
			want: []string{"GET /v1/invoices limit=100 status=draft", "GET /v1/invoices limit=100 status=open"},
		},
		{
			name: "all invoices", module: "search-invoices", bundle: `"pending":"no"`,
			want: []string{"GET /v1/invoices limit=100"},
		},
		{
			name: "one invoice", module: "search-invoices", bundle: `"invoice":"in_1","expand":["data.customer"]`,
			want: []string{"GET /v1/invoices/in_1 expand[0]=customer"},
		},
		{
			name: "invoices by both", module: "search-invoices", bundle: `"customer":"cus_1","invoice":"in_1"`,
			faults: []string{"invoice: not_allowed"},
		},
		{
			name: "invoices by the other", module: "search-invoices", bundle: `"list_by":"Invoice","customer":"cus_1"`,
			faults: []string{"customer: not_allowed", "invoice: required"},
		},
		{
			name: "invoice by a path", module: "search-invoices", bundle: `"invoice":"../customers"`,
			faults: []string{"invoice: invalid"},
		},
		{
			name: "pending and a status", module: "search-invoices",
			bundle: `"pending":true,"filter":[{"field":"status","operator":"equals","value":"open"}]`,
			faults: []string{"pending: not_allowed"},
		},
		{
			name: "two statuses", module: "search-invoices",
			bundle: `"status":"open","filter":[{"field":"status","operator":"equals","value":"paid"}]`,
			faults: []string{"filter[0]: duplicate"},
		},
		{
			name: "invoice items of an invoice", module: "search-invoice-items", bundle: `"invoice":"in_1","pending":"no"`,
			want: []string{"GET /v1/invoiceitems invoice=in_1 limit=100 pending=false"},
		},
		{
			name: "pending invoice items of an invoice", module: "search-invoice-items", bundle: `"invoice":"in_1","pending":"yes"`,
		},

		// The price of an invoice item.
		{
			name: "total", module: "create-invoice-item", bundle: `"customer":"cus_1","amount":-500,"currency":"usd"`,
			want: []string{"POST /v1/invoiceitems amount=-500 currency=usd customer=cus_1"},
		},
		{
			name: "unit amount", module: "create-invoice-item", bundle: `"customer":"cus_1","amount":500,"quantity":3,"currency":"usd"`,
			want: []string{"POST /v1/invoiceitems currency=usd customer=cus_1 quantity=3 unit_amount=500"},
		},
		{
			name: "unit amount of a Make bundle", module: "create-invoice-item",
			bundle: `"customer":"cus_1","input_amount":"unit_amount","unit_amount":"500","quantity":"3","currency":"usd","subscription":"sub_1"`,
			want:   []string{"POST /v1/invoiceitems currency=usd customer=cus_1 quantity=3 subscription=sub_1 unit_amount=500"},
		},
		{
			name: "price", module: "create-invoice-item", bundle: `"customer":"cus_1","price":"price_1","price_data":{"product":"prod_1"}`,
			want: []string{"POST /v1/invoiceitems customer=cus_1 price=price_1"},
		},
		{
			name: "price of a Make bundle", module: "create-invoice-item", bundle: `"customer":"cus_1","input_amount":"price","price":"price_1","quantity":2`,
			want: []string{"POST /v1/invoiceitems customer=cus_1 price=price_1 quantity=2"},
		},
		{
			name: "new price", module: "create-invoice-item",
			bundle: `"customer":"cus_1","amount":500,"currency":"USD","quantity":2,"price_data":{"product":"prod_1"}`,
			want: []string{
				"POST /v1/invoiceitems customer=cus_1 price_data[currency]=usd price_data[product]=prod_1 price_data[unit_amount]=500 quantity=2",
			},
		},
		{
			name: "new price without a product", module: "create-invoice-item", bundle: `"customer":"cus_1","price_mode":"create","amount":5,"currency":"usd"`,
			faults: []string{"price_data.product: required"},
		},
		{
			name: "price and amount", module: "create-invoice-item", bundle: `"customer":"cus_1","price":"price_1","amount":5,"currency":"usd"`,
			faults: []string{"amount: not_allowed", "currency: not_allowed"},
		},
		{
			name: "total of a quantity", module: "create-invoice-item",
			bundle: `"customer":"cus_1","input_amount":"total","amount":5,"currency":"usd","quantity":2`,
			faults: []string{"quantity: not_allowed"},
		},
		{
			name: "no price at all", module: "create-invoice-item", bundle: `"customer":"cus_1"`,
			faults: []string{"amount: required", "currency: required"},
		},
		{
			name: "period that ends before it starts", module: "update-invoice-item",
			bundle: `"invoiceitem":"ii_1","period":{"start":"2024-06-21","end":"2024-06-20"}`,
			faults: []string{"period.end: invalid"},
		},
		{
			name: "half a period", module: "create-invoice-item",
			bundle: `"customer":"cus_1","amount":5,"currency":"usd","period":{"start":"2024-06-21"}`,
			faults: []string{"period.end: required"},
		},

		// Make an API Call.
		{
			name: "all that is wrong with a call", module: "make-an-api-call",
			bundle: `"url":"https://example.com/v1/charges","method":"get","headers":[{},{"key":"a b","value":"1"}],"qs":[{"value":"1"}],"body":"a=b","timezone":"Mars/Olympus","boddy":""`,
			faults: []string{
				"url: invalid", "headers[1].key: invalid", "qs[0].key: required", "body: not_allowed", "timezone: invalid", "boddy: unknown",
			},
		},
		{name: "a call without a URL", module: "make-an-api-call", bundle: `"method":"FETCH"`, faults: []string{"url: required", "method: invalid"}},

		// Watch Events.
		{
			name: "event types and versions to come", module: "watch-events",
			bundle: `"webhook_name":"Orders","group":"customer","enabled_events":["customer.moved.away"],"api_version":"2031-01-01.acacia","url":"https://example.com"`,
		},
		{
			name: "no event types and versions", module: "watch-events",
			bundle: `"webhook_name":"Orders","group":"customers","enabled_events":"customer","api_version":"latest","url":"example"`,
			faults: []string{"enabled_events[0]: invalid", "api_version: invalid", "url: invalid"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := module(t, tt.module)
			b, err := m.Decode([]byte(`{"connection":"conn_1",`+tt.bundle+`}`), maxLimit)
			var faults []string
			for _, f := range asFaults(err) {
				faults = append(faults, f.Field+": "+f.Code)
			}
			if diff := cmp.Diff(tt.faults, faults); diff != "" {
				t.Fatalf("faults (-want +got):\n%s\n%v", diff, err)
			}
			if err != nil {
				return
			}
			var got []string
			for _, r := range requestsOf(t, m, b) {
				got = append(got, r.line())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKeeps pins the conditions that are applied here, because Stripe's lists do not have them.
func TestKeeps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, module, bundle string
		want                 string // call
		keeps, drops         []string
	}{
		{
			name: "available before", module: "list-all-balance-history",
			bundle: `"available_on":{"operator":"before","timestamp":1718880000}`,
			want:   "GET /v1/balance_transactions created[lt]=1718880000 limit=100",
			keeps:  []string{`{"available_on":1718879999}`},
			drops:  []string{`{"available_on":1718880000}`, `[]`},
		},
		{
			name: "available on or before", module: "list-all-balance-history",
			bundle: `"available_on":{"operator":"on_or_before","timestamp":1718880000},"created":{"operator":"after","timestamp":1700000000}`,
			want:   "GET /v1/balance_transactions created[gt]=1700000000 created[lte]=1718880000 limit=100",
			keeps:  []string{`{"available_on":1718880000}`},
			drops:  []string{`{"available_on":1718880001}`},
		},
		{
			name: "available on a day, with a limit of one's own", module: "list-all-balance-history",
			bundle: `"available_on":{"operator":"on","timestamp":"2024-06-20"},"created":{"operator":"before","timestamp":1700000000}`,
			want:   "GET /v1/balance_transactions created[lt]=1700000000 limit=100",
			keeps:  []string{`{"available_on":1718841600}`, `{"available_on":1718927999}`},
			drops:  []string{`{"available_on":1718841599}`, `{"available_on":1718928000}`},
		},
		{
			name: "available after", module: "list-all-balance-history",
			bundle: `"available_on":{"operator":"after","timestamp":1718880000}`,
			want:   "GET /v1/balance_transactions limit=100",
			keeps:  []string{`{"available_on":1718880001}`},
			drops:  []string{`{"available_on":1718880000}`},
		},
		{
			name: "one pending invoice", module: "search-invoices", bundle: `"invoice":"in_1","pending":true`,
			want:  "GET /v1/invoices/in_1",
			keeps: []string{`{"status":"draft"}`, `{"status":"open"}`},
			drops: []string{`{"status":"paid"}`, `{"status":null}`, `{}`},
		},
		{
			name: "one invoice with conditions", module: "search-invoices",
			bundle: `"invoice":"in_1","collection_method":"send_invoice","filter":[{"field":"subscription","operator":"equals","value":"sub_1"},{"field":"due_date","operator":"before","value":1718880000}]`,
			want:   "GET /v1/invoices/in_1",
			keeps: []string{
				`{"subscription":"sub_1","due_date":1718879999,"collection_method":"send_invoice"}`,
				`{"subscription":{"id":"sub_1"},"due_date":1718879999,"collection_method":"send_invoice"}`,
			},
			drops: []string{
				`{"subscription":"sub_2","due_date":1718879999,"collection_method":"send_invoice"}`,
				`{"subscription":"sub_1","due_date":null,"collection_method":"send_invoice"}`,
				`{"subscription":"sub_1","due_date":1718879999,"collection_method":"charge_automatically"}`,
				`{"subscription":null,"due_date":1718879999,"collection_method":"send_invoice"}`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := module(t, tt.module)
			b, err := m.Decode([]byte(`{"connection":"conn_1",`+tt.bundle+`}`), maxLimit)
			if err != nil {
				t.Fatal(err)
			}
			got := requestsOf(t, m, b)
			if len(got) != 1 || got[0].line() != tt.want {
				t.Errorf("calls = %v, want %s", got, tt.want)
			}
			q := m.Query(b)
			for _, object := range tt.keeps {
				if !q.Keep([]byte(object)) {
					t.Errorf("drops %s", object)
				}
			}
			for _, object := range tt.drops {
				if q.Keep([]byte(object)) {
					t.Errorf("keeps %s", object)
				}
			}
			if bounded := q.Scan > 0; bounded == q.Sources[0].One {
				t.Errorf("scan = %d", q.Scan)
			}
		})
	}
}

// TestMoney sends amounts as they are, whatever the currency: 500 JPY are 500, 1234 KWD are 1.234, 1999 USD are 19.99.
func TestMoney(t *testing.T) {
	t.Parallel()
	tests := []struct {
		amount string // JSON
		want   string // empty: refused
	}{
		{`500`, "500"},
		{`"500"`, "500"},
		{`" 1234 "`, "1234"},
		{`1999.0`, "1999"},
		{`"1999.00"`, "1999"},
		{`1e3`, "1000"},
		{`99999999`, "99999999"},
		{`19.99`, ""},
		{`"19.99"`, ""},
		{`1.234`, ""},
		{`"1,000"`, ""},
		{`"1 000"`, ""},
		{`"$5"`, ""},
		{`"0x10"`, ""},
		{`99999999999999999999`, ""},
		{`true`, ""},
	}
	forms := []struct{ module, field, bundle string }{
		{"create-payment-intent", "amount", ``},
		{"create-payout", "amount", ``},
		{"create-invoice-item", "amount", `"customer":"cus_1",`},
	}
	for _, form := range forms {
		m := module(t, form.module)
		for _, currency := range []string{"JPY", "kwd", "USD"} {
			for _, tt := range tests {
				b, err := m.Decode(fmt.Appendf(nil, `{"connection":"conn_1",%s"currency":%q,"amount":%s}`, form.bundle, currency, tt.amount), maxLimit)
				if tt.want == "" {
					faults := asFaults(err)
					if len(faults) != 1 || faults[0].Field != form.field {
						t.Errorf("%s: %s %s: %v", form.module, tt.amount, currency, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %s %s: %v", form.module, tt.amount, currency, err)
					continue
				}
				got := requestsOf(t, m, b)[0].Form
				if got.Get("amount") != tt.want || got.Get("currency") != strings.ToLower(currency) {
					t.Errorf("%s: %s %s is sent as %s %s", form.module, tt.amount, currency, got.Get("amount"), got.Get("currency"))
				}
			}
		}
	}
}

// TestAmountLimits: what the documentation says of each amount.
func TestAmountLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		module, bundle string
		refuses        []string
		takes          []string
	}{
		{"create-payment-intent", `"currency":"usd","amount":%s`, []string{"0", "-1", "100000000"}, []string{"1", "99999999"}},
		{"update-payment-intent", `"payment_intent":"pi_1","amount":%s`, []string{"0", "100000000"}, []string{"1"}},
		{"capture-payment-intent", `"payment_intent":"pi_1","amount_to_capture":%s`, []string{"0"}, []string{"1", "100000000"}},
		{"create-refund", `"charge":"ch_1","amount":%s`, []string{"0", "-1"}, []string{"1", "100000000"}},
		{"create-payout", `"currency":"usd","amount":%s`, []string{"0"}, []string{"1", "100000000"}},
		{"create-customer", `"balance":%s`, nil, []string{"-5000", "0", "5000"}},
		{"create-invoice-item", `"customer":"cus_1","currency":"usd","amount":%s`, nil, []string{"-5000", "0", "5000"}},
		{"update-invoice-item", `"invoiceitem":"ii_1","amount":%s`, nil, []string{"-5000", "0"}},
		{"list-all-payouts", `"limit":%s`, []string{"0", "1001"}, []string{"1", "1000"}},
	}
	for _, tt := range tests {
		m := module(t, tt.module)
		for _, amount := range slices.Concat(tt.refuses, tt.takes) {
			_, err := m.Decode([]byte(`{"connection":"conn_1",`+fmt.Sprintf(tt.bundle, amount)+`}`), 10_000)
			if refused := err != nil; refused != slices.Contains(tt.refuses, amount) {
				t.Errorf("%s with %s: %v", tt.module, amount, err)
			}
		}
	}
}

// TestStepNames: the report of a half-done action says what was done.
func TestStepNames(t *testing.T) {
	t.Parallel()
	m := module(t, "confirm-payment-intent")
	b, err := m.Decode([]byte(`{"connection":"conn_1","payment_intent":"pi_1","metadata":{"a":"1"}}`), maxLimit)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range m.Steps(b) {
		got = append(got, step.Name)
	}
	if want := []string{"set the metadata", "confirm a payment intent"}; !slices.Equal(got, want) {
		t.Errorf("steps = %v, want %v", got, want)
	}
}

// TestLocalFields never reach Stripe's parameters.
func TestLocalFields(t *testing.T) {
	t.Parallel()
	m := module(t, "create-payment-intent")
	b, err := m.Decode([]byte(`{"connection":"conn_1","amount":1,"currency":"usd","idempotency_key":"order 7","payment_method_mode":"existing","payment_method":"pm_1"}`), maxLimit)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.IdempotencyKey(), "order 7"; got != want {
		t.Errorf("idempotency key = %q, want %q", got, want)
	}
	if got, want := requestsOf(t, m, b)[0].line(), "POST /v1/payment_intents amount=1 currency=usd payment_method=pm_1"; got != want {
		t.Errorf("call = %s, want %s", got, want)
	}
}
