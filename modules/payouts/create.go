package payouts

import (
	"github.com/stripe/stripe-go/v79/payout"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// Create sends money to the account's default bank account or card for the currency.
var Create = spec.NewAction(spec.Def{
	Key: "create-payout", Label: "Create a Payout", Docs: "https://docs.stripe.com/api/payouts/create",
	Help: "Sends money from the Stripe balance to your bank account or card.",
	Fields: spec.Fields{
		spec.Integer("amount", "Amount").Required().Min(1).Help("How much to pay out, in the smallest currency unit."),
		shared.Currency.Required(),
		spec.Text("description", "Description").Help("Your note about the payout."),
		shared.Metadata,
		spec.Select("method", "Method", spec.Opt("standard", "Standard"), spec.Opt("instant", "Instant")).
			Help("How fast it goes. Instant reaches debit cards and some banks only."),
		spec.Select("source_type", "Source Type",
			spec.Opt("bank_account", "Bank account"), spec.Opt("card", "card"), spec.Opt("fpx", "FPX"),
			spec.Opt("alipay_account", "Alipay account").Refused("must not be alipay_account: Stripe no longer pays out from it"),
		).Help("Which of your balances the money is taken from."),
		shared.StatementDescriptor.Help("Text on the statement of the bank account."),
	},
	Stripe: spec.Calls(payout.Client.New),
	Out:    "payout",
})
