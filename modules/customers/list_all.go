package customers

import (
	"github.com/stripe/stripe-go/v79/customer"

	"stripe-connector/internal/spec"
)

// ListAll lists customers, newest first.
var ListAll = spec.NewSearch(spec.Def{
	Key: "list-all-customers", Label: "List All Customers", Docs: "https://docs.stripe.com/api/customers/list",
	Help: "Lists customers, newest first.",
	Fields: spec.Fields{
		emailFilter,
		spec.DateFilter("created", "Created At", "Timestamp"),
		spec.Limit(),
	},
	Stripe: spec.Lists(customer.Client.List),
	Out:    "customer",
})
