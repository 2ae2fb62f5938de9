package modules

import (
	"testing"

	"github.com/stripe/stripe-go/v79"
	stripeform "github.com/stripe/stripe-go/v79/form"

	"stripe-connector/modules/paymentintents"
)

// BenchmarkCreatePaymentIntent is the service's own share of a call: read, judge and bind a bundle of 13 fields, and
// encode it as stripe-go does.
func BenchmarkCreatePaymentIntent(b *testing.B) {
	body := []byte(`{"connection":"conn_1","amount":"1099","currency":"EUR","description":"Order 7","receipt_email":"ada@example.com",
		"customer":"cus_NffrFeUfNV2Hib","payment_method_types":["card"],"capture_method":"manual","statement_descriptor_suffix":"ORDER 7",
		"shipping":{"name":"Ada Lovelace","address":{"line1":"12 St James's Square","city":"London","country":"gb"}},"metadata":{"order":"7","shop":"b"}}`)
	b.ReportAllocs()
	for b.Loop() {
		bundle, err := paymentintents.Create.Decode(body, 100)
		if err != nil {
			b.Fatal(err)
		}
		params := new(stripe.PaymentIntentParams)
		bundle.BindTo(params)
		values := &stripeform.Values{}
		stripeform.AppendTo(values, params)
		_ = values.Encode()
	}
}
