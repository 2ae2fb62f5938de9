package config

import (
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A fault is a message that holds no value.
type fault string

func (f fault) Error() string { return string(f) }

// A Secret is a text that is printed as stars, whichever way it is printed: also with verbs for numbers, within a struct, or
// in a field that fmt may look into but not call.
type Secret struct{ value *string }

// NewSecret wraps a text.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal compares the texts.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String returns stars, or nothing if there is no text.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "*****"
}

// Format prints what String returns for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText makes JSON, and loggers that use it, print what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Decode reads a variable.
func (s *Secret) Decode(value string) error {
	*s = NewSecret(value)
	return nil
}

// Keys are the keys that seal secrets at rest. The first one seals, all of them open.
type Keys []Key

// A Key is a named key of 32 bytes.
type Key struct {
	ID    string
	Bytes Secret
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

const maxKeyID = 32

// Decode reads a list of ID:BASE64, in any of the four alphabets.
func (k *Keys) Decode(value string) error {
	*k = nil
	seen := make(map[string]bool)
	for i, part := range list(value) {
		id, text, found := strings.Cut(part, ":")
		if !found || len(id) > maxKeyID || !keyID.MatchString(id) {
			return fault(fmt.Sprintf("must be a list of ID:BASE64; entry %d has no id of letters, digits, - or _", i+1))
		}
		if seen[id] {
			return fault(fmt.Sprintf("must not use an id twice, as entry %d does", i+1))
		}
		seen[id] = true
		text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		raw, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil || len(raw) != 32 {
			return fault(fmt.Sprintf("must hold keys of 32 bytes in base64, unlike entry %d", i+1))
		}
		*k = append(*k, Key{ID: id, Bytes: NewSecret(string(raw))})
	}
	return nil
}

// Schedule are the pauses between attempts.
type Schedule []time.Duration

// maxWaits bounds what a slip of the pen can do.
const maxWaits = 1000

// Decode reads a list of durations, each perhaps with a number of times.
func (w *Schedule) Decode(value string) error {
	*w = nil
	for i, part := range list(value) {
		text, times, repeated := strings.Cut(part, "*")
		n := 1
		var err error
		if repeated {
			n, err = strconv.Atoi(strings.TrimSpace(times))
		}
		wait, bad := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || bad != nil || n < 1 || wait <= 0 || n > maxWaits-len(*w) {
			return fault(fmt.Sprintf("must be a list of waits such as 5s,2m,4h*17, unlike entry %d", i+1))
		}
		for range n {
			*w = append(*w, wait)
		}
	}
	return nil
}

// list splits at commas; the empty text is the empty list.
func list(value string) []string {
	if strings.TrimSpace(value) == "" {
		return nil
	}
	parts := strings.Split(value, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
