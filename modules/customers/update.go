package customers

import (
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/paymentmethod"
	"github.com/stripe/stripe-go/v79/taxid"

	"stripe-connector/internal/spec"
)

// Update changes a customer. Stripe takes a payment method and tax IDs only when a customer is created; here they are
// calls of their own. The payment method is attached first, since it may become the default in the same update.
var Update = spec.NewUpdate(spec.Def{
	Key: "update-customer", Label: "Update a Customer", Docs: "https://docs.stripe.com/api/customers/update",
	Help: "Changes a customer. Fields left empty keep what is stored.",
	Fields: spec.Fields{
		customerID,
		profile(paymentMethod.Local().PathSafe(), taxIDs.Local().Help("Tax IDs to add to those that the customer has.")),
	},
	Stripe: spec.CallsWithID(customer.Client.Update),
	Out:    "customer",
	Plan: func(b *spec.Bundle, update spec.Step) []spec.Step {
		id := b.Text("customer")
		var steps []spec.Step
		if pm := b.Text("payment_method"); pm != "" {
			steps = append(steps, spec.Step{
				Name: "attach the payment method",
				Call: spec.BoundWithID(paymentmethod.Client.Attach, pm, &stripe.PaymentMethodAttachParams{Customer: &id}),
			})
		}
		steps = append(steps, update)
		rows := b.Rows("tax_id_data")
		if len(rows) == 0 {
			return steps
		}
		for _, row := range rows {
			kind, number := row.Text("type"), row.Text("value")
			steps = append(steps, spec.Step{
				Name: "add the tax ID of type " + kind,
				Call: spec.Bound(taxid.Client.New, &stripe.TaxIDParams{Customer: &id, Type: &kind, Value: &number}),
			})
		}
		return append(steps, spec.Step{
			Name: "read the customer",
			Call: spec.BoundWithID(customer.Client.Get, id, &stripe.CustomerParams{Expand: b.Expand()}),
		})
	},
})
