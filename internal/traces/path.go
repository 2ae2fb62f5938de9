package traces

import "strings"

// words are all that Stripe's paths are made of but ids, and v2. What is not here shows as {id}, so a path may be new to us
// and an id may be anything.
const words = `
accept account account_links account_sessions accounts activate active_entitlements add_lines advance alerts apple_pay
application_fees apply_customer_balance approve apps archive attach authorizations balance balance_transactions bank_accounts
billing billing_portal calculations cancel cancel_action capabilities capture cardholders cards cash_balance
cash_balance_transactions charges checkout climate close computed_upfront_line_items configurations confirm confirmation_tokens
connection_tokens country_specs coupons create_force_capture create_from_calculation create_preview create_reversal
create_unlinked_refund credit_balance_summary credit_balance_transactions credit_grants credit_notes credit_reversals
customer_sessions customers deactivate debit_reversals decline delete deliver detach disconnect discount dispute disputes
domains early_fraud_warnings entitlements ephemeral_keys event_summaries events exchange_rates expire external_accounts fail
features file_links files finalize finalize_amount financial_accounts financial_connections find forwarding fund_cash_balance
funding_instructions history identity inbound_transfers increment increment_authorization invoice_rendering_templates
invoiceitems invoices issuing line_items lines link_account_sessions linked_accounts locations login_links mandate_notifications
mandates mark_uncollectible meter_event_adjustments meter_events meters orders outbound_payments outbound_transfers owners pay
payment_intents payment_links payment_method_configurations payment_method_domains payment_methods payouts pdf people
personalization_designs persons physical_bundles plans post present_payment_method preview prices process_payment_intent
process_setup_intent products promotion_codes quotes radar reactivate readers received_credits received_debits redact refresh
refund refund_payment refunds registrations reject release remove_lines report_runs report_types reporting requests resume
return reversals reverse reviews scheduled_query_runs search secrets send sessions set_reader_display settings settlements
setup_attempts setup_intents ship shipping shipping_rates sigma source_transactions sources submit subscribe subscription_items
subscription_schedules subscriptions succeed suppliers tax tax_codes tax_ids tax_rates terminal test_clocks test_helpers tokens
topups transaction_entries transactions transfers treasury unarchive unsubscribe upcoming update_lines usage_record_summaries
usage_records v1 validate value_list_items value_lists verification_reports verification_sessions verify verify_microdeposits
void webhook_endpoints
v2 core`

// A vocabulary is a set of words.
type vocabulary map[string]bool

func newVocabulary() vocabulary {
	v := make(vocabulary)
	for word := range strings.FieldsSeq(words) {
		v[word] = true
	}
	return v
}

// template is a path of Stripe's without its ids.
func (v vocabulary) template(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		if !v[s] {
			segments[i] = "{id}"
		}
	}
	return "/" + strings.Join(segments, "/")
}
