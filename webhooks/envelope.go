package webhooks

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"stripe-connector/internal/stripeapi"
)

// ErrMalformed means that a signed body is not an event.
var ErrMalformed = errors.New("the body is not a Stripe event")

// An envelope is what we need to know of an event. The rest of it is never decoded, so that it may be of any API version.
// See https://docs.stripe.com/api/events/object.
type envelope struct {
	ID         string
	Type       string
	Account    string // the connected account it happened on; empty: the connection's own
	APIVersion string
	Livemode   bool
	Created    time.Time // zero when Stripe did not say
	Object     string    // id of what it is about; empty if that has none
}

// openEnvelope reads what is on an event's outside. It keeps nothing of the body but the short texts of the envelope.
func openEnvelope(body []byte) (envelope, error) {
	if !stripeapi.ValidJSON(body) {
		return envelope{}, ErrMalformed // the cause may quote the body
	}
	outside := gjson.ParseBytes(body)
	if !outside.IsObject() {
		return envelope{}, ErrMalformed
	}
	var e envelope
	fine, saysMode := true, false
	outside.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			fine = readText(value, &e.ID) && fine
		case "type":
			fine = readText(value, &e.Type) && fine
		case "account":
			fine = readText(value, &e.Account) && fine
		case "api_version":
			fine = readText(value, &e.APIVersion) && fine
		case "livemode":
			e.Livemode, saysMode = value.Type == gjson.True, value.IsBool()
		case "created":
			if seconds, err := strconv.ParseInt(value.Raw, 10, 64); err == nil {
				e.Created = time.Unix(seconds, 0).UTC()
			}
		case "data":
			readText(value.Get("object.id"), &e.Object) // an event counts whatever its data is
		}
		return true
	})
	switch {
	case !fine:
		return envelope{}, ErrMalformed
	case !wellFormedID(e.ID):
		return envelope{}, fmt.Errorf("%w: its id is missing or malformed", ErrMalformed)
	case !wellFormedType(e.Type):
		return envelope{}, fmt.Errorf("%w: its type is missing or malformed", ErrMalformed)
	case e.Account != "" && !wellFormedID(e.Account):
		return envelope{}, fmt.Errorf("%w: its account is malformed", ErrMalformed)
	case !saysMode:
		return envelope{}, fmt.Errorf("%w: it does not say livemode", ErrMalformed)
	}
	if !plain(e.APIVersion) {
		e.APIVersion = ""
	}
	if !plain(e.Object) { // merchants choose those of plans
		e.Object = ""
	}
	return e, nil
}

// readText reads a string, or null as an empty one, and reports whether it is one of them.
func readText(value gjson.Result, into *string) bool {
	*into = strings.Clone(value.Str) // which else would keep the whole body
	return value.Type == gjson.String || value.Type == gjson.Null
}

// plain holds for short texts that can be kept.
func plain(text string) bool {
	return len(text) <= 255 && !strings.ContainsFunc(text, unicode.IsControl)
}

// wellFormedID holds for every id that Stripe makes, and for nothing that could change the meaning of a header or a path.
func wellFormedID(id string) bool {
	if id == "" || len(id) > 255 {
		return false
	}
	for _, c := range []byte(id) {
		if c != '_' && c != '-' && !isAlphanumeric(c) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
