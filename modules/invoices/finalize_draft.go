package invoices

import (
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
)

// FinalizeDraft opens a draft for payment.
var FinalizeDraft = spec.NewAction(spec.Def{
	Key: "finalize-draft-invoice", Label: "Finalize a Draft Invoice", Docs: "https://docs.stripe.com/api/invoices/finalize",
	Help:   "Turns a draft invoice into an open one, ready to be paid.",
	Fields: spec.Fields{invoiceID.Only("status", "draft")},
	Stripe: spec.CallsWithID(invoice.Client.FinalizeInvoice),
	Out:    "invoice",
})
