// Package payouts declares the modules of the group Payouts.
package payouts

import "stripe-connector/internal/spec"

var payoutID = spec.PathID("payout", "Payout").Lookup("payouts", "status").Help("The payout, po_….")
