// Package refunds declares the modules of the group Refunds.
package refunds

import "stripe-connector/internal/spec"

var (
	refundID = spec.PathID("refund", "Refund").Lookup("refunds", "charge").Help("The refund, re_….")

	// charge is what was refunded. Stripe takes a charge and a payment intent as different parameters; people mostly hold
	// the id of the latter.
	charge = spec.ID("charge", "Charge").ToIf("pi_", "payment_intent").Lookup("charges", "customer")
)
