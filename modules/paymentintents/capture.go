package paymentintents

import (
	"github.com/stripe/stripe-go/v79/paymentintent"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Capture takes the money that a payment intent has reserved.
var Capture = spec.NewAction(spec.Def{
	Key: "capture-payment-intent", Label: "Capture a Payment Intent", Docs: "https://docs.stripe.com/api/payment_intents/capture",
	Help: "Captures the money of a payment intent that was authorized before.",
	Fields: spec.Fields{
		eachID.Only("status", "requires_capture"),
		spec.Integer("amount_to_capture", "Amount to Capture").Min(1).
			Help("How much to capture, in the smallest currency unit; empty is all that was authorized."),
		statementDescriptor,
		shared.StatementDescriptorSuffix,
		spec.Section("Connect", shared.ApplicationFee, spec.Object("transfer_data", shared.TransferAmount)),
	},
	Stripe: spec.CallsWithID(paymentintent.Client.Capture),
	Out:    "payment_intent",
})
