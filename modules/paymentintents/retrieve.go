package paymentintents

import (
	"github.com/stripe/stripe-go/v79/paymentintent"

	"stripe-connector/internal/spec"
)

// Retrieve reads a payment intent.
var Retrieve = spec.NewAction(spec.Def{
	Key: "retrieve-payment-intent", Label: "Retrieve a Payment Intent", Docs: "https://docs.stripe.com/api/payment_intents/retrieve",
	Help:   "Reads one payment intent.",
	Fields: spec.Fields{eachID},
	Stripe: spec.CallsWithID(paymentintent.Client.Get),
	Out:    "payment_intent",
})
