package paymentintents

import (
	"github.com/stripe/stripe-go/v79/paymentintent"

	"stripe-connector/internal/spec"
)

// Cancel cancels a payment intent. Money that it has reserved is released.
var Cancel = spec.NewAction(spec.Def{
	Key: "cancel-payment-intent", Label: "Cancel a Payment Intent", Docs: "https://docs.stripe.com/api/payment_intents/cancel",
	Help:   "Cancels a payment intent and releases what it has reserved.",
	Fields: spec.Fields{intentID("Payment Intent").Only("status", "requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")},
	Stripe: spec.CallsWithID(paymentintent.Client.Cancel),
	Out:    "payment_intent",
})
