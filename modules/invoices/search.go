package invoices

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/invoice"

	"stripe-connector/internal/spec"
	"stripe-connector/modules/shared"
)

// pending are the statuses of invoices that are not settled yet. Stripe lists one status at a time.
var pending = []string{"draft", "open"}

// Search finds the invoices of a customer, or one invoice, under further conditions.
//
// Stripe does not list by invoice. That one is read, and the conditions are applied here.
var Search = spec.NewSearch(spec.Def{
	Key: "search-invoices", Label: "Search Invoices", Docs: "https://docs.stripe.com/api/invoices/list",
	Help: "Finds invoices of a customer, or one invoice, under further conditions.",
	Fields: spec.Fields{
		shared.ListBy("invoices", shared.Invoice.Local().PathSafe()),
		spec.Boolean("pending", "Pending").Local().Help("Yes: only invoices that are not settled yet, which are drafts and open ones."),
		spec.Filter("filter", "Filter",
			spec.ByDate("created", "Created date"),
			spec.ByDate("due_date", "Due date"),
			spec.ByValue("status", "Status", statuses...),
			spec.ByValue("collection_method", "Collection method", collectionMethods...),
			spec.ByValue("subscription", "Subscription ID"),
		).Help("Conditions that must all hold."),
		spec.Limit(),
		// Bundles of the Make app carry these.
		spec.Hidden(
			subscription.Help("Only invoices of this subscription, sub_…."),
			spec.Select("status", "Status", statuses...).Help("Only invoices in this state."),
			spec.Select("collection_method", "Collection Method", collectionMethods...).Help("Only invoices that are collected this way."),
		),
		spec.Check(func(b *spec.Bundle) {
			if b.Bool("pending") && (b.Has("status") || b.Filters("filter", "status")) {
				b.Fault("pending", spec.CodeNotAllowed, "cannot be yes together with a condition on the status")
			}
		}),
	},
	Stripe: spec.Lists(invoice.Client.List),
	Out:    "invoice",
	Find: func(b *spec.Bundle, list spec.Source) spec.Query {
		switch {
		case b.Has("invoice"):
			return one(b)
		case b.Bool("pending"):
			var lists []spec.Source
			for _, status := range pending {
				lists = append(lists, spec.BoundPages(invoice.Client.List, func(p *stripe.InvoiceListParams) {
					b.BindTo(p)
					p.Status = &status
				}))
			}
			return spec.Query{Sources: lists}
		}
		return spec.Query{Sources: []spec.Source{list}}
	},
})

func one(b *spec.Bundle) spec.Query {
	params := &stripe.InvoiceParams{}
	for _, path := range b.Expand() {
		params.AddExpand(strings.TrimPrefix(*path, "data.")) // in a list, the paths begin there
	}
	read := spec.BoundWithID(invoice.Client.Get, b.Text("invoice"), params)
	return spec.Query{
		Sources: []spec.Source{{One: true, Call: func(backend stripe.Backend, _ spec.Page) error { return read(backend) }}},
		Keep: func(object []byte) bool {
			return b.Meets(object, "filter", "subscription", "status", "collection_method") && (!b.Bool("pending") || isPending(object))
		},
	}
}

func isPending(object []byte) bool {
	var has struct{ Status string }
	return json.Unmarshal(object, &has) == nil && slices.Contains(pending, has.Status)
}
