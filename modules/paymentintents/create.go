package paymentintents

import (
	"github.com/stripe/stripe-go/v79/paymentintent"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Create makes a payment intent, and confirms it if asked to.
//
// Confirming in the same call needs a return URL, which the form has no field for, unless no payment method may redirect
// (https://docs.stripe.com/upgrades#2023-08-16). So where the dashboard picks the payment methods, those that redirect
// are left out.
var Create = spec.NewAction(spec.Def{
	Key: "create-payment-intent", Label: "Create a Payment Intent", Docs: "https://docs.stripe.com/api/payment_intents/create",
	Help: "Creates a payment intent, and confirms it if asked to.",
	Fields: spec.Fields{
		amount.Required(),
		shared.Currency.Required(),
		spec.Text("description", "Description").MaxLen(1000).Help("Your note about the payment."),
		receiptEmail,
		spec.Boolean("confirm", "Confirm this Payment Intent immediately").Help("Yes: create and confirm in one call."),
		paymentMethodTypes,
		shared.Customer.Help("Customer who pays, cus_…."),
		methodMode("Choose an existing Payment Method"),
		spec.Implied(existingMethod, newMethod),
		shipping,
		statementDescriptor,
		shared.StatementDescriptorSuffix,
		spec.Text("idempotency_key", "Idempotency Key").MaxLen(255).Local().
			Help("A key of your own, such as the number of the order. A second call with it answers the first payment intent instead of making another."),
		spec.Select("capture_method", "Capture Method",
			spec.Opt("automatic", "Automatic"), spec.Opt("manual", "Manual"), spec.Opt("automatic_async", "Automatic (asynchronous)"),
		).Help("Whether the money is captured at once or by Capture a Payment Intent. Empty: Stripe's default, asynchronous."),
		spec.Select("confirmation_method", "Confirmation Method",
			spec.Opt("automatic", "Automatic"), spec.Opt("manual", "Manual"),
		).Help("Whether the payment can be confirmed from the client, or only by the server."),
		spec.Boolean("use_stripe_sdk", "Use Stripe SDK").Help("Yes if a Stripe SDK in the client handles what the customer has to do next."),
		spec.Section("Connect",
			spec.Text("transfer_group", "Transfer Group").Help("Name that ties the payment to transfers."),
			shared.ApplicationFee,
			spec.ID("on_behalf_of", "On Behalf Of").Lookup("accounts").Help("Connected account that the payment is made for, acct_…."),
			shared.TransferData,
		),
		shared.Metadata,
		spec.Send("automatic_payment_methods.enabled", true, confirmsWithDashboardMethods),
		spec.Send("automatic_payment_methods.allow_redirects", "never", confirmsWithDashboardMethods),
	},
	Stripe: spec.Calls(paymentintent.Client.New),
	Out:    "payment_intent",
})

func confirmsWithDashboardMethods(b *spec.Bundle) bool {
	return b.Bool("confirm") && !b.Has("payment_method_types") && !b.Has("confirmation_method")
}
