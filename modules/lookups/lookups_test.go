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
		{"payment_intents", `{"id":"pi_1","amount":1099,"currency":"usd","status":"requires_capture","created":1718841600}`, "10.99 USD, pi_1, requires capture, 2024-06-20"},
		{"payment_intents", `{"id":"pi_1","amount":1099,"currency":"usd","status":"succeeded","description":"Order 17","receipt_email":"a@x.org"}`, "10.99 USD, Order 17, succeeded"},
		{"charges", `{"id":"ch_1","amount":500,"currency":"jpy","status":"succeeded","receipt_email":"a@x.org"}`, "500 JPY, a@x.org, succeeded"},
		{"charges", `{"id":"ch_1","amount":500,"currency":"isk","status":"succeeded"}`, "5.00 ISK, ch_1, succeeded"},
		{"refunds", `{"id":"re_1","amount":5,"currency":"kwd","status":"pending"}`, "0.005 KWD, re_1, pending"},
		{"refunds", `{"id":"re_1","amount":0,"currency":"kwd","status":"pending"}`, "0.000 KWD, re_1, pending"},
		{"payouts", `{"id":"po_1","amount":-5,"currency":"eur","status":"in_transit","arrival_date":1718841600}`, "-0.05 EUR, in transit, 2024-06-20"},
		{"payouts", `{"id":"po_1","amount":-500,"currency":"jpy","status":"paid","description":"STRIPE PAYOUT"}`, "-500 JPY, STRIPE PAYOUT, paid"},
		{"invoices", `{"id":"in_1","number":null,"total":0,"currency":"usd","status":"draft","customer_name":"Ann"}`, "in_1, Ann, 0.00 USD, draft"},
		{"invoices", `{"id":"in_1","number":"A-1","total":99999999999,"currency":"usd","status":"open","customer_email":"a@x.org"}`, "A-1, a@x.org, 999999999.99 USD, open"},
		{"invoice_items", `{"id":"ii_1","description":"Setup","amount":100,"currency":"usd"}`, "Setup, 1.00 USD"},
		{"invoice_items", `{"id":"ii_1","description":null,"amount":100,"currency":"usd"}`, "ii_1, 1.00 USD"},
		{"subscriptions", `{"id":"sub_1","status":"past_due"}`, "sub_1, past due"},
		{"subscriptions", `{"id":"sub_1","status":"active","items":{"data":[{"price":{"unit_amount":2000,"currency":"usd","recurring":{"interval":"month","interval_count":1}}}]}}`, "sub_1, 20.00 USD, every month, active"},
		{"products", `{"id":"prod_1","name":"Gold"}`, "Gold"},
		{"prices", `{"id":"price_1","unit_amount":2000,"unit_amount_decimal":"2000","currency":"usd","type":"one_time"}`, "20.00 USD, one time"},
		{"prices", `{"id":"price_1","unit_amount":null,"unit_amount_decimal":"0.5","currency":"usd","type":"recurring","recurring":{"interval":"year","interval_count":2}}`, "0.005 USD, every 2 years"},
		{"prices", `{"id":"price_1","unit_amount":null,"unit_amount_decimal":"12.5","currency":"jpy","nickname":"Ink","type":"one_time"}`, "Ink, 12.5 JPY, one time"},
		{"prices", `{"id":"price_1","unit_amount":null,"unit_amount_decimal":null,"currency":"usd","type":"one_time"}`, "price_1, one time"},
		{"coupons", `{"id":"co_1","name":"Spring","percent_off":12.5,"duration":"once"}`, "Spring, 12.5 % off, once"},
		{"coupons", `{"id":"co_1","amount_off":500,"currency":"usd","percent_off":null}`, "5.00 USD off"},
		{"promotion_codes", `{"id":"promo_1","code":"SPRING","coupon":{"id":"co_1","amount_off":500,"currency":"jpy","duration":"forever"}}`, "SPRING, 500 JPY off, forever"},
		{"promotion_codes", `{"id":"promo_1","code":"SPRING"}`, "SPRING"},
		{"tax_rates", `{"id":"txr_1","display_name":"VAT","percentage":19.0,"inclusive":true,"country":"DE"}`, "VAT, DE, 19.0 %, inclusive"},
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
