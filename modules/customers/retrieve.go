package customers

import (
	"github.com/stripe/stripe-go/v79/customer"

	"stripe-connector/internal/spec"
)

// Retrieve reads a customer. A deleted one answers with its id and deleted=true.
var Retrieve = spec.NewAction(spec.Def{
	Key: "retrieve-customer", Label: "Retrieve a Customer", Docs: "https://docs.stripe.com/api/customers/retrieve",
	Help:   "Reads one customer.",
	Fields: spec.Fields{customerID},
	Stripe: spec.CallsWithID(customer.Client.Get),
	Out:    "customer",
})
