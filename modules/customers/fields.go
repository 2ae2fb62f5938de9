// Package customers declares the modules of the group Customers.
package customers

import (
	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

var (
	customerID = shared.Customer.InPath().Help("The customer, cus_….")

	emailFilter = spec.Email("email", "Email").MaxLen(512).Help("Only customers with exactly this email address; upper and lower case count.")

	paymentMethod = spec.ID("payment_method", "Payment Method ID").Help("Payment method to attach to the customer, pm_….")

	taxIDs = spec.Rows("tax_id_data", "TAX ID Data",
		spec.Select("type", "Type", taxIDTypes...).Required().Help("Kind of tax ID, such as eu_vat."),
		spec.Text("value", "Tax ID").Required().Help("The tax ID itself."),
	).Help("Tax IDs of the customer.")
)

// profile are the fields that creating and updating a customer share. The two that only creation takes in one call are
// handed in.
func profile(paymentMethod, taxIDs spec.Field) spec.Fields {
	return spec.Fields{
		spec.Text("description", "Description").Help("Your note about the customer."),
		spec.Email("email", "Email").MaxLen(512).Help("The customer's email address."),
		spec.Text("name", "Name").MaxLen(256).Help("Full name of the person or name of the business."),
		spec.Text("phone", "Phone").MaxLen(20).Help("The customer's phone number."),
		shared.Shipping("Country", "Name", shared.RecipientPhone),
		paymentMethod,
		shared.Metadata,
		spec.Integer("balance", "Balance").Help("Balance in the smallest currency unit. Negative is a credit that the next invoices use up, positive is added to them."),
		spec.ID("coupon", "Coupon ID").Lookup("coupons").Help("Coupon to apply to the customer. Not together with a promotion code."),
		spec.Text("invoice_prefix", "Invoice Prefix").MaxLen(12).Keeps().Matching(`^[A-Z0-9]{3,12}$`, "must be 3 to 12 capital letters or digits").
			Help("Beginning of the customer's invoice numbers: 3 to 12 capital letters or digits."),
		spec.Section("Invoice Settings", spec.Object("invoice_settings",
			shared.CustomFields(spec.Implied(shared.CustomField(40, 140))).
				Help("Up to four fields that show on the customer's invoices. In an update they replace all that were there."),
			spec.ID("default_payment_method", "Default Payment Method ID").Lookup("payment_methods", "customer").
				Help("Payment method that invoices are charged to by default. It must be attached to the customer."),
			spec.Text("footer", "Footer").Help("Footer of the customer's invoices."),
		)),
		spec.Integer("next_invoice_sequence", "Next Invoice Sequence").Min(1).Help("Number of the customer's next invoice."),
		spec.Texts("preferred_locales", "Preferred Locales").Help("Languages of the customer in order of preference, such as en-GB."),
		spec.ID("promotion_code", "Promotion Code ID").Lookup("promotion_codes", "code").
			Help("Promotion code to apply, by its id promo_…. Not together with a coupon."),
		spec.ID("source", "Source ID").Help("Source or token that becomes the default one. The default source of before is deleted."),
		spec.Select("tax_exempt", "Tax Exempt", spec.Opt("none", "None"), spec.Opt("exempt", "Exempt"), spec.Opt("reverse", "Reverse")).Clears().
			Help("Whether the customer is exempt from tax, or taxed by reverse charge."),
		taxIDs,
		// Bundles of other Stripe apps carry the customer's own address too.
		spec.Hidden(shared.Address("customer's", "Country")),
		spec.AtMostOne("coupon", "promotion_code"),
	}
}
