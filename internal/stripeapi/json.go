package stripeapi

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"
)

// ValidJSON reports whether what Stripe wrote is JSON. gjson, several times faster, goes down with what is nested; only
// encoding/json may look at what might be nested very deep.
func ValidJSON(body []byte) bool {
	const deep = 10_000
	if bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > deep {
		return json.Valid(body)
	}
	return gjson.ValidBytes(body)
}
