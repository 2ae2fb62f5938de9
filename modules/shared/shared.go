// Package shared holds the groups of fields that several modules have in common.
package shared

import "stripe-connector/internal/spec"

// Metadata are the caller's own key-value pairs.
var Metadata = spec.Metadata("metadata", "Metadata").
	Help("Your own key-value pairs, kept with the object. In an update an empty value removes its key, and an empty text removes all keys.")

// Address is a postal address; whose says which one, for the help texts.
func Address(whose, countryLabel string) spec.Part {
	return spec.Object("address",
		spec.Text("line1", "Line 1").Help("First street line of the "+whose+" address."),
		spec.Text("line2", "Line 2").Help("Second street line of the "+whose+" address: flat, floor, suite."),
		spec.Text("postal_code", "Postal Code").Help("Postal or ZIP code of the "+whose+" address."),
		spec.Text("city", "City").Help("City or town of the "+whose+" address."),
		spec.Text("state", "State").Help("State, county, province or region of the "+whose+" address."),
		spec.Country("country", countryLabel).Help("Two-letter ISO 3166-1 country code of the "+whose+" address, such as US."),
	)
}

// ShippingNeeds are the rules of Stripe's shipping hash: once there is one, it needs a name and an address.
var ShippingNeeds = spec.NeedsAny("address.line1", "address.line2", "address.postal_code", "address.city", "address.state", "address.country")
