package balance

import (
	"encoding/json"
	"strconv"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/balancetransaction"

	"stripe-connector/internal/spec"
)

// scanMax is how many transactions are looked at for those that become available at the wanted time.
const scanMax = 10_000

// ListAllHistory lists balance transactions, newest first.
//
// Stripe no longer filters by when money becomes available, so that is done here, over a bounded number of transactions.
var ListAllHistory = spec.NewSearch(spec.Def{
	Key: "list-all-balance-history", Label: "List All Balance History", Docs: "https://docs.stripe.com/api/balance_transactions/list",
	Help: "Lists the transactions that make up the balance, newest first.",
	Fields: spec.Fields{
		spec.Limit(),
		spec.Currency("currency", "Currency").Help("Only transactions in this currency, such as usd."),
		spec.ID("payout", "Payout").Lookup("payouts", "status").Help("Only transactions that this automatic payout has paid out, po_…."),
		spec.Select("type", "Type", transactionTypes...).Help("Only transactions of this type."),
		spec.DateFilter("created", "Created At", "Created Timestamp"),
		spec.LocalDateFilter("available_on", "Available", "Available Timestamp"),
	},
	Stripe: spec.Lists(balancetransaction.Client.List),
	Out:    "balance_transaction",
	Find: func(b *spec.Bundle, list spec.Source) spec.Query {
		available := b.Bounds("available_on")
		if available == (spec.Bounds{}) {
			return spec.Query{Sources: []spec.Source{list}}
		}
		// No money is available before its transaction was created, so an upper limit can in part be left to Stripe.
		created := b.Bounds("created")
		narrowed := spec.BoundPages(balancetransaction.Client.List, func(p *stripe.BalanceTransactionListParams) {
			b.BindTo(p)
			switch {
			case created.LT != nil || created.LTE != nil:
			case available.LT != nil:
				p.Filters.AddFilter("created", "lt", strconv.FormatInt(*available.LT, 10))
			case available.LTE != nil:
				p.Filters.AddFilter("created", "lte", strconv.FormatInt(*available.LTE, 10))
			}
		})
		return spec.Query{
			Sources: []spec.Source{narrowed},
			Scan:    scanMax,
			Keep: func(object []byte) bool {
				var transaction struct {
					AvailableOn int64 `json:"available_on"`
				}
				return json.Unmarshal(object, &transaction) == nil && available.Hold(transaction.AvailableOn)
			},
		}
	},
})
