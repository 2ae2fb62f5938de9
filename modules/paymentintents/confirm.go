package paymentintents

import (
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/paymentintent"

	"stripe-connector/internal/spec"
)

// Confirm starts the payment.
//
// Its metadata are the payment intent's, though they stand among the fields of the new payment method. Stripe does not
// take them with a confirmation, so they are set by an update of their own before it.
var Confirm = spec.NewUpdate(spec.Def{
	Key: "confirm-payment-intent", Label: "Confirm a Payment Intent", Docs: "https://docs.stripe.com/api/payment_intents/confirm",
	Help: "Confirms a payment intent, which starts the payment.",
	Fields: spec.Fields{
		eachID.Only("status", "requires_confirmation", "requires_payment_method", "requires_action"),
		details(confirmMetadata),
		atConfirmation,
	},
	Stripe: spec.CallsWithID(paymentintent.Client.Confirm),
	Out:    "payment_intent",
	Plan: func(b *spec.Bundle, confirm spec.Step) []spec.Step {
		pairs, unset := b.Pairs(confirmMetadata.Name), b.Cleared(confirmMetadata.Name)
		if len(pairs) == 0 && !unset {
			return []spec.Step{confirm}
		}
		set := &stripe.PaymentIntentParams{}
		if unset {
			set.AddExtra("metadata", "")
		}
		for _, pair := range pairs {
			set.AddMetadata(pair.Key, pair.Value)
		}
		return []spec.Step{
			{Name: "set the metadata", Call: spec.BoundWithID(paymentintent.Client.Update, b.Text("payment_intent"), set)},
			confirm,
		}
	},
})

var confirmMetadata = spec.Metadata("payment_method_data.metadata", "Metadata").Alias("metadata").Local().
	Help("Your own key-value pairs, kept with the payment intent; set before it is confirmed. An empty value removes its key, and an empty text removes all keys.")
