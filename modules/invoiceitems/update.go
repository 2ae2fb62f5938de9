package invoiceitems

import (
	"github.com/stripe/stripe-go/v79/invoiceitem"

	"stripe-connector/internal/spec"
)

// Update changes an item whose invoice is not closed yet.
var Update = spec.NewUpdate(spec.Def{
	Key: "update-invoice-item", Label: "Update an Invoice Item", Docs: "https://docs.stripe.com/api/invoiceitems/update",
	Help: "Changes an invoice item whose invoice is not closed yet. Fields left empty keep what is stored.",
	Fields: spec.Fields{
		itemID,
		spec.Integer("amount", "Input an Amount").Help("New total in the smallest currency unit. Negative is a credit."),
		details,
	},
	Stripe: spec.CallsWithID(invoiceitem.Client.Update),
	Out:    "invoiceitem",
})
