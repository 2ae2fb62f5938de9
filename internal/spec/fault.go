package spec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
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

// CheckKept judges a text that is to be kept, or to be looked for among what is. It answers what is wrong, beginning with
// "must", or nothing: what not every store can hold is refused with all of them.
func CheckKept(text string) string {
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return "must be UTF-8 without the character NUL"
	}
	return ""
}

// CheckName judges the name of something that is kept.
func CheckName(field, label, name string, most int) Faults {
	if problem := CheckKept(name); problem != "" {
		return Faults{{Field: field, Label: label, Code: CodeInvalid, Message: problem}}
	}
	if utf8.RuneCountInString(name) > most {
		return Faults{{Field: field, Label: label, Code: CodeTooLong, Message: "must be at most " + strconv.Itoa(most) + " characters"}}
	}
	return nil
}
