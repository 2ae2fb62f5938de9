package invoices

import (
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
)

// DeleteDraft removes a draft for good. A finalized invoice can only be voided.
var DeleteDraft = spec.NewAction(spec.Def{
	Key: "delete-draft-invoice", Label: "Delete a Draft Invoice", Docs: "https://docs.stripe.com/api/invoices/delete",
	Help:   "Deletes a draft invoice for good.",
	Fields: spec.Fields{invoiceID.Only("status", "draft")},
	Stripe: spec.CallsWithID(invoice.Client.Del),
	Out:    "deleted_invoice",
})
