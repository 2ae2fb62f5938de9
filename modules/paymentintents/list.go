package paymentintents

import (
	"github.com/stripe/stripe-go/v79/paymentintent"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// List lists payment intents, newest first.
var List = spec.NewSearch(spec.Def{
	Key: "list-payment-intents", Label: "List Payment Intents", Docs: "https://docs.stripe.com/api/payment_intents/list",
	Help: "Lists payment intents, newest first.",
	Fields: spec.Fields{
		shared.Customer.Help("Only payment intents of this customer, cus_…."),
		spec.Limit(),
	},
	Stripe: spec.Lists(paymentintent.Client.List),
	Out:    "payment_intent",
})
