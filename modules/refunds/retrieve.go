package refunds

import (
	"github.com/stripe/stripe-go/v79/refund"

	"stripe-connector/internal/spec"
)

// Retrieve reads a refund.
var Retrieve = spec.NewAction(spec.Def{
	Key: "retrieve-refund", Label: "Retrieve a Refund", Docs: "https://docs.stripe.com/api/refunds/retrieve",
	Help:   "Reads one refund.",
	Fields: spec.Fields{refundID},
	Stripe: spec.CallsWithID(refund.Client.Get),
	Out:    "refund",
})
