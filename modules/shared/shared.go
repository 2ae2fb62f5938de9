// Package shared holds the groups of fields that modules of several groups have in common.
package shared

import "stripe-connector/internal/spec"

// Metadata are the caller's own key-value pairs.
var Metadata = spec.Metadata("metadata", "Metadata").
	Help("Your own key-value pairs, kept with the object. In an update an empty value removes its key, and an empty text removes all keys.")

// Customer is the id of a customer.
var Customer = spec.ID("customer", "Customer ID").Lookup("customers", "email")

// Invoice is the id of an invoice, picked from a list that the others narrow.
var Invoice = spec.ID("invoice", "Invoice ID").Lookup("invoices", "customer", "subscription", "status", "collection_method").
	Help("The invoice, in_….")

// Currency is the currency of an amount.
var Currency = spec.Currency("currency", "Currency").Help("Three-letter ISO 4217 code, such as usd.")

// TaxRates is a list of tax rates.
func TaxRates(name, label string) spec.Field {
	return spec.Texts(name, label).Lookup("tax_rates").ClearsOnEmpty()
}

// Address is a postal address; whose says which one, for the help texts.
func Address(whose, countryLabel string) spec.Part {
	return spec.Object("address",
		spec.Text("line1", "Line 1").Help("First street line of the "+whose+" address."),
		spec.Text("line2", "Line 2").Help("Second street line of the "+whose+" address: flat, floor, suite."),
		spec.Text("postal_code", "Postal Code").Help("Postal or ZIP code of the "+whose+" address."),
		spec.Text("city", "City").Help("City or town of the "+whose+" address."),
		spec.Text("state", "State").Help("State, county, province or region of the "+whose+" address."),
		spec.Country("country", countryLabel).Help("Two-letter ISO 3166-1 country code of the "+whose+" address, such as US."),
	)
}

// Shipping says where goods go. Once anything of it is given, Stripe needs the name and an address; parcel is what
// follows the name.
func Shipping(countryLabel, nameLabel string, parcel ...spec.Part) spec.Part {
	return spec.Section("Shipping", spec.Object("shipping",
		Address("shipping", countryLabel),
		spec.Text("name", nameLabel).RequiredWithin().Help("Who receives the goods; required once anything of the shipping is given."),
		spec.Fields(parcel),
		spec.NeedsAny("address.line1", "address.line2", "address.postal_code", "address.city", "address.state", "address.country"),
	))
}

// RecipientPhone is a part of Shipping.
var RecipientPhone = spec.Text("phone", "Phone").Help("Phone number of the recipient.")

// CustomFields are what an invoice shows beside its lines; item is a CustomField.
func CustomFields(item spec.Part) spec.Field {
	return spec.Rows("custom_fields", "Custom Fields", item).AtMost(4).Clears()
}

// CustomField is one name and value. Forms differ in the lengths that they allow.
func CustomField(nameMax, valueMax int) spec.Part {
	return spec.Fields{
		spec.Text("name", "Field Name").Required().MaxLen(nameMax).Help("Name of the field."),
		spec.Text("value", "Value").Required().MaxLen(valueMax).Help("Value of the field."),
	}
}

// statementMax is what fits on a statement, in characters.
const statementMax = 22

// StatementDescriptor is what the payer reads on the statement. Which characters Stripe forbids there is Stripe's to say.
var StatementDescriptor = spec.Text("statement_descriptor", "Statement Descriptor").MaxLen(statementMax)

// StatementDescriptorSuffix is the part of a card statement that a payment may set.
var StatementDescriptorSuffix = spec.Text("statement_descriptor_suffix", "Statement Descriptor Suffix").MaxLen(statementMax).
	Help("Text that follows the account's prefix on a card statement.")

// ApplicationFee is what a Connect platform keeps of a payment.
var ApplicationFee = spec.Integer("application_fee_amount", "Application Fee Amount").
	Help("What the Connect platform keeps of the payment, in the smallest currency unit.")

// TransferAmount is how much of a payment goes to the connected account.
var TransferAmount = spec.Integer("amount", "Amount").
	Help("How much of the payment goes to the destination account, in the smallest currency unit; empty is all of it.")

// TransferData sends the money on to a connected account.
var TransferData = spec.Object("transfer_data",
	spec.ID("destination", "Destination").RequiredWith("amount").Lookup("accounts").Help("Connected account that receives the money, acct_…."),
	TransferAmount,
)

// ListBy finds by customer or by invoice; what, in the plural, is found. Stripe lists not everything by invoice, so that
// field is handed in.
func ListBy(what string, invoice spec.Field) spec.Part {
	return spec.Fields{
		spec.Control("list_by", "List By", spec.Opt("customer", "Customer"), spec.Opt("invoice", "Invoice")).
			Help("Whether to look by customer or by invoice. Empty: by what is filled; all " + what + " if neither is."),
		spec.When("list_by", spec.Only("customer"), Customer.Required().Help("Customer whose "+what+" are listed, cus_….")),
		spec.When("list_by", spec.Only("invoice"), invoice.Required()),
	}
}
