package invoices

import (
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Create makes a draft of the customer's pending invoice items. Stripe by itself would leave them out, and let the
// account's settings decide whether the draft advances.
var Create = spec.NewAction(spec.Def{
	Key: "create-invoice", Label: "Create an Invoice", Docs: "https://docs.stripe.com/api/invoices/create",
	Help: "Creates a draft invoice from the customer's pending invoice items.",
	Fields: spec.Fields{
		shared.Customer.Required().Help("Customer to bill, cus_…."),
		details(
			spec.Boolean("auto_advance", "Auto Advance").Default(false).
				Help("Yes: Stripe finalizes and collects the invoice by itself. No, or empty: it stays a draft until something is done."),
			subscription,
		),
		// Bundles of the Make app carry these.
		spec.Hidden(
			spec.ID("default_source", "Default Source ID").Help("Source that the invoice is charged to."),
			spec.Select("pending_invoice_items_behavior", "Pending Invoice Items",
				spec.Opt("include", "Include"), spec.Opt("exclude", "Exclude"),
			).Default("include").Help("Whether pending invoice items go onto the invoice."),
		),
	},
	Stripe: spec.Calls(invoice.Client.New),
	Out:    "invoice",
})
