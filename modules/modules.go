// Package modules is the table of contents of the catalogue: every module, in documented order.
//
// A module is one file in the folder of its group; what the modules of a group share stands in its fields.go, and what
// groups share in the folder shared. To add a module, write its file and name it here: the tests find it by themselves.
package modules

import (
	"stripe-connector/internal/spec"
	"stripe-connector/modules/balance"
	"stripe-connector/modules/customers"
	"stripe-connector/modules/invoiceitems"
	"stripe-connector/modules/invoices"
	"stripe-connector/modules/lookups"
	"stripe-connector/modules/paymentintents"
	"stripe-connector/modules/paymentlinks"
	"stripe-connector/modules/payouts"
	"stripe-connector/modules/refunds"
	"stripe-connector/modules/universal"
	"stripe-connector/modules/watchevents"
)

// Catalogue answers all modules, or every fault of their declarations.
func Catalogue() (*spec.Catalogue, error) { return spec.NewCatalogue(lookups.All(), groups()...) }

func groups() []spec.Group {
	return []spec.Group{
		{Label: "Watch Events", Modules: []*spec.Module{watchevents.WatchEvents}},
		{Label: "Universal", Modules: []*spec.Module{universal.APICall}},
		{Label: "Payment Intents", Modules: []*spec.Module{
			paymentintents.List, paymentintents.Create, paymentintents.Retrieve, paymentintents.Confirm,
			paymentintents.Capture, paymentintents.Update, paymentintents.Cancel,
		}},
		{Label: "Customers", Modules: []*spec.Module{
			customers.Search, customers.ListAll, customers.Create, customers.Retrieve, customers.Update, customers.Delete,
		}},
		{Label: "Refunds", Modules: []*spec.Module{refunds.ListAll, refunds.Create, refunds.Retrieve, refunds.Update}},
		{Label: "Payouts", Modules: []*spec.Module{
			payouts.ListAll, payouts.Create, payouts.Cancel, payouts.Retrieve, payouts.Update,
		}},
		{Label: "Balance", Modules: []*spec.Module{balance.Retrieve, balance.ListAllHistory, balance.RetrieveTransaction}},
		{Label: "Invoices", Modules: []*spec.Module{
			invoices.Search, invoices.ListAllLineItems, invoices.Create, invoices.Retrieve, invoices.Update,
			invoices.FinalizeDraft, invoices.Void, invoices.DeleteDraft,
		}},
		{Label: "Invoice Items", Modules: []*spec.Module{
			invoiceitems.Search, invoiceitems.Create, invoiceitems.Retrieve, invoiceitems.Update, invoiceitems.Delete,
		}},
		{Label: "Other", Modules: []*spec.Module{paymentlinks.ListLines}},
	}
}
