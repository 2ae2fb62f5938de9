package lookups

import (
	"encoding/json"
	"strings"
	"time"
)

// An object is what names are made of: the union of what the lists' objects tell people. An amount is whole, or, of a
// price, a decimal.
type object struct {
	ID                string          `json:"id"`
	Name              string          `json:"name"`
	Email             string          `json:"email"`
	Description       string          `json:"description"`
	ReceiptEmail      string          `json:"receipt_email"`
	CustomerName      string          `json:"customer_name"`
	CustomerEmail     string          `json:"customer_email"`
	Nickname          string          `json:"nickname"`
	Number            string          `json:"number"`
	Code              string          `json:"code"`
	URL               string          `json:"url"`
	DisplayName       string          `json:"display_name"`
	Country           string          `json:"country"`
	Status            string          `json:"status"`
	Type              string          `json:"type"`
	Duration          string          `json:"duration"`
	Currency          string          `json:"currency"`
	Amount            json.Number     `json:"amount"`
	Total             json.Number     `json:"total"`
	UnitAmountDecimal json.Number     `json:"unit_amount_decimal"`
	UnitAmount        json.Number     `json:"unit_amount"`
	AmountOff         json.Number     `json:"amount_off"`
	PercentOff        json.Number     `json:"percent_off"`
	Percentage        json.Number     `json:"percentage"`
	Inclusive         bool            `json:"inclusive"`
	Created           int64           `json:"created"`
	ArrivalDate       int64           `json:"arrival_date"`
	Coupon            json.RawMessage `json:"coupon"`
	Recurring         struct {
		Interval string `json:"interval"`
		Count    int    `json:"interval_count"`
	} `json:"recurring"`
	Items struct {
		Data []struct {
			Price json.RawMessage `json:"price"`
		} `json:"data"`
	} `json:"items"`
	BusinessProfile struct {
		Name string `json:"name"`
	} `json:"business_profile"`
	Settings struct {
		Dashboard struct {
			DisplayName string `json:"display_name"`
		} `json:"dashboard"`
	} `json:"settings"`

	raw []byte
}

// read takes what it can. A field of an unexpected kind costs its part of the name and nothing else.
func read(raw []byte) object {
	o := object{raw: raw}
	_ = json.Unmarshal(raw, &o)
	return o
}

// A detail is what a payment method's own type tells: card, sepa_debit, us_bank_account, ….
type detail struct {
	Brand    string `json:"brand"`
	Bank     string `json:"bank"`
	BankName string `json:"bank_name"`
	Last4    string `json:"last4"`
}

func (o object) detail() *detail {
	var byType map[string]json.RawMessage
	var d detail
	if json.Unmarshal(o.raw, &byType) != nil || json.Unmarshal(byType[o.Type], &d) != nil {
		return nil
	}
	return &d
}

// money writes an amount in the decimals of its currency, for people.
func (o object) money(amount json.Number) string {
	if amount == "" {
		return ""
	}
	digits, negative := strings.CutPrefix(amount.String(), "-")
	digits, fraction, _ := strings.Cut(digits, ".")
	if d := decimals(o.Currency); d > 0 {
		digits = strings.Repeat("0", max(0, d+1-len(digits))) + digits
		digits, fraction = digits[:len(digits)-d], digits[len(digits)-d:]+fraction
	}
	if fraction != "" {
		digits += "." + fraction
	}
	if negative {
		digits = "-" + digits
	}
	return strings.TrimSpace(digits + " " + strings.ToUpper(o.Currency))
}

// decimals are the digits behind the point in which Stripe counts a currency.
// See https://docs.stripe.com/currencies#zero-decimal; ISK and UGX count two there, of which both must be zero.
func decimals(currency string) int {
	switch currency {
	case "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf":
		return 0
	case "bhd", "jod", "kwd", "omr", "tnd":
		return 3
	}
	return 2
}

func day(unix int64) string {
	if unix == 0 {
		return ""
	}
	return time.Unix(unix, 0).UTC().Format(time.DateOnly)
}

// words makes a wire value readable: sepa_debit, one_time.
func words(value string) string { return strings.ReplaceAll(value, "_", " ") }

// line joins what there is.
func line(parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, ", ")
}
