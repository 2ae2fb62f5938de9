package customers

import (
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"

	"stripe-connector/internal/spec"
)

// Search finds customers by email and filter.
//
// The list endpoint answers, since it sees what was written a moment ago. Stripe's search endpoint lags by up to a minute
// and is asked only for conditions that lists do not have.
var Search = spec.NewSearch(spec.Def{
	Key: "search-customers", Label: "Search Customers", Docs: "https://docs.stripe.com/api/customers/list",
	Help: "Finds customers by email address and by conditions.",
	Fields: spec.Fields{
		emailFilter,
		spec.Filter("filter", "Filter",
			spec.ByDate("created", "Created date"),
			spec.BySearch("name", "Name"),
			spec.BySearch("phone", "Phone"),
			spec.ByMetadata("Metadata key"),
		).Help("Conditions that must all hold. Name, phone and metadata.KEY are looked up in Stripe's search index, which lags by up to a minute."),
		spec.Limit(),
	},
	Stripe: spec.Lists(customer.Client.List),
	Out:    "customer",
	Find: func(b *spec.Bundle, list spec.Source) spec.Query {
		if query := b.SearchQuery("filter", "email"); query != "" {
			list = spec.BoundPages(customer.Client.Search, func(p *stripe.CustomerSearchParams) {
				p.Query, p.Expand = query, b.Expand()
			})
		}
		return spec.Query{Sources: []spec.Source{list}}
	},
})
