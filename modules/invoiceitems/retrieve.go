package invoiceitems

import (
	"github.com/stripe/stripe-go/v79/invoiceitem"

	"stripe-connector/internal/spec"
)

// Retrieve reads an invoice item.
var Retrieve = spec.NewAction(spec.Def{
	Key: "retrieve-invoice-item", Label: "Retrieve an Invoice Item", Docs: "https://docs.stripe.com/api/invoiceitems/retrieve",
	Help:   "Reads one invoice item.",
	Fields: spec.Fields{itemID},
	Stripe: spec.CallsWithID(invoiceitem.Client.Get),
	Out:    "invoiceitem",
})
