package customers

import (
	"github.com/stripe/stripe-go/v79/customer"

	"stripe-connector/internal/spec"
)

// Delete removes a customer for good and cancels their subscriptions.
var Delete = spec.NewAction(spec.Def{
	Key: "delete-customer", Label: "Delete a Customer", Docs: "https://docs.stripe.com/api/customers/delete",
	Help:   "Deletes a customer for good and cancels the customer's active subscriptions.",
	Fields: spec.Fields{customerID},
	Stripe: spec.CallsWithID(customer.Client.Del),
	Out:    "deleted_customer",
})
