// Package lookups declares where forms find the values of their fields: Stripe's lists, with names that people know
// their objects by.
package lookups

import (
	"cmp"
	"strings"

	"github.com/stripe/stripe-go/v79/account"
	"github.com/stripe/stripe-go/v79/charge"
	"github.com/stripe/stripe-go/v79/coupon"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/invoice"
	"github.com/stripe/stripe-go/v79/invoiceitem"
	"github.com/stripe/stripe-go/v79/paymentintent"
	"github.com/stripe/stripe-go/v79/paymentlink"
	"github.com/stripe/stripe-go/v79/payout"
	"github.com/stripe/stripe-go/v79/price"
	"github.com/stripe/stripe-go/v79/product"
	"github.com/stripe/stripe-go/v79/promotioncode"
	"github.com/stripe/stripe-go/v79/refund"
	"github.com/stripe/stripe-go/v79/subscription"
	"github.com/stripe/stripe-go/v79/taxrate"

	"stripe-connector/internal/spec"
)

// All answers every lookup.
func All() []*spec.Lookup {
	byCustomer := spec.ID("customer", "Customer ID").Lookup("customers", "email")
	return []*spec.Lookup{
		lookup("customers", "Customers", spec.Lists(customer.Client.List), person,
			spec.Email("email", "Email").MaxLen(512)),
		lookup("payment_intents", "Payment Intents", spec.Lists(paymentintent.Client.List), payment,
			byCustomer),
		lookup("payment_methods", "Payment Methods", spec.Lists(customer.Client.ListPaymentMethods), method,
			spec.PathID("customer", "Customer ID").Lookup("customers", "email")),
		lookup("charges", "Charges", spec.Lists(charge.Client.List), payment,
			byCustomer),
		lookup("refunds", "Refunds", spec.Lists(refund.Client.List), payment,
			spec.ID("charge", "Charge").ToIf("pi_", "payment_intent").Lookup("charges", "customer")),
		lookup("payouts", "Payouts", spec.Lists(payout.Client.List), arriving,
			spec.Text("status", "Status")),
		lookup("invoices", "Invoices", spec.Lists(invoice.Client.List), bill,
			byCustomer, spec.ID("subscription", "Subscription ID").Lookup("subscriptions", "customer"),
			spec.Text("status", "Status"), spec.Text("collection_method", "Collection Method")),
		lookup("invoice_items", "Invoice Items", spec.Lists(invoiceitem.Client.List), item,
			byCustomer),
		lookup("subscriptions", "Subscriptions", spec.Lists(subscription.Client.List), standing,
			byCustomer),
		lookup("products", "Products", spec.Lists(product.Client.List), named),
		lookup("prices", "Prices", spec.Lists(price.Client.List), priced,
			spec.ID("product", "Product ID").Lookup("products")),
		lookup("coupons", "Coupons", spec.Lists(coupon.Client.List), off),
		lookup("promotion_codes", "Promotion Codes", spec.Lists(promotioncode.Client.List), func(o object) string { return o.Code },
			spec.Text("code", "Code")),
		lookup("tax_rates", "Tax Rates", spec.Lists(taxrate.Client.List), rate),
		lookup("accounts", "Accounts", spec.Lists(account.Client.List), business),
		lookup("payment_links", "Payment Links", spec.Lists(paymentlink.Client.List), func(o object) string { return o.URL }),
	}
}

func lookup(key, label string, list spec.Endpoint, name func(object) string, inputs ...spec.Part) *spec.Lookup {
	return spec.NewLookup(spec.Def{
		Key: key, Label: label, Help: "Choices for fields of modules.", Docs: "https://docs.stripe.com/api",
		Fields: inputs, Stripe: list, Out: strings.TrimSuffix(key, "s"),
	}, func(raw []byte) string {
		o := read(raw)
		return cmp.Or(name(o), o.ID)
	})
}

func person(o object) string {
	if o.Name != "" && o.Email != "" {
		return o.Name + " (" + o.Email + ")"
	}
	return cmp.Or(o.Name, o.Email, o.Description)
}

func payment(o object) string  { return line(o.money(o.Amount), o.Status, day(o.Created)) }
func arriving(o object) string { return line(o.money(o.Amount), o.Status, day(o.ArrivalDate)) }
func bill(o object) string     { return line(cmp.Or(o.Number, o.ID), o.money(o.Total), o.Status) }
func item(o object) string     { return line(o.Description, o.money(o.Amount)) }
func standing(o object) string { return line(o.ID, o.Status) }
func named(o object) string    { return o.Name }

func priced(o object) string { return line(cmp.Or(o.Nickname, o.money(o.UnitAmount)), words(o.Type)) }

func method(o object) string {
	var d struct{ brand, bank, last4 string }
	if detail := o.detail(); detail != nil {
		d.brand, d.bank, d.last4 = detail.Brand, cmp.Or(detail.BankName, detail.Bank), detail.Last4
	}
	if d.last4 != "" {
		d.last4 = "•••• " + d.last4
	}
	return line(words(o.Type), cmp.Or(d.brand, d.bank), d.last4)
}

func off(o object) string {
	if o.PercentOff != "" {
		return line(o.Name, o.PercentOff.String()+" % off")
	}
	return line(o.Name, o.money(o.AmountOff)+" off")
}

func rate(o object) string {
	kind := "exclusive"
	if o.Inclusive {
		kind = "inclusive"
	}
	return line(o.DisplayName, o.Percentage.String()+" %", kind)
}

func business(o object) string {
	return cmp.Or(o.BusinessProfile.Name, o.Settings.Dashboard.DisplayName, o.Email)
}
