package webhooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
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

// outside is how Stripe writes the envelope.
type outside struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Account    string          `json:"account"`
	APIVersion string          `json:"api_version"`
	Livemode   *bool           `json:"livemode"`
	Created    json.RawMessage `json:"created"`
}

// openEnvelope reads what is on an event's outside. It keeps nothing of the body but the short texts of the envelope.
func openEnvelope(body []byte) (envelope, error) {
	var wire struct {
		outside
		Data struct {
			Object struct {
				ID string `json:"id"`
			} `json:"object"`
		} `json:"data"`
	}
	// An event counts whatever its data is.
	if json.Unmarshal(body, &wire) != nil && json.Unmarshal(body, &wire.outside) != nil {
		return envelope{}, ErrMalformed // The cause may quote the body.
	}
	switch {
	case !wellFormedID(wire.ID):
		return envelope{}, fmt.Errorf("%w: its id is missing or malformed", ErrMalformed)
	case !wellFormedType(wire.Type):
		return envelope{}, fmt.Errorf("%w: its type is missing or malformed", ErrMalformed)
	case wire.Account != "" && !wellFormedID(wire.Account):
		return envelope{}, fmt.Errorf("%w: its account is malformed", ErrMalformed)
	case wire.Livemode == nil:
		return envelope{}, fmt.Errorf("%w: it does not say livemode", ErrMalformed)
	}
	e := envelope{ID: wire.ID, Type: wire.Type, Account: wire.Account, Livemode: *wire.Livemode}
	if seconds, err := strconv.ParseInt(string(wire.Created), 10, 64); err == nil {
		e.Created = time.Unix(seconds, 0).UTC()
	}
	if plain(wire.APIVersion) {
		e.APIVersion = wire.APIVersion
	}
	if plain(wire.Data.Object.ID) { // merchants choose those of plans
		e.Object = wire.Data.Object.ID
	}
	return e, nil
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
