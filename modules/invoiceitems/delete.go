package invoiceitems

import (
	"github.com/stripe/stripe-go/v79/invoiceitem"

	"stripe-connector/internal/spec"
)

// Delete removes an item that is pending or on a draft invoice.
var Delete = spec.NewAction(spec.Def{
	Key: "delete-invoice-item", Label: "Delete an Invoice Item", Docs: "https://docs.stripe.com/api/invoiceitems/delete",
	Help:   "Deletes an invoice item that is pending or on a draft invoice.",
	Fields: spec.Fields{itemID},
	Stripe: spec.CallsWithID(invoiceitem.Client.Del),
	Out:    "deleted_invoiceitem",
})
