package balance

import (
	"github.com/stripe/stripe-go/v79/balance"

	"stripe-connector/internal/spec"
)

// Retrieve reads the balance of the account.
var Retrieve = spec.NewAction(spec.Def{
	Key: "retrieve-balance", Label: "Retrieve Balance", Docs: "https://docs.stripe.com/api/balance/balance_retrieve",
	Help:   "Reads the balance of the account.",
	Fields: spec.Fields{},
	Stripe: spec.Calls(balance.Client.Get),
	Out:    "balance",
})
