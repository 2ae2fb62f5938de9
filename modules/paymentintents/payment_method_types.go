package paymentintents

import (
	"slices"

	"stripe-connector/internal/spec"
)

// methodTypes are the types of payment methods (https://docs.stripe.com/api/payment_methods/object#payment_method_object-type).
var methodTypes = []spec.Option{
	spec.Opt("acss_debit", "Canadian pre-authorized debit (ACSS)"),
	spec.Opt("affirm", "Affirm"),
	spec.Opt("afterpay_clearpay", "Afterpay / Clearpay"),
	spec.Opt("alipay", "Alipay"),
	spec.Opt("amazon_pay", "Amazon Pay"),
	spec.Opt("au_becs_debit", "BECS Direct Debit (Australia)"),
	spec.Opt("bacs_debit", "Bacs Direct Debit"),
	spec.Opt("bancontact", "Bancontact"),
	spec.Opt("blik", "BLIK"),
	spec.Opt("boleto", "Boleto"),
	spec.Opt("card", "Card"),
	spec.Opt("card_present", "Card present (Terminal)"),
	spec.Opt("cashapp", "Cash App Pay"),
	spec.Opt("customer_balance", "Customer balance"),
	spec.Opt("eps", "EPS"),
	spec.Opt("fpx", "FPX"),
	spec.Opt("giropay", "giropay"),
	spec.Opt("grabpay", "GrabPay"),
	spec.Opt("ideal", "iDEAL"),
	spec.Opt("interac_present", "Interac present (Terminal)"),
	spec.Opt("klarna", "Klarna"),
	spec.Opt("konbini", "Konbini"),
	spec.Opt("link", "Link"),
	spec.Opt("mobilepay", "MobilePay"),
	spec.Opt("multibanco", "Multibanco"),
	spec.Opt("oxxo", "OXXO"),
	spec.Opt("p24", "Przelewy24"),
	spec.Opt("paynow", "PayNow"),
	spec.Opt("paypal", "PayPal"),
	spec.Opt("pix", "Pix"),
	spec.Opt("promptpay", "PromptPay"),
	spec.Opt("revolut_pay", "Revolut Pay"),
	spec.Opt("sepa_debit", "SEPA Direct Debit"),
	spec.Opt("sofort", "SOFORT"),
	spec.Opt("swish", "Swish"),
	spec.Opt("twint", "TWINT"),
	spec.Opt("us_bank_account", "US bank account (ACH)"),
	spec.Opt("wechat_pay", "WeChat Pay"),
	spec.Opt("zip", "Zip"),
}

// newMethodTypes are those that can be made here: a card needs Stripe's own form, and the other two a terminal.
func newMethodTypes() []spec.Option {
	return slices.DeleteFunc(slices.Clone(methodTypes), func(o spec.Option) bool {
		return o.Value == "card" || o.Value == "card_present" || o.Value == "interac_present"
	})
}

// newMethodNeeds are the details without which Stripe makes no payment method of the type.
var newMethodNeeds = map[string][]string{
	"acss_debit":    {"account_number", "institution_number", "transit_number"},
	"au_becs_debit": {"account_number", "bsb_number"},
	"boleto":        {"tax_id"},
	"fpx":           {"bank"},
	"sepa_debit":    {"iban"},
	"sofort":        {"country"},
}

// cardNetworks are the networks that a card payment can be made over.
var cardNetworks = []spec.Option{
	spec.Opt("amex", "American Express"),
	spec.Opt("cartes_bancaires", "Cartes Bancaires"),
	spec.Opt("diners", "Diners Club"),
	spec.Opt("discover", "Discover"),
	spec.Opt("eftpos_au", "eftpos Australia"),
	spec.Opt("girocard", "girocard"),
	spec.Opt("interac", "Interac"),
	spec.Opt("jcb", "JCB"),
	spec.Opt("mastercard", "Mastercard"),
	spec.Opt("unionpay", "UnionPay"),
	spec.Opt("unknown", "Unknown"),
	spec.Opt("visa", "Visa"),
}
