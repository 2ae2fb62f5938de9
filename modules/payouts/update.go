package payouts

import (
	"github.com/stripe/stripe-go/v79/payout"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Update changes the metadata of a payout; Stripe lets nothing else of it be changed.
var Update = spec.NewUpdate(spec.Def{
	Key: "update-payout", Label: "Update a Payout", Docs: "https://docs.stripe.com/api/payouts/update",
	Help:   "Changes the metadata of a payout.",
	Fields: spec.Fields{payoutID, shared.Metadata},
	Stripe: spec.CallsWithID(payout.Client.Update),
	Out:    "payout",
})
