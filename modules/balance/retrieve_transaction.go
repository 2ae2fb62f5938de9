package balance

import (
	"github.com/stripe/stripe-go/v79/balancetransaction"

	"stripe-connector/internal/spec"
)

// RetrieveTransaction reads one entry of the balance history.
var RetrieveTransaction = spec.NewAction(spec.Def{
	Key: "retrieve-balance-transaction", Label: "Retrieve a Balance Transaction", Docs: "https://docs.stripe.com/api/balance_transactions/retrieve",
	Help: "Reads one balance transaction.",
	Fields: spec.Fields{
		spec.PathID("balance_transaction", "ID").Help("The balance transaction, txn_…."),
	},
	Stripe: spec.CallsWithID(balancetransaction.Client.Get),
	Out:    "balance_transaction",
})
