package paymentintents

import (
	"github.com/stripe/stripe-go/v79/paymentintent"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Update changes a payment intent without confirming it. Its documentation shows the fields of a confirmation too, which
// Stripe does not take here: to drop them would let a caller believe that a mandate was recorded.
var Update = spec.NewUpdate(spec.Def{
	Key: "update-payment-intent", Label: "Update a Payment Intent", Docs: "https://docs.stripe.com/api/payment_intents/update",
	Help: "Changes a payment intent without confirming it. Fields left empty keep what is stored.",
	Fields: spec.Fields{
		eachID,
		amount,
		details(shared.Metadata),
		spec.Refuse("Stripe takes this only when the payment intent is confirmed; use Confirm a Payment Intent", atConfirmation),
	},
	Stripe: spec.CallsWithID(paymentintent.Client.Update),
	Out:    "payment_intent",
})
