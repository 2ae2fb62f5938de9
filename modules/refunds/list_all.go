package refunds

import (
	"github.com/stripe/stripe-go/v79/refund"

	"stripe-connector/internal/spec"
)

// ListAll lists refunds, newest first.
var ListAll = spec.NewSearch(spec.Def{
	Key: "list-all-refunds", Label: "List All Refunds", Docs: "https://docs.stripe.com/api/refunds/list",
	Help: "Lists refunds, newest first.",
	Fields: spec.Fields{
		charge.Help("Only refunds of this charge, ch_… or py_…, or of this payment intent, pi_…. Empty lists all."),
		spec.Limit(),
	},
	Stripe: spec.Lists(refund.Client.List),
	Out:    "refund",
})
