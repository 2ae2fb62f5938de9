package invoiceitems

import (
	"github.com/stripe/stripe-go/v79/invoiceitem"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Search finds the invoice items of a customer or of an invoice. An item of an invoice is never pending, so together
// they find nothing, and Stripe need not be asked.
var Search = spec.NewSearch(spec.Def{
	Key: "search-invoice-items", Label: "Search Invoice Items", Docs: "https://docs.stripe.com/api/invoiceitems/list",
	Help: "Finds invoice items of a customer or of an invoice, under further conditions.",
	Fields: spec.Fields{
		shared.ListBy("invoice items", shared.Invoice),
		spec.Boolean("pending", "Pending").Help("Yes: only items that are on no invoice yet. No: only items that are on one. Empty: both."),
		spec.Filter("filter", "Filter", spec.ByDate("created", "Created date")).Help("Conditions that must all hold."),
		spec.Limit(),
	},
	Stripe: spec.Lists(invoiceitem.Client.List),
	Out:    "invoiceitem",
	Find: func(b *spec.Bundle, list spec.Source) spec.Query {
		if b.Has("invoice") && b.Bool("pending") {
			return spec.Query{}
		}
		return spec.Query{Sources: []spec.Source{list}}
	},
})
