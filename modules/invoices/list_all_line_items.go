package invoices

import (
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
)

// ListAllLineItems lists the lines of an invoice.
var ListAllLineItems = spec.NewSearch(spec.Def{
	Key: "list-all-invoice-line-items", Label: "List All Invoice Line Items", Docs: "https://docs.stripe.com/api/invoices/invoice_lines",
	Help:   "Lists the lines of one invoice.",
	Fields: spec.Fields{invoiceID, spec.Limit()},
	Stripe: spec.Lists(invoice.Client.ListLines),
	Out:    "line_item",
})
