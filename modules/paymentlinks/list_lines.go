// Package paymentlinks declares the one module about payment links.
package paymentlinks

import (
	"github.com/stripe/stripe-go/v79/paymentlink"

	"stripe-connector/internal/spec"
)

// ListLines lists what a payment link sells.
var ListLines = spec.NewSearch(spec.Def{
	Key: "list-payment-link-lines", Label: "List Payment Link Lines", Docs: "https://docs.stripe.com/api/payment-link/retrieve-line-items",
	Help: "Lists the line items of one payment link.",
	Fields: spec.Fields{
		spec.PathID("payment_link", "Payment Link ID").Lookup("payment_links").Help("The payment link, plink_…."),
		spec.Limit(),
	},
	Stripe: spec.Lists(paymentlink.Client.ListLineItems),
	Out:    "item",
})
