// Package spec is the language in which the modules are declared.
//
// A module is one [Def]: its form, field by field in documented order, and the stripe-go call that the form is for.
// From that one declaration come decoding, validation and binding here, and the manifest, the OpenAPI document and the
// Make export elsewhere.
//
// The request line runs through this package once:
//
//	JSON body --Decode--> Bundle (every fault at once) --Steps or Query--> bound stripe-go calls
//
// A field's name is its Stripe parameter path. [NewCatalogue] resolves every path through stripe-go's form tags and
// compares kinds before the program serves anything, so a faulty table cannot start.
//
// The package does no I/O: it neither knows HTTP nor keys, retries or stores.
package spec
