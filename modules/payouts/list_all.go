package payouts

import (
	"github.com/stripe/stripe-go/v79/payout"

	"stripe-connector/internal/spec"
)

// ListAll lists payouts, newest first. An arrival date is a day in UTC at Stripe, whatever the caller's zone.
var ListAll = spec.NewSearch(spec.Def{
	Key: "list-all-payouts", Label: "List All Payouts", Docs: "https://docs.stripe.com/api/payouts/list",
	Help: "Lists payouts, newest first.",
	Fields: spec.Fields{
		spec.ID("destination", "Destination").Help("Only payouts to this external account, ba_… or card_…."),
		spec.Limit().Max(1000),
		spec.DateFilter("created", "Created At", "Timestamp"),
		spec.DateFilter("arrival_date", "Arrival Date", "Timestamp", spec.Field.UTCDay),
		spec.Select("status", "Status",
			spec.Opt("pending", "Pending"), spec.Opt("paid", "Paid"), spec.Opt("failed", "Failed"), spec.Opt("canceled", "Canceled"),
		).Help("Only payouts in this state."),
	},
	Stripe: spec.Lists(payout.Client.List),
	Out:    "payout",
})
