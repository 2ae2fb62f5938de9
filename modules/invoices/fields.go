// Package invoices declares the modules of the group Invoices.
package invoices

import (
	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

var (
	invoiceID = shared.Invoice.InPath()

	collectionMethods = []spec.Option{spec.Opt("charge_automatically", "Charge Automatically"), spec.Opt("send_invoice", "Send Invoice")}

	statuses = []spec.Option{
		spec.Opt("draft", "Draft"), spec.Opt("open", "Open"), spec.Opt("paid", "Paid"),
		spec.Opt("uncollectible", "Uncollectible"), spec.Opt("void", "Void"),
	}
)

// details are what creating and updating have in common. The two fields that Stripe treats differently are handed in.
func details(autoAdvance spec.Field, subscription spec.Part) spec.Fields {
	return spec.Fields{
		autoAdvance,
		spec.Select("collection_method", "Collection Method", collectionMethods...).
			Help("Charge the saved payment method, or email the invoice to the customer."),
		spec.When("collection_method", spec.Only("send_invoice"),
			spec.Integer("days_until_due", "Days Until Due").Min(0).Help("How many days the customer has to pay. Either this or Due Date."),
			spec.Date("due_date", "Due Date").Help("When payment is due. Either this or Days Until Due."),
			spec.ExactlyOne("days_until_due", "due_date"),
		),
		spec.Text("description", "Description").MaxLen(1500).Help("Memo that the invoice shows."),
		subscription,
		shared.Metadata,
		spec.Section("Connect", shared.ApplicationFee),
		shared.CustomFields(shared.CustomField(30, 30)).
			Help("Up to four names and values that the invoice shows. In an update they replace all that were there."),
		spec.ID("default_payment_method", "Default Payment Method ID").Lookup("payment_methods", "customer").
			Help("Payment method that the invoice is charged to, pm_…. It must be the customer's."),
		shared.TaxRates("default_tax_rates", "Default Tax Rates ID").
			Help("Tax rates of the lines that have none of their own, txr_…. In an update they replace those that were there, and an empty text or list removes them."),
		spec.Rows("discounts", "Discounts",
			spec.ID("coupon", "Coupon ID").Lookup("coupons").Help("Coupon to apply."),
			spec.ID("discount", "Discount ID").Help("Discount to reuse, di_…."),
			spec.Hidden(spec.ID("promotion_code", "Promotion Code ID").Help("Promotion code to apply, promo_….")),
			spec.ExactlyOne("coupon", "discount", "promotion_code"),
		).Clears().Help("Discounts of the invoice, each by coupon or discount. In an update they replace those that were there, and an empty list removes them."),
		spec.Text("footer", "Footer").Help("Text at the foot of the invoice."),
		shared.StatementDescriptor.Matching(`[A-Za-z]`, "must have at least one letter").
			Help("Text on the customer's card statement, with at least one letter."),
		spec.Section("Connect", shared.TransferData),
	}
}

var subscription = spec.ID("subscription", "Subscription ID").Lookup("subscriptions", "customer").
	Help("Subscription to invoice, sub_…; its pending items go onto the invoice.")
