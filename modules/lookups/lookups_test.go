package lookups

import "testing"

func TestNames(t *testing.T) {
	t.Parallel()
	byKey := map[string]func([]byte) string{}
	for _, l := range All() {
		byKey[l.Key] = l.Name
	}
	tests := []struct{ lookup, object, want string }{
		{"customers", `{"id":"cus_1","name":"Ann","email":"a@x.org"}`, "Ann (a@x.org)"},
		{"customers", `{"id":"cus_1","name":null,"email":null}`, "cus_1"},
		{"payment_intents", `{"id":"pi_1","amount":1099,"currency":"usd","status":"succeeded","created":1718841600}`, "10.99 USD, succeeded, 2024-06-20"},
		{"charges", `{"id":"ch_1","amount":500,"currency":"jpy","status":"succeeded"}`, "500 JPY, succeeded"},
		{"refunds", `{"id":"re_1","amount":5,"currency":"kwd","status":"pending"}`, "0.005 KWD, pending"},
		{"payouts", `{"id":"po_1","amount":-5,"currency":"eur","status":"paid","arrival_date":1718841600}`, "-0.05 EUR, paid, 2024-06-20"},
		{"invoices", `{"id":"in_1","number":null,"total":0,"currency":"usd","status":"draft"}`, "in_1, 0.00 USD, draft"},
		{"invoice_items", `{"id":"ii_1","description":"Setup","amount":100,"currency":"usd"}`, "Setup, 1.00 USD"},
		{"subscriptions", `{"id":"sub_1","status":"active"}`, "sub_1, active"},
		{"products", `{"id":"prod_1","name":"Gold"}`, "Gold"},
		{"prices", `{"id":"price_1","unit_amount":2000,"currency":"usd","type":"one_time"}`, "20.00 USD, one time"},
		{"coupons", `{"id":"co_1","name":"Spring","percent_off":12.5}`, "Spring, 12.5 % off"},
		{"coupons", `{"id":"co_1","amount_off":500,"currency":"usd","percent_off":null}`, "5.00 USD off"},
		{"promotion_codes", `{"id":"promo_1","code":"SPRING"}`, "SPRING"},
		{"tax_rates", `{"id":"txr_1","display_name":"VAT","percentage":19.0,"inclusive":true}`, "VAT, 19.0 %, inclusive"},
		{"accounts", `{"id":"acct_1","business_profile":{"name":"Shop"}}`, "Shop"},
		{"payment_links", `{"id":"plink_1","url":"https://buy.example.com/x"}`, "https://buy.example.com/x"},
		{"payment_methods", `{"id":"pm_1","type":"card","card":{"brand":"visa","last4":"4242"}}`, "card, visa, •••• 4242"},
		{"payment_methods", `{"id":"pm_1","type":"sepa_debit","sepa_debit":{"bank_code":"1","last4":"3000"}}`, "sepa debit, •••• 3000"},
		{"payment_methods", `{"id":"pm_1","type":"link"}`, "link"},
		{"products", `{"id":"prod_1","name":7}`, "prod_1"},
	}
	for _, tt := range tests {
		if got := byKey[tt.lookup]([]byte(tt.object)); got != tt.want {
			t.Errorf("%s: %s is named %q, want %q", tt.lookup, tt.object, got, tt.want)
		}
	}
}
