package refunds

import (
	"github.com/stripe/stripe-go/v79/refund"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Create gives a charge back, in full or in part.
var Create = spec.NewAction(spec.Def{
	Key: "create-refund", Label: "Create a Refund", Docs: "https://docs.stripe.com/api/refunds/create",
	Help: "Gives a charge back, in full or in part.",
	Fields: spec.Fields{
		charge.Required().Help("Charge to refund, ch_… or py_…, or the payment intent that made it, pi_…."),
		spec.Integer("amount", "Amount").Min(1).Help("How much to refund, in the smallest currency unit; empty is all that remains."),
		spec.Select("reason", "Reason",
			spec.Opt("duplicate", "Duplicate"), spec.Opt("fraudulent", "Fraudulent"), spec.Opt("requested_by_customer", "Requested by customer"),
		).Help("Why the money goes back. Fraudulent puts the card and the email address on your block lists."),
		spec.Boolean("refund_application_fee", "Refund Applicable Fee").Help("Yes: the Connect application fee goes back too, in proportion."),
		spec.Boolean("reverse_transfer", "Reverse Transfer").Help("Yes: the Connect transfer is taken back too, in proportion."),
		shared.Metadata,
	},
	Stripe: spec.Calls(refund.Client.New),
	Out:    "refund",
})
