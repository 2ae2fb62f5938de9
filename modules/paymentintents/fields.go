// Package paymentintents declares the modules of the group Payment Intents.
package paymentintents

import (
	"net/netip"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

var (
	// eachID is the payment intent that a module is about; most are picked from a list that a customer narrows.
	eachID = intentID("Payment Intent ID")

	amount = spec.Integer("amount", "Amount").Min(1).Max(99999999).
		Help("Sum to collect, in the smallest currency unit: 1099 is 10.99 USD, and 1099 JPY.")

	receiptEmail = spec.Email("receipt_email", "Receipt Email").Help("Where Stripe sends the receipt.")

	statementDescriptor = shared.StatementDescriptor.Help("Text on the statement of a payment that is not made by card.")

	setupFutureUsage = spec.Select("setup_future_usage", "Setup Future Usage",
		spec.Opt("on_session", "On session"), spec.Opt("off_session", "Off session"),
	).Clears().Help("Saves the payment method with the customer for later payments, made while the customer is present or is not.")

	shipping = shared.Shipping("Country Code", "Recipient Name",
		spec.Text("carrier", "Carrier").Help("Who delivers the goods, such as FedEx."),
		shared.RecipientPhone,
		spec.Text("tracking_number", "Tracking Number").Help("Tracking number of the parcel; several are parted by commas."),
	)
)

var paymentMethodTypes = spec.Multiselect("payment_method_types", "Payment Method Types", methodTypes...).Open().
	Help("Kinds of payment methods that this payment may be made with. Empty: those that the Stripe dashboard is set to.")

func intentID(label string) spec.Field {
	return spec.PathID("payment_intent", label).Lookup("payment_intents", "customer").Help("The payment intent, pi_….")
}

// methodMode decides between a payment method that exists and a new one. Bundles of the Make app carry the key with the
// colons.
func methodMode(existingLabel string) spec.Field {
	return spec.Control("payment_method_mode", "Payment Method",
		spec.Opt("existing", existingLabel, "select"),
		spec.Opt("create", "Create a Payment Method and attach it to this Payment Intent"),
	).Alias("ignore::payment_method").
		Help("Whether to pay with a saved payment method or a new one. Empty: by which of the two is filled.")
}

var existingMethod = spec.When("payment_method_mode", spec.Only("existing"),
	spec.ID("payment_method", "Payment Method ID").Required().Lookup("payment_methods", "customer").
		Help("Saved payment method to pay with: pm_…, or the id of a card or source."),
)

var newMethod = spec.When("payment_method_mode", spec.Only("create"), spec.Object("payment_method_data",
	spec.Section("New Payment Method",
		spec.Select("type", "Type", newMethodTypes()...).Required().
			Help("Kind of the new payment method. Details that some kinds need go below it by their names, as in payment_method_data.sepa_debit.iban."),
	),
	spec.Section("Billing Details", spec.Object("billing_details",
		shared.Address("billing", "Country Code"),
		spec.Email("email", "Email").Help("Email address of who pays."),
		spec.Text("name", "Name").Help("Name of who pays."),
		spec.Text("phone", "Phone").Help("Phone number of who pays."),
	)),
	spec.OpenObject("type", newMethodNeeds),
))

// details are what confirming and updating have in common, up to the fields that only a confirmation takes.
func details(metadata spec.Field) spec.Fields {
	return spec.Fields{
		receiptEmail,
		methodMode("Choose an existing payment method"),
		existingMethod,
		setupFutureUsage,
		newMethod,
		metadata,
		shipping,
		spec.Section("Payment Method Options", paymentMethodTypes, spec.Object("payment_method_options",
			spec.Select("bancontact.preferred_language", "Preferred Languages",
				spec.Opt("de", "German"), spec.Opt("en", "English"), spec.Opt("fr", "French"), spec.Opt("nl", "Dutch"),
			).Help("Language of the Bancontact page."),
			spec.Boolean("card.installments.enabled", "Enabled").Help("Whether the card may be charged in installments, which there are in Mexico."),
			spec.Select("card.network", "Network", cardNetworks...).Help("Card network to make the payment over."),
			spec.Select("card.request_three_d_secure", "Request 3D Secure",
				spec.Opt("automatic", "Automatics"), spec.Opt("any", "Any"), spec.Opt("challenge", "Challenge"),
			).Help("When to ask for 3D Secure. Empty: Stripe decides."),
			spec.Select("sofort.preferred_language", "Preferred Language",
				spec.Opt("de", "German"), spec.Opt("en", "English"), spec.Opt("es", "Spanish"), spec.Opt("fr", "French"),
				spec.Opt("it", "Italian"), spec.Opt("nl", "Dutch"), spec.Opt("pl", "Polish"),
			).Clears().Help("Language of the SOFORT page."),
		)),
	}
}

// atConfirmation are the fields that Stripe takes with a confirmation only.
var atConfirmation = spec.Fields{
	spec.Boolean("off_session", "Off Session").Help("Yes if the customer is not there and cannot authenticate."),
	spec.Boolean("error_on_requires_action", "Error On Requires Act-On").
		Help("Yes: the payment fails if the customer would have to act. Stripe takes it only together with payment method types."),
	mandate,
	spec.URL("return_url", "Return URL").
		Help("Where the customer comes back to after authenticating. An app's own scheme will do."),
}

// mandate is the customer's consent to be charged: one that exists, or the record of a new one, given online or not.
var mandate = spec.Fields{
	spec.Control("mandate_mode", "Mandate",
		spec.Opt("existing", "Input an Existing Mandate ID"), spec.Opt("create", "Create a Mandate"),
	).Help("Whether to use a mandate that exists or to record a new one. Empty: by which of the two is filled."),
	spec.Section("Mandate",
		spec.When("mandate_mode", spec.Only("existing"),
			spec.ID("mandate", "Mandate ID").Required().Help("Mandate that covers this payment, mandate_…."),
		),
		spec.When("mandate_mode", spec.Only("create"), spec.Object("mandate_data.customer_acceptance",
			spec.Select("type", "Type", spec.Opt("offline", "Offline"), spec.Opt("online", "Online")).Required().
				Help("How the customer accepted the mandate."),
			spec.When("type", spec.Only("online"),
				spec.Text("online.ip_address", "IP Address").Required().Keeps().Checked(checkIP).
					Help("IP address from which the customer accepted."),
				spec.Text("online.user_agent", "User Agent").Required().Keeps().
					Help("User agent of the browser in which the customer accepted."),
			),
			spec.Date("accepted_at", "Accepted At").Help("When the customer accepted."),
		)),
	),
}

func checkIP(s string) string {
	if _, err := netip.ParseAddr(s); err != nil {
		return "must be an IPv4 or IPv6 address"
	}
	return ""
}
