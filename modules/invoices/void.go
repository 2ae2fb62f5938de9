package invoices

import (
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
)

// Void marks a finalized invoice as never to be paid, for good.
var Void = spec.NewAction(spec.Def{
	Key: "void-invoice", Label: "Void an Invoice", Docs: "https://docs.stripe.com/api/invoices/void",
	Help:   "Voids a finalized invoice for good; it stays on record.",
	Fields: spec.Fields{invoiceID.Only("status", "open", "uncollectible")},
	Stripe: spec.CallsWithID(invoice.Client.VoidInvoice),
	Out:    "invoice",
})
