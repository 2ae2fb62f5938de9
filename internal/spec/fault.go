package spec

import (
	"fmt"
	"strings"
)

// A Fault is one thing wrong with one field, worded for the person who filled it in. It never holds the value itself
// unless that is short and cannot be a secret.
type Fault struct {
	Field   string `json:"field"` // path as in the bundle: "shipping.address.line1", "discounts[1].coupon"
	Label   string `json:"label"` // what the form calls it; empty for a key that no field has
	Code    string `json:"code"`  // one of the Code constants
	Message string `json:"message"`
}

// The codes of a Fault. They are part of the contract: callers switch on them.
const (
	CodeRequired   = "required"    // nothing was given
	CodeUnknown    = "unknown"     // no field has this key
	CodeDuplicate  = "duplicate"   // the same field or key was given twice
	CodeInvalid    = "invalid"     // wrong kind or form
	CodeNotAllowed = "not_allowed" // does not go with another field, or not with this module
	CodeTooSmall   = "too_small"
	CodeTooLarge   = "too_large"
	CodeTooShort   = "too_short"
	CodeTooLong    = "too_long"
	CodeTooMany    = "too_many"
	CodeNoClear    = "not_clearable" // null for a field that Stripe cannot clear
	CodeRefused    = "refused"       // the value is well-formed, but the service or Stripe refuses it
)

// Faults are all that is wrong with a bundle or a request, in form order. As an error they mean that nothing was done.
type Faults []Fault //nolint:errname // the contract calls them so: one of them is no error

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fmt.Sprintf("%s: %s", fault.Field, fault.Message)
	}
	return strings.Join(lines, "; ")
}
