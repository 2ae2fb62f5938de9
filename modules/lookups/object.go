package lookups

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// An object is what names are made of: the union of what the lists' objects tell people.
type object struct {
	ID              string      `json:"id"`
	Name            string      `json:"name"`
	Email           string      `json:"email"`
	Description     string      `json:"description"`
	Nickname        string      `json:"nickname"`
	Number          string      `json:"number"`
	Code            string      `json:"code"`
	URL             string      `json:"url"`
	DisplayName     string      `json:"display_name"`
	Status          string      `json:"status"`
	Type            string      `json:"type"`
	Currency        string      `json:"currency"`
	Amount          *int64      `json:"amount"`
	Total           *int64      `json:"total"`
	UnitAmount      *int64      `json:"unit_amount"`
	AmountOff       *int64      `json:"amount_off"`
	PercentOff      json.Number `json:"percent_off"`
	Percentage      json.Number `json:"percentage"`
	Inclusive       bool        `json:"inclusive"`
	Created         int64       `json:"created"`
	ArrivalDate     int64       `json:"arrival_date"`
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
func (o object) money(amount *int64) string {
	if amount == nil {
		return ""
	}
	n, sign := *amount, ""
	if n < 0 {
		sign = "-"
	}
	digits := strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
	if d := decimals(o.Currency); d > 0 {
		if len(digits) <= d {
			digits = strings.Repeat("0", d-len(digits)+1) + digits
		}
		digits = digits[:len(digits)-d] + "." + digits[len(digits)-d:]
	}
	return strings.TrimSpace(sign + digits + " " + strings.ToUpper(o.Currency))
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
