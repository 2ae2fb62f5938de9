package customers

import (
	"github.com/stripe/stripe-go/v79/customer"

	"stripe-connector/internal/spec"
)

// Create makes a customer.
var Create = spec.NewAction(spec.Def{
	Key: "create-customer", Label: "Create a Customer", Docs: "https://docs.stripe.com/api/customers/create",
	Help:   "Creates a customer.",
	Fields: profile(paymentMethod, taxIDs),
	Stripe: spec.Calls(customer.Client.New),
	Out:    "customer",
})
