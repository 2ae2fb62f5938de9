package invoices

import (
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
)

// Update changes an invoice, for the most part only while it is a draft.
var Update = spec.NewUpdate(spec.Def{
	Key: "update-invoice", Label: "Update an Invoice", Docs: "https://docs.stripe.com/api/invoices/update",
	Help: "Changes an invoice, for the most part only while it is a draft. Fields left empty keep what is stored.",
	Fields: spec.Fields{
		invoiceID,
		details(
			spec.Boolean("auto_advance", "Auto Advance").Help("Yes: Stripe finalizes and collects the invoice by itself. No: it stays as it is."),
			spec.Refuse("Stripe takes the subscription only when the invoice is made; use Create an Invoice", subscription),
		),
	},
	Stripe: spec.CallsWithID(invoice.Client.Update),
	Out:    "invoice",
})
