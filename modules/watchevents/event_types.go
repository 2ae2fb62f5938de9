package watchevents

import "strings"

// A Group is the family of event types that share their first word.
type Group struct {
	Key    string // that word
	Label  string
	Events []Event
}

// An Event is one type of event that Stripe sends.
type Event struct {
	Type  string // customer.subscription.updated
	Label string // Customer subscription: updated
}

// Groups are all types of events of Stripe's API 2024-06-20, in alphabetical order
// (https://docs.stripe.com/api/events/types).
var Groups = []Group{
	group("account", "Accounts", `
		application.authorized application.deauthorized external_account.created external_account.deleted
		external_account.updated updated`),
	group("application_fee", "Application Fees", "created refund.updated refunded"),
	group("balance", "Balance", "available"),
	group("billing", "Billing Alerts", "alert.triggered"),
	group("billing_portal", "Customer Portal", "configuration.created configuration.updated session.created"),
	group("capability", "Capabilities", "updated"),
	group("cash_balance", "Cash Balance", "funds_available"),
	group("charge", "Charges", `
		captured dispute.closed dispute.created dispute.funds_reinstated dispute.funds_withdrawn dispute.updated
		expired failed pending refund.updated refunded succeeded updated`),
	group("checkout", "Checkout", "session.async_payment_failed session.async_payment_succeeded session.completed session.expired"),
	group("climate", "Climate", `
		order.canceled order.created order.delayed order.delivered order.product_substituted product.created
		product.pricing_updated`),
	group("coupon", "Coupons", "created deleted updated"),
	group("credit_note", "Credit Notes", "created updated voided"),
	group("customer", "Customers", `
		created deleted discount.created discount.deleted discount.updated source.created source.deleted
		source.expiring source.updated subscription.created subscription.deleted subscription.paused
		subscription.pending_update_applied subscription.pending_update_expired subscription.resumed
		subscription.trial_will_end subscription.updated tax_id.created tax_id.deleted tax_id.updated updated`),
	group("customer_cash_balance_transaction", "Customer Cash Balance Transactions", "created"),
	group("entitlements", "Entitlements", "active_entitlement_summary.updated"),
	group("file", "Files", "created"),
	group("financial_connections", "Financial Connections", `
		account.created account.deactivated account.disconnected account.reactivated account.refreshed_balance
		account.refreshed_ownership account.refreshed_transactions`),
	group("identity", "Identity", `
		verification_session.canceled verification_session.created verification_session.processing
		verification_session.redacted verification_session.requires_input verification_session.verified`),
	group("invoice", "Invoices", `
		created deleted finalization_failed finalized marked_uncollectible overdue paid payment_action_required
		payment_failed payment_succeeded sent upcoming updated voided will_be_due`),
	group("invoiceitem", "Invoice Items", "created deleted"),
	group("issuing_authorization", "Issuing Authorizations", "created request updated"),
	group("issuing_card", "Issuing Cards", "created updated"),
	group("issuing_cardholder", "Issuing Cardholders", "created updated"),
	group("issuing_dispute", "Issuing Disputes", "closed created funds_reinstated funds_rescinded submitted updated"),
	group("issuing_personalization_design", "Issuing Personalization Designs", "activated deactivated rejected updated"),
	group("issuing_token", "Issuing Tokens", "created updated"),
	group("issuing_transaction", "Issuing Transactions", "created updated"),
	group("mandate", "Mandates", "updated"),
	group("payment_intent", "Payment Intents", `
		amount_capturable_updated canceled created partially_funded payment_failed processing requires_action
		succeeded`),
	group("payment_link", "Payment Links", "created updated"),
	group("payment_method", "Payment Methods", "attached automatically_updated detached updated"),
	group("payout", "Payouts", "canceled created failed paid reconciliation_completed updated"),
	group("person", "Persons", "created deleted updated"),
	group("plan", "Plans", "created deleted updated"),
	group("price", "Prices", "created deleted updated"),
	group("product", "Products", "created deleted updated"),
	group("promotion_code", "Promotion Codes", "created updated"),
	group("quote", "Quotes", "accepted canceled created finalized"),
	group("radar", "Radar", "early_fraud_warning.created early_fraud_warning.updated"),
	group("refund", "Refunds", "created updated"),
	group("reporting", "Reporting", "report_run.failed report_run.succeeded report_type.updated"),
	group("review", "Reviews", "closed opened"),
	group("setup_intent", "Setup Intents", "canceled created requires_action setup_failed succeeded"),
	group("sigma", "Sigma", "scheduled_query_run.created"),
	group("source", "Sources", `
		canceled chargeable failed mandate_notification refund_attributes_required transaction.created
		transaction.updated`),
	group("subscription_schedule", "Subscription Schedules", "aborted canceled completed created expiring released updated"),
	group("tax", "Tax", "settings.updated"),
	group("tax_rate", "Tax Rates", "created updated"),
	group("terminal", "Terminal", "reader.action_failed reader.action_succeeded"),
	group("test_helpers", "Test Helpers", `
		test_clock.advancing test_clock.created test_clock.deleted test_clock.internal_failure test_clock.ready`),
	group("topup", "Top-ups", "canceled created failed reversed succeeded"),
	group("transfer", "Transfers", "created reversed updated"),
	group("treasury", "Treasury", `
		credit_reversal.created credit_reversal.posted debit_reversal.completed debit_reversal.created
		debit_reversal.initial_credit_granted financial_account.closed financial_account.created
		financial_account.features_status_updated inbound_transfer.canceled inbound_transfer.created
		inbound_transfer.failed inbound_transfer.succeeded outbound_payment.canceled outbound_payment.created
		outbound_payment.expected_arrival_date_updated outbound_payment.failed outbound_payment.posted
		outbound_payment.returned outbound_payment.tracking_details_updated outbound_transfer.canceled
		outbound_transfer.created outbound_transfer.expected_arrival_date_updated outbound_transfer.failed
		outbound_transfer.posted outbound_transfer.returned outbound_transfer.tracking_details_updated
		received_credit.created received_credit.failed received_credit.succeeded received_debit.created`),
}

// group is written down with its types less the first word, which they share.
func group(key, label, types string) Group {
	g := Group{Key: key, Label: label}
	for rest := range strings.FieldsSeq(types) {
		name := key + "." + rest
		g.Events = append(g.Events, Event{Type: name, Label: eventLabel(name)})
	}
	return g
}

var words = strings.NewReplacer(".", " ", "_", " ")

func eventLabel(name string) string {
	dot := strings.LastIndexByte(name, '.')
	resource := words.Replace(name[:dot])
	return strings.ToUpper(resource[:1]) + resource[1:] + ": " + words.Replace(name[dot+1:])
}
