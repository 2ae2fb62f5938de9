// Package lookups declares where forms find the values of their fields: Stripe's lists, with names that people know
// their objects by.
package lookups

import (
	"cmp"
	"fmt"
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
	ofCustomer := spec.ID("customer", "Customer ID").Lookup("customers", "email").Help("Only those of this customer (cus_…).")
	return []*spec.Lookup{
		lookup("customers", "Customers", spec.Lists(customer.Client.List), person,
			spec.Email("email", "Email").MaxLen(512).Help("Only customers with exactly this email address; upper and lower case count.")),
		lookup("payment_intents", "Payment Intents", spec.Lists(paymentintent.Client.List), payment,
			ofCustomer),
		lookup("payment_methods", "Payment Methods", spec.Lists(customer.Client.ListPaymentMethods), method,
			spec.PathID("customer", "Customer ID").Lookup("customers", "email").Help("The customer to whom they are attached (cus_…).")),
		lookup("charges", "Charges", spec.Lists(charge.Client.List), payment,
			ofCustomer),
		lookup("refunds", "Refunds", spec.Lists(refund.Client.List), payment,
			spec.ID("charge", "Charge").ToIf("pi_", "payment_intent").Lookup("charges", "customer").Help("Only refunds of this charge (ch_…) or payment intent (pi_…).")),
		lookup("payouts", "Payouts", spec.Lists(payout.Client.List), arriving,
			state("pending", "paid", "failed", "canceled")),
		lookup("invoices", "Invoices", spec.Lists(invoice.Client.List), bill,
			ofCustomer, spec.ID("subscription", "Subscription ID").Lookup("subscriptions", "customer").Help("Only invoices of this subscription (sub_…)."),
			state("draft", "open", "paid", "uncollectible", "void"),
			spec.Select("collection_method", "Collection Method", named("charge_automatically", "send_invoice")...).Help("Only invoices that are collected this way.")),
		lookup("invoice_items", "Invoice Items", spec.Lists(invoiceitem.Client.List), item,
			ofCustomer),
		lookup("subscriptions", "Subscriptions", spec.Lists(subscription.Client.List), standing,
			ofCustomer),
		lookup("products", "Products", spec.Lists(product.Client.List), func(o object) string { return o.Name }),
		lookup("prices", "Prices", spec.Lists(price.Client.List), priced,
			spec.ID("product", "Product ID").Lookup("products").Help("Only prices of this product (prod_…)."),
			spec.Select("type", "Type", named("one_time", "recurring")...).Help("Only prices of this type.")),
		lookup("coupons", "Coupons", spec.Lists(coupon.Client.List), off),
		lookup("promotion_codes", "Promotion Codes", spec.Lists(promotioncode.Client.List), func(o object) string { return line(o.Code, off(read(o.Coupon))) },
			spec.Text("code", "Code").Help("Only the code that customers enter as this; upper and lower case are the same.")),
		lookup("tax_rates", "Tax Rates", spec.Lists(taxrate.Client.List), rate),
		lookup("accounts", "Accounts", spec.Lists(account.Client.List), business),
		lookup("payment_links", "Payment Links", spec.Lists(paymentlink.Client.List), func(o object) string { return o.URL }),
	}
}

// state narrows a list to the objects of one status.
func state(values ...string) spec.Part {
	return spec.Select("status", "Status", named(values...)...).Help("Only those with this status.")
}

// named are options that are called what they are.
func named(values ...string) []spec.Option {
	options := make([]spec.Option, len(values))
	for i, v := range values {
		options[i] = spec.Opt(v, strings.ToUpper(v[:1])+words(v[1:]))
	}
	return options
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

// payment has to be told apart from others of the same sum and day.
func payment(o object) string {
	return line(o.money(o.Amount), cmp.Or(o.Description, o.ReceiptEmail, o.ID), words(o.Status), day(o.Created))
}

func arriving(o object) string {
	return line(o.money(o.Amount), o.Description, words(o.Status), day(o.ArrivalDate))
}

func bill(o object) string {
	return line(cmp.Or(o.Number, o.ID), cmp.Or(o.CustomerName, o.CustomerEmail), o.money(o.Total), o.Status)
}

func item(o object) string { return line(cmp.Or(o.Description, o.ID), o.money(o.Amount)) }

// standing names the first of what is subscribed to.
func standing(o object) string {
	var sold string
	if len(o.Items.Data) > 0 {
		sold = priced(read(o.Items.Data[0].Price))
	}
	return line(o.ID, o.Description, sold, words(o.Status))
}

func priced(o object) string {
	often := words(o.Type)
	if o.Recurring.Count > 1 {
		often = fmt.Sprintf("every %d %ss", o.Recurring.Count, o.Recurring.Interval)
	} else if o.Recurring.Interval != "" {
		often = "every " + o.Recurring.Interval
	}
	return line(cmp.Or(line(o.Nickname, o.money(cmp.Or(o.UnitAmount, o.UnitAmountDecimal))), o.ID), often)
}

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
	var what string
	switch {
	case o.PercentOff != "":
		what = o.PercentOff.String() + " % off"
	case o.AmountOff != "":
		what = o.money(o.AmountOff) + " off"
	}
	return line(o.Name, what, o.Duration)
}

func rate(o object) string {
	kind := "exclusive"
	if o.Inclusive {
		kind = "inclusive"
	}
	return line(o.DisplayName, o.Country, o.Percentage.String()+" %", kind)
}

func business(o object) string {
	return cmp.Or(o.BusinessProfile.Name, o.Settings.Dashboard.DisplayName, o.Email)
}
