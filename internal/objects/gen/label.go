package main

import "strings"

// words are the parts of names that a capital does not make readable.
var words = map[string]string{
	"aba": "ABA", "acss": "ACSS", "api": "API", "au": "AU", "becs": "BECS", "bic": "BIC", "blik": "BLIK", "br": "BR", "bsb": "BSB", "cvc": "CVC",
	"eps": "EPS", "eu": "EU", "fpx": "FPX", "gb": "GB", "iban": "IBAN", "id": "ID", "ids": "IDs", "ip": "IP", "jp": "JP", "mx": "MX",
	"oxxo": "OXXO", "pdf": "PDF", "png": "PNG", "qr": "QR", "sdk": "SDK", "sepa": "SEPA", "spei": "SPEI", "svg": "SVG", "swift": "SWIFT",
	"th": "TH", "url": "URL", "us": "US",

	"cashapp": "Cash App", "dob": "Date of Birth", "exp": "Expiration", "familymart": "FamilyMart", "grabpay": "GrabPay", "gte": "At Least",
	"ideal": "iDEAL", "invoiceitem": "Invoice Item", "ios": "iOS", "livemode": "Live Mode", "mobilepay": "MobilePay", "p24": "P24",
	"param": "Parameter", "paynow": "PayNow", "paypal": "PayPal", "promptpay": "PromptPay", "wechat": "WeChat",
}

// joints are the words that are small between others.
var joints = map[string]bool{"at": true, "by": true, "from": true, "in": true, "of": true, "on": true, "or": true, "to": true, "with": true}

// label makes a readable label of a name: "amount_received" becomes "Amount Received", "line1" becomes "Line 1".
func label(name string) string {
	parts := strings.Split(strings.ReplaceAll(name, "three_d_secure", "3D_secure"), "_")
	for i, part := range parts {
		word, ok := words[part]
		switch {
		case ok:
			parts[i] = word
		case !joints[part] || i == 0 || i == len(parts)-1:
			parts[i] = capital(part)
		}
	}
	return strings.Join(parts, " ")
}

// capital writes a word with a capital, and with a blank before the digits at its end.
func capital(word string) string {
	letters := strings.TrimRight(word, "0123456789")
	return strings.TrimSpace(strings.ToUpper(word[:1]) + letters[1:] + " " + word[len(letters):])
}
