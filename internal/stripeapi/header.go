package stripeapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/textproto"
	"strconv"
	"strings"
)

// idempotencyKeyMax is Stripe's limit.
// See https://docs.stripe.com/api/idempotent_requests.
const idempotencyKeyMax = 255

// stepKey derives the idempotency key of one step of several: the same each time, and another for each step.
func stepKey(key string, step int) string {
	suffix := ":" + strconv.Itoa(step+1)
	if len(key)+len(suffix) > idempotencyKeyMax {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return key + suffix
}

// headerFault says what is wrong with a header's value, or nothing.
func headerFault(name, value string) string {
	switch {
	case name == "Idempotency-Key" && len(value) > idempotencyKeyMax:
		return "must be at most 255 characters long"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return "must consist of printable ASCII characters"
	case value != strings.TrimSpace(value):
		return "must not begin or end with a space" // stripe-go would take a key of spaces for none
	}
	return ""
}

// visible says that text holds visible ASCII alone; empty text does.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// dropped are the headers of a user's call that the service or the connection itself decides.
func dropped(name string) bool {
	switch name {
	case "Authorization", "Cookie", "Host", "User-Agent", "Accept-Encoding", // ours
		"Content-Length", "Connection", "Expect", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	for _, prefix := range []string{"Proxy-", "Http2-", "Stripe-Client-", "X-Stripe-Client-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// tokens are the characters of a header's name, by RFC 9110.
const tokens = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// headerName gives the canonical form of a name, or nothing if it is none.
func headerName(name string) string {
	if strings.Trim(name, tokens) != "" {
		return ""
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}
