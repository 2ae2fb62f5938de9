package payouts

import (
	"github.com/stripe/stripe-go/v79/payout"

	"stripe-connector/internal/spec"
)

// Retrieve reads a payout.
var Retrieve = spec.NewAction(spec.Def{
	Key: "retrieve-payout", Label: "Retrieve a Payout", Docs: "https://docs.stripe.com/api/payouts/retrieve",
	Help:   "Reads one payout.",
	Fields: spec.Fields{payoutID},
	Stripe: spec.CallsWithID(payout.Client.Get),
	Out:    "payout",
})
