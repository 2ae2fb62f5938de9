// Package universal declares the one module that is not about a certain object.
package universal

import (
	"stripe-connector/internal/spec"
	"stripe-connector/internal/stripeapi"
)

// APICall sends any request to Stripe with the connection's key. The rules of its URL and headers are stripeapi's, which
// makes the call.
var APICall = spec.NewUniversal(spec.Def{
	Key: "make-an-api-call", Label: "Make an API Call", Docs: "https://docs.stripe.com/api",
	Help: "Sends any authorized request to the Stripe API and answers its status, headers and body.",
	Fields: spec.Fields{
		spec.Text("url", "URL").Required().Keeps().Help("Path of the Stripe endpoint, such as /v1/charges. The host is fixed."),
		spec.Select("method", "Method",
			spec.Opt("GET", "GET"), spec.Opt("POST", "POST"), spec.Opt("PUT", "PUT"), spec.Opt("PATCH", "PATCH"), spec.Opt("DELETE", "DELETE"),
		).Required().Default("GET").Help("HTTP method. Stripe's v1 knows GET, POST and DELETE; it updates with POST."),
		pairs("headers", "Headers", "Header name.", "Header value.").
			Help("Further request headers. Authorization is added by the service."),
		pairs("qs", "Query String", "Parameter name; brackets nest, as in created[gt].", "Parameter value.").
			Help("Query parameters, added to those in the URL."),
		spec.Any("body", "Body").Help("A JSON object, sent as Stripe's form encoding on /v1/ paths, or a text, sent as it is."),
		spec.Check(func(b *spec.Bundle) { b.Refute(stripeapi.RawOf(b).Faults()) }),
	},
	Out: "any",
})

func pairs(name, label, keyHelp, valueHelp string) spec.Field {
	return spec.Rows(name, label, spec.Implied(
		spec.Text("key", "Key").Required().Help(keyHelp),
		spec.Text("value", "Value").Help(valueHelp),
	)).Local()
}
