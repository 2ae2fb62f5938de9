// Package modules is the table of contents of the catalogue: every module, in documented order.
//
// A module is one file in the folder of its group; what the modules of a group share stands in its fields.go, and what
// groups share in the folder shared. To add a module, write its file and name it here.
package modules

import (
	"stripe-connector/internal/spec"
	"stripe-connector/modules/customers"
	"stripe-connector/modules/universal"
)

// Catalogue answers all modules, or every fault of their declarations.
func Catalogue() (*spec.Catalogue, error) {
	return spec.NewCatalogue(
		spec.Group{Label: "Universal", Modules: []*spec.Module{universal.APICall}},
		spec.Group{Label: "Customers", Modules: []*spec.Module{
			customers.Search, customers.ListAll, customers.Create, customers.Retrieve, customers.Update, customers.Delete,
		}},
	)
}
