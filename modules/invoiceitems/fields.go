// Package invoiceitems declares the modules of the group Invoice Items.
package invoiceitems

import (
	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

var itemID = spec.PathID("invoiceitem", "Invoice Item ID").Lookup("invoice_items", "customer").Help("The invoice item, ii_….")

// details are what creating and updating have in common: all but the amount and what it belongs to.
var details = spec.Fields{
	spec.Text("description", "Description").Help("Text of the line on the invoice."),
	spec.Section("Period", spec.Object("period",
		spec.Date("start", "Start").RequiredWith("end").Help("When the time that the item is for begins."),
		spec.Date("end", "End").RequiredWith("start").Help("When that time ends; not before Start."),
		spec.Check(endsAfterStart),
	)),
	shared.Metadata,
	spec.Boolean("discountable", "Discountable").Help("Whether discounts apply to the item. Prorations are never discounted."),
	shared.TaxRates("tax_rates", "Tax Rates ID").
		Help("Tax rates of the item in place of the invoice's, txr_…. In an update they replace those that were there, and an empty text or list removes them."),
}

func endsAfterStart(b *spec.Bundle) {
	if b.Has("period.start") && b.Has("period.end") && b.Int("period.end") < b.Int("period.start") {
		b.Fault("period.end", spec.CodeInvalid, "must not be before Start (period.start)")
	}
}
