package invoiceitems

import (
	"github.com/stripe/stripe-go/v79/invoiceitem"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Create makes an invoice item, pending or on a draft invoice.
//
// One Amount and one Currency serve every way to state a price: where they go depends on the two selects.
var Create = spec.NewAction(spec.Def{
	Key: "create-invoice-item", Label: "Create an Invoice Item", Docs: "https://docs.stripe.com/api/invoiceitems/create",
	Help: "Creates an invoice item, pending or on a draft invoice.",
	Fields: spec.Fields{
		shared.Customer.Required().Help("Customer to bill, cus_…."),
		shared.Invoice.Lookup("invoices", "customer").Only("status", "draft").Implied().
			Help("Draft invoice to put the item on, in_…. Empty: it waits for the customer's next invoice."),
		spec.Control("amount_mode", "Input an Amount",
			spec.Opt("total_amount", "By a Total Amount", "total"),
			spec.Opt("unit_amount_quantity", "By a Unit Amount and Quantity", "unit_amount"),
			spec.Opt("existing_price", "By an Existing Price Object", "price"),
		).Alias("input_amount").InferredBy(amountMode).
			Help("How the price is stated. Empty: by what is filled."),
		spec.WhenAny(hasAmount,
			spec.Integer("amount", "Amount").Required().Alias("unit_amount").
				ToWhen("amount", "amount_mode", "total_amount").
				ToWhen("unit_amount", "amount_mode", "unit_amount_quantity").
				ToWhen("price_data.unit_amount", "price_mode", "create").
				Help("Sum in the smallest currency unit: the total, or that of one unit if there is a quantity. Negative lowers the invoice."),
		),
		spec.When("amount_mode", spec.Only("existing_price"),
			spec.Control("price_mode", "Price Object",
				spec.Opt("existing", "Input an Existing Price ID"), spec.Opt("create", "Create a New Price Object"),
			).InferredBy(priceMode).
				Help("Whether to use a price that exists or to state a new one. Empty: by what is filled."),
		),
		spec.When("price_mode", []string{"existing", "create"},
			spec.ID("price_data.product", "Product ID").ToWhen("price_data.product", "price_mode", "create").Lookup("products").
				Help("Product of the new price, prod_…. With an existing price it only narrows the list to pick from."),
		),
		spec.When("price_mode", spec.Only("create"), spec.AtLeastOne("price_data.product")),
		spec.When("price_mode", spec.Only("existing"),
			spec.ID("price", "Price ID").Required().Lookup("prices", "product").Only("type", "one_time").Help("One-time price, price_…."),
		),
		spec.When("amount_mode", []string{"unit_amount_quantity", "existing_price"},
			spec.Integer("quantity", "Quantity").Min(0).Help("How many units; empty is one."),
		),
		spec.WhenAny(hasAmount,
			shared.Currency.Required().
				ToWhen("currency", "amount_mode", "total_amount", "unit_amount_quantity").
				ToWhen("price_data.currency", "price_mode", "create"),
		),
		details,
		// Bundles of the Make app carry it.
		spec.Hidden(spec.ID("subscription", "Subscription ID").Help("Subscription whose next invoice takes the item, sub_….")),
	},
	Stripe: spec.Calls(invoiceitem.Client.New),
	Out:    "invoiceitem",
})

var hasAmount = spec.AnyOf{spec.Is("amount_mode", "total_amount", "unit_amount_quantity"), spec.Is("price_mode", "create")}

func amountMode(b *spec.Bundle) string {
	switch {
	case b.Has("price") || b.Has("price_data.product") || b.Has("price_mode"):
		return "existing_price"
	case b.Has("quantity"):
		return "unit_amount_quantity"
	}
	return "total_amount"
}

func priceMode(b *spec.Bundle) string {
	if !b.Has("price") && (b.Has("amount") || b.Has("currency")) {
		return "create"
	}
	return "existing"
}
