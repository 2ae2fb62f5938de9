package webhooks

import (
	"slices"
	"strings"
)

// An EventGroup is the family of event types that share their first word.
type EventGroup struct {
	Key   string // first word of its types; "all" is every group
	Label string
	Types []EventType // empty for "all", which asks Stripe for allEvents
}

// An EventType is one kind of event that Stripe sends.
type EventType struct {
	Type  string // as on the wire: customer.subscription.updated
	Label string // for people: Customer subscription: updated
}

const (
	groupAll  = "all"
	allEvents = "*" // Stripe's word for all types, but for the few that have to be asked for by name.
)

// EventGroups returns "all", and then the groups of Stripe's API 2024-06-20 in alphabetical order.
// See https://docs.stripe.com/api/events/types.
func EventGroups() []EventGroup {
	groups := []EventGroup{{Key: groupAll, Label: "All events"}}
	for _, family := range families {
		group := EventGroup{Key: family.key, Label: family.label}
		for suffix := range strings.FieldsSeq(family.types) {
			name := family.key + "." + suffix
			group.Types = append(group.Types, EventType{Type: name, Label: eventLabel(name)})
		}
		groups = append(groups, group)
	}
	return groups
}

// eventLabel says "Customer subscription: updated" for customer.subscription.updated.
func eventLabel(name string) string {
	words := strings.NewReplacer(".", " ", "_", " ")
	dot := strings.LastIndexByte(name, '.')
	resource := words.Replace(name[:dot])
	return strings.ToUpper(resource[:1]) + resource[1:] + ": " + words.Replace(name[dot+1:])
}

// eventTypes returns the types of a group, or false when there is no such group.
func eventTypes(group string) ([]string, bool) {
	if group == groupAll {
		return []string{allEvents}, true
	}
	i := slices.IndexFunc(families, func(f family) bool { return f.key == group })
	if i < 0 {
		return nil, false
	}
	types := strings.Fields(families[i].types)
	for j, suffix := range types {
		types[j] = group + "." + suffix
	}
	return types, true
}

// wellFormedType holds for words of lower-case letters, digits and underscores with dots between them, two words at least.
func wellFormedType(name string) bool {
	if len(name) > 255 || strings.Count(name, ".") == 0 {
		return false
	}
	for word := range strings.SplitSeq(name, ".") {
		if word == "" {
			return false
		}
		for _, c := range []byte(word) {
			if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// A family is a group as it is written down here: its types without their first word.
type family struct{ key, label, types string }

var families = []family{
	{"account", "Accounts", `
		application.authorized application.deauthorized external_account.created external_account.deleted
		external_account.updated updated`},
	{"application_fee", "Application Fees", "created refund.updated refunded"},
	{"balance", "Balance", "available"},
	{"billing", "Billing Alerts", "alert.triggered"},
	{"billing_portal", "Customer Portal", "configuration.created configuration.updated session.created"},
	{"capability", "Capabilities", "updated"},
	{"cash_balance", "Cash Balance", "funds_available"},
	{"charge", "Charges", `
		captured dispute.closed dispute.created dispute.funds_reinstated dispute.funds_withdrawn dispute.updated
		expired failed pending refund.updated refunded succeeded updated`},
	{"checkout", "Checkout", `
		session.async_payment_failed session.async_payment_succeeded session.completed session.expired`},
	{"climate", "Climate", `
		order.canceled order.created order.delayed order.delivered order.product_substituted product.created
		product.pricing_updated`},
	{"coupon", "Coupons", "created deleted updated"},
	{"credit_note", "Credit Notes", "created updated voided"},
	{"customer", "Customers", `
		created deleted discount.created discount.deleted discount.updated source.created source.deleted
		source.expiring source.updated subscription.created subscription.deleted subscription.paused
		subscription.pending_update_applied subscription.pending_update_expired subscription.resumed
		subscription.trial_will_end subscription.updated tax_id.created tax_id.deleted tax_id.updated updated`},
	{"customer_cash_balance_transaction", "Customer Cash Balance Transactions", "created"},
	{"entitlements", "Entitlements", "active_entitlement_summary.updated"},
	{"file", "Files", "created"},
	{"financial_connections", "Financial Connections", `
		account.created account.deactivated account.disconnected account.reactivated account.refreshed_balance
		account.refreshed_ownership account.refreshed_transactions`},
	{"identity", "Identity", `
		verification_session.canceled verification_session.created verification_session.processing
		verification_session.redacted verification_session.requires_input verification_session.verified`},
	{"invoice", "Invoices", `
		created deleted finalization_failed finalized marked_uncollectible overdue paid payment_action_required
		payment_failed payment_succeeded sent upcoming updated voided will_be_due`},
	{"invoiceitem", "Invoice Items", "created deleted"},
	{"issuing_authorization", "Issuing Authorizations", "created request updated"},
	{"issuing_card", "Issuing Cards", "created updated"},
	{"issuing_cardholder", "Issuing Cardholders", "created updated"},
	{"issuing_dispute", "Issuing Disputes", "closed created funds_reinstated funds_rescinded submitted updated"},
	{"issuing_personalization_design", "Issuing Personalization Designs", "activated deactivated rejected updated"},
	{"issuing_token", "Issuing Tokens", "created updated"},
	{"issuing_transaction", "Issuing Transactions", "created updated"},
	{"mandate", "Mandates", "updated"},
	{"payment_intent", "Payment Intents", `
		amount_capturable_updated canceled created partially_funded payment_failed processing requires_action
		succeeded`},
	{"payment_link", "Payment Links", "created updated"},
	{"payment_method", "Payment Methods", "attached automatically_updated detached updated"},
	{"payout", "Payouts", "canceled created failed paid reconciliation_completed updated"},
	{"person", "Persons", "created deleted updated"},
	{"plan", "Plans", "created deleted updated"},
	{"price", "Prices", "created deleted updated"},
	{"product", "Products", "created deleted updated"},
	{"promotion_code", "Promotion Codes", "created updated"},
	{"quote", "Quotes", "accepted canceled created finalized"},
	{"radar", "Radar", "early_fraud_warning.created early_fraud_warning.updated"},
	{"refund", "Refunds", "created updated"},
	{"reporting", "Reporting", "report_run.failed report_run.succeeded report_type.updated"},
	{"review", "Reviews", "closed opened"},
	{"setup_intent", "Setup Intents", "canceled created requires_action setup_failed succeeded"},
	{"sigma", "Sigma", "scheduled_query_run.created"},
	{"source", "Sources", `
		canceled chargeable failed mandate_notification refund_attributes_required transaction.created
		transaction.updated`},
	{"subscription_schedule", "Subscription Schedules", "aborted canceled completed created expiring released updated"},
	{"tax", "Tax", "settings.updated"},
	{"tax_rate", "Tax Rates", "created updated"},
	{"terminal", "Terminal", "reader.action_failed reader.action_succeeded"},
	{"test_helpers", "Test Helpers", `
		test_clock.advancing test_clock.created test_clock.deleted test_clock.internal_failure test_clock.ready`},
	{"topup", "Top-ups", "canceled created failed reversed succeeded"},
	{"transfer", "Transfers", "created reversed updated"},
	{"treasury", "Treasury", `
		credit_reversal.created credit_reversal.posted debit_reversal.completed debit_reversal.created
		debit_reversal.initial_credit_granted financial_account.closed financial_account.created
		financial_account.features_status_updated inbound_transfer.canceled inbound_transfer.created
		inbound_transfer.failed inbound_transfer.succeeded outbound_payment.canceled outbound_payment.created
		outbound_payment.expected_arrival_date_updated outbound_payment.failed outbound_payment.posted
		outbound_payment.returned outbound_payment.tracking_details_updated outbound_transfer.canceled
		outbound_transfer.created outbound_transfer.expected_arrival_date_updated outbound_transfer.failed
		outbound_transfer.posted outbound_transfer.returned outbound_transfer.tracking_details_updated
		received_credit.created received_credit.failed received_credit.succeeded received_debit.created`},
}

func inGroup(name, group string) bool { return strings.HasPrefix(name, group+".") }

// unknownTypes returns those types that are in no group: new at Stripe, or misspelt.
func unknownTypes(types []string) []string {
	var unknown []string
	for _, name := range types {
		group, _, _ := strings.Cut(name, ".")
		if known, _ := eventTypes(group); name != allEvents && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}
