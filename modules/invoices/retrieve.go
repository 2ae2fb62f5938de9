package invoices

import (
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
)

// Retrieve reads an invoice.
var Retrieve = spec.NewAction(spec.Def{
	Key: "retrieve-invoice", Label: "Retrieve an Invoice", Docs: "https://docs.stripe.com/api/invoices/retrieve",
	Help:   "Reads one invoice.",
	Fields: spec.Fields{invoiceID},
	Stripe: spec.CallsWithID(invoice.Client.Get),
	Out:    "invoice",
})
