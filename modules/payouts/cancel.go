package payouts

import (
	"github.com/stripe/stripe-go/v79/payout"

	"stripe-connector/internal/spec"
)

// Cancel stops a payout that is still pending.
var Cancel = spec.NewAction(spec.Def{
	Key: "cancel-payout", Label: "Cancel a Payout", Docs: "https://docs.stripe.com/api/payouts/cancel",
	Help:   "Cancels a payout that is still pending.",
	Fields: spec.Fields{payoutID.Only("status", "pending")},
	Stripe: spec.CallsWithID(payout.Client.Cancel),
	Out:    "payout",
})
