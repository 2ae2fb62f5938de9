package refunds

import (
	"github.com/stripe/stripe-go/v79/refund"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Update changes the metadata of a refund; Stripe lets nothing else of it be changed.
var Update = spec.NewUpdate(spec.Def{
	Key: "update-refund", Label: "Update a Refund", Docs: "https://docs.stripe.com/api/refunds/update",
	Help:   "Changes the metadata of a refund.",
	Fields: spec.Fields{refundID, shared.Metadata},
	Stripe: spec.CallsWithID(refund.Client.Update),
	Out:    "refund",
})
